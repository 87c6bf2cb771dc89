//! One run of the program: where it stands, what it may use, and what the workspace holds.
//!
//! Commands ask the session for the next thing that they need (the loaded workspace, the graph, the
//! builder), and each is made once. What is wrong is shown here, so that all commands say it alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::arguments::Everywhere;
use super::builder_choice::{BuilderChoice, Connect, NoBuilder, remote_settings};
use super::diagnostics;
use super::exit::Exit;
use super::terminal::{self, Terminal};
use crate::build::any_builder::{AnyBuilder, is_embedded};
use crate::build::builder::{BuildError, Builder};
use crate::cache::folder::CacheFolder;
use crate::cache::index_file::IndexFile;
use crate::graph::expand::{self, Wanted};
use crate::graph::load::{self, Loaded, Options, Part};
use crate::graph::missing_sources;
use crate::graph::node::Graph;
use crate::graph::node_views::NodeViews;
use crate::graph::tag_clash;
use crate::source::read_error::ReadError;
use crate::source::snapshot::Snapshot;
use crate::source::workspace_root;
use crate::types::diagnostic::{Diagnostic, Severity};
use crate::types::digest::SourceKey;
use crate::types::environment::Environment;
use crate::types::ids::{DenseMap, NodeId, TargetId};
use crate::types::platform::Platform;
use crate::types::workspace_path::WorkspacePath;

/// One run of the program.
pub(crate) struct Session {
    pub(crate) everywhere: Everywhere,
    pub(crate) environment: Environment,
    pub(crate) terminal: Terminal,
    /// Whether anything was shown that is not a result.
    said: AtomicBool,
    last_snapshot: Mutex<Option<Snapshot>>,
    /// Found out when it is first asked.
    builder_choice: OnceLock<BuilderChoice>,
}

/// A workspace that was read without an error.
pub(crate) struct Workspace {
    pub(crate) snapshot: Snapshot,
    pub(crate) loaded: Loaded,
    /// The environment, which knows what was asked of it.
    pub(crate) environment: Environment,
    /// The folder in which the user stands.
    pub(crate) current: Arc<WorkspacePath>,
    /// Where the stat index of the files is kept; `None` when none is wanted or there is no place.
    index: Option<IndexFile>,
}

impl Session {
    pub(crate) fn new(everywhere: Everywhere, environment: Environment, terminal: Terminal) -> Self {
        Self {
            everywhere,
            environment,
            terminal,
            said: AtomicBool::new(false),
            last_snapshot: Mutex::default(),
            builder_choice: OnceLock::new(),
        }
    }

    /// The files as they were looked at last, though something may have been wrong with them.
    pub(crate) fn last_snapshot(&self) -> Option<Snapshot> {
        self.last_snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there was anything to show, even if `--quiet` kept it back.
    pub(crate) fn has_said_something(&self) -> bool {
        self.said.load(Ordering::Relaxed)
    }

    /// Shows diagnostics on standard error: all of them, or with `--quiet` the errors.
    pub(crate) fn show(&self, found: &[Diagnostic]) {
        if !found.is_empty() {
            self.said.store(true, Ordering::Relaxed);
        }
        self.show_once(found);
    }

    /// As [`Session::show`], of what the next run will not say again.
    pub(crate) fn show_once(&self, found: &[Diagnostic]) {
        let counts =
            |diagnostic: &&Diagnostic| !self.everywhere.quiet || diagnostic.severity == Severity::Error;
        let shown: Vec<Diagnostic> = found.iter().filter(counts).cloned().collect();
        if !shown.is_empty() {
            let (colour, columns) = (self.terminal.colour_err, self.terminal.columns);
            terminal::message(&diagnostics::draw_within(&shown, colour, columns));
        }
    }

    /// Shows what is wrong and gives `exit`.
    pub(crate) fn fail(&self, found: &[Diagnostic], exit: Exit) -> Exit {
        self.show(found);
        exit
    }

    /// Reads the workspace around the folder in which the user stands.
    pub(crate) fn workspace(&self) -> Result<Workspace, Exit> {
        let (_directory, root) = self.place()?;
        let snapshot = self.snapshot(&root, self.index_file(&root).as_ref())?;
        self.load(snapshot, load::load, |_| true)
    }

    /// As [`Session::workspace`], without a word of what lints say: it is there to be looked at.
    pub(crate) fn workspace_to_look_at(&self) -> Result<Workspace, Exit> {
        let (_directory, root) = self.place()?;
        let snapshot = self.snapshot(&root, self.index_file(&root).as_ref())?;
        self.load(snapshot, load::load, |diagnostic| diagnostic.code.is_none())
    }

    /// Reads a part of the workspace around the folder in which the user stands.
    pub(crate) fn part(&self, snapshot: Snapshot, part: &Part) -> Result<Workspace, Exit> {
        let load = |snapshot: &Snapshot, options: &Options<'_>| load::load_part(snapshot, options, part);
        let part = self.load(snapshot, load, |_| true)?;
        // An index of a part must not take the place of one of all.
        Ok(Workspace { index: None, ..part })
    }

    fn load(
        &self,
        snapshot: Snapshot,
        load: impl FnOnce(&Snapshot, &Options<'_>) -> Loaded,
        is_told: impl Fn(&Diagnostic) -> bool,
    ) -> Result<Workspace, Exit> {
        let (directory, root) = self.place()?;
        *self.last_snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
        let current = current_folder(&directory, snapshot.root_on_disk());
        let set: BTreeMap<String, String> = self.everywhere.set.iter().cloned().collect();
        let version = env!("CARGO_PKG_VERSION");
        let environment = self.environment.unasked();
        let options = Options { set: &set, environment: &environment, version };
        let loaded = load(&snapshot, &options);
        self.show(&loaded.diagnostics.iter().filter(|found| is_told(found)).cloned().collect::<Vec<_>>());
        if loaded.has_errors() {
            return Err(Exit::Usage);
        }
        let index = self.index_file(&root);
        Ok(Workspace { snapshot, loaded, environment, current: Arc::new(current), index })
    }

    /// The files of the workspace as the index knows them, without anything being loaded.
    pub(crate) fn indexed_files(&self) -> Result<Snapshot, Exit> {
        let (_directory, root) = self.place()?;
        self.snapshot(&root, self.index_file(&root).as_ref())
    }

    /// The folder in which the user stands.
    pub(crate) fn directory(&self) -> Result<PathBuf, Exit> {
        let directory = self.everywhere.directory.clone().unwrap_or_else(|| PathBuf::from("."));
        directory.canonicalize().map_err(|cause| {
            let problem = Diagnostic::error(format!("cannot work in `{}`: {cause}", directory.display()));
            self.fail(&[problem], Exit::Usage)
        })
    }

    /// The folder in which the user stands, and the root of the workspace around it.
    pub(crate) fn place(&self) -> Result<(PathBuf, PathBuf), Exit> {
        let directory = self.directory()?;
        let root = workspace_root::find(&directory).map_err(|problem| self.fail(&[problem], Exit::Usage))?;
        Ok((directory, root))
    }

    /// Where the index of the workspace at `root` is kept.
    pub(crate) fn index_file(&self, root: &Path) -> Option<IndexFile> {
        let place = self.cache_place().filter(|_| !self.everywhere.no_index)?;
        Some(IndexFile::new(&CacheFolder::new(&place), root))
    }

    /// The files below `root`, with what the index says of them.
    fn snapshot(&self, root: &Path, index: Option<&IndexFile>) -> Result<Snapshot, Exit> {
        let unreadable =
            |error: ReadError| self.fail(&[Diagnostic::error(error.to_string())], Exit::Surroundings);
        let mut warnings = Vec::new();
        let kept = index.and_then(|file| Some((file, file.read().value(&mut warnings)?)));
        let snapshot = match kept {
            None => Snapshot::of_disk(root).map_err(unreadable)?,
            Some((file, bytes)) => {
                let (snapshot, damage) = Snapshot::with_index(root, bytes).map_err(unreadable)?;
                warnings.extend(damage.map(|damage| file.warning(&damage.to_string())));
                snapshot
            }
        };
        self.show(&warnings);
        Ok(snapshot)
    }

    /// Keeps what this run knows of the files for the next one, where that pays. A cache that cannot be written is
    /// warned of; it makes no run fail.
    pub(crate) fn keep_index(&self, workspace: &Workspace) {
        self.write_index(workspace, Snapshot::index);
    }

    /// Makes the bytes of the index only where there is a place for them.
    fn write_index(&self, workspace: &Workspace, make: impl FnOnce(&Snapshot) -> Option<Vec<u8>>) {
        let Some(file) = &workspace.index else { return };
        if let Some(Err(error)) = make(&workspace.snapshot).map(|bytes| file.write(&bytes)) {
            self.show(&[error.warning()]);
        }
    }

    /// The targets that `patterns` name.
    pub(crate) fn select(&self, workspace: &Workspace, patterns: &[String]) -> Result<Vec<TargetId>, Exit> {
        let selected = workspace.loaded.select(patterns, &workspace.current);
        let selected = selected.map_err(|problems| self.fail(&problems, Exit::Usage))?;
        if selected.is_empty() {
            self.show(&[Diagnostic::warning(
                "the patterns take away all that they name: there is nothing to do",
            )]);
        }
        Ok(selected)
    }

    /// The graph of `targets`.
    pub(crate) fn graph(
        &self,
        workspace: &Workspace,
        targets: &[TargetId],
        platforms: &[Platform],
        build_platform: &Platform,
    ) -> Result<Graph, Exit> {
        let wanted = Wanted { targets, platforms, build_platform };
        let (graph, problems) = expand::expand(&workspace.snapshot, &workspace.loaded, wanted);
        self.show(&problems);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(Exit::Usage);
        }
        Ok(graph)
    }

    /// Refuses a graph in which two images are to have one name: the later one would take it away.
    pub(crate) fn check_tags(
        &self,
        graph: &Graph,
        source_keys: &DenseMap<NodeId, SourceKey>,
    ) -> Result<(), Exit> {
        let problems = tag_clash::check(graph, source_keys);
        if problems.is_empty() { Ok(()) } else { Err(self.fail(&problems, Exit::Usage)) }
    }

    /// What the nodes of `graph` read. All that a Dockerfile names is in it.
    pub(crate) fn views(&self, workspace: &Workspace, graph: &Graph) -> Result<NodeViews, Exit> {
        let views = NodeViews::new(graph, &workspace.snapshot);
        let views = views.map_err(|problems| self.fail(&problems, Exit::Usage))?;
        let problems = missing_sources::check(graph, &views, &workspace.snapshot);
        if problems.is_empty() { Ok(views) } else { Err(self.fail(&problems, Exit::Usage)) }
    }

    /// The platforms that `--platform` names.
    pub(crate) fn platforms(&self, texts: &[String]) -> Result<Vec<Platform>, Exit> {
        let parse = |text: &String| {
            text.parse::<Platform>()
                .map_err(|error| self.fail(&[Diagnostic::error(error.to_string())], Exit::Usage))
        };
        texts.iter().map(parse).collect()
    }

    /// The builder.
    pub(crate) fn builder(&self) -> Result<AnyBuilder, Exit> {
        self.engine().connect().map_err(|problem| self.no_builder(problem))
    }

    /// Shows why there is no builder.
    pub(crate) fn no_builder(&self, problem: NoBuilder) -> Exit {
        match problem {
            NoBuilder::Address(error) => {
                let problem =
                    Diagnostic::error(format!("the address of the Docker Engine is wrong: {error}"));
                let help = "set --docker-host or DOCKER_HOST to unix:///path or tcp://host:port";
                self.fail(&[problem.help(help)], Exit::Usage)
            }
            NoBuilder::Builder(error) => self.surroundings(&error),
        }
    }

    /// Which builder is wanted: as the command line or the environment says, else as the workspace does. The
    /// builder is connected to while the workspace is loaded, so its file is looked into by itself.
    pub(crate) fn builder_choice(&self) -> BuilderChoice {
        *self.builder_choice.get_or_init(|| {
            let folder = || self.everywhere.directory.clone().unwrap_or_else(|| PathBuf::from("."));
            let wished = || workspace_root::wished_builder(&folder()).map(BuilderChoice::from);
            self.everywhere.builder.or_else(wished).unwrap_or_default()
        })
    }

    /// Says once that nobody but the embedded builder was there to build, where nobody asked for it.
    pub(crate) fn say_who_builds(&self, builder: &dyn Builder) {
        if is_embedded(builder) && self.builder_choice() == BuilderChoice::Auto && !self.everywhere.quiet {
            terminal::message("no Docker Engine answers: the embedded builder builds\n");
        }
    }

    /// Which builder to use.
    pub(crate) fn engine(&self) -> Connect {
        Connect {
            choice: self.builder_choice(),
            docker_host: self.everywhere.docker_host.clone(),
            cache: self.cache_place(),
            remote: remote_settings(&self.environment, &self.everywhere.mirror),
            verbose: self.everywhere.verbose,
        }
    }

    /// Shows what the builder could not do for no fault of a target.
    pub(crate) fn surroundings(&self, error: &BuildError) -> Exit {
        let mut problem = Diagnostic::error(error.to_string());
        if let BuildError::Surroundings { help: Some(help), .. } = error {
            problem = problem.help(help.clone());
        }
        self.fail(&[problem], Exit::Surroundings)
    }

    /// The platform that is built for when nobody says otherwise, without asking a builder.
    pub(crate) fn local_platform() -> Platform {
        Platform::local()
    }

    /// The caches of this user.
    pub(crate) fn cache(&self) -> Result<CacheFolder, Exit> {
        Ok(CacheFolder::new(&self.cache_folder()?))
    }

    /// The folder of this user's caches, for what has a folder of its own in it.
    pub(crate) fn cache_folder(&self) -> Result<PathBuf, Exit> {
        match self.cache_place() {
            Some(folder) => Ok(folder),
            None => {
                let problem = Diagnostic::error("there is no place for the caches: HOME is not set");
                Err(self.fail(
                    &[problem.help("name one with --cache-dir or IMGRAPH_CACHE_DIR")],
                    Exit::Surroundings,
                ))
            }
        }
    }

    /// Where the caches are to be.
    pub(crate) fn cache_place(&self) -> Option<PathBuf> {
        let named = self.everywhere.cache_dir.clone().filter(|folder| !folder.as_os_str().is_empty());
        let variable =
            |name: &str| self.environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        named
            .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("imgraph")))
            .or_else(|| variable("HOME").map(|home| home.join(".cache/imgraph")))
    }
}

/// The folder in which the user stands, from the workspace's root.
pub(crate) fn current_folder(directory: &Path, root: &Path) -> WorkspacePath {
    use std::os::unix::ffi::OsStrExt;
    let below = directory.strip_prefix(root).ok();
    let resolve = |below: &Path| WorkspacePath::root().resolve(below.as_os_str().as_bytes()).ok();
    below.and_then(resolve).unwrap_or_default()
}
