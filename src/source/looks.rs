//! What a snapshot leaned on, as sentences of the index that it began with: so that a later run can ask
//! whether all of that is still so, and nothing else.
//!
//! A snapshot that listed no folder anew and read no file that the index does not know has learnt all
//! that it knows from facts. As long as those folders, files and links have the same facts, another run
//! would see the same: that is one question to the system for each of them, and no other work.
//!
//! **Invariant:** where a snapshot leaned on anything that the index does not say (a file that was changed
//! a moment ago, an error, a pipe), there are no looks.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::folder::{Body, Folder, Node};
use super::index_keeping;
use super::lookout::Lookout;
use super::origin::{Origin, Place, StatResult};
use super::stat::{Stat, Timestamp};
use super::stat_index::{EntryNumber, FolderNumber, StatIndex};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// Which folders, files and links of an index were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    /// The checksum of the index.
    index: [u8; 32],
    folders: Bits,
    entries: Bits,
    git_exclude: GitExclude,
}

/// What somebody found who asked for `.git/info/exclude`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum GitExclude {
    #[default]
    NotAsked,
    None,
    Text(ContentHash),
}

impl GitExclude {
    fn of(text: Option<&[u8]>) -> Self {
        text.map_or(Self::None, |text| Self::Text(ContentHash::from_bytes(*blake3::hash(text).as_bytes())))
    }
}

/// The bytes of `.git/info/exclude`.
pub(super) fn git_exclude(origin: &dyn Origin) -> Option<Vec<u8>> {
    let folder = WorkspacePath::root().join_name(b".git").join_name(b"info");
    Some(origin.read(Place { folder: &folder, name: b"exclude" }).ok()?.bytes)
}

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Bits(Vec<u64>);

impl Bits {
    fn insert(&mut self, number: u32) {
        let word = number as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    fn contains(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }
}

/// The looks of a snapshot whose root is `root`; `None` when it leaned on more than the index.
pub(super) fn looks(
    lookout: &Lookout,
    root: &Folder,
    git_exclude: Option<&Option<Arc<[u8]>>>,
) -> Option<Looks> {
    if lookout.has_learnt() || lookout.leans_on_the_unsaid() {
        return None;
    }
    let index = lookout.index.as_deref()?;
    let git_exclude = git_exclude.map(|text| GitExclude::of(text.as_deref())).unwrap_or_default();
    let mut looks = Looks { index: index.checksum(), git_exclude, ..Looks::default() };
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let facts = match folder.known_facts() {
            Some(facts) => facts,
            // It changed while it was listed.
            None if folder.was_looked_into() => return None,
            None => continue,
        };
        let facts = facts.as_ref().ok()?.as_ref()?;
        let number = folder.number?;
        lookout.knows_folder(number, facts)?;
        looks.folders.insert(number.number());
        if !folder.was_looked_into() {
            continue;
        }
        for node in &folder.known_listing()?.nodes {
            match &node.body {
                Body::Folder(inner) => folders.push(inner),
                _ => look(lookout, node, &mut looks)?,
            }
        }
    }
    Some(looks)
}

/// Notes what was asked about a file or link; `None` when the index does not say it.
fn look(lookout: &Lookout, node: &Node, looks: &mut Looks) -> Option<()> {
    let Some(asked) = node.asked_stat() else { return node.is_untouched().then_some(()) };
    let stat = asked.as_ref().ok()?.as_ref()?;
    let number = node.number?;
    let is_known = match &node.body {
        Body::File(hashed) => {
            let known = lookout.known_content(Some(number), stat)?;
            hashed.get().is_none_or(|hashed| hashed.as_ref().is_ok_and(|hashed| hashed.content == known))
        }
        Body::Link(_) => lookout.known_target(Some(number), stat).is_some(),
        Body::Folder(_) | Body::Special(_) => false,
    };
    looks.entries.insert(number.number());
    is_known.then_some(())
}

/// The folders that were looked into.
pub(super) fn looked_into(root: &Folder) -> Vec<&Folder> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(folder) = found.get(next).copied() {
        for node in folder.known_listing().map_or(&[][..], |listing| &listing.nodes) {
            if let Body::Folder(inner) = &node.body
                && inner.was_looked_into()
            {
                found.push(inner);
            }
        }
        next += 1;
    }
    found
}

/// Whether every folder that was looked into, and every entry whose facts were asked for, has the same
/// facts now.
pub(super) fn is_unchanged(
    lookout: &Lookout,
    root: &Folder,
    git_exclude: Option<&Option<Arc<[u8]>>>,
) -> bool {
    let exclude = || self::git_exclude(&*lookout.origin);
    if lookout.leans_on_the_unsaid()
        || git_exclude.is_some_and(|known| known.as_deref() != exclude().as_deref())
    {
        return false;
    }
    let same = |known: &StatResult, place: Place<'_>| match (known, lookout.origin.stat(place)) {
        (Ok(known), Ok(now)) => *known == now,
        _ => false,
    };
    looked_into(root).par_iter().all(|folder| {
        let own = folder.known_facts().is_some_and(|facts| same(facts, Place::of_folder(&folder.path)));
        own && folder.known_listing().is_some_and(|listing| {
            listing.nodes.iter().all(|node| {
                let place = Place { folder: &folder.path, name: listing.name(node) };
                node.asked_stat().is_none_or(|known| same(known, place))
            })
        })
    })
}

/// Whether everything in `looks` has the facts that the index of these bytes says. An index that is
/// damaged, or that is not this user's of this folder, says nothing.
pub fn are_unchanged(root: &std::path::Path, index: Vec<u8>, looks: &Looks) -> bool {
    let Ok(root) = root.canonicalize() else { return false };
    let Ok(index) = StatIndex::decode(index) else { return false };
    unchanged(&Disk::new(root), &index, looks)
}

fn unchanged(origin: &dyn Origin, index: &StatIndex, looks: &Looks) -> bool {
    let now = origin.now();
    if index.checksum() != looks.index || index.taken() > now || !index_keeping::is_of(index, origin) {
        return false;
    }
    let exclude = || GitExclude::of(git_exclude(origin).as_deref());
    if looks.git_exclude != GitExclude::NotAsked && looks.git_exclude != exclude() {
        return false;
    }
    let Some(device) = origin.telling_device() else { return false };
    let sweep = Sweep { origin, index, looks, device, now };
    folders(index, looks).par_iter().all(|(number, path)| sweep.folder_is_unchanged(*number, path))
}

/// The folders of `looks`, with their paths.
fn folders(index: &StatIndex, looks: &Looks) -> Vec<(FolderNumber, WorkspacePath)> {
    let mut found = Vec::new();
    let mut pending = vec![(FolderNumber::ROOT, WorkspacePath::root())];
    while let Some((number, path)) = pending.pop() {
        // What lies in a folder that nobody looked into was not looked at.
        if !looks.folders.contains(number.number()) {
            continue;
        }
        for entry in index.entries(number) {
            pending.extend(index.folder(entry).map(|inner| (inner, path.join_name(index.name(entry)))));
        }
        found.push((number, path));
    }
    found
}

/// One look at everything that an earlier run looked at.
struct Sweep<'s> {
    origin: &'s dyn Origin,
    index: &'s StatIndex,
    looks: &'s Looks,
    /// The one device of which facts are believed.
    device: u64,
    now: Timestamp,
}

impl Sweep<'_> {
    fn folder_is_unchanged(&self, number: FolderNumber, path: &WorkspacePath) -> bool {
        let Self { index, looks, now, .. } = *self;
        let own =
            self.stat(Place::of_folder(path)).is_some_and(|stat| index.knows_folder(number, &stat, now));
        let is_same = |entry: EntryNumber| {
            let stat = self.stat(Place { folder: path, name: index.name(entry) });
            stat.is_some_and(|stat| index.knows(entry, &stat, now))
        };
        own && index.entries(number).filter(|entry| looks.entries.contains(entry.number())).all(is_same)
    }

    fn stat(&self, place: Place<'_>) -> Option<Stat> {
        self.origin.stat(place).ok()?.filter(|stat| stat.device == self.device)
    }
}
