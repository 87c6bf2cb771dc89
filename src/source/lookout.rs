//! From where one snapshot looks: its origin, the moment, and what is known from before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::origin::{Content, Hashed, Listed, Origin, Place};
use super::read_error::ReadError;
use super::stat::{Stat, Timestamp};
use super::stat_index::{EntryNumber, FolderNumber, StatIndex};
use crate::types::workspace_path::WorkspacePath;

/// What every look of a snapshot needs.
pub(super) struct Lookout {
    pub(super) origin: Box<dyn Origin>,
    /// When the first question may have been asked.
    pub(super) taken: Timestamp,
    /// What an earlier run knew.
    pub(super) index: Option<Arc<StatIndex>>,
    /// Whether something was looked at that the index does not know.
    learnt: AtomicBool,
}

impl Lookout {
    /// Begins to look. An index from a later moment than this was written before a clock was set
    /// back: it is left aside.
    pub(super) fn new(origin: Box<dyn Origin>, index: Option<Arc<StatIndex>>) -> Self {
        let taken = origin.now();
        let index = index.filter(|index| index.taken() <= taken);
        Self { origin, taken, index, learnt: AtomicBool::new(false) }
    }

    /// The index, when it says what a folder with the facts `stat` holds.
    pub(super) fn knows_folder(&self, number: FolderNumber, stat: &Stat) -> Option<&Arc<StatIndex>> {
        self.index.as_ref().filter(|index| index.knows_folder(number, stat, self.taken))
    }

    pub(super) fn known_content(&self, number: Option<EntryNumber>, stat: &Stat) -> Option<Content> {
        self.index.as_ref()?.content(number?, stat, self.taken)
    }

    pub(super) fn known_target(&self, number: Option<EntryNumber>, stat: &Stat) -> Option<&[u8]> {
        self.index.as_ref()?.link_target(number?, stat, self.taken)
    }

    pub(super) fn list(&self, folder: &WorkspacePath) -> Result<Listed, ReadError> {
        self.learns();
        self.origin.list(folder)
    }

    pub(super) fn hash(&self, file: Place<'_>) -> Result<Hashed, ReadError> {
        self.learns();
        self.origin.content(file)
    }

    pub(super) fn link_target(&self, link: Place<'_>) -> Result<Box<[u8]>, ReadError> {
        self.learns();
        self.origin.link_target(link)
    }

    /// Whether a file, folder or link was read.
    pub(super) fn has_learnt(&self) -> bool {
        self.learnt.load(Ordering::Relaxed)
    }

    fn learns(&self) {
        self.learnt.store(true, Ordering::Relaxed);
    }
}
