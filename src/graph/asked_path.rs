//! A path that is asked about: which views hold it, and which texts are read at it.
//!
//! Links are followed on the way to it and to what is compared with it, never in the last name: a link is
//! an entry of its own, and who is led through it reads it too.
//!
//! **Invariant:** nothing is hashed, and only for a folder a view is listed.

use super::view::{ViewError, ViewSpec};
use crate::source::read_error::ReadError;
use crate::source::snapshot::Snapshot;
use crate::types::workspace_path::WorkspacePath;

/// How what was asked for is in a view.
pub(super) enum Held {
    /// The source that leads to it; `None` where everything is read.
    Source(Option<String>),
    /// It is a link on the way to the context.
    Way,
}

/// The path that was asked for.
pub(super) struct Asked<'s> {
    pub(super) snapshot: &'s Snapshot,
    /// No link is on the way to it; it may be one.
    pub(super) path: WorkspacePath,
    pub(super) is_folder: bool,
}

impl<'s> Asked<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, path: &WorkspacePath) -> Result<Self, ReadError> {
        let path = without_links_above(snapshot, path)?;
        let is_folder = path.is_root() || snapshot.entry(&path)?.is_some_and(|entry| entry.is_folder());
        Ok(Self { snapshot, path, is_folder })
    }

    /// Whether `path`, on the way to which is no link, is what was asked for, or in it.
    fn holds(&self, path: &WorkspacePath) -> bool {
        *path == self.path || (self.is_folder && path.strip_prefix(&self.path).is_some())
    }

    /// Whether who reads the file at `path` reads what was asked for: the file itself, or a link on the way.
    pub(super) fn is_read_at(&self, path: &WorkspacePath) -> Result<bool, ReadError> {
        let spelled = without_links_above(self.snapshot, path)?;
        Ok(self.holds(&spelled) || self.snapshot.way(path)?.iter().any(|on_the_way| self.holds(on_the_way)))
    }

    /// How it is in the view of `spec`.
    pub(super) fn held(&self, spec: &ViewSpec) -> Result<Option<Held>, ViewError> {
        let way = self.snapshot.way(&spec.context)?;
        let Some((context, links)) = way.split_last() else { return Ok(None) };
        // Whoever turns a link elsewhere gives the build other files.
        if links.iter().any(|link| self.holds(link)) {
            return Ok(Some(Held::Way));
        }
        let inside = self.path.strip_prefix(context);
        let found = match &inside {
            Some(inside) if !self.is_folder => spec.holds(self.snapshot, inside)?.then(|| inside.clone()),
            Some(inside) => {
                let paths = spec.paths(self.snapshot)?;
                paths.into_iter().find(|path| path.strip_prefix(inside).is_some())
            }
            None if self.holds(context) => spec.paths(self.snapshot)?.into_iter().next(),
            None => None,
        };
        let Some(found) = found else { return Ok(None) };
        let finder = spec.source_finder(self.snapshot)?;
        Ok(Some(Held::Source(finder.source_of(&found).map(str::to_owned))))
    }
}

/// The path of the same entry with no link on the way to it, as far as anything is there.
fn without_links_above(snapshot: &Snapshot, path: &WorkspacePath) -> Result<WorkspacePath, ReadError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path.clone()) };
    match snapshot.follow(&folder)? {
        Some(folder) => Ok(folder.join_name(name)),
        None => Ok(without_links_above(snapshot, &folder)?.join_name(name)),
    }
}
