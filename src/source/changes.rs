//! What has changed of what an earlier snapshot looked at.
//!
//! Where nothing has, that is one question to the system for each folder, file and link, and no other
//! work. Where little has, the answer is a short list, so that a run need look again only at what the list
//! touches. Where much has, or where it is not clear what a change means (a link, a folder that came or
//! went, an index that is not the one that was leaned on), there is no answer: somebody has to look at
//! everything.
//!
//! **Invariant:** what is not in the list is as it was, as far as the earlier snapshot looked at it.

use rayon::prelude::*;

use super::lookout::Lookout;
use super::looks::Looks;
use super::origin::{Listed, Place};
use super::parallel::AT_ONCE;
use super::stat::{EntryKind, Stat};
use super::stat_index::{EntryNumber, FolderNumber, StatIndex};
use crate::types::workspace_path::WorkspacePath;

/// So many changes are told at the most: whoever has to look at more looks at everything.
const MOST: usize = 256;

/// What has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The files whose facts are other ones or cannot be believed, and the folders with other permissions.
    pub entries: Vec<WorkspacePath>,
    /// The folders in which files came or went, with the names of those files.
    pub folders: Vec<(WorkspacePath, Vec<Box<[u8]>>)>,
}

impl Changes {
    /// Whether all is as it was.
    pub fn are_none(&self) -> bool {
        self.entries.is_empty() && self.folders.is_empty()
    }

    fn and(mut self, other: Self) -> Option<Self> {
        self.entries.extend(other.entries);
        self.folders.extend(other.folders);
        let names: usize = self.folders.iter().map(|(_, names)| names.len()).sum();
        (self.entries.len() + names <= MOST).then_some(self)
    }
}

/// What has changed of what is in `looks`; `None` where that cannot be told.
pub(super) fn since(lookout: &Lookout, looks: &Looks) -> Option<Changes> {
    let index = lookout.index.as_deref().filter(|index| looks.are_of(index))?;
    if !looks.has_git_exclude(&*lookout.origin) {
        return None;
    }
    let found = folders(index);
    let sweep = Sweep { lookout, index };
    let changes = found
        .par_iter()
        .with_max_len(AT_ONCE)
        .map(|folder| sweep.folder(folder.number, &path_of(index, &found, folder)));
    changes.try_reduce(Changes::default, Changes::and)
}

/// A folder of an index.
struct Found {
    number: FolderNumber,
    /// The place of the folder that it lies in among those that were found before, and its entry there.
    above: Option<(usize, EntryNumber)>,
}

/// The folders of an index of which something is known, each before those in it: what lies together on disk is
/// asked for together, while the system still has it at hand.
fn folders(index: &StatIndex) -> Vec<Found> {
    let mut found = Vec::new();
    let mut announced = vec![Found { number: FolderNumber::ROOT, above: None }];
    while let Some(folder) = announced.pop() {
        let (place, first) = (found.len(), announced.len());
        let inside = index.entries(folder.number).filter_map(|entry| Some((index.folder(entry)?, entry)));
        // What lies in a folder that nobody looked into was not looked at.
        let inside = inside.filter(|(number, _)| index.has_folder_facts(*number));
        announced.extend(inside.map(|(number, entry)| Found { number, above: Some((place, entry)) }));
        announced[first..].reverse();
        found.push(folder);
    }
    found
}

/// The path of one of `found`. It is made by whoever needs it, so that all threads make paths.
fn path_of(index: &StatIndex, found: &[Found], folder: &Found) -> WorkspacePath {
    let above = |folder: &&Found| folder.above.map(|(place, _)| &found[place]);
    let way: Vec<&Found> = std::iter::successors(Some(folder), above).collect();
    let names = way.iter().rev().filter_map(|folder| Some(index.name(folder.above?.1)));
    WorkspacePath::of_names(names)
}

/// One look at everything that an earlier snapshot looked at.
struct Sweep<'s> {
    lookout: &'s Lookout,
    index: &'s StatIndex,
}

impl Sweep<'_> {
    fn folder(&self, number: FolderNumber, path: &WorkspacePath) -> Option<Changes> {
        let facts = self.stat(Place::of_folder(path))?;
        let mut changes = Changes::default();
        if self.lookout.knows_folder(number, &facts).is_none() {
            self.list_again(number, path, &facts, &mut changes)?;
        }
        for entry in self.index.entries(number).filter(|entry| self.index.has_facts(*entry)) {
            let place = Place { folder: path, name: self.index.name(entry) };
            let facts = self.lookout.origin.stat(place).ok()?;
            if !facts.is_some_and(|facts| self.index.knows(entry, &facts, self.lookout.taken)) {
                self.note(entry, place, &mut changes)?;
            }
        }
        Some(changes)
    }

    /// A folder is as it was when it holds the same names, whatever its times are.
    fn list_again(
        &self,
        number: FolderNumber,
        path: &WorkspacePath,
        facts: &Stat,
        changes: &mut Changes,
    ) -> Option<()> {
        if facts.kind != EntryKind::Folder {
            return None;
        }
        if self.index.folder_permissions(number) != facts.permissions {
            changes.entries.push(path.clone());
        }
        let listed = self.lookout.origin.list(path).ok().filter(|listed| listed.steady.is_some())?;
        let names = self.differing(number, &listed)?;
        if !names.is_empty() {
            changes.folders.push((path.clone(), names));
        }
        Some(())
    }

    /// The names of files that are in the index or in `listed` alone. `None` where anything but a file
    /// came or went.
    fn differing(&self, number: FolderNumber, listed: &Listed) -> Option<Vec<Box<[u8]>>> {
        let known = self.index.entries(number).map(|entry| (self.index.name(entry), self.index.kind(entry)));
        let known: Vec<(&[u8], EntryKind)> = known.collect();
        let mut found: Vec<(&[u8], EntryKind)> =
            listed.entries.iter().map(|entry| (listed.name(entry), entry.kind)).collect();
        found.sort_unstable_by_key(|(name, _)| *name);
        let is_in = |list: &[(&[u8], EntryKind)], (name, kind): &(&[u8], EntryKind)| {
            list.binary_search_by_key(name, |(name, _)| *name).is_ok_and(|at| list[at].1 == *kind)
        };
        let gone = known.iter().filter(|entry| !is_in(&found, entry));
        let came = found.iter().filter(|entry| !is_in(&known, entry));
        gone.chain(came).map(|(name, kind)| (*kind == EntryKind::File).then(|| (*name).into())).collect()
    }

    /// Where a link leads is of many consequences.
    fn note(&self, entry: EntryNumber, place: Place<'_>, changes: &mut Changes) -> Option<()> {
        changes.entries.push(place.path());
        (self.index.kind(entry) == EntryKind::File).then_some(())
    }

    /// The facts of a folder on the root's own device.
    fn stat(&self, place: Place<'_>) -> Option<Stat> {
        self.lookout.origin.stat(place).ok()?.filter(|facts| self.lookout.is_at_home(facts))
    }
}
