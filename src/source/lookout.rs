//! From where one snapshot looks: its origin, the moment, and what is known from before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::origin::{Content, Origin};
use super::stat::{Stat, Timestamp};
use super::stat_index::{EntryNumber, FolderNumber, StatIndex};

/// Opening and closing costs about as much as reading so many bytes.
const LOOK: u64 = 4096;

/// Writing so many bytes of an index, every one of them made anew, costs about as much as reading one
/// byte of a small file.
const WRITTEN_PER_READ: u64 = 64;

/// What every look of a snapshot needs.
pub(super) struct Lookout {
    pub(super) origin: Box<dyn Origin>,
    /// When the first question may have been asked.
    pub(super) taken: Timestamp,
    /// The device of which facts can be believed; that of the root, or none.
    device: Option<u64>,
    /// What an earlier run knew.
    pub(super) index: Option<Arc<StatIndex>>,
    /// What it cost to find out what the index does not know, in bytes that were read.
    learnt: AtomicU64,
    /// Whether something was leaned on that no index can say.
    unsaid: AtomicBool,
}

impl Lookout {
    /// Begins to look. An index from a later moment than this was written before a clock was set
    /// back: it is left aside.
    pub(super) fn new(origin: Box<dyn Origin>, index: Option<Arc<StatIndex>>) -> Self {
        let taken = origin.now();
        let device = origin.telling_device();
        let index = index.filter(|index| index.taken() <= taken);
        Self { origin, taken, device, index, learnt: AtomicU64::new(0), unsaid: AtomicBool::new(false) }
    }

    /// Whether a change of what has the facts `stat` must show in them.
    pub(super) fn believes(&self, stat: &Stat) -> bool {
        self.is_at_home(stat) && stat.settled_before(self.taken)
    }

    /// Whether what has the facts `stat` lies where facts can be believed.
    pub(super) fn is_at_home(&self, stat: &Stat) -> bool {
        self.device == Some(stat.device)
    }

    /// The index, when it says what a folder with the facts `stat` holds.
    pub(super) fn knows_folder(&self, number: FolderNumber, stat: &Stat) -> Option<&Arc<StatIndex>> {
        let index = self.index.as_ref().filter(|_| self.believes(stat));
        index.filter(|index| index.knows_folder(number, stat, self.taken))
    }

    pub(super) fn known_content(&self, number: Option<EntryNumber>, stat: &Stat) -> Option<Content> {
        self.index.as_ref().filter(|_| self.believes(stat))?.content(number?, stat, self.taken)
    }

    pub(super) fn known_target(&self, number: Option<EntryNumber>, stat: &Stat) -> Option<&[u8]> {
        self.index.as_ref().filter(|_| self.believes(stat))?.link_target(number?, stat, self.taken)
    }

    /// What it cost to find out what the index does not know, in bytes that were read.
    pub(super) fn learnt(&self) -> u64 {
        self.learnt.load(Ordering::Relaxed)
    }

    /// Whether so much was found out that the index should be written anew: reading it again next
    /// time would cost more. After an edit or two it is left as it is.
    pub(super) fn has_learnt_enough(&self) -> bool {
        let worth = self.index.as_ref().map_or(0, |index| index.size() / WRITTEN_PER_READ);
        self.learnt() > worth || self.index.is_none()
    }

    /// Notes that an answer was given of which nobody can say later whether it would be the same: a text
    /// that changed while it was read, or could not be read; a link that leads nowhere.
    pub(super) fn lean_on_the_unsaid(&self) {
        self.unsaid.store(true, Ordering::Relaxed);
    }

    /// Whether such an answer was given.
    pub(super) fn leans_on_the_unsaid(&self) -> bool {
        self.unsaid.load(Ordering::Relaxed)
    }

    /// Notes that a folder, file or link was read which had the facts `steady` all the while. Only
    /// what must show in the facts when it changes can be said in an index.
    pub(super) fn learn_of(&self, steady: Option<&Stat>) {
        if let Some(stat) = steady.filter(|stat| self.believes(stat)) {
            self.learnt.fetch_add(LOOK + stat.size, Ordering::Relaxed);
        }
    }

    /// Notes that a folder has other entries than the index knows.
    pub(super) fn learn_entries(&self) {
        self.learnt.fetch_add(LOOK, Ordering::Relaxed);
    }
}
