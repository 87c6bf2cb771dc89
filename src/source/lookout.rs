//! From where one snapshot looks: its origin, the moment, and what is known from before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::origin::{Content, Origin};
use super::stat::{Stat, Timestamp};
use super::stat_index::{EntryNumber, FolderNumber, StatIndex};

/// What every look of a snapshot needs.
pub(super) struct Lookout {
    pub(super) origin: Box<dyn Origin>,
    /// When the first question may have been asked.
    pub(super) taken: Timestamp,
    /// What an earlier run knew.
    pub(super) index: Option<Arc<StatIndex>>,
    /// See [`Lookout::has_learnt`].
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

    /// Whether something was found out that an index can say and the one at hand does not.
    pub(super) fn has_learnt(&self) -> bool {
        self.learnt.load(Ordering::Relaxed)
    }

    /// Notes that a folder, file or link was read which had the facts `steady` all the while. Only
    /// what must show in the facts when it changes can be said in an index.
    pub(super) fn learn_of(&self, steady: Option<&Stat>) {
        if steady.is_some_and(|stat| stat.settled_before(self.taken)) {
            self.learn();
        }
    }

    /// Notes that a folder has other entries than the index knows.
    pub(super) fn learn(&self) {
        self.learnt.store(true, Ordering::Relaxed);
    }
}
