//! Which entries of a context a build is sent: fsutil's filter, over a snapshot.
//!
//! A walk asks the patterns of each folder once and carries the answers down. It does not look into
//! a folder in which no answer can change: BuildKit leaves some of those out too, and where its
//! shortcut decides more than it should, that is followed (see [`PathPatterns::buildkit_skips`]).

use super::view_error::{PatternOrigin, ViewError};
use crate::source::parallel::each;
use crate::source::snapshot::{EntryRef, FolderRef};
use crate::syntax::path_patterns::{FolderMatches, PathPatterns};
use crate::types::workspace_path::WorkspacePath;

/// The patterns of a view. An absent list keeps everything.
pub(super) struct Filter<'v> {
    /// What the sources ask for, links followed.
    sources: Option<&'v PathPatterns>,
    /// What the target's own narrowing patterns let through.
    inputs: Option<&'v PathPatterns>,
    /// What is ignored.
    ignored: &'v PathPatterns,
    /// Whether every folder must be looked into that BuildKit looks into: it then may meet a pattern
    /// that is malformed, and fail.
    thorough: bool,
}

/// An entry that is in the view.
pub(super) struct Kept<'s> {
    pub(super) entry: EntryRef<'s>,
    /// Relative to the context.
    pub(super) path: WorkspacePath,
    /// What of a folder is in the view; `None` for what is no folder.
    pub(super) inside: Option<Inside<'s>>,
}

/// What of a folder is in the view.
pub(super) struct Inside<'s> {
    pub(super) folder: FolderRef<'s>,
    pub(super) entries: Vec<Kept<'s>>,
    /// Whether that is all that the folder holds.
    pub(super) whole: bool,
}

/// What the patterns said of a folder.
#[derive(Default)]
struct Said {
    sources: FolderMatches,
    inputs: FolderMatches,
    ignored: FolderMatches,
}

/// What becomes of one entry.
struct Fate {
    /// It is in the view for its own sake, not only for what it holds.
    kept: bool,
    /// Nothing that it holds is in the view.
    closed: bool,
    said: Said,
}

impl<'v> Filter<'v> {
    pub(super) fn new(
        sources: Option<&'v PathPatterns>,
        inputs: Option<&'v PathPatterns>,
        ignored: &'v PathPatterns,
    ) -> Self {
        let thorough = [sources, inputs, Some(ignored)].into_iter().flatten().any(PathPatterns::any_bad);
        Self { sources, inputs, ignored, thorough }
    }

    /// The entries of `context` that are in the view.
    pub(super) fn select<'s>(&self, context: FolderRef<'s>) -> Result<Inside<'s>, ViewError> {
        let whole = self.sources.is_none() && self.inputs.is_none() && self.ignored.patterns().is_empty();
        let root = WorkspacePath::root();
        let entries =
            if whole { everything(context, &root)? } else { self.some(context, &root, &Said::default())? };
        Ok(Inside { folder: context, entries, whole })
    }

    /// Whether what is no folder is in the view, if it is at `path`. It is asked what a walk would ask.
    pub(super) fn keeps(&self, path: &WorkspacePath) -> Result<bool, ViewError> {
        let mut said = Said::default();
        let mut folder = WorkspacePath::root();
        let mut names = path.names();
        let Some(last) = names.next_back() else { return Ok(false) };
        for name in names {
            folder = folder.join_name(name);
            let fate = self.fate(folder.as_bytes(), &said)?;
            if fate.closed {
                return Ok(false);
            }
            said = fate.said;
        }
        self.keeps_leaf(folder.join_name(last).as_bytes(), &said)
    }

    fn some<'s>(
        &self,
        folder: FolderRef<'s>,
        path: &WorkspacePath,
        said: &Said,
    ) -> Result<Vec<Kept<'s>>, ViewError> {
        let candidates = self.candidates(folder, path, said)?;
        let kept = each(candidates, path.names().count(), EntryRef::is_folder, |entry| {
            self.consider(entry, path.join_name(entry.name()), said)
        })?;
        Ok(kept.into_iter().flatten().collect())
    }

    /// The entries of `folder` that may be in the view. A source such as `services/a` names the one
    /// entry of `services` that counts: to ask the patterns about each of a thousand others, for each
    /// of a thousand targets, would take seconds.
    fn candidates<'s>(
        &self,
        folder: FolderRef<'s>,
        path: &WorkspacePath,
        said: &Said,
    ) -> Result<Vec<EntryRef<'s>>, ViewError> {
        let lists = [(self.sources, &said.sources), (self.inputs, &said.inputs)];
        let names = lists.into_iter().find_map(|(list, said)| list?.names_in(path.as_bytes(), said));
        match names {
            Some(names) if !self.thorough => {
                let entries = names.into_iter().map(|name| folder.entry(name));
                Ok(entries.filter_map(Result::transpose).collect::<Result<_, _>>()?)
            }
            _ => Ok(folder.entries()?),
        }
    }

    fn consider<'s>(
        &self,
        entry: EntryRef<'s>,
        path: WorkspacePath,
        said: &Said,
    ) -> Result<Option<Kept<'s>>, ViewError> {
        if !entry.is_folder() {
            let kept = self.keeps_leaf(path.as_bytes(), said)?;
            return Ok(kept.then_some(Kept { entry, path, inside: None }));
        }
        let fate = self.fate(path.as_bytes(), said)?;
        let open = (!fate.closed).then(|| entry.as_folder());
        let Some(folder) = open.flatten() else { return Ok(None) };
        let whole = fate.kept && self.keeps_all_below(path.as_bytes());
        let entries = if whole { everything(folder, &path) } else { self.some(folder, &path, &fate.said) };
        let entries = match entries {
            // BuildKit does not mind a folder that it may not list and would not send.
            Err(ViewError::Read(error))
                if !fate.kept && error.is_permission_denied() && error.path() == folder.path() =>
            {
                Vec::new()
            }
            entries => entries?,
        };
        let in_view = fate.kept || !entries.is_empty();
        Ok(in_view.then_some(Kept { entry, path, inside: Some(Inside { folder, entries, whole }) }))
    }

    /// The patterns are asked in BuildKit's order, and no more than BuildKit asks: a pattern that is
    /// malformed is an error only when it is asked.
    fn fate(&self, path: &[u8], parent: &Said) -> Result<Fate, ViewError> {
        let mut fate = Fate { kept: true, closed: false, said: Said::default() };
        if let Some(sources) = self.sources {
            let asked = sources.matches(path, &parent.sources);
            let (wanted, said) = asked.map_err(PatternOrigin::Sources.error())?;
            fate.said.sources = said;
            fate.kept &= wanted;
            let closed = sources.buildkit_skips(path, false) || self.none_below(sources, path);
            if !wanted && closed {
                return Ok(Fate { closed, ..fate });
            }
        }
        let asked = self.ignored.matches(path, &parent.ignored);
        let (matched, said) = asked.map_err(PatternOrigin::IgnoreFile.error())?;
        fate.said.ignored = said;
        fate.kept &= !matched;
        let closed =
            self.ignored.buildkit_skips(path, true) || (!self.thorough && self.ignored.all_below(path));
        if matched && closed {
            return Ok(Fate { closed, ..fate });
        }
        if let Some(inputs) = self.inputs {
            let asked = inputs.matches(path, &parent.inputs);
            let (wanted, said) = asked.map_err(PatternOrigin::Inputs.error())?;
            fate.said.inputs = said;
            fate.kept &= wanted;
            fate.closed = !wanted && self.none_below(inputs, path);
        }
        Ok(fate)
    }

    fn none_below(&self, patterns: &PathPatterns, folder: &[u8]) -> bool {
        !self.thorough && patterns.none_below(folder)
    }

    fn keeps_leaf(&self, path: &[u8], parent: &Said) -> Result<bool, ViewError> {
        let mut kept = true;
        if let Some(sources) = self.sources {
            kept &= sources.matches_leaf(path, &parent.sources).map_err(PatternOrigin::Sources.error())?;
        }
        let ignored = self.ignored.matches_leaf(path, &parent.ignored);
        kept &= !ignored.map_err(PatternOrigin::IgnoreFile.error())?;
        if let Some(inputs) = self.inputs {
            kept &= inputs.matches_leaf(path, &parent.inputs).map_err(PatternOrigin::Inputs.error())?;
        }
        Ok(kept)
    }

    /// Whether everything in the folder at `path`, which is kept, must be kept too.
    fn keeps_all_below(&self, path: &[u8]) -> bool {
        self.sources.is_none_or(|sources| sources.all_below(path))
            && self.inputs.is_none_or(|inputs| inputs.all_below(path))
            && self.ignored.none_below(path)
    }
}

/// All that a folder holds.
fn everything<'s>(folder: FolderRef<'s>, path: &WorkspacePath) -> Result<Vec<Kept<'s>>, ViewError> {
    each(folder.entries()?, path.names().count(), EntryRef::is_folder, |entry| {
        let path = path.join_name(entry.name());
        let inside = match entry.as_folder() {
            Some(folder) => Some(Inside { folder, entries: everything(folder, &path)?, whole: true }),
            None => None,
        };
        Ok(Kept { entry, path, inside })
    })
}
