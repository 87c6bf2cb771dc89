//! 2,000 Dockerfiles over one small tree, answered by BuildKit: given the sources that BuildKit asks
//! for and the ignore file, a view must hold what BuildKit's client sends.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test stops where it cannot go on; a shared file is a module"
)]

#[path = "support/recorded_trees.rs"]
mod recorded_trees;

use imgraph::graph::view::ReadSources;
use recorded_trees::{recorded_lines, recorded_trees, spec};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    tree: usize,
    ignore: String,
    #[serde(default)]
    context: bool,
    #[serde(default)]
    follow: Vec<String>,
    #[serde(default)]
    kept: Vec<usize>,
}

#[test]
fn views_of_sources_hold_what_buildkit_sends() {
    let trees = recorded_trees();
    let cases: Vec<Case> = recorded_lines("dockerfile-input-cases.jsonl");
    let cases: Vec<Case> = cases.into_iter().filter(|case| case.context).collect();
    assert!(cases.len() > 500, "{} cases read the context", cases.len());
    for case in cases {
        let tree = &trees[case.tree];
        let sources = match case.follow.as_slice() {
            [] => ReadSources::Whole,
            paths => ReadSources::Paths(paths.to_vec()),
        };
        let view = spec(&case.ignore, sources).unwrap().view(&tree.snapshot).unwrap();
        assert_eq!(tree.names(&view), tree.named(&case.kept), "{:?} less {:?}", case.follow, case.ignore);
    }
}
