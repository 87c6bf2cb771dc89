//! What `build`, `plan` and `explain` have in common: the graph, its views and keys, the builder, and
//! what both know.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use super::arguments::Targets;
use super::exit::Exit;
use super::session::{Session, Workspace};
use crate::build::builder::{Bases, BuildError, Builder, Inventory};
use crate::build::docker::DockerBuilder;
use crate::cache::folder::CacheFolder;
use crate::cache::last_build::LastBuilds;
use crate::engine::lookup::{self, Known};
use crate::engine::parts::Touched;
use crate::graph::key::Keyed;
use crate::graph::node::Graph;
use crate::graph::node_views::NodeViews;
use crate::source::snapshot::Snapshot;
use crate::types::digest::SourceKey;
use crate::types::ids::{DenseMap, NodeId};

/// Everything that is known before something runs.
pub(crate) struct Prepared {
    pub(crate) workspace: Workspace,
    pub(crate) graph: Graph,
    pub(crate) views: NodeViews,
    pub(crate) source_keys: DenseMap<NodeId, SourceKey>,
    pub(crate) builder: Arc<DockerBuilder>,
    pub(crate) inventory: Inventory,
    pub(crate) bases: Bases,
    pub(crate) cache: CacheFolder,
}

impl Prepared {
    /// Loads, connects and asks. The engine is connected to, and lists its images where it lists all of
    /// them anyway, while files are read.
    ///
    /// An engine that was asked already, for this run, is not asked again.
    pub(crate) fn new(session: &Session, targets: &Targets, early: Option<Early>) -> Result<Self, Exit> {
        Self::of(session, targets, early, || session.workspace())
    }

    /// As [`Prepared::new`], of the targets that are to be looked at again.
    pub(crate) fn anew(
        session: &Session,
        targets: &Targets,
        early: Early,
        anew: &Anew,
    ) -> Result<Self, Exit> {
        let Anew { touched, snapshot } = anew;
        let targets = Targets { patterns: touched.roots.clone(), platform: targets.platform.clone() };
        Self::of(session, &targets, Some(early), || session.part(snapshot.clone(), &touched.part))
    }

    fn of(
        session: &Session,
        targets: &Targets,
        early: Option<Early>,
        load: impl FnOnce() -> Result<Workspace, Exit>,
    ) -> Result<Self, Exit> {
        let Targets { patterns, platform: platforms } = targets;
        let cache = session.cache()?;
        let platforms = session.platforms(platforms)?;
        std::thread::scope(|scope| {
            let (connected, connection) = mpsc::channel();
            let asked = scope.spawn(move || match early.and_then(Early::engine) {
                Some(Engine { builder, listed }) => {
                    // Nobody waits for it when the workspace is wrong.
                    let _told = connected.send(Ok(builder));
                    listed.map(Ok)
                }
                None => ask(session, patterns, &connected),
            });
            let loaded = load().and_then(|workspace| {
                let targets = session.select(&workspace, patterns)?;
                Ok((workspace, targets))
            });
            let connection = connection.recv().unwrap_or(Err(Exit::Bug));
            let (workspace, targets) = loaded?;
            let builder = connection?;
            let graph = session.graph(&workspace, &targets, &platforms, builder.platform())?;
            let views = session.views(&workspace, &graph)?;
            let source_keys = Keyed { graph: &graph, views: &views }.source_keys();
            session.check_tags(&graph, &source_keys)?;
            let listed = asked.join().map_err(|_panic| Exit::Bug)?;
            let inventory = listed.unwrap_or_else(|| {
                let last_builds = LastBuilds::new(&cache, workspace.snapshot.root_on_disk());
                let names = lookup::names(&graph, &source_keys, &last_builds);
                builder.inventory_of(&names.iter().map(String::as_str).collect())
            });
            let inventory = inventory.map_err(|error| session.surroundings(&error))?;
            let bases = builder.bases(&lookup::unpinned_bases(&graph));
            let bases = bases.map_err(|error| session.surroundings(&error))?;
            Ok(Self { workspace, graph, views, source_keys, builder, inventory, bases, cache })
        })
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
            builder: &*self.builder,
            inventory: &self.inventory,
            bases: &self.bases,
            cache: &self.cache,
            last_builds,
            forced,
        }
    }
}

/// The targets that are to be looked at again, and the files as they are.
pub(crate) struct Anew {
    pub(crate) touched: Touched,
    pub(crate) snapshot: Snapshot,
}

/// An engine that answered, and all its images, where it was asked for them.
pub(crate) struct Engine {
    pub(crate) builder: Arc<DockerBuilder>,
    pub(crate) listed: Option<Inventory>,
}

/// An engine that is being asked.
pub(crate) struct Early(pub(crate) Receiver<Option<Engine>>);

impl Early {
    fn engine(self) -> Option<Engine> {
        self.0.recv().ok().flatten()
    }
}

/// Connects, says so, and lists all images where many may be asked for and the engine lists all of them
/// sooner than so many.
fn ask(
    session: &Session,
    patterns: &[String],
    connected: &Sender<Result<Arc<DockerBuilder>, Exit>>,
) -> Option<Result<Inventory, BuildError>> {
    let builder = session.builder().map(Arc::new);
    // Nobody waits for it when the workspace is wrong.
    let _told = connected.send(builder.clone());
    let many = patterns.iter().any(|pattern| pattern.ends_with("..."));
    let builder = builder.ok().filter(|builder| many && builder.lists_all())?;
    Some(builder.inventory())
}
