//! A workspace as one text: the files that a test needs, written into a folder that goes away.
//!
//! The text is the root's `BUILD.toml`, and after a line `#--- path` another file of the workspace.
//! Lines `#--- set NAME=VALUE` and `#--- env NAME=VALUE` give what no file holds. A `Dockerfile`
//! that builds nothing is in the root and beside every `BUILD.toml`, unless the text
//! has a file there whose name begins so.

use std::collections::BTreeMap;

use imgraph::graph::load::{Loaded, Options, load};
use imgraph::source::snapshot::Snapshot;
use imgraph::types::environment::Environment;

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
        for (path, text) in &self.files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        for folder_of_package in self.packages_without_dockerfile() {
            std::fs::write(folder.path().join(folder_of_package).join("Dockerfile"), "FROM scratch\n")
                .unwrap();
        }
        let environment: Environment = self.environment.into_iter().collect();
        let options = Options { set: &self.set, environment: &environment, version: "0.1.0" };
        load(&Snapshot::of_disk(folder.path()).unwrap(), &options)
    }
}
