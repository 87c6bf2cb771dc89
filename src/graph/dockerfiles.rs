//! Every Dockerfile and every ignore file, read and parsed once, however many targets share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::slice::bounds::Bounds;
use crate::source::read_error::ReadError;
use crate::source::snapshot::Snapshot;
use crate::syntax::dockerfile::{self, Dockerfile};
use crate::syntax::dockerignore::IgnoreRules;
use crate::syntax::path_text::lossy_text;
use crate::types::diagnostic::Diagnostic;
use crate::types::span::SourceText;
use crate::types::workspace_path::WorkspacePath;

/// A Dockerfile and the bytes that it was parsed from.
#[derive(Clone, Debug)]
pub struct ParsedDockerfile {
    /// What it says.
    pub dockerfile: Arc<Dockerfile>,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// The ignore file of a context.
#[derive(Clone, Debug)]
pub struct IgnoreFile {
    /// Where it lies; `None` when there is none.
    pub path: Option<WorkspacePath>,
    /// Its rules; none when there is no file.
    pub rules: Arc<IgnoreRules>,
}

/// What is made of each file, by one thread for all.
type Cells<Value> = Mutex<HashMap<WorkspacePath, Arc<OnceLock<Value>>>>;

type Parsed<Value> = Result<Value, Vec<Diagnostic>>;

/// The parsed files of one snapshot, shared by threads.
pub struct Dockerfiles {
    snapshot: Snapshot,
    dockerfiles: Cells<Parsed<ParsedDockerfile>>,
    ignore_files: Cells<Parsed<Option<Arc<IgnoreRules>>>>,
    bounds: Cells<Option<Arc<Bounds>>>,
}

impl Dockerfiles {
    /// Knows nothing of `snapshot` at first.
    pub fn new(snapshot: &Snapshot) -> Self {
        let (dockerfiles, ignore_files, bounds) = Default::default();
        Self { snapshot: snapshot.clone(), dockerfiles, ignore_files, bounds }
    }

    /// The Dockerfile at `path`.
    ///
    /// # Errors
    /// Every mistake in it, or why it cannot be read. The first who asks and all others get the same.
    pub fn dockerfile(&self, path: &WorkspacePath) -> Result<ParsedDockerfile, Vec<Diagnostic>> {
        cell(&self.dockerfiles, path).get_or_init(|| self.parse(path)).clone()
    }

    /// What the Dockerfile at `path` may read; `None` where it does not tell, has mistakes, or cannot be read.
    /// Nothing else of the file is kept: most of those who ask need no more.
    pub fn bounds(&self, path: &WorkspacePath) -> Option<Arc<Bounds>> {
        cell(&self.bounds, path).get_or_init(|| self.bounds_once(path).map(Arc::new)).clone()
    }

    /// As [`Self::bounds`], for who alone asks of this file: they are not kept.
    pub fn bounds_once(&self, path: &WorkspacePath) -> Option<Bounds> {
        let bytes = self.snapshot.read(path).ok()?;
        Bounds::of(&Arc::new(SourceText::of_bytes(path.clone(), &bytes)))
    }

    fn parse(&self, path: &WorkspacePath) -> Result<ParsedDockerfile, Vec<Diagnostic>> {
        let bytes = self.snapshot.read(path).map_err(|error| vec![Diagnostic::error(error.to_string())])?;
        let dockerfile = dockerfile::parse(&Arc::new(SourceText::of_bytes(path.clone(), &bytes)))?;
        Ok(ParsedDockerfile { dockerfile: Arc::new(dockerfile), bytes })
    }

    /// The ignore file that applies to `context` when `dockerfile` is built: the one beside the
    /// Dockerfile and named after it, else `.dockerignore` at the root of the context (BuildKit's
    /// `frontend/dockerui/config.go`). A folder that is a named context has no Dockerfile.
    ///
    /// # Errors
    /// Every mistake in it, or why it cannot be read.
    pub fn ignore_file(
        &self,
        context: &WorkspacePath,
        dockerfile: Option<&WorkspacePath>,
    ) -> Result<IgnoreFile, Vec<Diagnostic>> {
        for path in ignore_file_places(context, dockerfile) {
            if let Some(rules) = self.ignore_rules(&path)? {
                return Ok(IgnoreFile { path: Some(path), rules });
            }
        }
        Ok(IgnoreFile { path: None, rules: Arc::new(IgnoreRules::none()) })
    }

    fn ignore_rules(&self, path: &WorkspacePath) -> Result<Option<Arc<IgnoreRules>>, Vec<Diagnostic>> {
        // Most Dockerfiles have no file of their own: that is not worth a cell.
        if self.snapshot.holds_no_links() && matches!(self.snapshot.entry(path), Ok(None)) {
            return Ok(None);
        }
        cell(&self.ignore_files, path).get_or_init(|| self.parse_ignore_file(path)).clone()
    }

    fn parse_ignore_file(&self, path: &WorkspacePath) -> Result<Option<Arc<IgnoreRules>>, Vec<Diagnostic>> {
        let bytes = match self.snapshot.read(path) {
            Ok(bytes) => bytes,
            Err(ReadError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(vec![Diagnostic::error(error.to_string())]),
        };
        let text = lossy_text(&bytes);
        let rules = IgnoreRules::parse(&Arc::new(SourceText { path: path.clone(), text }));
        rules.map(|rules| Some(Arc::new(rules))).map_err(|problem| vec![problem])
    }
}

/// Where an ignore file of `context` may lie when `dockerfile` is built: the first that is there applies.
pub fn ignore_file_places(
    context: &WorkspacePath,
    dockerfile: Option<&WorkspacePath>,
) -> impl Iterator<Item = WorkspacePath> {
    let beside = dockerfile.and_then(|dockerfile| {
        let name = [dockerfile.file_name()?, b".dockerignore"].concat();
        Some(dockerfile.parent()?.join_name(&name))
    });
    beside.into_iter().chain([context.join_name(b".dockerignore")])
}

fn cell<Value>(cells: &Cells<Value>, path: &WorkspacePath) -> Arc<OnceLock<Value>> {
    let mut cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
    match cells.get(path) {
        Some(cell) => Arc::clone(cell),
        None => Arc::clone(cells.entry(path.clone()).or_default()),
    }
}
