//! A workspace as one text: the files that a test needs, written into a folder that goes away.
//!
//! The text is the root's `BUILD.toml`, and after a line `#--- path` another file of the workspace.
//! Lines `#--- set NAME=VALUE` and `#--- env NAME=VALUE` give what no file holds. A `Dockerfile`
//! that builds nothing is in the root and beside every `BUILD.toml`, unless the text
//! has a file there whose name begins so.

#![allow(dead_code, unreachable_pub, reason = "each user takes a part of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use imgraph::graph::expand::{Wanted, expand};
use imgraph::graph::load::{Loaded, Options, load};
use imgraph::graph::node::Graph;
use imgraph::source::snapshot::Snapshot;
use imgraph::types::diagnostic::Diagnostic;
use imgraph::types::environment::Environment;
use imgraph::types::platform::Platform;
use imgraph::types::workspace_path::WorkspacePath;

/// A text, taken apart.
#[derive(Default)]
pub struct Workspace {
    files: BTreeMap<String, String>,
    set: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

impl Workspace {
    /// Takes `text` apart.
    pub fn of(text: &str) -> Self {
        let mut current = "BUILD.toml".to_owned();
        let files = BTreeMap::from([(current.clone(), String::new())]);
        let mut workspace = Self { files, ..Self::default() };
        for line in text.split_inclusive('\n') {
            let Some(directive) = line.strip_prefix("#--- ").map(str::trim) else {
                workspace.files.entry(current.clone()).or_default().push_str(line);
                continue;
            };
            let pair =
                |rest: &str| rest.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            if let Some((name, value)) = directive.strip_prefix("set ").and_then(pair) {
                workspace.set.insert(name, value);
            } else if let Some((name, value)) = directive.strip_prefix("env ").and_then(pair) {
                workspace.environment.insert(name, value);
            } else {
                directive.clone_into(&mut current);
                workspace.files.entry(current.clone()).or_default();
            }
        }
        workspace
    }

    fn packages_without_dockerfile(&self) -> impl Iterator<Item = &str> {
        let packages = self.files.keys().filter_map(|path| path.strip_suffix("BUILD.toml"));
        packages
            .filter(|folder| !self.files.keys().any(|path| path.starts_with(&format!("{folder}Dockerfile"))))
    }

    /// Writes the files and loads them as imgraph 0.1.0 does, outside of a git repository.
    pub fn load(self) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path());
        self.loaded(&Snapshot::of_disk(folder.path()).unwrap())
    }

    /// Writes the files into a folder that stays for as long as what is given back.
    pub fn on_disk(self) -> OnDisk {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path());
        OnDisk { folder: Arc::new(folder), workspace: self }
    }

    fn write(&self, folder: &Path) {
        for (path, text) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        for folder_of_package in self.packages_without_dockerfile() {
            std::fs::write(folder.join(folder_of_package).join("Dockerfile"), "FROM scratch\n").unwrap();
        }
    }

    fn loaded(&self, snapshot: &Snapshot) -> Loaded {
        let environment: Environment = self.environment.clone().into_iter().collect();
        let options = Options { set: &self.set, environment: &environment, version: "0.1.0" };
        load(snapshot, &options)
    }
}

/// A workspace whose files stay, to be edited and looked at again.
pub struct OnDisk {
    folder: Arc<tempfile::TempDir>,
    workspace: Workspace,
}

/// A workspace as it was at one moment, and the graph of some of its targets.
pub struct Expanded {
    pub snapshot: Snapshot,
    pub graph: Graph,
    pub diagnostics: Vec<Diagnostic>,
    _folder: Arc<tempfile::TempDir>,
}

impl OnDisk {
    /// Where the workspace lies.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives a variable another value than the text says.
    pub fn set(&mut self, name: &str, value: &str) {
        self.workspace.set.insert(name.to_owned(), value.to_owned());
    }

    /// Loads the files as they are, which must be right.
    pub fn load(&self) -> (Snapshot, Loaded) {
        let snapshot = Snapshot::of_disk(self.path()).unwrap();
        let loaded = self.workspace.loaded(&snapshot);
        let said: Vec<_> = loaded.diagnostics.iter().map(|diagnostic| &diagnostic.message).collect();
        assert!(!loaded.has_errors(), "{said:#?}");
        (snapshot, loaded)
    }

    /// Loads the files as they are and expands what `patterns` name, on an amd64 machine.
    pub fn expand(&self, patterns: &[&str], platforms: &[Platform]) -> Expanded {
        let (snapshot, loaded) = self.load();
        let targets = loaded.select(patterns, &Arc::new(WorkspacePath::root())).unwrap();
        let build_platform: Platform = "linux/amd64".parse().unwrap();
        let wanted = Wanted { targets: &targets, platforms, build_platform: &build_platform };
        let (graph, diagnostics) = expand(&snapshot, &loaded, wanted);
        Expanded { snapshot, graph, diagnostics, _folder: Arc::clone(&self.folder) }
    }
}
