//! From files to source keys: all steps together, then each alone.

#[path = "../tests/support/monorepo.rs"]
mod monorepo;
#[path = "support/trees.rs"]
mod trees;

use divan::Bencher;
use divan::counter::ItemsCount;
use imgraph::graph::key::Keyed;
use imgraph::graph::node_views::NodeViews;
use trees::Size;

fn main() {
    divan::main();
}

/// What `plan` does before it looks into the cache.
#[divan::bench(args = trees::sizes(), max_time = 20)]
fn all(bencher: Bencher<'_, '_>, size: Size) {
    bencher.counter(ItemsCount::new(size.services)).with_inputs(|| trees::snapshot(size)).bench_refs(
        |snapshot| {
            let graph = trees::graph(snapshot, &trees::load(snapshot));
            let views = NodeViews::new(&graph, snapshot).expect("the tree can be read");
            Keyed { graph: &graph, views: &views }.source_keys()
        },
    );
}

#[divan::bench(args = trees::sizes(), max_time = 10)]
fn load(bencher: Bencher<'_, '_>, size: Size) {
    let inputs = bencher.counter(ItemsCount::new(size.services)).with_inputs(|| trees::snapshot(size));
    inputs.bench_refs(|snapshot| trees::load(snapshot));
}

#[divan::bench(args = trees::sizes(), max_time = 10)]
fn expand(bencher: Bencher<'_, '_>, size: Size) {
    let loaded = || {
        let snapshot = trees::snapshot(size);
        let loaded = trees::load(&snapshot);
        (snapshot, loaded)
    };
    let inputs = bencher.counter(ItemsCount::new(size.services)).with_inputs(loaded);
    inputs.bench_refs(|(snapshot, loaded)| trees::graph(snapshot, loaded));
}

/// Files are read and hashed: each input is a fresh snapshot.
#[divan::bench(args = trees::sizes(), max_time = 10)]
fn views(bencher: Bencher<'_, '_>, size: Size) {
    let graph = || {
        let snapshot = trees::snapshot(size);
        let graph = trees::graph(&snapshot, &trees::load(&snapshot));
        (snapshot, graph)
    };
    let inputs = bencher.counter(ItemsCount::new(size.services)).with_inputs(graph);
    inputs.bench_refs(|(snapshot, graph)| NodeViews::new(graph, snapshot));
}

#[divan::bench(args = trees::sizes(), max_time = 5)]
fn source_keys(bencher: Bencher<'_, '_>, size: Size) {
    let snapshot = trees::snapshot(size);
    let graph = trees::graph(&snapshot, &trees::load(&snapshot));
    let views = NodeViews::new(&graph, &snapshot).expect("the tree can be read");
    let keyed = Keyed { graph: &graph, views: &views };
    bencher.counter(ItemsCount::new(size.services)).bench(|| keyed.source_keys());
}
