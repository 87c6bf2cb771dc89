//! One tree of git: names, and what each stands for.

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

/// What a tree object holds: all names in one text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::source) struct Tree {
    names: Vec<u8>,
    /// Sorted by the bytes of their names, which is not git's own order.
    entries: Vec<TreeEntry>,
}

/// A name in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct TreeEntry {
    start: u32,
    length: u32,
    pub(in crate::source) mode: Mode,
    pub(in crate::source) id: ObjectId,
}

impl Tree {
    pub(in crate::source) fn entries(&self) -> &[TreeEntry] {
        &self.entries
    }

    pub(in crate::source) fn name(&self, entry: &TreeEntry) -> &[u8] {
        &self.names[entry.start as usize..(entry.start + entry.length) as usize]
    }

    /// Whether it holds no tree, neither of this repository nor of another one.
    pub(super) fn is_flat(&self) -> bool {
        self.entries.iter().all(|entry| !matches!(entry.mode, Mode::Folder | Mode::Submodule))
    }

    /// Whether a file in it may make it a package.
    pub(super) fn is_package(&self) -> bool {
        self.entries.iter().any(|entry| self.name(entry) == BUILD_FILE)
    }

    pub(in crate::source) fn find(&self, name: &[u8]) -> Option<&TreeEntry> {
        let found = self.entries.binary_search_by(|entry| self.name(entry).cmp(name));
        found.ok().map(|place| &self.entries[place])
    }

    /// Adds a name.
    pub(super) fn push(&mut self, name: &[u8], mode: Mode, id: ObjectId) {
        // A tree with names of four gigabytes is beyond git.
        let start = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.extend_from_slice(name);
        self.entries.push(TreeEntry { start, length: name.len() as u32, mode, id });
    }

    /// The same, with no more room than it takes.
    pub(super) fn exact(&self) -> Self {
        Self { names: self.names.clone(), entries: self.entries.clone() }
    }

    /// Takes all out; the room stays.
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.entries.clear();
    }

    /// The same, in the order in which it is looked at.
    pub(super) fn sorted(mut self) -> Self {
        let Self { names, entries } = &mut self;
        let name = |entry: &TreeEntry| &names[entry.start as usize..(entry.start + entry.length) as usize];
        entries.sort_unstable_by(|one, other| name(one).cmp(name(other)));
        self
    }

    /// A tree object: `MODE NAME`, a zero, and the bytes of an id, for each entry.
    pub(super) fn of_object(bytes: &[u8], id_length: usize) -> Option<Self> {
        // A mode, two separators and a short name stand beside each id.
        let count = bytes.len() / (id_length + 12) + 1;
        let (names, entries) = (Vec::with_capacity(8 * count), Vec::with_capacity(count));
        let mut tree = Self { names, entries };
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = rest.iter().position(|byte| *byte == b' ')?;
            let zero = rest.iter().position(|byte| *byte == 0).filter(|zero| *zero > space)?;
            let id = rest.get(zero + 1..zero + 1 + id_length)?;
            tree.push(&rest[space + 1..zero], Mode::of(&rest[..space])?, ObjectId::of_bytes(id)?);
            rest = &rest[zero + 1 + id_length..];
        }
        Some(tree.sorted())
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
