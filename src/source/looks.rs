//! What a snapshot leaned on, as an index of that and nothing else: so that a later run can ask whether all
//! of it is still so.
//!
//! A snapshot that saw only what must show in facts when it changes has learnt nothing that facts do not
//! tell. As long as those folders, files and links have the same facts, another run would see the same:
//! that is one question to the system for each of them, and no other work. Who asked for little keeps
//! little, however large the workspace is.
//!
//! **Invariant:** where a snapshot leaned on anything that facts do not tell (a file that was changed a
//! moment ago, an error, a pipe), there are no looks.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::cells::Cell;
use super::folder::{Folder, Listing, Node};
use super::index_keeping;
use super::lookout::Lookout;
use super::origin::{Origin, Place, StatResult};
use super::stat::{EntryKind, Stat};
use super::stat_index::{self, FolderKnowledge, IndexPart, Knowledge, StatIndex};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// What was leaned on besides folders, files and links, and which index says those.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    /// The checksum of the index.
    index: [u8; 32],
    git_exclude: GitExclude,
}

impl Looks {
    /// Whether they are of `index`.
    pub(super) fn are_of(&self, index: &StatIndex) -> bool {
        self.index == index.checksum()
    }

    /// The same with the index of these bytes.
    pub(super) fn renewed(&self, index: &[u8]) -> Self {
        Self { index: StatIndex::checksum_of(index), git_exclude: self.git_exclude }
    }

    /// Whether what was found of `.git/info/exclude` is what there is, where somebody asked for it.
    pub(super) fn has_git_exclude(&self, origin: &dyn Origin) -> bool {
        let found = || GitExclude::of(git_exclude(origin).as_deref());
        self.git_exclude == GitExclude::NotAsked || self.git_exclude == found()
    }
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
pub(super) fn git_exclude(origin: &dyn Origin) -> Option<Arc<[u8]>> {
    let folder = WorkspacePath::root().join_name(b".git").join_name(b"info");
    Some(origin.read(Place { folder: &folder, name: b"exclude" }).ok()?.bytes)
}

/// What a snapshot whose root is `root` leaned on, and the bytes of an index that says it; `None` when it
/// leaned on anything else.
pub(super) fn looks(
    lookout: &Lookout,
    root: &Folder,
    git_exclude: Option<&Option<Arc<[u8]>>>,
) -> Option<(Looks, Vec<u8>)> {
    if lookout.leans_on_the_unsaid() {
        return None;
    }
    let mut part = IndexPart::default();
    let mut folders = vec![Some(root)];
    let mut next = 0;
    while let Some(folder) = folders.get(next).copied() {
        match folder {
            Some(folder) => write_folder(lookout, folder, &mut part, &mut folders)?,
            None => part.folder(&FolderKnowledge::Nothing, 0),
        }
        next += 1;
    }
    let owner = index_keeping::owner(&*lookout.origin)?;
    let bytes = stat_index::whole(&[part], lookout.taken, owner, None)?;
    let git_exclude = git_exclude.map(|text| GitExclude::of(text.as_deref())).unwrap_or_default();
    Some((Looks { index: StatIndex::checksum_of(&bytes), git_exclude }, bytes))
}

/// Writes what was asked about a folder, and announces the folders in it, as `None` those of which nothing was
/// asked; `None` when facts do not tell it.
fn write_folder<'f>(
    lookout: &Lookout,
    folder: &'f Folder,
    part: &mut IndexPart,
    announced: &mut Vec<Option<&'f Folder>>,
) -> Option<()> {
    let facts = match folder.known_facts() {
        Some(facts) => Some(believed(lookout, facts)?),
        None => None,
    };
    let knowledge = facts.map_or(FolderKnowledge::Nothing, FolderKnowledge::Facts);
    if !folder.was_looked_into() {
        part.folder(&knowledge, 0);
        return Some(());
    }
    let listing = folder.known_listing()?;
    // One that changed while it was listed has other facts, or none.
    if folder.steady().is_none() || folder.steady() != facts {
        return None;
    }
    part.folder(&knowledge, listing.nodes.len());
    for node in &listing.nodes {
        write_entry(lookout, listing, node, part)?;
        if node.kind == EntryKind::Folder {
            announced.push(listing.known_folder(node));
        }
    }
    Some(())
}

/// Writes what was asked about an entry; `None` when facts do not tell it.
fn write_entry(lookout: &Lookout, listing: &Listing, node: &Node, part: &mut IndexPart) -> Option<()> {
    let knowledge = match listing.known_cell(node) {
        None => Knowledge::Name,
        Some(cell) if cell.asked_stat().is_none() && cell.is_untouched() => Knowledge::Name,
        Some(Cell::Special(_)) => return None,
        Some(cell @ Cell::File(file)) => {
            let stat = believed(lookout, cell.asked_stat()?)?;
            let content = match file.known_content() {
                Some(Ok(content)) if file.steady() == Some(stat) => content,
                Some(_) => return None,
                None => lookout.known_content(node.number, stat)?,
            };
            Knowledge::File(stat, content.hash)
        }
        Some(cell @ Cell::Link(link)) => {
            let stat = believed(lookout, cell.asked_stat()?)?;
            match link.target.get() {
                Some(Ok(target)) if target.is_steady => Knowledge::Link(stat, &target.text),
                Some(_) => return None,
                None => Knowledge::Link(stat, lookout.known_target(node.number, stat)?),
            }
        }
    };
    part.entry(listing.name(node), node.kind, &knowledge);
    Some(())
}

/// The facts that somebody was told, when a change must show in them.
fn believed<'s>(lookout: &Lookout, asked: &'s StatResult) -> Option<&'s Stat> {
    asked.as_ref().ok()?.as_ref().filter(|stat| lookout.believes(stat))
}

/// The folders that were looked into.
pub(super) fn looked_into(root: &Folder) -> Vec<&Folder> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(folder) = found.get(next).copied() {
        if let Some(listing) = folder.known_listing() {
            let inner = listing.nodes.iter().filter_map(|node| listing.known_folder(node));
            found.extend(inner.filter(|inner| inner.was_looked_into()));
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
                let asked = listing.known_cell(node).and_then(Cell::asked_stat);
                asked.is_none_or(|known| same(known, place))
            })
        })
    })
}
