//! Views: the files of a context that a slice can read, ignore rules and sources applied.
//!
//! A view is what is hashed *and* what is sent, so that a build cannot read what its key does not
//! know. What is in it is what BuildKit's own client would send for the same sources and the same
//! ignore file. The Dockerfile and the ignore file are in it only when a source asks for them.
//!
//! **Invariant:** equal specifications over one snapshot give equal views; a view names nothing
//! outside its context.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::followed_sources::follow_links;
use super::slice::Sources;
use super::view_digest::describe;
pub use super::view_error::{PatternOrigin, ViewError};
use super::view_filter::{Filter, Inside, Kept};
use crate::source::snapshot::{FolderRef, Snapshot};
use crate::syntax::dockerignore::IgnoreRules;
use crate::syntax::path_patterns::PathPatterns;
use crate::syntax::path_text::lossy_text;
use crate::types::digest::TreeDigest;
use crate::types::file_entry::FileEntry;
use crate::types::workspace_path::WorkspacePath;

/// What a slice reads of a context.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReadSources {
    /// Nothing.
    Nothing,
    /// Everything that is not ignored.
    Whole,
    /// What these patterns, relative to the context, lead to.
    Paths(Vec<String>),
}

impl From<&Sources> for ReadSources {
    fn from(sources: &Sources) -> Self {
        match sources {
            Sources::Nothing => Self::Nothing,
            Sources::Whole { .. } => Self::Whole,
            Sources::Paths(paths) => {
                Self::Paths(paths.iter().map(|path| lossy_text(&path.pattern)).collect())
            }
        }
    }
}

/// Everything that decides a view, but the files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ViewSpec {
    /// The folder that the view is of; it may be reached through links inside the workspace.
    pub context: WorkspacePath,
    /// What is ignored in it.
    pub ignore: Arc<IgnoreRules>,
    /// What is read of it.
    pub sources: ReadSources,
    /// Patterns relative to the context, one of which must match; `None` lets everything through.
    pub inputs: Option<Arc<PathPatterns>>,
}

/// The entries of a context that a build is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Equal for views that hold the same.
    pub digest: TreeDigest,
    /// The entries, relative to the context, in the order of [`WorkspacePath`].
    pub entries: Vec<FileEntry>,
}

/// No view of anything: its digest is that of none.
impl Default for View {
    fn default() -> Self {
        Self { digest: TreeDigest::from_bytes([0; 32]), entries: Vec::new() }
    }
}

impl ViewSpec {
    /// Looks at the files, and hashes those that nobody hashed before.
    ///
    /// # Errors
    /// When the context is not there, a pattern is malformed, or an entry of the view cannot be read.
    pub fn view(&self, snapshot: &Snapshot) -> Result<View, ViewError> {
        let (digest, entries) = self.select(snapshot, describe)?;
        Ok(View { digest, entries })
    }

    /// The paths of the view, without reading a file.
    ///
    /// # Errors
    /// When the context is not there, a pattern is malformed, or a folder cannot be listed.
    pub fn paths(&self, snapshot: &Snapshot) -> Result<Vec<WorkspacePath>, ViewError> {
        self.select(snapshot, |inside| Ok(list(inside.entries, |_| true)))
    }

    /// The paths of the view that are no folders, relative to the context, without reading a file.
    ///
    /// # Errors
    /// As [`Self::paths`].
    pub fn files(&self, snapshot: &Snapshot) -> Result<Vec<WorkspacePath>, ViewError> {
        self.select(snapshot, |inside| Ok(list(inside.entries, |kept| kept.inside.is_none())))
    }

    /// Whether `path`, relative to the context, is in the view if it is there and is no folder. Nothing but
    /// what the sources lead through is looked at.
    ///
    /// # Errors
    /// When the context is not there, a pattern is malformed, or a folder cannot be listed.
    pub fn holds(&self, snapshot: &Snapshot, path: &WorkspacePath) -> Result<bool, ViewError> {
        let context = self.context_folder(snapshot)?;
        let sources = match &self.sources {
            ReadSources::Nothing => return Ok(false),
            ReadSources::Whole => None,
            ReadSources::Paths(sources) => followed_patterns(context, sources.iter().map(String::as_str))?,
        };
        Filter::new(sources.as_ref(), self.inputs.as_deref(), self.ignore.patterns()).keeps(path)
    }

    /// What can say which source brings a path in.
    ///
    /// # Errors
    /// When the context is not there, a source is malformed, or a folder cannot be listed.
    pub fn source_finder(&self, snapshot: &Snapshot) -> Result<SourceFinder, ViewError> {
        let ReadSources::Paths(sources) = &self.sources else { return Ok(SourceFinder::default()) };
        let context = self.context_folder(snapshot)?;
        let followed = |source: &String| Ok((source.clone(), followed_patterns(context, [source.as_str()])?));
        Ok(SourceFinder { sources: sources.iter().map(followed).collect::<Result<_, ViewError>>()? })
    }

    /// Patterns, relative to the context, one of which matches each path of the view, a folder above it, or
    /// what it holds; `None` for those that any path may match.
    ///
    /// # Errors
    /// When the context is not there, or a folder cannot be listed.
    pub fn patterns(&self, snapshot: &Snapshot) -> Result<Option<Vec<String>>, ViewError> {
        match &self.sources {
            ReadSources::Nothing => Ok(Some(Vec::new())),
            ReadSources::Whole => Ok(None),
            ReadSources::Paths(sources) => {
                let context = self.context_folder(snapshot)?;
                Ok(follow_links(context, sources.iter().map(String::as_str))?)
            }
        }
    }

    /// Whether a pattern is malformed in a way that shows only when it is compared with a path.
    pub fn has_bad_patterns(&self) -> bool {
        let sources = match &self.sources {
            ReadSources::Paths(sources) => {
                PathPatterns::new(sources).map_or(true, |sources| sources.any_bad())
            }
            ReadSources::Nothing | ReadSources::Whole => false,
        };
        let inputs = self.inputs.as_ref().is_some_and(|inputs| inputs.any_bad());
        sources || inputs || self.ignore.patterns().any_bad()
    }

    fn context_folder<'s>(&self, snapshot: &'s Snapshot) -> Result<FolderRef<'s>, ViewError> {
        snapshot.folder(&self.context)?.ok_or_else(|| ViewError::NoContext { context: self.context.clone() })
    }

    fn select<Answer>(
        &self,
        snapshot: &Snapshot,
        answer: impl FnOnce(Inside<'_>) -> Result<Answer, ViewError>,
    ) -> Result<Answer, ViewError> {
        let context = self.context_folder(snapshot)?;
        let sources = match &self.sources {
            ReadSources::Nothing => {
                return answer(Inside { folder: context, entries: Vec::new(), whole: false });
            }
            ReadSources::Whole => None,
            ReadSources::Paths(sources) => followed_patterns(context, sources.iter().map(String::as_str))?,
        };
        let filter = Filter::new(sources.as_ref(), self.inputs.as_deref(), self.ignore.patterns());
        answer(filter.select(context)?)
    }
}

/// The patterns of `sources` with links followed; `None` lets everything through.
fn followed_patterns<'t>(
    context: FolderRef<'_>,
    sources: impl IntoIterator<Item = &'t str>,
) -> Result<Option<PathPatterns>, ViewError> {
    let Some(patterns) = follow_links(context, sources)? else { return Ok(None) };
    PathPatterns::new(patterns).map(Some).map_err(PatternOrigin::Sources.error())
}

/// The paths of the `entries` that are wanted, each folder directly before what is in it.
fn list(entries: Vec<Kept<'_>>, is_wanted: impl Fn(&Kept<'_>) -> bool) -> Vec<WorkspacePath> {
    let mut paths = Vec::new();
    let mut open = vec![entries.into_iter()];
    while let Some(entries) = open.last_mut() {
        match entries.next() {
            Some(kept) => {
                if is_wanted(&kept) {
                    paths.push(kept.path);
                }
                open.extend(kept.inside.map(|inside| inside.entries.into_iter()));
            }
            None => drop(open.pop()),
        }
    }
    paths
}

/// Says which source of a Dockerfile brings a path into a view.
#[derive(Debug, Default)]
pub struct SourceFinder {
    sources: Vec<(String, Option<PathPatterns>)>,
}

impl SourceFinder {
    /// The first source that leads to `path`, which is in the view and relative to the context; a
    /// folder that is there for what it holds is brought in by what it holds. `None` when the whole
    /// context is read.
    pub fn source_of(&self, path: &WorkspacePath) -> Option<&str> {
        let leads_to = |patterns: &Option<PathPatterns>| {
            patterns.as_ref().is_none_or(|patterns| patterns.matches_or_parent(path).unwrap_or(false))
        };
        let leads_into = |patterns: &Option<PathPatterns>| {
            patterns.as_ref().is_none_or(|patterns| !patterns.none_below(path.as_bytes()))
        };
        let found = self.sources.iter().find(|(_, patterns)| leads_to(patterns));
        let found = found.or_else(|| self.sources.iter().find(|(_, patterns)| leads_into(patterns)));
        found.map(|(source, _)| source.as_str())
    }
}

/// The views of one snapshot, each made once and shared by the targets that have it.
#[derive(Debug)]
pub struct Views {
    snapshot: Snapshot,
    made: Mutex<HashMap<ViewSpec, Result<Arc<View>, ViewError>>>,
}

impl Views {
    /// No views yet of `snapshot`.
    pub fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, made: Mutex::default() }
    }

    /// The files that the views are of.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The view of `spec`.
    ///
    /// # Errors
    /// See [`ViewSpec::view`]. A failure is remembered too.
    pub fn view(&self, spec: &ViewSpec) -> Result<Arc<View>, ViewError> {
        if let Some(view) = self.lock().get(spec) {
            return view.clone();
        }
        // Made outside the lock: a thread that waits for its parts may be given another view's work.
        let view = spec.view(&self.snapshot).map(Arc::new);
        self.lock().entry(spec.clone()).or_insert(view).clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ViewSpec, Result<Arc<View>, ViewError>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
