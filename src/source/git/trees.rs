//! The trees of a repository, each read once, whoever has it: two commits share most of theirs.
//!
//! A tree is read by its id when somebody looks into it. Who is going to look into all of them has them
//! read before, one level while the one above it is looked at.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::command::{Git, GitError, failed};
use super::object_id::ObjectId;
use super::objects::{Object, ObjectKind, Objects};
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
        let mode = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?;
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
#[derive(Debug, Default)]
pub(in crate::source) struct Tree {
    names: Vec<u8>,
    /// Sorted by the bytes of their names, which is not git's own order.
    entries: Vec<TreeEntry>,
}

/// A name in a tree.
#[derive(Clone, Copy, Debug)]
pub(in crate::source) struct TreeEntry {
    start: u32,
    length: u32,
    pub(in crate::source) mode: Mode,
    pub(in crate::source) id: ObjectId,
}

impl TreeEntry {
    /// Whether what lies there is told by something else than the trees of this repository.
    fn leads_elsewhere(&self) -> bool {
        matches!(self.mode, Mode::Link | Mode::Submodule)
    }
}

impl Tree {
    pub(in crate::source) fn entries(&self) -> &[TreeEntry] {
        &self.entries
    }

    pub(in crate::source) fn name(&self, entry: &TreeEntry) -> &[u8] {
        &self.names[entry.start as usize..(entry.start + entry.length) as usize]
    }

    /// Whether it holds no tree, neither of this repository nor of another one.
    fn is_flat(&self) -> bool {
        self.entries.iter().all(|entry| !matches!(entry.mode, Mode::Folder | Mode::Submodule))
    }

    pub(in crate::source) fn find(&self, name: &[u8]) -> Option<&TreeEntry> {
        let found = self.entries.binary_search_by(|entry| self.name(entry).cmp(name));
        found.ok().map(|place| &self.entries[place])
    }

    fn push(&mut self, name: &[u8], mode: Mode, id: ObjectId) {
        // A tree with names of four gigabytes is beyond git.
        let start = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.extend_from_slice(name);
        self.entries.push(TreeEntry { start, length: name.len() as u32, mode, id });
    }

    fn sorted(mut self) -> Self {
        let Self { names, entries } = &mut self;
        let name = |entry: &TreeEntry| &names[entry.start as usize..(entry.start + entry.length) as usize];
        entries.sort_unstable_by(|one, other| name(one).cmp(name(other)));
        self
    }

    /// A tree object: `MODE NAME`, a zero, and the bytes of an id, for each entry.
    fn of_object(bytes: &[u8], id_length: usize) -> Option<Self> {
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

/// The trees and texts of a repository.
pub(in crate::source) struct Trees {
    git: Git,
    objects: Objects,
    known: RwLock<HashMap<ObjectId, Arc<Tree>>>,
    blobs: Mutex<HashMap<ObjectId, Arc<[u8]>>>,
    /// Of the trees that were read with all that is in them, those that hold others and no package.
    without_packages: RwLock<HashSet<ObjectId>>,
    /// Of the trees that were read with all that is in them, those in which no link and no submodule lies.
    without_links: RwLock<HashSet<ObjectId>>,
}

impl Trees {
    /// The trees of the repository in which `git` answers. Nothing is asked yet.
    pub(super) fn new(git: Git) -> Self {
        let objects = Objects::new(git.clone());
        Self {
            git,
            objects,
            known: RwLock::default(),
            blobs: Mutex::default(),
            without_packages: RwLock::default(),
            without_links: RwLock::default(),
        }
    }

    pub(super) fn git(&self) -> &Git {
        &self.git
    }

    /// The id of the object that `name` means, when it is of that kind.
    pub(super) fn resolve(&self, name: &str, kind: ObjectKind) -> Result<Option<ObjectId>, GitError> {
        let found = self.objects.find(name)?.filter(|object| object.kind == kind);
        let Some(object) = found else { return Ok(None) };
        if kind == ObjectKind::Tree {
            self.keep(object.id, Arc::new(parsed(object.id, &object.bytes)?));
        }
        Ok(Some(object.id))
    }

    /// What the tree `id` holds.
    pub(in crate::source) fn tree(&self, id: ObjectId) -> Result<Arc<Tree>, GitError> {
        if let Some(tree) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(Arc::clone(tree));
        }
        let tree = Arc::new(parsed(id, &self.object(id, ObjectKind::Tree)?)?);
        self.keep(id, Arc::clone(&tree));
        Ok(tree)
    }

    /// The bytes of the blob `id`.
    pub(in crate::source) fn blob(&self, id: ObjectId) -> Result<Arc<[u8]>, GitError> {
        if let Some(blob) = self.lock_blobs().get(&id) {
            return Ok(Arc::clone(blob));
        }
        let blob: Arc<[u8]> = self.object(id, ObjectKind::Blob)?.into();
        self.lock_blobs().insert(id, Arc::clone(&blob));
        Ok(blob)
    }

    /// Reads the tree `id`, all trees in it, and the files in them whose names are `wanted`, so that nobody
    /// has to ask for each. Once there is enough to ask for, two processes are asked: one would be waited for.
    pub(in crate::source) fn read_below(
        &self,
        id: ObjectId,
        wanted: impl Fn(&[u8]) -> bool + Sync,
    ) -> Result<(), GitError> {
        let mut gathered = Gathered::default();
        let mut level = vec![id];
        while (1..WORTH_TWO).contains(&level.len()) {
            let mut next = Vec::new();
            self.objects.find_each(names(&level), |object| {
                next.extend(gathered.take(object, &wanted));
                Vec::new()
            })?;
            level = next;
        }
        let (one, other) = level.split_at(level.len() / 2);
        let more = Objects::new(self.git.clone());
        let ways =
            [(&self.objects, one), (&more, other)].map(|(objects, ids)| (objects, ids, gathered.apart()));
        let way = |(objects, ids, mut own): (&Objects, &[ObjectId], Gathered)| {
            let take = |object| names(&own.take(object, &wanted));
            objects.find_each(names(ids), take).map(|()| own)
        };
        let way = &way;
        let all = std::thread::scope(|scope| {
            let running = ways.map(|ways| scope.spawn(move || way(ways)));
            running.map(|running| running.join().expect("reading what git says does not panic"))
        });
        for own in all {
            gathered.add(own?);
        }
        self.keep_all(id, gathered)
    }

    fn keep_all(&self, root: ObjectId, gathered: Gathered) -> Result<(), GitError> {
        let Gathered { trees, blobs, problem, may_hold_links, .. } = gathered;
        let mut holds = HashMap::new();
        holds_packages(root, &trees, &mut holds);
        let without = holds.into_iter().filter(|(_, holds)| !holds).map(|(id, _)| id);
        self.without_packages.write().unwrap_or_else(PoisonError::into_inner).extend(without);
        if !may_hold_links {
            self.without_links.write().unwrap_or_else(PoisonError::into_inner).insert(root);
        }
        join(&mut self.known.write().unwrap_or_else(PoisonError::into_inner), trees);
        join(&mut self.lock_blobs(), blobs);
        problem.map_or(Ok(()), Err)
    }

    /// Whether it is known that neither a link nor a submodule lies in the tree `id` or below it.
    pub(super) fn holds_no_links(&self, id: ObjectId) -> bool {
        self.without_links.read().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    /// Whether a package may lie in the tree `id`.
    pub(super) fn may_hold_packages(&self, id: ObjectId) -> bool {
        match self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            Some(tree) if tree.is_flat() => tree.find(BUILD_FILE).is_some(),
            _ => !self.without_packages.read().unwrap_or_else(PoisonError::into_inner).contains(&id),
        }
    }

    fn object(&self, id: ObjectId, kind: ObjectKind) -> Result<Vec<u8>, GitError> {
        match self.objects.find(&id.to_string())?.filter(|object| object.kind == kind) {
            Some(object) => Ok(object.bytes),
            None => Err(failed(&["cat-file"], format!("the object {id} is not there"))),
        }
    }

    fn keep(&self, id: ObjectId, tree: Arc<Tree>) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, tree);
    }

    fn lock_blobs(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectId, Arc<[u8]>>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many objects to ask for are worth a process more.
const WORTH_TWO: usize = 64;

fn names(ids: &[ObjectId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// Objects that were read, and which more were found to be wanted.
#[derive(Default)]
struct Gathered {
    /// Equal folders are one tree: each is asked for once.
    asked: HashSet<ObjectId>,
    trees: HashMap<ObjectId, Arc<Tree>>,
    blobs: HashMap<ObjectId, Arc<[u8]>>,
    problem: Option<GitError>,
    /// Whether a link or a submodule was met, or something was not there.
    may_hold_links: bool,
}

impl Gathered {
    /// Nothing yet, with the same being asked for.
    fn apart(&self) -> Self {
        Self { asked: self.asked.clone(), ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        join(&mut self.trees, other.trees);
        join(&mut self.blobs, other.blobs);
        self.may_hold_links |= other.may_hold_links;
        self.problem = self.problem.take().or(other.problem);
    }

    /// Keeps an object; gives what is in it and is to be asked for.
    fn take(&mut self, object: Option<Object>, wanted: impl Fn(&[u8]) -> bool) -> Vec<ObjectId> {
        match object {
            Some(Object { id, kind: ObjectKind::Tree, bytes }) => match parsed(id, &bytes) {
                Ok(tree) => {
                    let is_wanted = |entry: &&TreeEntry| match entry.mode {
                        Mode::Folder => true,
                        Mode::File | Mode::Executable => wanted(tree.name(entry)),
                        Mode::Link | Mode::Submodule => false,
                    };
                    let found = tree.entries.iter().filter(is_wanted).map(|entry| entry.id);
                    let found = found.filter(|id| self.asked.insert(*id)).collect();
                    self.may_hold_links |= tree.entries.iter().any(TreeEntry::leads_elsewhere);
                    self.trees.insert(id, Arc::new(tree));
                    return found;
                }
                Err(error) => self.problem = Some(error),
            },
            Some(Object { id, kind: ObjectKind::Blob, bytes }) => drop(self.blobs.insert(id, bytes.into())),
            // What is missing is missed by whoever looks for it.
            _ => self.may_hold_links = true,
        }
        Vec::new()
    }
}

/// Adds `more` to what is there; the fewer are moved.
fn join<Value>(all: &mut HashMap<ObjectId, Value>, mut more: HashMap<ObjectId, Value>) {
    if all.len() < more.len() {
        std::mem::swap(all, &mut more);
    }
    all.reserve(more.len());
    all.extend(more);
}

/// Whether a package may lie in the tree `id` or below it; noted in `known` for each tree that was looked at and
/// holds others.
fn holds_packages(
    id: ObjectId,
    trees: &HashMap<ObjectId, Arc<Tree>>,
    known: &mut HashMap<ObjectId, bool>,
) -> bool {
    // What could not be read may hold anything.
    let Some(tree) = trees.get(&id) else { return true };
    if tree.is_flat() {
        return tree.find(BUILD_FILE).is_some();
    }
    if let Some(holds) = known.get(&id) {
        return *holds;
    }
    let mut holds = tree.find(BUILD_FILE).is_some();
    for entry in &tree.entries {
        holds |= match entry.mode {
            Mode::Folder => holds_packages(entry.id, trees, known),
            Mode::Submodule => true,
            Mode::File | Mode::Executable | Mode::Link => false,
        };
    }
    known.insert(id, holds);
    holds
}

fn parsed(id: ObjectId, bytes: &[u8]) -> Result<Tree, GitError> {
    let tree = Tree::of_object(bytes, id.as_bytes().len());
    tree.ok_or_else(|| failed(&["cat-file"], format!("the tree {id} is malformed")))
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
