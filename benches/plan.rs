//! What a build would do: with nothing cached, and with everything cached.

#[path = "../tests/support/monorepo.rs"]
mod monorepo;
#[path = "support/trees.rs"]
mod trees;

use std::collections::BTreeSet;
use std::path::Path;

use divan::Bencher;
use divan::counter::ItemsCount;
use imgraph::build::builder::{Bases, BuildError, BuildOutput, BuildRequest, Builder, Inventory};
use imgraph::cache::action_record::{self, ActionRecord};
use imgraph::cache::folder::CacheFolder;
use imgraph::cache::last_build::{LastBuild, LastBuilds};
use imgraph::engine::lookup::Known;
use imgraph::engine::plan;
use imgraph::graph::key::{Absent, Keyed, Surroundings};
use imgraph::graph::node::{Build, Graph};
use imgraph::graph::node_views::NodeViews;
use imgraph::types::cancellation::Cancellation;
use imgraph::types::digest::OutputDigest;
use imgraph::types::event::EventSink;
use imgraph::types::ids::NodeId;
use imgraph::types::platform::Platform;
use trees::Size;

const FAMILY: &str = "docker";

fn main() {
    divan::main();
}

/// A builder that has nothing and builds nothing: a plan asks it for its family.
struct Nobody(Platform);

fn refused<Value>() -> Result<Value, BuildError> {
    Err(BuildError::Surroundings { message: "a plan builds nothing".to_owned(), help: None })
}

impl Builder for Nobody {
    fn family(&self) -> &str {
        FAMILY
    }
    fn description(&self) -> &str {
        FAMILY
    }
    fn platform(&self) -> &Platform {
        &self.0
    }
    fn inventory(&self) -> Result<Inventory, BuildError> {
        Ok(Inventory::default())
    }
    fn has(&self, _digest: &OutputDigest) -> Result<bool, BuildError> {
        Ok(false)
    }
    fn bases(&self, _: &BTreeSet<(&str, &Platform)>) -> Result<Bases, BuildError> {
        Ok(Bases::default())
    }
    fn resolve(&self, _: &str, _: &Platform, _: &Cancellation) -> Result<OutputDigest, BuildError> {
        refused()
    }
    fn triggers(&self, _: &str, _: &Platform, _: &Cancellation) -> Result<Vec<String>, BuildError> {
        refused()
    }
    fn build(
        &self,
        _: &BuildRequest<'_>,
        _: &dyn EventSink,
        _: &Cancellation,
    ) -> Result<BuildOutput, BuildError> {
        refused()
    }
    fn tag(&self, _: &OutputDigest, _: &str) -> Result<(), BuildError> {
        refused()
    }
}

struct Workspace {
    graph: Graph,
    views: NodeViews,
}

impl Workspace {
    fn new(size: Size) -> Self {
        let snapshot = trees::snapshot(size);
        let graph = trees::graph(&snapshot, &trees::load(&snapshot));
        let views = NodeViews::new(&graph, &snapshot).expect("the tree can be read");
        Self { graph, views }
    }

    fn plan(&self, inventory: &Inventory, cache: &CacheFolder, root: &Path) -> plan::Plan {
        let last_builds = LastBuilds::new(cache, root);
        plan::plan(Known {
            graph: &self.graph,
            views: &self.views,
            builder: &Nobody(Platform::local()),
            inventory,
            bases: &Bases::default(),
            absent: &Absent::default(),
            cache,
            last_builds: &last_builds,
            forced: &[],
        })
    }

    /// Fills `cache` as if everything had been built, and gives the images that there would be.
    fn pretend_built(&self, cache: &CacheFolder, root: &Path) -> Inventory {
        let keyed = Keyed { graph: &self.graph, views: &self.views };
        let source_keys = keyed.source_keys();
        let last_builds = LastBuilds::new(cache, root);
        let mut inventory = Inventory::default();
        for id in &self.graph.order {
            let node = &self.graph.nodes[*id];
            let Some(build) = node.build() else { continue };
            let action_key = keyed.action_key(*id, build, surroundings(&Absent::default()), &output);
            let record = ActionRecord {
                schema: action_record::SCHEMA,
                action_key,
                source_key: source_keys[*id],
                label: build.target.label.to_string(),
                platform: node.platform.clone(),
                digest: output(*id),
                facts: self.facts(*id, build),
                views: Vec::new(),
                seconds: 1.0,
                built_at: 1_760_000_000,
                builder: FAMILY.to_owned(),
                log: None,
            };
            record.store(cache).expect("the cache can be written");
            let subject = node.subject().expect("a build has a label");
            let last = LastBuild { action_key, digest: output(*id), seconds: 1.0, built_at: record.built_at };
            last_builds.store(&subject, &last).expect("the cache can be written");
            inventory.digests.insert(record.digest);
        }
        inventory
    }

    fn facts(&self, id: NodeId, build: &Build) -> Vec<(String, String)> {
        let keyed = Keyed { graph: &self.graph, views: &self.views };
        let facts = keyed.action_facts(id, build, surroundings(&Absent::default()), &output);
        facts.into_iter().map(|fact| (fact.name, fact.value)).collect()
    }
}

fn surroundings(absent: &Absent) -> Surroundings<'_> {
    Surroundings { family: FAMILY, absent }
}

/// What the node `id` is pretended to have given.
fn output(id: NodeId) -> OutputDigest {
    let hash = blake3::hash(format!("{id:?}").as_bytes()).to_hex();
    format!("sha256:{hash}").parse().expect("it is a digest")
}

#[divan::bench(args = trees::sizes(), max_time = 5)]
fn nothing_cached(bencher: Bencher<'_, '_>, size: Size) {
    let workspace = Workspace::new(size);
    let folder = tempfile::tempdir().expect("there is room for a cache");
    let (cache, inventory) = (CacheFolder::new(folder.path()), Inventory::default());
    bencher.counter(ItemsCount::new(size.services)).bench_local(|| {
        let plan = workspace.plan(&inventory, &cache, folder.path());
        assert!(plan.has_work());
        plan
    });
}

#[divan::bench(args = trees::sizes(), max_time = 5)]
fn all_cached(bencher: Bencher<'_, '_>, size: Size) {
    let workspace = Workspace::new(size);
    let folder = tempfile::tempdir().expect("there is room for a cache");
    let cache = CacheFolder::new(folder.path());
    let inventory = workspace.pretend_built(&cache, folder.path());
    bencher.counter(ItemsCount::new(size.services)).bench_local(|| {
        let plan = workspace.plan(&inventory, &cache, folder.path());
        assert!(!plan.has_work());
        plan
    });
}
