//! An immutable view of the workspace's files, shared by everything that loads, slices and keys.
//!
//! It is lazy: a folder is listed when somebody looks into it, once; a file is hashed when a view
//! holds it, once. A thousand targets on one context therefore cost one walk. A snapshot never looks
//! twice, so that two questions cannot get answers from two moments; [`Snapshot::look_again`] gives
//! another snapshot, of the files as they are then. With an index from an earlier run a folder that
//! did not change is not listed, and a file that did not change is not read.
//!
//! **Invariant:** no path leads out of the workspace. A link that points out is an error for who
//! follows it, and an ordinary entry for who does not.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::changes::{self, Changes};
use super::disk::Disk;
use super::folder::{Body, Folder, Listing, Node, Target};
use super::index_keeping;
use super::lookout::Lookout;
use super::looks::{self, Looks};
pub use super::origin::Content;
use super::origin::{Hashed, Origin, Place, Text};
use super::read_error::ReadError;
use super::stat::{EntryKind, Stat};
use super::stat_index::{FolderNumber, IndexDamage, StatIndex};
use crate::types::digest::{ContentHash, TreeDigest};
use crate::types::workspace_path::WorkspacePath;

/// How many links may lie on the way to a path: as many as Linux follows.
const MOST_LINKS: usize = 40;

/// The files of a workspace, as they were when they were first looked at. Clones share everything.
#[derive(Clone)]
pub struct Snapshot(Arc<Shared>);

struct Shared {
    lookout: Lookout,
    root: Folder,
    root_on_disk: PathBuf,
    /// An earlier snapshot of the same files.
    before: Option<Snapshot>,
    texts: Mutex<HashMap<WorkspacePath, Arc<[u8]>>>,
    git_exclude: OnceLock<Option<Arc<[u8]>>>,
}

impl Snapshot {
    /// The files below `root`, which may be reached through links.
    ///
    /// # Errors
    /// When `root` is not a folder that can be found.
    pub fn of_disk(root: &Path) -> Result<Self, ReadError> {
        let root = real_root(root)?;
        Ok(Self::new(Box::new(Disk::new(root.clone())), root, None, None))
    }

    /// The files below `root`, and what the bytes of an index say of them, which an earlier run got
    /// from [`Snapshot::index`]. An index of another folder or of another user is left aside; so is
    /// one that is damaged, and the damage is given back.
    ///
    /// # Errors
    /// When `root` is not a folder that can be found.
    pub fn with_index(root: &Path, index: Vec<u8>) -> Result<(Self, Option<IndexDamage>), ReadError> {
        let root = real_root(root)?;
        let (index, damage) = match StatIndex::decode(index) {
            Ok(index) => (Some(index), None),
            Err(damage) => (None, Some(damage)),
        };
        let origin: Box<dyn Origin> = Box::new(Disk::new(root.clone()));
        let index = index.filter(|index| index_keeping::is_of(index, &*origin)).map(Arc::new);
        Ok((Self::new(origin, root, index, None), damage))
    }

    fn new(
        origin: Box<dyn Origin>,
        root_on_disk: PathBuf,
        index: Option<Arc<StatIndex>>,
        before: Option<Self>,
    ) -> Self {
        let lookout = Lookout::new(origin, index);
        let number = lookout.index.as_ref().map(|_| FolderNumber::ROOT);
        let root = Folder::new(WorkspacePath::root(), number);
        Self(Arc::new(Shared {
            lookout,
            root,
            root_on_disk,
            before,
            texts: Mutex::default(),
            git_exclude: OnceLock::new(),
        }))
    }

    /// A snapshot of the same files as they are at this moment, which knows nothing yet. A file whose
    /// facts say that it is unchanged is not read again. The first snapshot lives as long as this one.
    #[must_use]
    pub fn look_again(&self) -> Self {
        let Lookout { origin, index, .. } = &self.0.lookout;
        Self::new(origin.again(), self.0.root_on_disk.clone(), index.clone(), Some(self.clone()))
    }

    /// A snapshot of the same files that reads everything.
    pub(super) fn without_index(&self) -> Self {
        Self::new(self.0.lookout.origin.again(), self.0.root_on_disk.clone(), None, None)
    }

    /// The bytes of an index with all that is known of the files, for a later run to begin with;
    /// `None` when the index that this snapshot began with says it all, or none can be made.
    ///
    /// What this snapshot did not look at is taken over from the index that it began with.
    pub fn index(&self) -> Option<Vec<u8>> {
        index_keeping::index(&self.0.lookout, &self.0.root, false)
    }

    /// As [`Snapshot::index`], and also where it says little that is new: for who wants to lean on an
    /// index that says everything.
    pub fn whole_index(&self) -> Option<Vec<u8>> {
        index_keeping::index(&self.0.lookout, &self.0.root, true)
    }

    /// Which parts of the index that it began with this snapshot leaned on; `None` when it leaned on
    /// anything else. See [`looks`].
    pub fn looks(&self) -> Option<Looks> {
        looks::looks(&self.0.lookout, &self.0.root, self.0.git_exclude.get())
    }

    /// What has changed of what an earlier snapshot looked at; `None` where that cannot be told. Nothing
    /// of it is known to this snapshot afterwards: who asks it looks again. See [`changes`].
    pub fn changes_since(&self, looks: &Looks) -> Option<Changes> {
        changes::since(&self.0.lookout, looks)
    }

    /// The texts that were read, by their paths without links.
    pub fn texts(&self) -> Vec<WorkspacePath> {
        let texts = self.0.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.keys().cloned().collect()
    }

    /// The folders whose entries were asked for.
    pub fn looked_into(&self) -> Vec<WorkspacePath> {
        looks::looked_into(&self.0.root).into_iter().map(|folder| folder.path.clone()).collect()
    }

    /// Whether all that was asked has the same answer at this moment. What was asked of an entry that had
    /// no clear answer counts as another one.
    pub fn is_unchanged(&self) -> bool {
        looks::is_unchanged(&self.0.lookout, &self.0.root, self.0.git_exclude.get())
    }

    /// Where the workspace lies on this machine.
    pub fn root_on_disk(&self) -> &Path {
        &self.0.root_on_disk
    }

    /// The workspace's own folder.
    pub fn root(&self) -> FolderRef<'_> {
        FolderRef { shared: &self.0, folder: &self.0.root }
    }

    /// The entry at `path`, no link followed: neither the last name nor one on the way. `None` when
    /// nothing is there, and for the root, which is no folder's entry.
    ///
    /// # Errors
    /// When a folder on the way cannot be listed.
    pub fn entry(&self, path: &WorkspacePath) -> Result<Option<EntryRef<'_>>, ReadError> {
        let mut folder = self.root();
        let mut names = path.names();
        let Some(last) = names.next_back() else { return Ok(None) };
        for name in names {
            match folder.entry(name)?.and_then(|entry| entry.as_folder()) {
                Some(inner) => folder = inner,
                None => return Ok(None),
            }
        }
        folder.entry(last)
    }

    /// The folder at `path`, links followed inside the workspace. `None` when nothing is there.
    ///
    /// # Errors
    /// When something else is there, a link leaves the workspace, or a folder cannot be listed.
    pub fn folder(&self, path: &WorkspacePath) -> Result<Option<FolderRef<'_>>, ReadError> {
        let Some(real) = self.follow(path)? else { return Ok(None) };
        if real.is_root() {
            return Ok(Some(self.root()));
        }
        match self.entry(&real)?.and_then(|entry| entry.as_folder()) {
            Some(folder) => Ok(Some(folder)),
            None => Err(ReadError::WrongKind { path: path.clone(), expected: "folder" }),
        }
    }

    /// The bytes of the file at `path`, links followed inside the workspace. They are remembered:
    /// this is for texts that are parsed, not for the files of a view.
    ///
    /// # Errors
    /// When there is no such file, a link leaves the workspace, or it cannot be read.
    pub fn read(&self, path: &WorkspacePath) -> Result<Arc<[u8]>, ReadError> {
        let real = self.follow(path)?.ok_or_else(|| ReadError::Missing { path: path.clone() })?;
        let entry = match self.entry(&real)? {
            Some(entry) if entry.kind() == EntryKind::File => entry,
            _ => return Err(ReadError::WrongKind { path: path.clone(), expected: "file" }),
        };
        let texts = || self.0.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts().get(&real) {
            return Ok(Arc::clone(text));
        }
        // Read outside the lock: a thousand files are read by all threads.
        let text: Arc<[u8]> = entry.read()?.into();
        Ok(Arc::clone(texts().entry(real).or_insert(text)))
    }

    /// The bytes of `.git/info/exclude`; `None` when there is no such file that can be read. The folders
    /// on the way are not looked into: git changes what is in `.git` whenever somebody asks it something.
    pub fn git_exclude(&self) -> Option<Arc<[u8]>> {
        let read = || Some(looks::git_exclude(&*self.0.lookout.origin)?.into());
        self.0.git_exclude.get_or_init(read).clone()
    }

    /// The path of what `path` leads to, with no link left in it; `None` when nothing is there.
    ///
    /// # Errors
    /// When a link leaves the workspace, links form a loop, or a folder cannot be listed.
    pub fn follow(&self, path: &WorkspacePath) -> Result<Option<WorkspacePath>, ReadError> {
        let mut pending: Vec<Vec<u8>> = path.names().rev().map(<[u8]>::to_vec).collect();
        let mut real = WorkspacePath::root();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            let next = match &*name {
                b"" | b"." => continue,
                b".." => match real.parent() {
                    Some(parent) => {
                        real = parent;
                        continue;
                    }
                    None => return Err(self.leaves(path)),
                },
                name => real.join_name(name),
            };
            let Some(entry) = self.entry(&next)? else { return Ok(None) };
            if entry.kind() != EntryKind::Link {
                real = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(ReadError::LinkLoop { path: path.clone() });
            }
            let target = entry.link_target()?;
            if target.starts_with(b"/") {
                return Err(self.leaves(&next));
            }
            pending.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
        }
        Ok(Some(real))
    }

    /// What was hashed at `path`, when the file that has the facts `stat` must still have those bytes.
    fn unchanged_content(&self, path: &WorkspacePath, stat: &Stat) -> Option<Hashed> {
        let hashed = self.entry(path).ok()??.known_content()?;
        (hashed.steady == Some(*stat) && self.0.lookout.believes(stat)).then_some(hashed)
    }

    /// The error for a path of which a link points out of the workspace.
    fn leaves(&self, path: &WorkspacePath) -> ReadError {
        let target = match self.entry(path) {
            Ok(Some(entry)) if entry.kind() == EntryKind::Link => entry.link_target().ok(),
            _ => None,
        };
        let target = String::from_utf8_lossy(target.unwrap_or(b"..")).into_owned();
        ReadError::LinkLeaves { path: path.clone(), target }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Snapshot").field(&self.0.root_on_disk).finish()
    }
}

/// A folder of a snapshot.
#[derive(Clone, Copy)]
pub struct FolderRef<'s> {
    shared: &'s Shared,
    folder: &'s Folder,
}

impl<'s> FolderRef<'s> {
    /// Where the folder lies, with no link in the path.
    pub fn path(&self) -> &'s WorkspacePath {
        &self.folder.path
    }

    /// What is in the folder, sorted by the bytes of the names.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn entries(&self) -> Result<Vec<EntryRef<'s>>, ReadError> {
        let listing = self.folder.listing(&self.shared.lookout)?;
        Ok(listing.nodes.iter().map(|node| self.at(listing, node)).collect())
    }

    /// The entry of that name.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn entry(&self, name: &[u8]) -> Result<Option<EntryRef<'s>>, ReadError> {
        let listing = self.folder.listing(&self.shared.lookout)?;
        Ok(listing.find(name).map(|node| self.at(listing, node)))
    }

    /// The digest of everything in the folder, computed by `compute` when nobody did before.
    pub(crate) fn whole_digest(
        &self,
        compute: impl FnOnce() -> Result<TreeDigest, ReadError>,
    ) -> Result<TreeDigest, ReadError> {
        if let Some(digest) = self.folder.whole_digest.get() {
            return Ok(*digest);
        }
        let digest = compute()?;
        Ok(*self.folder.whole_digest.get_or_init(|| digest))
    }

    /// Whether an earlier run looked into it.
    pub(super) fn is_in_index(&self) -> bool {
        self.folder.number.is_some()
    }

    /// Whether its entries are those that the index believes it to have.
    pub(super) fn is_from_index(&self) -> bool {
        let known = |number| self.shared.lookout.knows_folder(number, &self.steady()?);
        self.folder.number.and_then(known).is_some()
    }

    /// The facts that it had before, while and after it was listed.
    pub(super) fn steady(&self) -> Option<Stat> {
        self.folder.known_listing()?.steady
    }

    fn at(&self, listing: &'s Listing, node: &'s Node) -> EntryRef<'s> {
        EntryRef { parent: *self, listing, node }
    }
}

/// An entry of a folder of a snapshot. Nothing but its name and kind is known until it is asked for.
#[derive(Clone, Copy)]
pub struct EntryRef<'s> {
    parent: FolderRef<'s>,
    listing: &'s Listing,
    node: &'s Node,
}

impl<'s> EntryRef<'s> {
    /// Its name in its folder.
    pub fn name(&self) -> &'s [u8] {
        self.listing.name(self.node)
    }

    /// Its path from the workspace's root.
    pub fn path(&self) -> WorkspacePath {
        self.parent.path().join_name(self.name())
    }

    /// What it is, as its folder listed it.
    pub fn kind(&self) -> EntryKind {
        self.node.kind()
    }

    /// The folder, when it is one.
    pub fn as_folder(&self) -> Option<FolderRef<'s>> {
        match &self.node.body {
            Body::Folder(folder) => Some(FolderRef { shared: self.parent.shared, folder }),
            _ => None,
        }
    }

    /// Its facts; `None` when it vanished after its folder was listed.
    ///
    /// # Errors
    /// When the facts cannot be had, or say that it became another kind of thing.
    pub fn stat(&self) -> Result<Option<Stat>, ReadError> {
        match self.node.stat(self.lookout(), self.place()) {
            Ok(Some(stat)) if stat.kind != self.kind() => Err(ReadError::Changed { path: self.path() }),
            stat => stat.clone(),
        }
    }

    /// The hash of its bytes and their number, for a file; read at most once.
    ///
    /// # Errors
    /// When it is no file, vanished, or cannot be read.
    pub fn content(&self) -> Result<Content, ReadError> {
        let Body::File(hashed) = &self.node.body else {
            return Err(ReadError::WrongKind { path: self.path(), expected: "file" });
        };
        let stat = self.stat()?.ok_or_else(|| ReadError::Missing { path: self.path() })?;
        let hashed = hashed.get_or_init(|| self.hash(&stat));
        hashed.as_ref().map(|hashed| hashed.content).map_err(Clone::clone)
    }

    /// What the file with the facts `stat` holds: as the index knows it, as the snapshot before this
    /// one knows it, or read.
    fn hash(&self, stat: &Stat) -> Result<Hashed, ReadError> {
        if let Some(content) = self.lookout().known_content(self.node.number, stat) {
            return Ok(Hashed { content, steady: Some(*stat) });
        }
        if let Some(before) = &self.parent.shared.before
            && let Some(hashed) = before.unchanged_content(&self.path(), stat)
        {
            return Ok(hashed);
        }
        let hashed = self.lookout().origin.content(self.place())?;
        self.lookout().learn_of(hashed.steady.as_ref());
        Ok(hashed)
    }

    /// The bytes of a file. What was read is known from here on as if it had been hashed.
    fn read(&self) -> Result<Vec<u8>, ReadError> {
        let read = self.lookout().origin.read(self.place());
        if !read.as_ref().is_ok_and(|text| text.steady.is_some()) {
            self.lookout().lean_on_the_unsaid();
        }
        let Text { bytes, steady } = read?;
        if let (Body::File(hashed), Some(steady)) = (&self.node.body, steady) {
            let hash = ContentHash::from_bytes(*blake3::hash(&bytes).as_bytes());
            let content = Content { hash, size: steady.size };
            // Whoever asked before keeps the older answer.
            let _older = self.node.set_stat(steady);
            let _older = hashed.set(Ok(Hashed { content, steady: Some(steady) }));
            if self.lookout().known_content(self.node.number, &steady) != Some(content) {
                self.lookout().learn_of(Some(&steady));
            }
        }
        Ok(bytes)
    }

    /// What it holds, when it is a file that was hashed already.
    fn known_content(&self) -> Option<Hashed> {
        match &self.node.body {
            Body::File(hashed) => hashed.get()?.as_ref().ok().copied(),
            _ => None,
        }
    }

    /// Where it points, for a link.
    ///
    /// # Errors
    /// When it is no link, or cannot be read.
    pub fn link_target(&self) -> Result<&'s [u8], ReadError> {
        let Body::Link(target) = &self.node.body else {
            return Err(ReadError::WrongKind { path: self.path(), expected: "link" });
        };
        let target = target.get_or_init(|| self.read_link());
        target.as_ref().map(|target| &*target.text).map_err(Clone::clone)
    }

    /// Whether the index knows what it holds or where it points.
    pub(super) fn is_from_index(&self) -> bool {
        let (lookout, number) = (self.lookout(), self.node.number);
        self.stat().ok().flatten().is_some_and(|stat| {
            lookout.known_content(number, &stat).is_some() || lookout.known_target(number, &stat).is_some()
        })
    }

    /// The facts that it had before, while and after it was read.
    pub(super) fn steady(&self) -> Option<Stat> {
        match &self.node.body {
            Body::File(_) => self.known_content()?.steady,
            Body::Link(target) => {
                let target = target.get()?.as_ref().ok()?;
                self.node.known_stat().copied().filter(|_| target.is_steady)
            }
            Body::Folder(_) | Body::Special(_) => None,
        }
    }

    fn read_link(&self) -> Result<Target, ReadError> {
        let stat = self.stat().ok().flatten();
        if let Some(stat) = stat
            && let Some(text) = self.lookout().known_target(self.node.number, &stat)
        {
            return Ok(Target { text: text.into(), is_steady: true });
        }
        let text = self.lookout().origin.link_target(self.place())?;
        let is_steady = stat.is_some() && self.lookout().origin.stat(self.place())? == stat;
        self.lookout().learn_of(stat.as_ref().filter(|_| is_steady));
        Ok(Target { text, is_steady })
    }

    fn place(&self) -> Place<'s> {
        Place { folder: self.parent.path(), name: self.name() }
    }

    fn lookout(&self) -> &'s Lookout {
        &self.parent.shared.lookout
    }
}

/// The way to `root` without links.
fn real_root(root: &Path) -> Result<PathBuf, ReadError> {
    let workspace_root = WorkspacePath::root();
    let root = root.canonicalize().map_err(|cause| ReadError::io(&workspace_root, cause))?;
    if root.is_dir() {
        Ok(root)
    } else {
        Err(ReadError::WrongKind { path: workspace_root, expected: "folder" })
    }
}

#[cfg(test)]
mod tests;
