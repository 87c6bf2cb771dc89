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

use super::folder::{Body, Folder, Node};
use super::lookout::Lookout;
use super::origin::{Origin, Place, StatResult};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// Which folders, files and links of an index were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    /// The checksum of the index.
    pub(super) index: [u8; 32],
    pub(super) folders: Bits,
    pub(super) entries: Bits,
    pub(super) git_exclude: GitExclude,
}

/// What somebody found who asked for `.git/info/exclude`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum GitExclude {
    #[default]
    NotAsked,
    None,
    Text(ContentHash),
}

impl GitExclude {
    pub(super) fn of(text: Option<&[u8]>) -> Self {
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
pub(super) struct Bits(Vec<u64>);

impl Bits {
    fn insert(&mut self, number: u32) {
        let word = number as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    pub(super) fn contains(&self, number: u32) -> bool {
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
