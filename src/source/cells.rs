//! What was found out of the entries of a folder that are no folders.
//!
//! Each answer sits in a cell that is written once. The cells of a folder are made when somebody asks about
//! the first of its files: most folders of a workspace are listed for their names and no more.
//!
//! Most files are hashed under the facts that they have anyway, so facts are held once.

use std::sync::OnceLock;

use super::origin::{Content, Hashed, Origin, Place, StatResult};
use super::read_error::ReadError;
use super::stat::{EntryKind, Stat};

/// The cells of a folder, those of one kind in the order of their names.
pub(super) struct Cells {
    files: Box<[FileCell]>,
    links: Box<[LinkCell]>,
    specials: Box<[StatCell]>,
}

impl Cells {
    /// The cells of entries of these kinds.
    pub(super) fn new(kinds: impl Iterator<Item = EntryKind>) -> Self {
        let (mut files, mut links, mut specials) = (0, 0, 0);
        for kind in kinds {
            match kind {
                EntryKind::Folder => {}
                EntryKind::File => files += 1,
                EntryKind::Link => links += 1,
                EntryKind::Special(_) => specials += 1,
            }
        }
        Self { files: cells(files), links: cells(links), specials: cells(specials) }
    }

    /// The cell of the entry of that kind before which there are `slot` of the same kind.
    pub(super) fn of(&self, kind: EntryKind, slot: usize) -> Option<Cell<'_>> {
        match kind {
            EntryKind::Folder => None,
            EntryKind::File => self.files.get(slot).map(Cell::File),
            EntryKind::Link => self.links.get(slot).map(Cell::Link),
            EntryKind::Special(_) => self.specials.get(slot).map(Cell::Special),
        }
    }
}

fn cells<Made: Default>(count: usize) -> Box<[Made]> {
    std::iter::repeat_with(Made::default).take(count).collect()
}

/// The cell of an entry.
#[derive(Clone, Copy)]
pub(super) enum Cell<'c> {
    File(&'c FileCell),
    Link(&'c LinkCell),
    Special(&'c StatCell),
}

/// The facts of an entry.
pub(super) type StatCell = OnceLock<StatResult>;

/// What was found out of a file.
#[derive(Default)]
pub(super) struct FileCell {
    stat: StatCell,
    held: OnceLock<Result<Held, ReadError>>,
}

/// What was found out of a link.
#[derive(Default)]
pub(super) struct LinkCell {
    stat: StatCell,
    pub(super) target: OnceLock<Result<Target, ReadError>>,
}

/// What a file holds.
struct Held {
    content: Content,
    steady: Steady,
}

/// Where a link points.
pub(super) struct Target {
    pub(super) text: Box<[u8]>,
    /// Whether the link had the same facts before and after it was read.
    pub(super) is_steady: bool,
}

/// Under which facts something that was read can be kept.
pub(super) enum Steady {
    /// Under none: a change while it was read need not show in its facts, and there was one.
    Never,
    /// Under those that its cell tells.
    AsTold,
    /// Under these: it had others when somebody asked for them.
    Other(Box<Stat>),
}

impl Steady {
    /// For what can be kept under the facts `steady`, and whose cell tells the facts `told`, for good.
    pub(super) fn new(steady: Option<Stat>, told: Option<&Stat>) -> Self {
        match steady {
            None => Self::Never,
            Some(steady) if Some(&steady) == told => Self::AsTold,
            Some(steady) => Self::Other(Box::new(steady)),
        }
    }

    /// The facts, where the cell tells the facts `told`.
    pub(super) fn facts<'s>(&'s self, told: Option<&'s Stat>) -> Option<&'s Stat> {
        match self {
            Self::Never => None,
            Self::AsTold => told,
            Self::Other(facts) => Some(facts),
        }
    }
}

impl<'c> Cell<'c> {
    fn stat_cell(self) -> &'c StatCell {
        match self {
            Self::File(file) => &file.stat,
            Self::Link(link) => &link.stat,
            Self::Special(stat) => stat,
        }
    }

    /// The facts of the entry, which lies at `place`.
    pub(super) fn stat(self, origin: &dyn Origin, place: Place<'_>) -> &'c StatResult {
        self.stat_cell().get_or_init(|| origin.stat(place))
    }

    /// The answer about its facts, when somebody asked.
    pub(super) fn asked_stat(self) -> Option<&'c StatResult> {
        self.stat_cell().get()
    }

    /// The facts, when somebody asked.
    pub(super) fn known_stat(self) -> Option<&'c Stat> {
        self.asked_stat()?.as_ref().ok()?.as_ref()
    }

    /// Whether nobody asked what it holds or where it points.
    pub(super) fn is_untouched(self) -> bool {
        match self {
            Self::File(file) => file.held.get().is_none(),
            Self::Link(link) => link.target.get().is_none(),
            Self::Special(_) => true,
        }
    }
}

impl FileCell {
    /// The hash of what it holds, found out by `hash` when nobody did before.
    pub(super) fn content(
        &self,
        hash: impl FnOnce() -> Result<Hashed, ReadError>,
    ) -> Result<Content, ReadError> {
        let held = self.held.get_or_init(|| hash().map(|hashed| self.held(&hashed)));
        held.as_ref().map(|held| held.content).map_err(Clone::clone)
    }

    /// The answer about what it holds, when somebody asked.
    pub(super) fn known_content(&self) -> Option<Result<Content, &ReadError>> {
        Some(self.held.get()?.as_ref().map(|held| held.content))
    }

    /// Notes facts under which it was opened. Whoever asked before keeps the older answer.
    pub(super) fn set_stat(&self, stat: Stat) {
        let _older = self.stat.set(Ok(Some(stat)));
    }

    /// Notes what was hashed. Whoever asked before keeps the older answer.
    pub(super) fn set_content(&self, hashed: &Hashed) {
        let _older = self.held.set(Ok(self.held(hashed)));
    }

    /// What is kept of what was hashed.
    fn held(&self, hashed: &Hashed) -> Held {
        Held { content: hashed.content, steady: Steady::new(hashed.steady(), Cell::File(self).known_stat()) }
    }

    /// The facts under which its content can be kept, when somebody asked for that.
    pub(super) fn steady(&self) -> Option<&Stat> {
        let held = self.held.get()?.as_ref().ok()?;
        held.steady.facts(Cell::File(self).known_stat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::stat::Timestamp;
    use crate::types::digest::ContentHash;

    fn facts(inode: u64) -> Stat {
        let (modified, changed) = (Timestamp::default(), Timestamp::default());
        Stat { kind: EntryKind::File, permissions: 0o644, size: 4, modified, changed, inode, device: 1 }
    }

    /// The inode under which a content can be kept, of a file that had the inode `told` when somebody asked, and
    /// `read` when it was read.
    fn check(told: Option<u64>, read: u64, is_steady: bool, expected: Option<u64>) {
        let file = FileCell::default();
        told.into_iter().for_each(|inode| file.set_stat(facts(inode)));
        let content = Content { hash: ContentHash::from_bytes([7; 32]), size: 4 };
        file.set_content(&Hashed { content, facts: facts(read), is_steady });
        // Who asks later changes nothing of what was kept.
        file.set_stat(facts(9));
        assert_eq!(file.steady().map(|stat| stat.inode), expected, "{told:?} {read} {is_steady}");
        assert_eq!(file.known_content().unwrap().unwrap(), content);
        assert_eq!(Cell::File(&file).known_stat().map(|stat| stat.inode), told.or(Some(9)));
    }

    #[test]
    fn a_content_is_kept_under_the_facts_under_which_it_was_read() {
        check(Some(1), 1, true, Some(1));
        check(Some(1), 2, true, Some(2));
        check(None, 2, true, Some(2));
        check(Some(1), 1, false, None);
        check(None, 2, false, None);
    }

    #[test]
    fn cells_of_one_kind_lie_together() {
        let kinds = [EntryKind::File, EntryKind::Folder, EntryKind::Link, EntryKind::File];
        let cells = Cells::new(kinds.into_iter());
        assert!(matches!(cells.of(EntryKind::File, 1), Some(Cell::File(_))));
        assert!(matches!(cells.of(EntryKind::Link, 0), Some(Cell::Link(_))));
        for (kind, slot) in [(EntryKind::File, 2), (EntryKind::Link, 1), (EntryKind::Folder, 0)] {
            assert!(cells.of(kind, slot).is_none(), "{kind:?} {slot}");
        }
    }
}
