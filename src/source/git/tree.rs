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

/// A tree that was made of the entries of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// Where it stands in the forest of that index.
    pub(super) stand: Stand,
    /// Whether a package may lie in it or below it; `None` where the index lists not all that is below.
    pub(super) holds_packages: Option<bool>,
}

/// A tree, and where to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct TreeAt {
    pub(super) id: ObjectId,
    pub(super) made: Option<Made>,
}

impl TreeAt {
    /// The tree `id`, of which nothing else is known.
    pub(super) fn of(id: ObjectId) -> Self {
        Self { id, made: None }
    }
}

/// How much a forest had at some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    names: usize,
    entries: usize,
}

/// What a tree object holds.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::source) struct Tree<'f> {
    names: &'f [u8],
    entries: &'f [TreeEntry],
}

/// A name in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct TreeEntry {
    start: u32,
    length: u32,
    pub(in crate::source) mode: Mode,
    /// What is known of the tree of a folder, where its index made it.
    pub(super) made: Option<Made>,
    pub(in crate::source) id: ObjectId,
}

impl Forest {
    /// A tree object: `MODE NAME`, a zero, and the bytes of an id, for each entry.
    pub(super) fn of_object(bytes: &[u8], id_length: usize) -> Option<Self> {
        let mut made = Self::default();
        // A mode, two separators and a short name stand beside each id.
        made.reserve(bytes.len() / (id_length + 12) + 1);
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = rest.iter().position(|byte| *byte == b' ')?;
            let zero = rest.iter().position(|byte| *byte == 0).filter(|zero| *zero > space)?;
            let id = rest.get(zero + 1..zero + 1 + id_length)?;
            made.push(&rest[space + 1..zero], Mode::of(&rest[..space])?, ObjectId::of_bytes(id)?, None);
            rest = &rest[zero + 1 + id_length..];
        }
        let Self { names, entries } = &mut made;
        entries.sort_unstable_by(|one, other| name_of(names, one).cmp(name_of(names, other)));
        Some(made)
    }

    /// The tree that stands there.
    pub(super) fn tree(&self, stand: Stand) -> Tree<'_> {
        let entries = &self.entries[stand.first as usize..][..stand.count as usize];
        Tree { names: &self.names, entries }
    }

    /// All of it as one tree.
    pub(super) fn whole(&self) -> Tree<'_> {
        Tree { names: &self.names, entries: &self.entries }
    }

    /// Makes room for so many entries, with names of a usual length.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.entries.reserve(entries);
        self.names.reserve(8 * entries);
    }

    /// Adds a name to the last tree; of a folder what is known of its tree.
    pub(super) fn push(&mut self, name: &[u8], mode: Mode, id: ObjectId, made: Option<Made>) {
        // Names of four gigabytes are beyond git: whoever looks for one of these finds another, or none.
        let start = u32::try_from(self.names.len()).unwrap_or_default();
        let length = u32::try_from(name.len()).unwrap_or_default();
        self.names.extend_from_slice(name);
        self.entries.push(TreeEntry { start, length, mode, made, id });
    }

    /// Where the next name will stand.
    pub(super) fn mark(&self) -> Mark {
        Mark { names: self.names.len(), entries: self.entries.len() }
    }

    /// Whether a file among the names since `mark` may make a package of the folder.
    pub(super) fn is_package_from(&self, mark: Mark) -> bool {
        holds_build_file(&self.names, &self.entries[mark.entries..])
    }

    /// Adds the names that `other` got since `mark`, as a tree, in the order in which it is looked at; takes them
    /// out of `other`.
    pub(super) fn take_from(&mut self, other: &mut Self, mark: Mark) -> Stand {
        let first = self.entries.len() as u32;
        let (names, entries) = (&other.names, &mut other.entries[mark.entries..]);
        let name = |entry: &TreeEntry| name_of(names, entry);
        entries.sort_unstable_by(|one, other| name(one).cmp(name(other)));
        for entry in &*entries {
            self.push(name(entry), entry.mode, entry.id, entry.made);
        }
        other.names.truncate(mark.names);
        other.entries.truncate(mark.entries);
        Stand { first, count: self.entries.len() as u32 - first }
    }
}

fn name_of<'n>(names: &'n [u8], entry: &TreeEntry) -> &'n [u8] {
    &names[entry.start as usize..][..entry.length as usize]
}

fn holds_build_file(names: &[u8], entries: &[TreeEntry]) -> bool {
    entries.iter().any(|entry| name_of(names, entry) == BUILD_FILE)
}

impl<'f> Tree<'f> {
    /// Sorted by the bytes of their names, which is not git's own order.
    pub(in crate::source) fn entries(self) -> &'f [TreeEntry] {
        self.entries
    }

    pub(in crate::source) fn name(self, entry: &TreeEntry) -> &'f [u8] {
        name_of(self.names, entry)
    }

    /// Whether it holds no tree, neither of this repository nor of another one.
    pub(super) fn is_flat(self) -> bool {
        self.entries.iter().all(|entry| !matches!(entry.mode, Mode::Folder | Mode::Submodule))
    }

    /// Whether a file in it may make it a package.
    pub(super) fn is_package(self) -> bool {
        holds_build_file(self.names, self.entries)
    }

    /// The entry of that name and where it stands. Looks first at what comes after the place `near`, and at that
    /// place.
    pub(in crate::source) fn find(self, name: &[u8], near: usize) -> Option<(usize, &'f TreeEntry)> {
        let is_there = |place: &usize| self.entries.get(*place).is_some_and(|entry| self.name(entry) == name);
        let beside = [near + 1, near].into_iter().find(is_there);
        let search = || self.entries.binary_search_by(|entry| self.name(entry).cmp(name)).ok();
        let place = beside.or_else(search)?;
        Some((place, &self.entries[place]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tree: Tree<'_>) -> String {
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
        let forest = Forest::of_object(&bytes, 20).unwrap();
        let tree = forest.whole();
        assert_eq!(names(tree), "a a.b b c d");
        let modes: Vec<Mode> = tree.entries().iter().map(|entry| entry.mode).collect();
        assert_eq!(modes, [Mode::Folder, Mode::File, Mode::Executable, Mode::Link, Mode::Submodule]);
        for near in [0, 1, 7] {
            let place = |name: &[u8]| tree.find(name, near).map(|(place, _)| place);
            assert_eq!((place(b"a.b"), place(b"c"), place(b"x")), (Some(1), Some(3), None));
        }
        for cut in [1, 7, 15, bytes.len() - 1] {
            assert!(Forest::of_object(&bytes[..cut], 20).is_none(), "{cut}");
        }
    }
}
