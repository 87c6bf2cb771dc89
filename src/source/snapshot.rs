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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::changes::{self, Changes};
use super::disk::Disk;
use super::folder::{Folder, Listing, Node};
use super::git_facts::GitFacts;
use super::index_keeping;
use super::lookout::Lookout;
use super::looks::{self, Looks};
pub use super::origin::Content;
use super::origin::Origin;
use super::read_error::ReadError;
use super::stat::{EntryKind, Stat};
use super::stat_index::{FolderNumber, IndexDamage, StatIndex};
use crate::types::digest::TreeDigest;
use crate::types::workspace_path::WorkspacePath;

mod below;
mod entry;

pub use below::Below;
pub use entry::EntryRef;

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
    /// The commit whose files these are.
    commit: Option<String>,
    texts: Mutex<HashMap<WorkspacePath, Arc<[u8]>>>,
    git_exclude: OnceLock<Option<Arc<[u8]>>>,
    has_dangling_text: AtomicBool,
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

    /// The files that `origin` has, of a workspace that lies at `root` on this machine; `commit` is the id of
    /// the commit whose files they are.
    pub(super) fn of_origin(origin: Box<dyn Origin>, root: &Path, commit: Option<String>) -> Self {
        let lookout = Lookout::new(origin, None);
        Self::made(lookout, root.to_path_buf(), None, commit)
    }

    fn new(
        origin: Box<dyn Origin>,
        root_on_disk: PathBuf,
        index: Option<Arc<StatIndex>>,
        before: Option<Self>,
    ) -> Self {
        let commit = before.as_ref().and_then(|before| before.0.commit.clone());
        Self::made(Lookout::new(origin, index), root_on_disk, before, commit)
    }

    fn made(lookout: Lookout, root_on_disk: PathBuf, before: Option<Self>, commit: Option<String>) -> Self {
        let number = lookout.index.as_ref().map(|_| FolderNumber::ROOT);
        let root = Folder::new(WorkspacePath::root(), number);
        Self(Arc::new(Shared {
            lookout,
            root,
            root_on_disk,
            before,
            commit,
            texts: Mutex::default(),
            git_exclude: OnceLock::new(),
            has_dangling_text: AtomicBool::new(false),
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
        index_keeping::index(&self.0.lookout, &self.0.root)
    }

    /// What this snapshot leaned on, and the bytes of an index that says it: what [`Self::changes_since`]
    /// compares with, of a snapshot that begins with these bytes. `None` when it leaned on anything that
    /// facts do not tell. See [`looks`].
    pub fn looks(&self) -> Option<(Looks, Vec<u8>)> {
        looks::looks(&self.0.lookout, &self.0.root, self.0.git_exclude.get())
    }

    /// As [`Self::looks`], together with all that is in `before`, with whose index this snapshot began: what
    /// was looked at again takes the place of what was there.
    pub fn renewed(&self, before: &Looks) -> Option<(Looks, Vec<u8>)> {
        self.looks()?;
        let bytes = index_keeping::whole_index(&self.0.lookout, &self.0.root)?;
        Some((before.renewed(&bytes), bytes))
    }

    /// How much was read that the index does not know, in bytes.
    pub fn learnt(&self) -> u64 {
        self.0.lookout.learnt()
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

    /// Whether the text at `path`, in which no link is left, was read.
    pub fn has_read(&self, path: &WorkspacePath) -> bool {
        self.0.texts.lock().unwrap_or_else(PoisonError::into_inner).contains_key(path)
    }

    /// Whether it is known, without looking, that no link is anywhere: each path then leads where its letters
    /// say.
    pub fn holds_no_links(&self) -> bool {
        self.0.lookout.origin.holds_no_links()
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

    /// What git says of these files. Nothing is asked yet.
    pub fn git_facts(&self) -> GitFacts {
        match &self.0.commit {
            Some(commit) => GitFacts::of_commit(&self.0.root_on_disk, commit.clone()),
            None => GitFacts::of(&self.0.root_on_disk),
        }
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
        // Nearly no path has a link in it.
        if let Some(folder) = self.entry(path)?.and_then(|entry| entry.as_folder()) {
            return Ok(Some(folder));
        }
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
        let Some((real, entry)) = self.file(path)? else {
            self.note_missing_text(path)?;
            return Err(ReadError::Missing { path: path.clone() });
        };
        let texts = || self.0.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts().get(&real) {
            return Ok(Arc::clone(text));
        }
        // Read outside the lock: a thousand files are read by all threads.
        let text = entry.read()?;
        Ok(Arc::clone(texts().entry(real).or_insert(text)))
    }

    fn note_missing_text(&self, path: &WorkspacePath) -> Result<(), ReadError> {
        let folder = path.parent().map(|folder| self.follow(&folder)).transpose()?.flatten();
        if let (Some(folder), Some(name)) = (folder, path.file_name())
            && self.entry(&folder.join_name(name))?.is_some()
        {
            self.0.has_dangling_text.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether a text was looked for where a link is that leads nowhere: what would be read, if anything were
    /// there, is none of [`Self::texts`].
    pub fn has_dangling_text(&self) -> bool {
        self.0.has_dangling_text.load(Ordering::Relaxed)
    }

    /// The file at `path`, links followed inside the workspace, and its path without links. `None` when
    /// nothing is there.
    ///
    /// # Errors
    /// When something else is there, a link leaves the workspace, or a folder cannot be listed.
    pub fn file(&self, path: &WorkspacePath) -> Result<Option<(WorkspacePath, EntryRef<'_>)>, ReadError> {
        let is_file = |entry: &EntryRef<'_>| entry.kind() == EntryKind::File;
        if let Some(entry) = self.entry(path)?.filter(is_file) {
            return Ok(Some((path.clone(), entry)));
        }
        let Some(real) = self.follow(path)? else { return Ok(None) };
        match self.entry(&real)?.filter(is_file) {
            Some(entry) => Ok(Some((real, entry))),
            None => Err(ReadError::WrongKind { path: path.clone(), expected: "file" }),
        }
    }

    /// The bytes of `.git/info/exclude`; `None` when there is no such file that can be read. The folders
    /// on the way are not looked into: git changes what is in `.git` whenever somebody asks it something.
    pub fn git_exclude(&self) -> Option<Arc<[u8]>> {
        let read = || looks::git_exclude(&*self.0.lookout.origin);
        self.0.git_exclude.get_or_init(read).clone()
    }

    /// The path of what `path` leads to, with no link left in it; `None` when nothing is there.
    ///
    /// # Errors
    /// When a link leaves the workspace, links form a loop, or a folder cannot be listed.
    pub fn follow(&self, path: &WorkspacePath) -> Result<Option<WorkspacePath>, ReadError> {
        match self.has_without_links(path)? {
            Some(is_there) => Ok(is_there.then(|| path.clone())),
            None => self.walk(path, &mut Vec::new()),
        }
    }

    /// The links that are followed on the way to `path`, and last what it leads to, with no link left in
    /// any of these paths; without the last when nothing is there.
    ///
    /// # Errors
    /// When a link leaves the workspace, links form a loop, or a folder cannot be listed.
    pub fn way(&self, path: &WorkspacePath) -> Result<Vec<WorkspacePath>, ReadError> {
        let mut way = Vec::new();
        let end = match self.has_without_links(path)? {
            Some(is_there) => is_there.then(|| path.clone()),
            None => self.walk(path, &mut way)?,
        };
        way.extend(end);
        Ok(way)
    }

    /// Follows `path` name by name; the links that are followed go to `links`.
    fn walk(
        &self,
        path: &WorkspacePath,
        links: &mut Vec<WorkspacePath>,
    ) -> Result<Option<WorkspacePath>, ReadError> {
        let mut pending: Vec<Vec<u8>> = path.names().rev().map(<[u8]>::to_vec).collect();
        let mut real = WorkspacePath::root();
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
            let Some(entry) = self.entry(&next)? else {
                // What comes to be there is called otherwise than what was asked for.
                self.0.lookout.lean_on_the_unsaid();
                return Ok(None);
            };
            if entry.kind() != EntryKind::Link {
                real = next;
                continue;
            }
            if links.len() == MOST_LINKS {
                return Err(ReadError::LinkLoop { path: path.clone() });
            }
            links.push(next.clone());
            let target = entry.link_target()?;
            if target.starts_with(b"/") {
                return Err(self.leaves(&next));
            }
            pending.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
        }
        Ok(Some(real))
    }

    /// Whether something is at `path`; `None` where a link is on the way, which nearly no path has.
    fn has_without_links(&self, path: &WorkspacePath) -> Result<Option<bool>, ReadError> {
        let mut folder = self.root();
        let mut names = path.names().peekable();
        while let Some(name) = names.next() {
            let Some(entry) = folder.entry(name)? else { return Ok(Some(false)) };
            match entry.as_folder() {
                Some(inner) => folder = inner,
                None if entry.kind() == EntryKind::Link => return Ok(None),
                None => return Ok(Some(names.peek().is_none())),
            }
        }
        Ok(Some(true))
    }

    /// What was hashed at `path`, when the file that has the facts `stat` must still have those bytes.
    fn unchanged_content(&self, path: &WorkspacePath, stat: &Stat) -> Option<Content> {
        let (content, steady) = self.entry(path).ok()??.kept_content()?;
        (steady == stat && self.0.lookout.believes(stat)).then_some(content)
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
        Ok(self.each_entry()?.collect())
    }

    /// The same, one after the other.
    pub(super) fn each_entry(&self) -> Result<impl Iterator<Item = EntryRef<'s>> + use<'s>, ReadError> {
        let (folder, listing) = (*self, self.folder.listing(&self.shared.lookout)?);
        Ok(listing.nodes.iter().map(move |node| folder.at(listing, node)))
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

    /// The facts under which its entries can be kept: see [`Listed::steady`](super::origin::Listed).
    pub(super) fn steady(&self) -> Option<Stat> {
        self.folder.steady().copied()
    }

    fn at(&self, listing: &'s Listing, node: &'s Node) -> EntryRef<'s> {
        EntryRef { parent: *self, listing, node }
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
