//! The nodes of a snapshot: folders that list themselves at most once, files hashed at most once.
//!
//! Every answer sits in a cell that is written once, so that nodes are shared by threads without a
//! lock around the tree. A folder's names are one text, its own or the index's, and its nodes one
//! list: what a snapshot costs does not grow with the number of allocations that files would make.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::lookout::Lookout;
use super::origin::{Hashed, Listed, ListedEntry, Place, StatResult};
use super::read_error::ReadError;
use super::stat::{EntryKind, SpecialKind, Stat};
use super::stat_index::{EntryNumber, FolderNumber, StatIndex};
use crate::types::digest::TreeDigest;
use crate::types::workspace_path::WorkspacePath;

/// A folder and what is known of it.
pub(super) struct Folder {
    pub(super) path: WorkspacePath,
    /// The folder of the same path in the index.
    pub(super) number: Option<FolderNumber>,
    facts: OnceLock<StatResult>,
    listing: OnceLock<Result<Listing, ReadError>>,
    /// The digest of everything in the folder, when somebody needed it.
    pub(super) whole_digest: OnceLock<TreeDigest>,
}

/// What is in a folder.
pub(super) struct Listing {
    names: Names,
    /// Sorted by the bytes of their names.
    pub(super) nodes: Box<[Node]>,
    /// The places of their names, in the same order; none where the nodes are few.
    places: Box<[Range<u32>]>,
    /// The facts that the folder had while it was listed; `None` when it changed meanwhile.
    pub(super) steady: Option<Stat>,
}

/// In a folder with so many entries, a name is looked for among the places of names alone: the nodes are far
/// from each other.
const MANY: usize = 64;

/// Where the names of a folder's entries lie.
enum Names {
    Own(Box<[u8]>),
    Indexed(Arc<StatIndex>),
}

/// An entry of a folder.
pub(super) struct Node {
    name: Range<u32>,
    /// The entry of the same path and kind in the index.
    pub(super) number: Option<EntryNumber>,
    /// Unused for a folder, which keeps its facts itself.
    stat: OnceLock<StatResult>,
    pub(super) body: Body,
}

/// What an entry holds.
pub(super) enum Body {
    Folder(Box<Folder>),
    File(OnceLock<Result<Hashed, ReadError>>),
    Link(OnceLock<Result<Target, ReadError>>),
    Special(SpecialKind),
}

/// Where a link points.
pub(super) struct Target {
    pub(super) text: Box<[u8]>,
    /// Whether the link had the same facts before and after it was read.
    pub(super) is_steady: bool,
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
        self.facts.get()
    }

    /// Whether somebody looked into it, with or without success.
    pub(super) fn was_looked_into(&self) -> bool {
        self.listing.get().is_some()
    }

    /// Its own facts; once it was listed those that it had then.
    pub(super) fn facts(&self, lookout: &Lookout) -> &StatResult {
        self.facts.get_or_init(|| lookout.origin.stat(Place::of_folder(&self.path)))
    }

    fn look(&self, lookout: &Lookout) -> Result<Listing, ReadError> {
        if let Some(number) = self.number
            && let Ok(Some(facts)) = self.facts(lookout)
            && let Some(index) = lookout.knows_folder(number, facts)
        {
            return Ok(self.indexed(index, number, *facts));
        }
        let listed = lookout.origin.list(&self.path)?;
        if let Some(steady) = listed.steady {
            // Whoever asked before keeps the older answer.
            let _older = self.facts.set(Ok(Some(steady)));
        }
        lookout.learn_of(listed.steady.as_ref());
        let listing = self.listed(listed, lookout.index.as_deref());
        if self.known_entries(&listing, lookout.index.as_deref()).is_none() {
            lookout.learn_entries();
        }
        Ok(listing)
    }

    /// The entries that the index knows.
    fn indexed(&self, index: &Arc<StatIndex>, number: FolderNumber, facts: Stat) -> Listing {
        let node = |entry| {
            let inside = || index.folder(entry);
            let body = self.body(index.name(entry), index.kind(entry), inside);
            Node { name: index.name_range(entry), number: Some(entry), stat: OnceLock::new(), body }
        };
        let nodes = index.entries(number).map(node).collect();
        Listing::new(Names::Indexed(Arc::clone(index)), nodes, Some(facts))
    }

    /// The entries that the disk lists. What the index says of those that stayed is kept in sight.
    fn listed(&self, listed: Listed, index: Option<&StatIndex>) -> Listing {
        let Listed { names, mut entries, steady } = listed;
        let text = |start: u32, length: u32| &names[start as usize..(start + length) as usize];
        entries.sort_unstable_by_key(|entry| text(entry.start, entry.length));
        let node = |entry: &ListedEntry| {
            let name = text(entry.start, entry.length);
            let known = index.zip(self.number).and_then(|(index, folder)| index.entry(folder, name));
            let number = known.filter(|number| index.is_some_and(|index| index.kind(*number) == entry.kind));
            let body = self.body(name, entry.kind, || index?.folder(number?));
            let name = entry.start..entry.start + entry.length;
            Node { name, number, stat: OnceLock::new(), body }
        };
        let nodes = entries.iter().map(node).collect();
        Listing::new(Names::Own(names.into_boxed_slice()), nodes, steady)
    }

    /// The folder of the index, when it has the same entries as `listing`, which was listed.
    pub(super) fn known_entries(&self, listing: &Listing, index: Option<&StatIndex>) -> Option<FolderNumber> {
        let number = self.number?;
        let same_count = index?.entries(number).len() == listing.nodes.len();
        (same_count && listing.nodes.iter().all(|node| node.number.is_some())).then_some(number)
    }

    fn body(&self, name: &[u8], kind: EntryKind, number: impl FnOnce() -> Option<FolderNumber>) -> Body {
        match kind {
            EntryKind::Folder => Body::Folder(Box::new(Self::new(self.path.join_name(name), number()))),
            EntryKind::File => Body::File(OnceLock::new()),
            EntryKind::Link => Body::Link(OnceLock::new()),
            EntryKind::Special(kind) => Body::Special(kind),
        }
    }
}

impl Listing {
    fn new(names: Names, nodes: Box<[Node]>, steady: Option<Stat>) -> Self {
        let of_many = if nodes.len() < MANY { &[][..] } else { &nodes };
        let places = of_many.iter().map(|node| node.name.clone()).collect();
        Self { names, nodes, places, steady }
    }

    pub(super) fn name(&self, node: &Node) -> &[u8] {
        self.text(&node.name)
    }

    fn text(&self, place: &Range<u32>) -> &[u8] {
        match &self.names {
            Names::Own(names) => &names[place.start as usize..place.end as usize],
            Names::Indexed(index) => index.text(place.clone()),
        }
    }

    /// Where the entry of that name stands.
    pub(super) fn find(&self, name: &[u8]) -> Option<&Node> {
        let found = match self.places.is_empty() {
            true => self.nodes.binary_search_by(|node| self.name(node).cmp(name)),
            false => self.places.binary_search_by(|place| self.text(place).cmp(name)),
        };
        found.ok().map(|index| &self.nodes[index])
    }
}

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
        taken.extend(listing.nodes.into_iter().filter_map(|node| match node.body {
            Body::Folder(folder) => Some(*folder),
            _ => None,
        }));
    }
}

impl Node {
    pub(super) fn kind(&self) -> EntryKind {
        match &self.body {
            Body::Folder(_) => EntryKind::Folder,
            Body::File(_) => EntryKind::File,
            Body::Link(_) => EntryKind::Link,
            Body::Special(kind) => EntryKind::Special(*kind),
        }
    }

    /// The facts of the entry, which lies at `place`.
    pub(super) fn stat(&self, lookout: &Lookout, place: Place<'_>) -> &StatResult {
        match &self.body {
            Body::Folder(folder) => folder.facts(lookout),
            _ => self.stat.get_or_init(|| lookout.origin.stat(place)),
        }
    }

    /// Notes the facts of an entry that is no folder, unless they are known.
    pub(super) fn set_stat(&self, stat: Stat) -> Result<(), StatResult> {
        self.stat.set(Ok(Some(stat)))
    }

    /// The answer about its facts, when somebody asked.
    pub(super) fn asked_stat(&self) -> Option<&StatResult> {
        self.stat.get()
    }

    /// Whether nobody asked what it holds or where it points.
    pub(super) fn is_untouched(&self) -> bool {
        match &self.body {
            Body::Folder(_) | Body::Special(_) => true,
            Body::File(hashed) => hashed.get().is_none(),
            Body::Link(target) => target.get().is_none(),
        }
    }

    /// The facts, when somebody asked.
    pub(super) fn known_stat(&self) -> Option<&Stat> {
        self.stat.get()?.as_ref().ok()?.as_ref()
    }
}
