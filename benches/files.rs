//! The workspace's files: walking them, and hashing all that a root context lets a build read.

#[path = "../tests/support/monorepo.rs"]
mod monorepo;
#[path = "support/trees.rs"]
mod trees;

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use imgraph::graph::view::{ReadSources, ViewSpec};
use imgraph::source::snapshot::Snapshot;
use imgraph::syntax::dockerignore::IgnoreRules;
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;
use trees::Size;

fn main() {
    divan::main();
}

/// All of the root that the root's ignore file lets through.
fn whole(snapshot: &Snapshot) -> ViewSpec {
    let path = WorkspacePath::root().join_name(b".dockerignore");
    let bytes = snapshot.read(&path).expect("there is an ignore file");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let ignore = IgnoreRules::parse(&Arc::new(SourceText { path, text })).expect("it is right");
    let context = WorkspacePath::root();
    ViewSpec { context, ignore: Arc::new(ignore), sources: ReadSources::Whole, inputs: None }
}

/// Which paths there are: no file is read.
#[divan::bench(args = trees::sizes(), max_time = 10)]
fn walk(bencher: Bencher<'_, '_>, size: Size) {
    let count = |snapshot: &Snapshot| whole(snapshot).paths(snapshot).expect("the tree can be listed").len();
    let items = count(&trees::snapshot(size));
    bencher
        .counter(ItemsCount::new(items))
        .with_inputs(|| trees::snapshot(size))
        .bench_refs(|snapshot| count(snapshot));
}

/// Walked, every file read and hashed: what a first run does.
#[divan::bench(args = trees::sizes(), max_time = 10)]
fn walk_and_hash(bencher: Bencher<'_, '_>, size: Size) {
    let view = |snapshot: &Snapshot| whole(snapshot).view(snapshot).expect("the tree can be read");
    let items = view(&trees::snapshot(size)).entries.len();
    bencher
        .counter(ItemsCount::new(items))
        .with_inputs(|| trees::snapshot(size))
        .bench_refs(|snapshot| view(snapshot));
}

/// The same, when an earlier snapshot knows the hashes: every file's facts are asked, none is read.
#[divan::bench(args = trees::sizes(), max_time = 10)]
fn look_again(bencher: Bencher<'_, '_>, size: Size) {
    let view = |snapshot: &Snapshot| whole(snapshot).view(snapshot).expect("the tree can be read");
    let first = trees::snapshot(size);
    let items = view(&first).entries.len();
    bencher
        .counter(ItemsCount::new(items))
        .with_inputs(|| first.look_again())
        .bench_refs(|snapshot| view(snapshot));
}
