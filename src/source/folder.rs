//! The nodes of a snapshot: folders that list themselves at most once, files hashed at most once.
//!
//! Every answer sits in a cell that is written once, so that nodes are shared by threads without a
//! lock around the tree. A folder's names are one text, its own or the index's, and its nodes one
//! list: what a snapshot costs does not grow with the number of allocations that files would make.
//!
//! Most folders are listed for a name or two. A node is therefore as small as can be, and what is said
//! of an entry beyond its name is made when somebody asks: a folder in a folder when somebody looks into
//! it, the cells of files when somebody asks about one of them.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::cells::{Cell, Cells, Steady};
use super::lookout::Lookout;
use super::origin::{Listed, ListedEntry, Place, StatResult};
use super::read_error::ReadError;
use super::stat::{EntryKind, Stat};
use super::stat_index::{EntryNumber, FolderNumber, StatIndex};
use crate::types::digest::TreeDigest;
use crate::types::workspace_path::WorkspacePath;

/// A folder and what is known of it.
pub(super) struct Folder {
    pub(super) path: WorkspacePath,
    /// The folder of the same path in the index.
    pub(super) number: Option<FolderNumber>,
    /// Many folders are listed of which nobody asks for the facts.
    facts: OnceLock<Box<StatResult>>,
    listing: OnceLock<Result<Listing, ReadError>>,
    /// The digest of everything in the folder, when somebody needed it.
    pub(super) whole_digest: OnceLock<TreeDigest>,
}

/// What is in a folder.
pub(super) struct Listing {
    names: Names,
    /// Sorted by the bytes of their names.
    pub(super) nodes: Box<[Node]>,
    /// The folders among them, in the same order.
    folders: OnceLock<Box<[OnceLock<Box<Folder>>]>>,
    /// What is known of the others.
    cells: OnceLock<Box<Cells>>,
    /// The facts that the folder had while it was listed, when it did not change meanwhile.
    steady: Steady,
}

/// Where the names of a folder's entries lie.
enum Names {
    Own(Box<[u8]>),
    Indexed(Arc<StatIndex>),
}

/// An entry of a folder.
pub(super) struct Node {
    /// Where its name begins.
    start: u32,
    length: u32,
    /// The entry of the same path and kind in the index.
    pub(super) number: Option<EntryNumber>,
    /// How many entries of the same kind stand before it.
    slot: u32,
    pub(super) kind: EntryKind,
    /// See [`ListedEntry`].
    pub(super) may_hold_packages: bool,
}

impl Folder {
    pub(super) fn new(path: WorkspacePath, number: Option<FolderNumber>) -> Self {
        let (facts, listing) = (OnceLock::new(), OnceLock::new());
        Self { path, number, facts, listing, whole_digest: OnceLock::new() }
    }

    /// The entries.
    pub(super) fn listing(&self, lookout: &Lookout) -> Result<&Listing, ReadError> {
        let listing = self.listing.get_or_init(|| self.look(lookout));
        listing.as_ref().map_err(Clone::clone)
    }

    /// The entries, when somebody looked.
    pub(super) fn known_listing(&self) -> Option<&Listing> {
        self.listing.get()?.as_ref().ok()
    }

    /// Its own facts, when somebody asked for them or looked into it.
    pub(super) fn known_facts(&self) -> Option<&StatResult> {
        self.facts.get().map(Box::as_ref)
    }

    /// Whether somebody looked into it, with or without success.
    pub(super) fn was_looked_into(&self) -> bool {
        self.listing.get().is_some()
    }

    /// Its own facts; once it was listed those that it had then.
    pub(super) fn facts(&self, lookout: &Lookout) -> &StatResult {
        self.facts.get_or_init(|| Box::new(lookout.origin.stat(Place::of_folder(&self.path))))
    }

    /// The facts that it had while it was listed; `None` when it was not, or changed meanwhile.
    pub(super) fn steady(&self) -> Option<&Stat> {
        self.known_listing()?.steady.facts(self.told_facts())
    }

    fn told_facts(&self) -> Option<&Stat> {
        self.known_facts()?.as_ref().ok()?.as_ref()
    }

    fn look(&self, lookout: &Lookout) -> Result<Listing, ReadError> {
        if let Some(number) = self.number
            && let Ok(Some(facts)) = self.facts(lookout)
            && let Some(index) = lookout.knows_folder(number, facts)
        {
            return Ok(indexed(index, number));
        }
        let listed = lookout.origin.list(&self.path)?;
        if let Some(steady) = listed.steady {
            // Whoever asked before keeps the older answer.
            let _older = self.facts.set(Box::new(Ok(Some(steady))));
        }
        lookout.learn_of(listed.steady.as_ref());
        let listing = self.listed(listed, lookout.index.as_deref());
        if self.known_entries(&listing, lookout.index.as_deref()).is_none() {
            lookout.learn_entries();
        }
        Ok(listing)
    }

    /// The entries that the disk lists. What the index says of those that stayed is kept in sight.
    fn listed(&self, listed: Listed, index: Option<&StatIndex>) -> Listing {
        let Listed { names, mut entries, steady } = listed;
        let text = |start: u32, length: u32| &names[start as usize..(start + length) as usize];
        entries.sort_unstable_by_key(|entry| text(entry.start, entry.length));
        let mut slots = Slots::default();
        let node = |entry: &ListedEntry| {
            let ListedEntry { start, length, kind, may_hold_packages } = *entry;
            let known = index.zip(self.number);
            let known = known.and_then(|(index, folder)| index.entry(folder, text(start, length)));
            let number = known.filter(|number| index.is_some_and(|index| index.kind(*number) == kind));
            Node { start, length, number, slot: slots.next(kind), kind, may_hold_packages }
        };
        let nodes = entries.iter().map(node).collect();
        let steady = Steady::new(steady, self.told_facts());
        Listing::new(Names::Own(names.into_boxed_slice()), nodes, steady)
    }

    /// The folder of the index, when it has the same entries as `listing`, which was listed.
    pub(super) fn known_entries(&self, listing: &Listing, index: Option<&StatIndex>) -> Option<FolderNumber> {
        let number = self.number?;
        let same_count = index?.entries(number).len() == listing.nodes.len();
        (same_count && listing.nodes.iter().all(|node| node.number.is_some())).then_some(number)
    }

    /// The folder that a node of `listing`, which is of this folder, stands for.
    pub(super) fn inner<'f>(&self, listing: &'f Listing, node: &Node, lookout: &Lookout) -> Option<&'f Self> {
        let of_kind = |node: &&Node| node.kind == EntryKind::Folder;
        let node = Some(node).filter(of_kind)?;
        let folders = listing.folders.get_or_init(|| {
            let count = listing.nodes.iter().filter(of_kind).count();
            std::iter::repeat_with(OnceLock::new).take(count).collect()
        });
        let folder = folders.get(node.slot as usize)?.get_or_init(|| {
            let number = node.known_folder(lookout.index.as_deref());
            Box::new(Self::new(self.path.join_name(listing.name(node)), number))
        });
        Some(folder)
    }
}

/// The entries that the index knows of a folder that has the facts under which it knows them.
fn indexed(index: &Arc<StatIndex>, number: FolderNumber) -> Listing {
    let mut slots = Slots::default();
    let node = |entry| {
        let (Range { start, end }, kind) = (index.name_range(entry), index.kind(entry));
        let (length, slot) = (end - start, slots.next(kind));
        Node { start, length, number: Some(entry), slot, kind, may_hold_packages: true }
    };
    let nodes = index.entries(number).map(node).collect();
    Listing::new(Names::Indexed(Arc::clone(index)), nodes, Steady::AsTold)
}

/// How many entries of each kind there were.
#[derive(Default)]
struct Slots {
    folders: u32,
    files: u32,
    links: u32,
    specials: u32,
}

impl Slots {
    fn next(&mut self, kind: EntryKind) -> u32 {
        let count = match kind {
            EntryKind::Folder => &mut self.folders,
            EntryKind::File => &mut self.files,
            EntryKind::Link => &mut self.links,
            EntryKind::Special(_) => &mut self.specials,
        };
        *count += 1;
        *count - 1
    }
}

impl Listing {
    fn new(names: Names, nodes: Box<[Node]>, steady: Steady) -> Self {
        Self { names, nodes, folders: OnceLock::new(), cells: OnceLock::new(), steady }
    }

    pub(super) fn name(&self, node: &Node) -> &[u8] {
        match &self.names {
            Names::Own(names) => &names[node.start as usize..(node.start + node.length) as usize],
            Names::Indexed(index) => index.text(node.start..node.start + node.length),
        }
    }

    /// The entry of that name.
    pub(super) fn find(&self, name: &[u8]) -> Option<&Node> {
        let search = || self.nodes.binary_search_by(|node| self.name(node).cmp(name)).ok();
        let is_there = |place: usize| self.nodes.get(place).is_some_and(|node| self.name(node) == name);
        let place = if self.nodes.len() < LARGE { search() } else { near(self, is_there, search) };
        place.map(|place| &self.nodes[place])
    }

    /// The folder that a node stands for, when somebody looked into it or asked for its facts.
    pub(super) fn known_folder(&self, node: &Node) -> Option<&Folder> {
        let node = Some(node).filter(|node| node.kind == EntryKind::Folder)?;
        self.folders.get()?.get(node.slot as usize)?.get().map(Box::as_ref)
    }

    /// The cell of an entry that is no folder.
    pub(super) fn cell(&self, node: &Node) -> Option<Cell<'_>> {
        if node.kind == EntryKind::Folder {
            return None;
        }
        let made = || Box::new(Cells::new(self.nodes.iter().map(|node| node.kind)));
        self.cells.get_or_init(made).of(node.kind, node.slot as usize)
    }

    /// The same, where somebody asked about an entry of the folder.
    pub(super) fn known_cell(&self, node: &Node) -> Option<Cell<'_>> {
        self.cells.get()?.of(node.kind, node.slot as usize)
    }
}

/// A search in a folder with fewer entries is soon over.
const LARGE: usize = 64;

/// Where the name is that is looked for in `listing`. Who asks for one name after the other asks in their order, and
/// for the same one more than once, so that the place at which this thread found the last one comes first, and the
/// next one after it: all the places of a search are far from each other, and from any cache.
fn near(
    listing: &Listing,
    is_there: impl Fn(usize) -> bool,
    search: impl FnOnce() -> Option<usize>,
) -> Option<usize> {
    thread_local! {
        /// The listing, which is only compared, and the place. Two snapshots may be asked by turns.
        static LAST: [Last; 2] = const { [Last::new((0, 0)), Last::new((0, 0))] };
    }
    let own = std::ptr::from_ref(listing).addr();
    let last = LAST.with(|last| last.each_ref().map(Last::get));
    let beside = last.into_iter().find(|(listing, _)| *listing == own).map(|(_, place)| place);
    let place = beside.and_then(|place| [place, place + 1].into_iter().find(|place| is_there(*place)));
    let place = place.or_else(search)?;
    LAST.with(|[one, other]| {
        if one.get().0 != own {
            other.set(one.get());
        }
        one.set((own, place));
    });
    Some(place)
}

/// A listing's address, and a place in it.
type Last = std::cell::Cell<(usize, usize)>;

impl Drop for Folder {
    /// Folders are freed one after the other: a tree may be deeper than a stack.
    fn drop(&mut self) {
        let mut pending = Vec::new();
        take_folders(self, &mut pending);
        while let Some(mut folder) = pending.pop() {
            take_folders(&mut folder, &mut pending);
        }
    }
}

/// Moves the folders in `folder` to `taken`.
fn take_folders(folder: &mut Folder, taken: &mut Vec<Folder>) {
    if let Some(Ok(listing)) = folder.listing.take() {
        let folders = listing.folders.into_inner().into_iter().flatten();
        taken.extend(folders.filter_map(OnceLock::into_inner).map(|folder| *folder));
    }
}

impl Node {
    /// The folder of the index that it is.
    pub(super) fn known_folder(&self, index: Option<&StatIndex>) -> Option<FolderNumber> {
        index?.folder(self.number?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::source::cells::FileCell;
    use crate::source::disk::Disk;

    /// In bytes: a workspace may have a million files.
    #[test]
    fn nodes_are_small() {
        assert!(size_of::<Node>() <= 20, "of each entry that is listed");
        assert!(size_of::<FileCell>() <= 136, "of each file in a folder in which somebody asked about one");
        assert!(size_of::<Folder>() <= 176, "of each folder that somebody looked into");
    }

    #[test]
    fn a_name_is_found_wherever_the_last_one_was() {
        let listing = |count: u32, step: u32| {
            let mut names = Vec::new();
            let nodes = (0..count).map(|number| {
                let start = names.len() as u32;
                names.extend(format!("{:03}", number * step).bytes());
                let (number, kind) = (None, EntryKind::File);
                Node { start, length: 3, number, slot: 0, kind, may_hold_packages: true }
            });
            let nodes = nodes.collect();
            Listing::new(Names::Own(names.into_boxed_slice()), nodes, Steady::AsTold)
        };
        let (even, threes, few) = (listing(200, 2), listing(100, 3), listing(5, 7));
        let check = |listing: &Listing, step: u32, count: u32, number: u32| {
            let found = listing.find(format!("{number:03}").as_bytes()).map(|node| node.start / 3);
            let expected = (number.is_multiple_of(step) && number / step < count).then(|| number / step);
            assert_eq!(found, expected, "{number} of {count}");
        };
        let orders: [&[u32]; 3] =
            [&[0, 1, 2, 3, 4, 6, 6, 9, 12], &[398, 400, 0, 398, 297, 300], &[7, 14, 13, 12]];
        for number in orders.concat().into_iter().chain(0..410).chain((0..410).rev()) {
            check(&even, 2, 200, number);
            check(&threes, 3, 100, number);
            check(&few, 7, 5, number);
        }
    }

    #[test]
    fn what_nobody_asks_for_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        for path in ["a", "b", "c/d"] {
            fs::create_dir_all(root.path().join(path)).unwrap();
        }
        fs::write(root.path().join("file"), "").unwrap();
        let lookout = Lookout::new(Box::new(Disk::new(root.path().to_path_buf())), None);
        let folder = Folder::new(WorkspacePath::root(), None);
        let listing = folder.listing(&lookout).unwrap();
        let names: Vec<&[u8]> = listing.nodes.iter().map(|node| listing.name(node)).collect();
        assert_eq!(names, [&b"a"[..], b"b", b"c", b"file"]);
        assert!(listing.folders.get().is_none() && listing.cells.get().is_none());
        let known = || -> Vec<bool> {
            listing.nodes.iter().map(|node| listing.known_folder(node).is_some()).collect()
        };
        let inner = folder.inner(listing, listing.find(b"c").unwrap(), &lookout).unwrap();
        assert_eq!((inner.path.as_bytes(), inner.was_looked_into()), (&b"c"[..], false));
        assert_eq!(known(), [false, false, true, false]);
        let file = listing.find(b"file").unwrap();
        assert!(folder.inner(listing, file, &lookout).is_none() && listing.known_cell(file).is_none());
        assert!(listing.cell(file).is_some() && listing.known_cell(file).is_some());
        assert!(listing.cell(listing.find(b"a").unwrap()).is_none());
    }
}
