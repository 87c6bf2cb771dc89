//! The trees of a repository, each read once, whoever has it: two commits share most of theirs.
//!
//! A tree is read by its id when somebody looks into it. Who is going to look into all of them has them
//! read before: those that the checkout's index tells of from there, the others one level while the one above
//! it is looked at.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use super::blobs::{Blobs, Keeper};
use super::command::{Git, GitError, failed};
use super::early_blobs::{self, Early, EarlyRead, Wanted};
use super::index_trees::IndexTrees;
use super::object_id::{IdMap, IdSet, ObjectId};
use super::objects::{Object, ObjectKind, Objects};
use super::tree::{Forest, Mode, Tree, TreeAt, TreeEntry};

/// The trees and texts of a repository.
pub(in crate::source) struct Trees {
    git: Git,
    objects: Objects,
    /// Those that git told of.
    known: RwLock<IdMap<Arc<Forest>>>,
    /// Those of the checkout's index, once somebody wanted all of them.
    index: OnceLock<IndexTrees>,
    /// The index, when somebody is going to want them.
    coming: Mutex<Option<Coming>>,
    blobs: Blobs,
    /// Of the trees that were read with all that is in them and hold others, whether a package may lie there.
    packages: RwLock<IdMap<bool>>,
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
            index: OnceLock::new(),
            coming: Mutex::default(),
            blobs: Blobs::default(),
            packages: RwLock::default(),
            without_links: RwLock::default(),
        }
    }

    pub(super) fn git(&self) -> &Git {
        &self.git
    }

    /// The id of the object that `name` means, when it is of that kind.
    pub(super) fn resolve(&self, name: &str, kind: ObjectKind) -> Result<Option<ObjectId>, GitError> {
        let read = |object: Object<'_>| {
            let tree = (kind == ObjectKind::Tree).then(|| parsed(object.id, object.bytes));
            (object.kind == kind).then_some((object.id, tree))
        };
        let Some((id, tree)) = self.objects.find(name, read)?.flatten() else { return Ok(None) };
        if let Some(tree) = tree {
            self.keep(id, Arc::new(tree?));
        }
        Ok(Some(id))
    }

    /// What `look` finds in the tree `id`.
    pub(in crate::source) fn look<Found>(
        &self,
        id: ObjectId,
        look: impl FnOnce(Tree<'_>) -> Found,
    ) -> Result<Found, GitError> {
        if let Some(tree) = self.index.get().and_then(|index| index.tree(id)) {
            return Ok(look(tree));
        }
        if let Some(tree) = self.asked(id) {
            return Ok(look(tree.whole()));
        }
        let tree = Arc::new(self.object(id, ObjectKind::Tree, |bytes| parsed(id, bytes))??);
        self.keep(id, Arc::clone(&tree));
        Ok(look(tree.whole()))
    }

    /// As [`Self::look`], for a folder of these trees.
    pub(in crate::source) fn look_into<Found>(
        &self,
        folder: TreeAt,
        look: impl FnOnce(Tree<'_>) -> Found,
    ) -> Result<Found, GitError> {
        match (folder.made, self.index.get()) {
            (Some(made), Some(index)) => Ok(look(index.tree_of(made))),
            _ => self.look(folder.id, look),
        }
    }

    /// The tree `id`, when git told of it.
    fn asked(&self, id: ObjectId) -> Option<Arc<Forest>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// The bytes of the blob `id`.
    pub(in crate::source) fn blob(&self, id: ObjectId) -> Result<Arc<[u8]>, GitError> {
        if let Some(blob) = self.blobs.get(id) {
            return Ok(blob);
        }
        let blob: Arc<[u8]> = self.object(id, ObjectKind::Blob, |bytes| bytes.into())?;
        self.blobs.insert(id, Arc::clone(&blob));
        Ok(blob)
    }

    /// Begins with what [`Self::read_below`] needs whatever the tree is, while nobody knows yet which it will be.
    pub(super) fn begin(&self, wanted: fn(&[u8]) -> Wanted) {
        let (objects, keeper) = (Objects::new(self.git.clone()), self.blobs.keeper());
        let folder = self.git.folder().to_path_buf();
        let reading = thread::spawn(move || read_index((&folder, USUAL_LENGTH), objects, wanted, &keeper));
        *self.coming.lock().unwrap_or_else(PoisonError::into_inner) = Some(Coming(reading));
    }

    /// Reads the tree `id`, all trees in it, and the files in them that are `wanted` by their names, so that nobody
    /// has to ask for each. What is wanted later may still be coming.
    pub(super) fn read_below(
        &self,
        id: ObjectId,
        wanted: impl Fn(&[u8]) -> Wanted + Sync,
    ) -> Result<(), GitError> {
        let (index, early) = self.index(id.as_bytes().len(), &wanted);
        let gathered = match early {
            Some((EarlyRead { first, later }, objects)) if index.lists(id) => {
                let unread = [first.unread(), later.unread()].concat();
                self.blobs.reserve(unread.len());
                self.blobs.begin(objects, unread);
                Gathered { may_hold_links: index.has_links(), ..Gathered::new(&self.blobs) }
            }
            early => {
                let more = || (EarlyRead::default(), Objects::new(self.git.clone()));
                let (EarlyRead { first, later }, more) = early.unwrap_or_else(more);
                let read = first.read().iter().chain(later.read());
                self.walk_below(id, (index, &more), read, |name| wanted(name) != Wanted::Not)?
            }
        };
        self.keep_all(id, gathered)
    }

    /// As [`Self::read_below`], by looking into the tree `id`; the blobs `read` are there. Once there is enough to ask
    /// for, two processes are asked, one of them that of `more`: one would be waited for.
    fn walk_below<'r>(
        &self,
        id: ObjectId,
        (index, more): (&IndexTrees, &Objects),
        read: impl Iterator<Item = &'r ObjectId>,
        wanted: impl Fn(&[u8]) -> bool + Sync,
    ) -> Result<Gathered<'_>, GitError> {
        let asked = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = Known { asked: &asked, index: Some(index) };
        let mut gathered = Gathered::new(&self.blobs);
        // Half of all trees hold others, or so: they are what is counted.
        gathered.asked.reserve(index.len() / 2);
        gathered.asked.extend(read);
        let mut level = gathered.unknown(known, Found { trees: vec![id], blobs: Vec::new() }, &wanted);
        while (1..WORTH_TWO).contains(&level.len()) {
            let mut next = Found::default();
            self.objects.find_each(level, |object| {
                gathered.take(object, &wanted, &mut next);
                Vec::new()
            })?;
            level = gathered.unknown(known, next, &wanted);
        }
        drop(asked);
        self.blobs.reserve(level.len());
        let (one, other) = level.split_at(level.len() / 2);
        let ways = [(&self.objects, one), (more, other)];
        let way = |(objects, ids): (&Objects, &[ObjectId])| {
            let mut own = Gathered::new(&self.blobs);
            let take = |object: Option<Object<'_>>| own.take_all(object, &wanted);
            objects.find_each(ids.iter().copied(), take).map(|()| own)
        };
        let way = &way;
        let all = thread::scope(|scope| {
            let running = ways.map(|ways| scope.spawn(move || way(ways)));
            running.map(|running| running.join().expect("reading what git says does not panic"))
        });
        for own in all {
            gathered.add(own?);
        }
        Ok(gathered)
    }

    /// The checkout's index; where it was not known before, with the blobs in it that are `wanted`, and who was asked
    /// for some of them.
    fn index(
        &self,
        id_length: usize,
        wanted: impl Fn(&[u8]) -> Wanted,
    ) -> (&IndexTrees, Option<(EarlyRead, Objects)>) {
        if let Some(index) = self.index.get() {
            return (index, None);
        }
        let coming = self.coming.lock().unwrap_or_else(PoisonError::into_inner).take();
        let come = coming.map(Coming::wait).filter(|_| id_length == USUAL_LENGTH);
        let read = || {
            let objects = Objects::new(self.git.clone());
            read_index((self.git.folder(), id_length), objects, wanted, &self.blobs.keeper())
        };
        let (Early { index, blobs }, objects) = come.unwrap_or_else(read);
        (self.index.get_or_init(|| index), Some((blobs, objects)))
    }

    fn keep_all(&self, root: ObjectId, gathered: Gathered<'_>) -> Result<(), GitError> {
        let Gathered { trees, problem, may_hold_links, .. } = gathered;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        join(&mut known, trees);
        let mut packages = self.packages.write().unwrap_or_else(PoisonError::into_inner);
        holds_packages(root, Known { asked: &known, index: self.index.get() }, &mut packages);
        if !may_hold_links {
            self.without_links.write().unwrap_or_else(PoisonError::into_inner).insert(root);
        }
        problem.map_or(Ok(()), Err)
    }

    /// Whether it is known that neither a link nor a submodule lies in the tree `id` or below it.
    pub(super) fn holds_no_links(&self, id: ObjectId) -> bool {
        self.without_links.read().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    /// Whether a package may lie in what is a folder here, or below it.
    pub(super) fn may_hold_packages(&self, folder: &TreeEntry) -> bool {
        let TreeEntry { mode: Mode::Folder, id, .. } = *folder else { return true };
        let index = || self.index.get().and_then(|index| index.holds_packages(id));
        if let Some(holds) = folder.made.map_or_else(index, |made| made.holds_packages) {
            return holds;
        }
        match self.asked(id) {
            Some(tree) if tree.whole().is_flat() => tree.whole().is_package(),
            _ => {
                let packages = self.packages.read().unwrap_or_else(PoisonError::into_inner);
                packages.get(&id).is_none_or(|holds| *holds)
            }
        }
    }

    /// What `made` makes of the bytes of an object.
    fn object<Found>(
        &self,
        id: ObjectId,
        kind: ObjectKind,
        made: impl Fn(&[u8]) -> Found,
    ) -> Result<Found, GitError> {
        let read = |object: Object<'_>| (object.kind == kind).then(|| made(object.bytes));
        let found = self.objects.find(&id.to_string(), read)?.flatten();
        found.ok_or_else(|| failed(&["cat-file"], format!("the object {id} is not there")))
    }

    fn keep(&self, id: ObjectId, tree: Arc<Forest>) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, tree);
    }
}

impl Drop for Trees {
    fn drop(&mut self) {
        let coming = self.coming.get_mut().unwrap_or_else(PoisonError::into_inner);
        coming.take().map(Coming::wait);
    }
}

/// An index that is read, and who is asked for blobs meanwhile.
struct Coming(JoinHandle<(Early, Objects)>);

impl Coming {
    fn wait(self) -> (Early, Objects) {
        self.0.join().expect("reading what git says does not panic")
    }
}

fn read_index(
    place: (&Path, usize),
    objects: Objects,
    wanted: impl Fn(&[u8]) -> Wanted,
    keeper: &Keeper,
) -> (Early, Objects) {
    let early = early_blobs::read(place, &objects, wanted, |object| keeper.keep(object));
    (early, objects)
}

/// The ids of nearly all repositories have so many bytes. An index in which they have others is read again.
const USUAL_LENGTH: usize = 20;

/// So many objects to ask for are worth a process more.
const WORTH_TWO: usize = 64;

/// The trees that are there already.
#[derive(Clone, Copy)]
struct Known<'k> {
    asked: &'k IdMap<Arc<Forest>>,
    index: Option<&'k IndexTrees>,
}

impl<'k> Known<'k> {
    fn tree(self, id: ObjectId) -> Option<Tree<'k>> {
        self.index.and_then(|index| index.tree(id)).or_else(|| Some(self.asked.get(&id)?.whole()))
    }
}

/// What is to be asked for.
#[derive(Default)]
struct Found {
    /// Some of them are perhaps known, or stand here more than once.
    trees: Vec<ObjectId>,
    blobs: Vec<ObjectId>,
}

/// Objects that were read, and which more were found to be wanted.
struct Gathered<'g> {
    /// Equal folders are one tree: each is asked for once, and looked into once where it holds others.
    asked: IdSet,
    trees: IdMap<Arc<Forest>>,
    /// Where the blobs are kept, for all that gather.
    blobs: &'g Blobs,
    problem: Option<GitError>,
    /// Whether a link or a submodule was met, or something was not there.
    may_hold_links: bool,
}

impl<'g> Gathered<'g> {
    fn new(blobs: &'g Blobs) -> Self {
        let (asked, trees) = Default::default();
        Self { asked, trees, blobs, problem: None, may_hold_links: false }
    }

    fn add(&mut self, other: Self) {
        join(&mut self.trees, other.trees);
        self.may_hold_links |= other.may_hold_links;
        self.problem = self.problem.take().or(other.problem);
    }

    /// Looks into those of the trees that are `known`, and into the known ones in these; gives what is left to be
    /// asked for.
    fn unknown(
        &mut self,
        known: Known<'_>,
        mut found: Found,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Vec<ObjectId> {
        let mut unknown = Vec::new();
        while let Some(id) = found.trees.pop() {
            match known.tree(id) {
                Some(tree) if tree.is_flat() || self.asked.insert(id) => {
                    self.look_into(tree, &wanted, &mut found);
                }
                None if self.asked.insert(id) => unknown.push(id),
                Some(_) | None => {}
            }
        }
        unknown.append(&mut found.blobs);
        unknown
    }

    /// Adds to `found` what is in a tree and is to be asked for.
    fn look_into(&mut self, tree: Tree<'_>, wanted: impl Fn(&[u8]) -> bool, found: &mut Found) {
        for entry in tree.entries() {
            match entry.mode {
                Mode::Folder => found.trees.push(entry.id),
                Mode::File | Mode::Executable => {
                    if wanted(tree.name(entry)) && self.asked.insert(entry.id) {
                        found.blobs.push(entry.id);
                    }
                }
                Mode::Link | Mode::Submodule => self.may_hold_links = true,
            }
        }
    }

    /// Keeps an object; adds to `found` what is in it and is to be asked for.
    fn take(&mut self, object: Option<Object<'_>>, wanted: impl Fn(&[u8]) -> bool, found: &mut Found) {
        match object {
            Some(Object { id, kind: ObjectKind::Tree, bytes }) => match parsed(id, bytes) {
                Ok(tree) => {
                    self.look_into(tree.whole(), &wanted, found);
                    self.trees.insert(id, Arc::new(tree));
                }
                Err(error) => self.problem = Some(error),
            },
            Some(object @ Object { kind: ObjectKind::Blob, .. }) => self.blobs.keep(object),
            // What is missing is missed by whoever looks for it.
            _ => self.may_hold_links = true,
        }
    }

    /// As [`Self::take`]; gives what is to be asked for, nothing being known.
    fn take_all(&mut self, object: Option<Object<'_>>, wanted: impl Fn(&[u8]) -> bool) -> Vec<ObjectId> {
        let mut found = Found::default();
        self.take(object, wanted, &mut found);
        found.trees.retain(|id| self.asked.insert(*id));
        found.trees.append(&mut found.blobs);
        found.trees
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
fn holds_packages(id: ObjectId, trees: Known<'_>, known: &mut IdMap<bool>) -> bool {
    if let Some(holds) = trees.index.and_then(|index| index.holds_packages(id)) {
        return holds;
    }
    // What could not be read may hold anything.
    let Some(tree) = trees.tree(id) else { return true };
    if tree.is_flat() {
        return tree.is_package();
    }
    if let Some(holds) = known.get(&id) {
        return *holds;
    }
    let mut holds = tree.is_package();
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

fn parsed(id: ObjectId, bytes: &[u8]) -> Result<Forest, GitError> {
    let tree = Forest::of_object(bytes, id.as_bytes().len());
    tree.ok_or_else(|| failed(&["cat-file"], format!("the tree {id} is malformed")))
}
