//! The trees of a repository, each read once, whoever has it: two commits share most of theirs.
//!
//! A tree is read by its id when somebody looks into it. Who is going to look into all of them has them
//! read before: those that the checkout's index tells of from there, the others one level while the one above
//! it is looked at.

use std::sync::{Arc, Mutex, Once, PoisonError, RwLock};

use super::command::{Git, GitError, failed};
use super::index_trees;
use super::object_id::{IdMap, IdSet, ObjectId};
use super::objects::{Object, ObjectKind, Objects};
use super::tree::{Mode, Tree};

/// The file that makes its folder a package.
const BUILD_FILE: &[u8] = b"BUILD.toml";

/// The trees and texts of a repository.
pub(in crate::source) struct Trees {
    git: Git,
    objects: Objects,
    known: RwLock<IdMap<Arc<Tree>>>,
    /// Whether the index of the checkout was looked at.
    has_index: Once,
    blobs: Mutex<IdMap<Arc<[u8]>>>,
    /// Of the trees that were read with all that is in them, those that hold others and no package.
    without_packages: RwLock<IdSet>,
    /// Of the trees that were read with all that is in them, those in which no link and no submodule lies.
    without_links: RwLock<IdSet>,
}

impl Trees {
    /// The trees of the repository in which `git` answers. Nothing is asked yet.
    pub(super) fn new(git: Git) -> Self {
        let objects = Objects::new(git.clone());
        Self {
            git,
            objects,
            known: RwLock::default(),
            has_index: Once::new(),
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
        self.take_index(id.as_bytes().len());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let asked = IdSet::with_capacity_and_hasher(known.len(), Default::default());
        let mut gathered = Gathered { asked, ..Gathered::default() };
        let mut level = gathered.unknown(&known, vec![id], &wanted);
        while (1..WORTH_TWO).contains(&level.len()) {
            let mut next = Vec::new();
            self.objects.find_each(names(&level), |object| {
                next.extend(gathered.take(object, &wanted));
                Vec::new()
            })?;
            level = gathered.unknown(&known, next, &wanted);
        }
        drop(known);
        let (one, other) = level.split_at(level.len() / 2);
        let more = Objects::new(self.git.clone());
        let ways = [(&self.objects, one), (&more, other)];
        let way = |(objects, ids): (&Objects, &[ObjectId])| {
            let mut own = Gathered::default();
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

    /// Knows the trees of the checkout's index, once.
    fn take_index(&self, id_length: usize) {
        self.has_index.call_once(|| {
            let found = index_trees::around(self.git.folder(), id_length);
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.reserve(found.len());
            known.extend(found.into_iter().map(|(id, tree)| (id, Arc::new(tree))));
        });
    }

    fn keep_all(&self, root: ObjectId, gathered: Gathered) -> Result<(), GitError> {
        let Gathered { trees, blobs, problem, may_hold_links, .. } = gathered;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        join(&mut known, trees);
        let mut holds = IdMap::default();
        holds_packages(root, &known, &mut holds);
        let without = holds.into_iter().filter(|(_, holds)| !holds).map(|(id, _)| id);
        self.without_packages.write().unwrap_or_else(PoisonError::into_inner).extend(without);
        if !may_hold_links {
            self.without_links.write().unwrap_or_else(PoisonError::into_inner).insert(root);
        }
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

    fn lock_blobs(&self) -> std::sync::MutexGuard<'_, IdMap<Arc<[u8]>>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many objects to ask for are worth a process more.
const WORTH_TWO: usize = 64;

fn names(ids: &[ObjectId]) -> Vec<String> {
    let name = |id: &ObjectId| {
        let mut name = String::with_capacity(2 * id.as_bytes().len());
        id.write(&mut name);
        name
    };
    ids.iter().map(name).collect()
}

/// Objects that were read, and which more were found to be wanted.
#[derive(Default)]
struct Gathered {
    /// Equal folders are one tree: each is asked for once.
    asked: IdSet,
    trees: IdMap<Arc<Tree>>,
    blobs: IdMap<Arc<[u8]>>,
    problem: Option<GitError>,
    /// Whether a link or a submodule was met, or something was not there.
    may_hold_links: bool,
}

impl Gathered {
    fn add(&mut self, other: Self) {
        join(&mut self.trees, other.trees);
        join(&mut self.blobs, other.blobs);
        self.may_hold_links |= other.may_hold_links;
        self.problem = self.problem.take().or(other.problem);
    }

    /// Looks into those of `ids` that are `known` trees, and into the known ones in these; gives what is left
    /// to be asked for.
    fn unknown(
        &mut self,
        known: &IdMap<Arc<Tree>>,
        ids: Vec<ObjectId>,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Vec<ObjectId> {
        let (mut pending, mut unknown) = (ids, Vec::new());
        while let Some(id) = pending.pop() {
            match known.get(&id) {
                Some(tree) => self.look_into(tree, &wanted, &mut pending),
                None => unknown.push(id),
            }
        }
        unknown
    }

    /// Adds to `found` what is in a tree and is to be asked for.
    fn look_into(&mut self, tree: &Tree, wanted: impl Fn(&[u8]) -> bool, found: &mut Vec<ObjectId>) {
        for entry in tree.entries() {
            let is_wanted = match entry.mode {
                Mode::Folder => true,
                Mode::File | Mode::Executable => wanted(tree.name(entry)),
                Mode::Link | Mode::Submodule => false,
            };
            self.may_hold_links |= entry.leads_elsewhere();
            if is_wanted && self.asked.insert(entry.id) {
                found.push(entry.id);
            }
        }
    }

    /// Keeps an object; gives what is in it and is to be asked for.
    fn take(&mut self, object: Option<Object>, wanted: impl Fn(&[u8]) -> bool) -> Vec<ObjectId> {
        let mut found = Vec::new();
        match object {
            Some(Object { id, kind: ObjectKind::Tree, bytes }) => match parsed(id, &bytes) {
                Ok(tree) => {
                    self.look_into(&tree, wanted, &mut found);
                    self.trees.insert(id, Arc::new(tree));
                }
                Err(error) => self.problem = Some(error),
            },
            Some(Object { id, kind: ObjectKind::Blob, bytes }) => drop(self.blobs.insert(id, bytes.into())),
            // What is missing is missed by whoever looks for it.
            _ => self.may_hold_links = true,
        }
        found
    }
}

/// Adds `more` to what is there; the fewer are moved.
fn join<Value>(all: &mut IdMap<Value>, mut more: IdMap<Value>) {
    if all.len() < more.len() {
        std::mem::swap(all, &mut more);
    }
    all.reserve(more.len());
    all.extend(more);
}

/// Whether a package may lie in the tree `id` or below it; noted in `known` for each tree that was looked at and
/// holds others.
fn holds_packages(id: ObjectId, trees: &IdMap<Arc<Tree>>, known: &mut IdMap<bool>) -> bool {
    // What could not be read may hold anything.
    let Some(tree) = trees.get(&id) else { return true };
    if tree.is_flat() {
        return tree.find(BUILD_FILE).is_some();
    }
    if let Some(holds) = known.get(&id) {
        return *holds;
    }
    let mut holds = tree.find(BUILD_FILE).is_some();
    for entry in tree.entries() {
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
