//! 3,000 ignore files over three small trees, answered by BuildKit's own walker: what a view of the
//! whole context holds must be exactly that.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test stops where it cannot go on; a shared file is a module"
)]

#[path = "support/recorded_trees.rs"]
mod recorded_trees;

use imgraph::graph::view::ReadSources;
use recorded_trees::{RecordedTree, recorded_lines, recorded_trees, spec};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    tree: usize,
    ignore: String,
    #[serde(default)]
    kept: Vec<usize>,
    #[serde(default)]
    invalid: bool,
}

/// The paths that the view holds; `None` where the ignore file is refused.
fn kept(tree: &RecordedTree, ignore: &str) -> Option<Vec<String>> {
    let spec = spec(ignore, ReadSources::Whole)?;
    let view = spec.view(&tree.snapshot).ok()?;
    assert_eq!(
        view.entries.iter().map(|entry| entry.path.clone()).collect::<Vec<_>>(),
        spec.paths(&tree.snapshot).unwrap()
    );
    Some(tree.names(&view))
}

#[test]
fn views_hold_what_buildkit_sends() {
    let trees = recorded_trees();
    let cases: Vec<Case> = recorded_lines("dockerignore-cases.jsonl");
    assert_eq!(cases.len(), 3000);
    let mut differences = Vec::new();
    for case in &cases {
        let tree = &trees[case.tree];
        let expected = (!case.invalid).then(|| tree.named(&case.kept));
        let found = kept(tree, &case.ignore);
        if found != expected {
            differences.push(format!("{:?}\n  found {found:?}\n  not   {expected:?}", case.ignore));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
