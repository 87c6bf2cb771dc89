//! What `build`, `plan` and `explain` have in common: the graph, its views and keys, the builder, and
//! what both know.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use super::arguments::Targets;
use super::exit::Exit;
use super::session::{Session, Workspace};
use crate::build::any_builder::AnyBuilder;
use crate::build::builder::{Bases, BuildError, Builder, Inventory};
use crate::build::late_builder::LateBuilder;
use crate::cache::folder::CacheFolder;
use crate::cache::last_build::LastBuilds;
use crate::engine::lookup::{self, Known};
use crate::engine::parts::Touched;
use crate::engine::recall::StoreFacts;
use crate::engine::secrets::OptionalSecrets;
use crate::graph::key::Keyed;
use crate::graph::node::Graph;
use crate::graph::node_views::NodeViews;
use crate::source::snapshot::Snapshot;
use crate::types::digest::SourceKey;
use crate::types::ids::{DenseMap, NodeId, TargetId};
use crate::types::platform::Platform;

/// Everything that is known before something runs.
pub(crate) struct Prepared {
    pub(crate) workspace: Workspace,
    pub(crate) graph: Graph,
    pub(crate) views: NodeViews,
    pub(crate) source_keys: DenseMap<NodeId, SourceKey>,
    pub(crate) builder: Arc<dyn Builder>,
    /// The engine behind the builder, where it was connected to.
    pub(crate) engine: Option<Arc<AnyBuilder>>,
    pub(crate) inventory: Inventory,
    pub(crate) bases: Bases,
    pub(crate) optional_secrets: OptionalSecrets,
    pub(crate) cache: CacheFolder,
}

impl Prepared {
    /// Loads, connects and asks. The engine is connected to, and lists its images where it lists all of
    /// them anyway, while files are read.
    ///
    /// An engine that was asked already, for this run, is not asked again.
    pub(crate) fn new(session: &Session, targets: &Targets, early: Option<Early>) -> Result<Self, Exit> {
        Self::with_engine(session, targets, early, || session.workspace())
    }

    /// As [`Prepared::new`], of the targets that are to be looked at again.
    pub(crate) fn anew(session: &Session, targets: &Targets, anew: Anew) -> Result<Self, Exit> {
        let Anew { touched, snapshot, store, early } = anew;
        let targets = Targets { patterns: touched.roots, platform: targets.platform.clone() };
        let has = {
            // Of all images that were asked for: that takes as long as a part takes to load.
            let store = Arc::clone(&store);
            std::thread::spawn(move || (store.inventory(), store.bases()))
        };
        let loaded = Loaded::new(session, &targets, session.part(snapshot, &touched.part)?)?;
        let (connect, early) = (session.engine(), Mutex::new(Some(early)));
        let late = LateBuilder::new(store.builder(), move || {
            let early = early.lock().unwrap_or_else(PoisonError::into_inner).take();
            let builder = early.and_then(Early::engine).map(|engine| engine.builder);
            Ok(builder.map_or_else(|| connect.late(), Ok)?)
        });
        let builder: Arc<dyn Builder> = Arc::new(late);
        let keyed = loaded.keyed(session, builder.platform())?;
        let (inventory, bases) = has.join().expect("what was kept is gathered without a panic");
        Self::finish(session, keyed, Asked { builder, engine: None, inventory, bases })
    }

    fn with_engine(
        session: &Session,
        targets: &Targets,
        early: Option<Early>,
        load: impl FnOnce() -> Result<Workspace, Exit>,
    ) -> Result<Self, Exit> {
        let patterns = &targets.patterns;
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
            let loaded = load().and_then(|workspace| Loaded::new(session, targets, workspace));
            let connection = connection.recv().unwrap_or(Err(Exit::Bug));
            let loaded = loaded?;
            let builder = connection?;
            let keyed = loaded.keyed(session, builder.platform())?;
            let listed = asked.join().map_err(|_panic| Exit::Bug)?;
            let inventory = match listed {
                Some(listed) => listed,
                None => {
                    builder.inventory_of(&keyed.names(&session.cache()?).iter().map(String::as_str).collect())
                }
            };
            let inventory = inventory.map_err(|error| session.surroundings(&error))?;
            let bases = builder.bases(&lookup::unpinned_bases(&keyed.graph));
            let bases = bases.map_err(|error| session.surroundings(&error))?;
            let engine = Some(Arc::clone(&builder));
            Self::finish(session, keyed, Asked { builder, engine, inventory, bases })
        })
    }

    fn finish(session: &Session, keyed: KeyedGraph, asked: Asked) -> Result<Self, Exit> {
        let KeyedGraph { workspace, graph, views, source_keys } = keyed;
        let Asked { builder, engine, inventory, bases } = asked;
        let cache = session.cache()?;
        let root = workspace.snapshot.root_on_disk();
        let optional_secrets = OptionalSecrets::look(&graph, &session.environment, root);
        Ok(Self {
            workspace,
            graph,
            views,
            source_keys,
            builder,
            engine,
            inventory,
            bases,
            optional_secrets,
            cache,
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
            absent: &self.optional_secrets.absent,
            cache: &self.cache,
            last_builds,
            forced,
        }
    }
}

/// A workspace, and what is wanted of it.
struct Loaded {
    workspace: Workspace,
    targets: Vec<TargetId>,
    platforms: Vec<Platform>,
}

impl Loaded {
    fn new(session: &Session, wanted: &Targets, workspace: Workspace) -> Result<Self, Exit> {
        let targets = session.select(&workspace, &wanted.patterns)?;
        Ok(Self { workspace, targets, platforms: session.platforms(&wanted.platform)? })
    }

    fn keyed(self, session: &Session, build_platform: &Platform) -> Result<KeyedGraph, Exit> {
        let Self { workspace, targets, platforms } = self;
        let graph = session.graph(&workspace, &targets, &platforms, build_platform)?;
        let views = session.views(&workspace, &graph)?;
        let source_keys = Keyed { graph: &graph, views: &views }.source_keys();
        session.check_tags(&graph, &source_keys)?;
        Ok(KeyedGraph { workspace, graph, views, source_keys })
    }
}

/// A graph, what its nodes read, and their keys.
struct KeyedGraph {
    workspace: Workspace,
    graph: Graph,
    views: NodeViews,
    source_keys: DenseMap<NodeId, SourceKey>,
}

impl KeyedGraph {
    /// The images of which a run may need to know.
    fn names(&self, cache: &CacheFolder) -> BTreeSet<String> {
        let last_builds = LastBuilds::new(cache, self.workspace.snapshot.root_on_disk());
        lookup::names(&self.graph, &self.source_keys, &last_builds)
    }
}

/// A builder, and what it has.
struct Asked {
    builder: Arc<dyn Builder>,
    engine: Option<Arc<AnyBuilder>>,
    inventory: Inventory,
    bases: Bases,
}

/// The targets that are to be looked at again, the files as they are, and the images, which are as they were.
pub(crate) struct Anew {
    pub(crate) touched: Touched,
    pub(crate) snapshot: Snapshot,
    pub(crate) store: Arc<StoreFacts>,
    /// The engine, where it had to be asked.
    pub(crate) early: Early,
}

/// An engine that answered, and all its images, where it was asked for them.
pub(crate) struct Engine {
    pub(crate) builder: Arc<AnyBuilder>,
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
    connected: &Sender<Result<Arc<AnyBuilder>, Exit>>,
) -> Option<Result<Inventory, BuildError>> {
    let builder = session.builder().map(Arc::new);
    // Nobody waits for it when the workspace is wrong.
    let _told = connected.send(builder.clone());
    let many = patterns.iter().any(|pattern| pattern.ends_with("..."));
    let builder = builder.ok().filter(|builder| many && builder.lists_all())?;
    let asks_in_any_case = session.everywhere.no_index;
    Some(if asks_in_any_case { builder.inventory() } else { session.engine().inventory(&builder) })
}
