//! The places in which a checkout differs from a commit, once git said which they are: it takes as long to tell as
//! all folders take to be listed, so that nobody waits for it before that.
//!
//! **Invariant:** until then every place counts as one in which they differ.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use crate::source::origin::Place;
use crate::types::workspace_path::WorkspacePath;

/// The places. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(in crate::source) struct ChangedPlaces(Arc<OnceLock<HashSet<WorkspacePath>>>);

impl ChangedPlaces {
    /// There is no checkout, and no such place.
    pub(in crate::source) fn none() -> Self {
        let places = Self::default();
        places.say(HashSet::new());
        places
    }

    /// These are all.
    pub(in crate::source) fn say(&self, places: HashSet<WorkspacePath>) {
        // Git is asked once; were it asked again, the first answer stands.
        let _first = self.0.set(places);
    }

    /// Whether `place` or a folder above it is among them.
    pub(super) fn hold(&self, place: &Place<'_>) -> bool {
        let Some(places) = self.0.get() else { return true };
        if places.is_empty() {
            return false;
        }
        let mut above = std::iter::successors(Some(place.path()), WorkspacePath::parent);
        above.any(|path| places.contains(&path))
    }

    /// Whether this very path is among them.
    pub(in crate::source) fn contain(&self, path: &WorkspacePath) -> bool {
        self.0.get().is_none_or(|places| places.contains(path))
    }

    /// All of them that were said.
    pub(in crate::source) fn each(&self) -> impl Iterator<Item = &WorkspacePath> {
        self.0.get().into_iter().flatten()
    }
}
