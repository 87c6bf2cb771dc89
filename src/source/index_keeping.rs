//! What a snapshot has learnt, together with what the index said that it began with, as an index.

use rayon::prelude::*;

use super::cells::Cell;
use super::folder::{Folder, Listing, Node};
use super::lookout::Lookout;
use super::origin::{Origin, Place};
use super::stat::EntryKind;
use super::stat_index::{self, FolderKnowledge, FolderNumber, IndexPart, Knowledge, Owner, StatIndex};
use crate::types::workspace_path::WorkspacePath;

/// Whether `index` was written by this user for the folder that `origin` looks at.
pub(super) fn is_of(index: &StatIndex, origin: &dyn Origin) -> bool {
    owner(origin).is_some_and(|owner| index.owner() == owner)
}

/// Who looks, and at what.
pub(super) fn owner(origin: &dyn Origin) -> Option<Owner> {
    let root = origin.stat(Place::of_folder(&WorkspacePath::root())).ok()??;
    let user = rustix::process::geteuid().as_raw();
    Some(Owner { user, root_device: root.device, root_inode: root.inode })
}

/// See [`Snapshot::index`](super::snapshot::Snapshot::index).
pub(super) fn index(lookout: &Lookout, root: &Folder) -> Option<Vec<u8>> {
    lookout.has_learnt_enough().then(|| whole_index(lookout, root))?
}

/// As [`index`], also where it says little that is new.
pub(super) fn whole_index(lookout: &Lookout, root: &Folder) -> Option<Vec<u8>> {
    let earlier = lookout.index.as_deref();
    let owner = owner(&*lookout.origin)?;
    let keeping = Keeping { earlier, lookout };
    let mut folders = vec![keeping.kept(Some(root), root.number)];
    let mut next = 0;
    while let Some(folder) = folders.get(next).copied() {
        keeping.announce(folder, &mut folders);
        next += 1;
    }
    let parts = folders.par_chunks(FOLDERS_AT_ONCE).map(|folders| keeping.part(folders));
    stat_index::whole(&parts.collect::<Vec<IndexPart>>(), lookout.taken, owner, earlier)
}

/// So many folders are written by one thread at once.
const FOLDERS_AT_ONCE: usize = 512;

/// A folder of the index that is being written.
#[derive(Clone, Copy)]
enum Kept<'k> {
    /// Somebody looked into it.
    Seen(&'k Folder, &'k Listing),
    /// Nobody did, but an earlier run.
    Earlier(&'k StatIndex, FolderNumber),
    /// Nobody ever did.
    Unknown,
}

impl Kept<'_> {
    /// How many entries are known.
    fn entries(&self) -> usize {
        match self {
            Self::Unknown => 0,
            Self::Earlier(earlier, number) => earlier.entries(*number).len(),
            Self::Seen(_, listing) => listing.nodes.len(),
        }
    }
}

struct Keeping<'k> {
    earlier: Option<&'k StatIndex>,
    lookout: &'k Lookout,
}

impl<'k> Keeping<'k> {
    /// A folder that has that number in the earlier index; there is none that nobody asked about.
    fn kept(&self, folder: Option<&'k Folder>, number: Option<FolderNumber>) -> Kept<'k> {
        let seen = folder.and_then(|folder| Some((folder, folder.known_listing()?)));
        match (seen, self.earlier.zip(number)) {
            (Some((folder, listing)), _) => Kept::Seen(folder, listing),
            (None, Some((earlier, number))) => Kept::Earlier(earlier, number),
            (None, None) => Kept::Unknown,
        }
    }

    /// Announces the folders in `folder`.
    fn announce(&self, folder: Kept<'k>, announced: &mut Vec<Kept<'k>>) {
        match folder {
            Kept::Unknown => {}
            Kept::Earlier(earlier, number) => {
                let inside = earlier.entries(number).filter_map(|entry| earlier.folder(entry));
                announced.extend(inside.map(|inner| Kept::Earlier(earlier, inner)));
            }
            Kept::Seen(_, listing) => {
                let inside = listing.nodes.iter().filter(|node| node.kind == EntryKind::Folder);
                announced.extend(
                    inside.map(|node| self.kept(listing.known_folder(node), node.known_folder(self.earlier))),
                );
            }
        }
    }

    /// Writes some folders.
    fn part(&self, folders: &[Kept<'k>]) -> IndexPart {
        let mut part = IndexPart::with_room(folders.iter().map(Kept::entries).sum());
        folders.iter().for_each(|folder| self.write(&mut part, *folder));
        part
    }

    fn write(&self, part: &mut IndexPart, folder: Kept<'k>) {
        let count = folder.entries();
        match folder {
            Kept::Unknown => part.folder(&FolderKnowledge::Nothing, count),
            Kept::Earlier(earlier, number) => {
                part.folder(&FolderKnowledge::Earlier(earlier, number), count);
                for entry in earlier.entries(number) {
                    let kind = earlier.kind(entry);
                    part.entry(earlier.name(entry), kind, &Knowledge::Earlier(earlier, entry));
                }
            }
            Kept::Seen(folder, listing) => {
                part.folder(&self.of_folder(folder, listing), count);
                for node in &listing.nodes {
                    part.entry(listing.name(node), node.kind, &self.of_entry(listing, node));
                }
            }
        }
    }

    /// What can be said of a folder. Where its own facts say too little yet, what an earlier run said
    /// of the same entries is still true, so that the index need not be written for it.
    fn of_folder(&self, folder: &'k Folder, listing: &Listing) -> FolderKnowledge<'k> {
        if let Some(steady) = folder.steady()
            && self.lookout.believes(steady)
        {
            return FolderKnowledge::Facts(steady);
        }
        let same = self.earlier.zip(folder.known_entries(listing, self.earlier));
        same.map_or(FolderKnowledge::Nothing, |(earlier, number)| FolderKnowledge::Earlier(earlier, number))
    }

    fn of_entry(&self, listing: &'k Listing, node: &Node) -> Knowledge<'k> {
        let learnt = listing.known_cell(node).and_then(|cell| self.learnt(cell));
        learnt.unwrap_or_else(|| {
            let earlier = self.earlier.zip(node.number);
            earlier.map_or(Knowledge::Name, |(earlier, number)| Knowledge::Earlier(earlier, number))
        })
    }

    /// What was found out of an entry and must show in its facts when it changes.
    fn learnt(&self, cell: Cell<'k>) -> Option<Knowledge<'k>> {
        let stat = cell.known_stat().filter(|stat| self.lookout.believes(stat))?;
        match cell {
            Cell::File(file) => {
                let content = file.known_content()?.ok()?;
                (file.steady() == Some(stat)).then_some(Knowledge::File(stat, content.hash))
            }
            Cell::Link(link) => {
                let target = link.target.get()?.as_ref().ok()?;
                target.is_steady.then_some(Knowledge::Link(stat, &target.text))
            }
            Cell::Special(_) => None,
        }
    }
}
