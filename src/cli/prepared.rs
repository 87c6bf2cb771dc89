//! What `build`, `plan` and `explain` have in common: the graph, its views and keys, the builder, and
//! what both know.

use super::exit::Exit;
use super::session::{Session, Workspace};
use crate::build::builder::{Bases, Builder, Inventory};
use crate::build::docker::{DockerBuilder, Mark};
use crate::cache::folder::CacheFolder;
use crate::cache::last_build::LastBuilds;
use crate::engine::lookup::{self, Known};
use crate::graph::key::Keyed;
use crate::graph::node::Graph;
use crate::graph::node_views::NodeViews;
use crate::types::digest::SourceKey;
use crate::types::ids::{DenseMap, NodeId};

/// Everything that is known before something runs.
pub(crate) struct Prepared {
    pub(crate) workspace: Workspace,
    pub(crate) graph: Graph,
    pub(crate) views: NodeViews,
    pub(crate) source_keys: DenseMap<NodeId, SourceKey>,
    pub(crate) builder: DockerBuilder,
    pub(crate) inventory: Inventory,
    pub(crate) bases: Bases,
    /// The moment from which on a change of the engine's images is none of the inventory's.
    pub(crate) mark: Option<Mark>,
    pub(crate) cache: CacheFolder,
}

impl Prepared {
    /// Loads, connects and asks. The engine is connected to while files are read.
    pub(crate) fn new(session: &Session, patterns: &[String], platforms: &[String]) -> Result<Self, Exit> {
        let cache = session.cache()?;
        let platforms = session.platforms(platforms)?;
        let (loaded, builder) = std::thread::scope(|scope| {
            let connected = scope.spawn(|| session.builder());
            let loaded = session.workspace().and_then(|workspace| {
                let targets = session.select(&workspace, patterns)?;
                Ok((workspace, targets))
            });
            (loaded, connected.join().unwrap_or(Err(Exit::Bug)))
        });
        let (workspace, targets) = loaded?;
        let builder = builder?;
        let graph = session.graph(&workspace, &targets, &platforms, builder.platform())?;
        let views = session.views(&workspace, &graph)?;
        let source_keys = Keyed { graph: &graph, views: &views }.source_keys();
        session.check_tags(&graph, &source_keys)?;
        let last_builds = LastBuilds::new(&cache, workspace.snapshot.root_on_disk());
        let names = lookup::names(&graph, &source_keys, &last_builds);
        let mark = builder.mark();
        let inventory = builder.inventory_of(&names.iter().map(String::as_str).collect());
        let inventory = inventory.map_err(|error| session.surroundings(&error))?;
        let bases = builder.bases(&lookup::unpinned_bases(&graph));
        let bases = bases.map_err(|error| session.surroundings(&error))?;
        Ok(Self { workspace, graph, views, source_keys, builder, inventory, bases, mark, cache })
    }

    /// The last successes of this workspace's targets.
    pub(crate) fn last_builds(&self) -> LastBuilds<'_> {
        LastBuilds::new(&self.cache, self.workspace.snapshot.root_on_disk())
    }

    /// What is known, with `forced` built in any case.
    pub(crate) fn known<'p>(&'p self, last_builds: &'p LastBuilds<'p>, forced: &'p [NodeId]) -> Known<'p> {
        Known {
            graph: &self.graph,
            views: &self.views,
            builder: &self.builder,
            inventory: &self.inventory,
            bases: &self.bases,
            cache: &self.cache,
            last_builds,
            forced,
        }
    }
}
