//! The small trees of `tests/data/trees.json`, made in temporary folders, and the recorded answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use imgraph::graph::view::{ReadSources, View, ViewSpec};
use imgraph::source::snapshot::Snapshot;
use imgraph::syntax::dockerignore::IgnoreRules;
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// A tree on disk.
pub(crate) struct RecordedTree {
    _folder: TempDir,
    /// The paths in the order of the file; a folder ends with `/`.
    paths: Vec<String>,
    pub snapshot: Snapshot,
}

impl RecordedTree {
    fn new(paths: Vec<String>) -> Self {
        let folder = TempDir::new().unwrap();
        for path in &paths {
            let place = folder.path().join(path);
            match path.ends_with('/') {
                true => fs::create_dir(&place).unwrap(),
                false => fs::write(&place, path).unwrap(),
            }
        }
        let snapshot = Snapshot::of_disk(folder.path()).unwrap();
        Self { _folder: folder, paths, snapshot }
    }

    /// The paths at `indexes`, sorted, without trailing `/`.
    pub(crate) fn named(&self, indexes: &[usize]) -> Vec<String> {
        let mut named: Vec<String> =
            indexes.iter().map(|index| self.paths[*index].trim_end_matches('/').to_owned()).collect();
        named.sort();
        named
    }

    /// The paths of a view of the tree, sorted.
    pub(crate) fn names(&self, view: &View) -> Vec<String> {
        let mut names: Vec<String> = view.entries.iter().map(|entry| entry.path.to_string()).collect();
        names.sort();
        names
    }
}

/// What is read of a whole tree with this ignore file; `None` where the file is refused.
pub(crate) fn spec(ignore: &str, sources: ReadSources) -> Option<ViewSpec> {
    let path = WorkspacePath::root().join_name(b".dockerignore");
    let ignore = IgnoreRules::parse(&Arc::new(SourceText { path, text: ignore.to_owned() })).ok()?;
    Some(ViewSpec { context: WorkspacePath::root(), ignore: Arc::new(ignore), sources, inputs: None })
}

fn data(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    fs::read_to_string(path).unwrap()
}

/// All trees, on disk.
pub(crate) fn recorded_trees() -> Vec<RecordedTree> {
    let trees: Vec<Vec<String>> = serde_json::from_str(&data("trees.json")).unwrap();
    trees.into_iter().map(RecordedTree::new).collect()
}

/// The cases of a file that holds one a line.
pub(crate) fn recorded_lines<Case: DeserializeOwned>(name: &str) -> Vec<Case> {
    data(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
