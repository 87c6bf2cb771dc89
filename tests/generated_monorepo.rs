//! The generated monorepos that the benches measure on are what they say they are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/extremes.rs"]
mod extremes;
#[path = "support/monorepo.rs"]
mod monorepo;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use extremes::Shape;
use imgraph::graph::expand::{Wanted, expand};
use imgraph::graph::key::Keyed;
use imgraph::graph::load;
use imgraph::graph::node_views::NodeViews;
use imgraph::source::snapshot::Snapshot;
use imgraph::types::environment::Environment;
use imgraph::types::platform::Platform;
use imgraph::types::workspace_path::WorkspacePath;
use monorepo::Options;

const SERVICES: usize = 130;

fn options() -> Options {
    Options { services: SERVICES, files_per_service: 5, mean_file_bytes: 200, ..Options::default() }
}

/// The source key of each target of a monorepo.
fn keys(options: &Options) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    monorepo::generate(folder.path(), options).unwrap();
    keys_in(folder.path())
}

/// The source key of each target of a workspace that is extreme in one way.
fn keys_of_extreme(shape: Shape, seed: u64) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let (targets, folders, files, mean_file_bytes) = (20, 12, 120, 200);
    let options = extremes::Options { shape, targets, folders, files, mean_file_bytes, seed, commit: false };
    extremes::generate(folder.path(), &options).unwrap();
    keys_in(folder.path())
}

/// The source key of each target of the workspace at `root`.
fn keys_in(root: &Path) -> BTreeMap<String, String> {
    let snapshot = Snapshot::of_disk(root).unwrap();
    let given =
        load::Options { set: &BTreeMap::new(), environment: &Environment::default(), version: "0.1.0" };
    let loaded = load::load(&snapshot, &given);
    assert_eq!(loaded.diagnostics, []);
    let targets = loaded.select(&["//..."], &WorkspacePath::root().into()).unwrap();
    let build_platform: &Platform = &"linux/amd64".parse().unwrap();
    let wanted = Wanted { targets: &targets, platforms: &[], build_platform };
    let (graph, diagnostics) = expand(&snapshot, &loaded, wanted);
    assert_eq!(diagnostics, []);
    let views = NodeViews::new(&graph, &snapshot).unwrap();
    let keys = Keyed { graph: &graph, views: &views }.source_keys();
    let named = graph.nodes.iter().map(|(id, node)| (node.name(), keys[id].to_string()));
    named.collect()
}

#[test]
fn the_same_seed_gives_the_same_keys() {
    let first = keys(&options());
    let services: BTreeSet<_> =
        (0..SERVICES).map(|n| format!("//services/{0}:{0}", monorepo::service_name(n))).collect();
    let known: BTreeSet<String> = first.keys().cloned().collect();
    let missing: Vec<_> = services
        .iter()
        .filter(|label| {
            !known.contains(label.trim_end_matches(|c| c != ':').trim_end_matches(':'))
                && !known.contains(*label)
        })
        .collect();
    assert_eq!(missing, Vec::<&String>::new(), "of {known:?}");
    assert_eq!(first, keys(&options()));
    let other = keys(&Options { seed: 2, ..options() });
    let same: Vec<_> = other.iter().filter(|(label, key)| first.get(*label) == Some(*key)).collect();
    assert!(same.len() <= 2, "{same:?}");
}

#[test]
fn a_smaller_one_is_a_part_of_a_larger_one() {
    let smaller = keys(&Options { services: SERVICES / 2, ..options() });
    let larger = keys(&options());
    for (label, key) in smaller {
        assert_eq!(larger.get(&label), Some(&key), "{label}");
    }
}

/// Each extreme has as many targets as were asked for, and as many images as it says; whether another seed gives other
/// keys depends on whether there are files.
#[test]
fn extremes_are_what_was_asked_for() {
    let check = |shape, targets: usize, images: usize, has_files: bool| {
        let keys = keys_of_extreme(shape, 1);
        assert_eq!(keys.len(), targets, "{shape:?}");
        assert_eq!(keys.values().collect::<BTreeSet<_>>().len(), images, "{shape:?}");
        assert_eq!(keys, keys_of_extreme(shape, 1), "{shape:?}");
        assert_eq!(keys != keys_of_extreme(shape, 2), has_files, "{shape:?}");
    };
    check(Shape::OneContext, 20, extremes::CONTEXT_KINDS, true);
    check(Shape::Bare, 12 * 20, 12 * 20, false);
    check(Shape::Copies, 20, 20, true);
}

#[test]
fn a_commit_leaves_nothing_to_commit() {
    let folder = tempfile::tempdir().unwrap();
    monorepo::generate(folder.path(), &Options { services: 3, commit: true, ..options() }).unwrap();
    let git = |root: &Path, arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(git(folder.path(), &["status", "--porcelain"]), "");
    assert_eq!(git(folder.path(), &["log", "--format=%s"]), "A generated monorepo\n");
}
