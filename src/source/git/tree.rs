//! One tree of git: names, and what each stands for.

use std::sync::Arc;

use super::object_id::ObjectId;
use crate::source::stat::EntryKind;

/// The file that makes its folder a package.
const BUILD_FILE: &[u8] = b"BUILD.toml";

/// What a name in a tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Mode {
    Folder,
    File,
    Executable,
    Link,
    /// A commit of another repository.
    Submodule,
}

impl Mode {
    /// The mode that these octal digits write.
    fn of(digits: &[u8]) -> Option<Self> {
        Self::of_bits(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?)
    }

    /// The mode that these bits are.
    pub(super) fn of_bits(mode: u32) -> Option<Self> {
        match mode & 0o170_000 {
            0o040_000 => Some(Self::Folder),
            // Old repositories have files that a group may write; git reads them as others.
            0o100_000 if mode & 0o100 != 0 => Some(Self::Executable),
            0o100_000 => Some(Self::File),
            0o120_000 => Some(Self::Link),
            0o160_000 => Some(Self::Submodule),
            _ => None,
        }
    }
}

impl Mode {
    /// As git writes it.
    pub(in crate::source) fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "040000",
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
            Self::Submodule => "160000",
        }
    }

    /// What a checkout has in its place.
    pub(in crate::source) fn kind(self) -> EntryKind {
        match self {
            Self::Folder | Self::Submodule => EntryKind::Folder,
            Self::File | Self::Executable => EntryKind::File,
            Self::Link => EntryKind::Link,
        }
    }
}

/// What some tree objects hold: all names in one text, all entries in one list. A hundred thousand trees are read
/// at once, and each alone would be a few small things.
#[derive(Debug, Default)]
pub(super) struct Forest {
    names: Vec<u8>,
    entries: Vec<TreeEntry>,
}

/// Where a tree of a forest stands: its first entry, and how many it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stand {
    first: u32,
    count: u32,
}

/// What a tree object holds. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::source) struct Tree {
    forest: Arc<Forest>,
    stand: Stand,
}

/// A name in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct TreeEntry {
    start: u32,
    length: u32,
    pub(in crate::source) mode: Mode,
    pub(in crate::source) id: ObjectId,
}

impl Forest {
    /// Makes room for so many entries, with names of a usual length.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.entries.reserve(entries);
        self.names.reserve(8 * entries);
    }

    /// Adds a name to the last tree.
    pub(super) fn push(&mut self, name: &[u8], mode: Mode, id: ObjectId) {
        // Names of four gigabytes are beyond git: whoever looks for one of these finds another, or none.
        let start = u32::try_from(self.names.len()).unwrap_or_default();
        let length = u32::try_from(name.len()).unwrap_or_default();
        self.names.extend_from_slice(name);
        self.entries.push(TreeEntry { start, length, mode, id });
    }

    /// Adds the names that `other` has, as a tree, in the order in which it is looked at.
    pub(super) fn add(&mut self, other: &mut Self) -> Stand {
        let first = self.entries.len() as u32;
        let Self { names, entries } = other;
        let name = |entry: &TreeEntry| name_of(names, entry);
        entries.sort_unstable_by(|one, other| name(one).cmp(name(other)));
        for entry in &*entries {
            self.push(name(entry), entry.mode, entry.id);
        }
        Stand { first, count: self.entries.len() as u32 - first }
    }

    /// Takes all out; the room stays.
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.entries.clear();
    }

    /// Whether a file among the names may make a package of the folder.
    pub(super) fn is_package(&self) -> bool {
        holds_build_file(&self.names, &self.entries)
    }
}

fn name_of<'n>(names: &'n [u8], entry: &TreeEntry) -> &'n [u8] {
    &names[entry.start as usize..][..entry.length as usize]
}

fn holds_build_file(names: &[u8], entries: &[TreeEntry]) -> bool {
    entries.iter().any(|entry| name_of(names, entry) == BUILD_FILE)
}

impl Tree {
    /// The tree that stands there.
    pub(super) fn of(forest: &Arc<Forest>, stand: Stand) -> Self {
        Self { forest: Arc::clone(forest), stand }
    }

    /// Sorted by the bytes of their names, which is not git's own order.
    pub(in crate::source) fn entries(&self) -> &[TreeEntry] {
        &self.forest.entries[self.stand.first as usize..][..self.stand.count as usize]
    }

    pub(in crate::source) fn name(&self, entry: &TreeEntry) -> &[u8] {
        name_of(&self.forest.names, entry)
    }

    /// Whether it holds no tree, neither of this repository nor of another one.
    pub(super) fn is_flat(&self) -> bool {
        self.entries().iter().all(|entry| !matches!(entry.mode, Mode::Folder | Mode::Submodule))
    }

    /// Whether a file in it may make it a package.
    pub(super) fn is_package(&self) -> bool {
        holds_build_file(&self.forest.names, self.entries())
    }

    pub(in crate::source) fn find(&self, name: &[u8]) -> Option<&TreeEntry> {
        let entries = self.entries();
        let found = entries.binary_search_by(|entry| self.name(entry).cmp(name));
        found.ok().map(|place| &entries[place])
    }

    /// A tree object: `MODE NAME`, a zero, and the bytes of an id, for each entry.
    pub(super) fn of_object(bytes: &[u8], id_length: usize) -> Option<Self> {
        let mut entries = Forest::default();
        // A mode, two separators and a short name stand beside each id.
        entries.reserve(bytes.len() / (id_length + 12) + 1);
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = rest.iter().position(|byte| *byte == b' ')?;
            let zero = rest.iter().position(|byte| *byte == 0).filter(|zero| *zero > space)?;
            let id = rest.get(zero + 1..zero + 1 + id_length)?;
            entries.push(&rest[space + 1..zero], Mode::of(&rest[..space])?, ObjectId::of_bytes(id)?);
            rest = &rest[zero + 1 + id_length..];
        }
        let Forest { names, entries: all } = &mut entries;
        all.sort_unstable_by(|one, other| name_of(names, one).cmp(name_of(names, other)));
        let stand = Stand { first: 0, count: all.len() as u32 };
        Some(Self { forest: Arc::new(entries), stand })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tree: &Tree) -> String {
        let name = |entry| String::from_utf8_lossy(tree.name(entry)).into_owned();
        tree.entries().iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_tree_object_is_sorted_by_bytes() {
        let mut bytes = Vec::new();
        for (mode, name) in
            [("100644", "a.b"), ("40000", "a"), ("100755", "b"), ("120000", "c"), ("160000", "d")]
        {
            bytes.extend(format!("{mode} {name}\0").bytes());
            bytes.extend([7; 20]);
        }
        let tree = Tree::of_object(&bytes, 20).unwrap();
        assert_eq!(names(&tree), "a a.b b c d");
        let modes: Vec<Mode> = tree.entries().iter().map(|entry| entry.mode).collect();
        assert_eq!(modes, [Mode::Folder, Mode::File, Mode::Executable, Mode::Link, Mode::Submodule]);
        assert!(tree.find(b"a.b").is_some() && tree.find(b"x").is_none());
        for cut in [1, 7, 15, bytes.len() - 1] {
            assert!(Tree::of_object(&bytes[..cut], 20).is_none(), "{cut}");
        }
    }
}
