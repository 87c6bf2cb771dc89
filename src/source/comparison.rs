//! Two snapshots that can be compared: of two commits, or of a commit and the checkout.
//!
//! Contents are told apart by the ids of blobs wherever both sides have one, so that next to nothing is
//! read; where the checkout has other bytes than the commit, both sides are told apart by their bytes.
//!
//! **Invariant:** what these snapshots call the hash of a content is good for comparing the two, and for
//! nothing else: no key that is made of it is ever kept or shown.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::disk::Disk;
use super::git::checkout_files::CheckoutFiles;
use super::git::command::GitError;
use super::git::commit_files::{CommitFiles, Contents};
use super::git::object_id::ObjectId;
use super::git::repository::{Commit, Repository};
use super::git::tree::Mode;
use super::origin::Place;
use super::read_error::ReadError;
use super::snapshot::Snapshot;
use super::stat::EntryKind;
use crate::types::workspace_path::WorkspacePath;

/// The files of a workspace at two moments.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The files before.
    pub base: Snapshot,
    /// The files after.
    pub head: Snapshot,
    base_files: CommitFiles,
    /// `None` where the head is the checkout.
    head_files: Option<CommitFiles>,
    /// Where the checkout differs from the base, of all that git knows.
    changed: Arc<HashSet<WorkspacePath>>,
}

/// The places in which two snapshots differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Files and links that came, went or differ; sorted.
    pub paths: Vec<WorkspacePath>,
    /// Folders that the checkout alone has. Nobody looked into them.
    pub folders: Vec<WorkspacePath>,
    /// Whether each path is a file on both sides, or on the one that has it. A link, a submodule or a name
    /// that stands for another kind of thing changes what other paths mean.
    pub are_files: bool,
}

/// A submodule that some target may read and that cannot be read here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedSubmodule {
    /// Where it lies.
    pub path: WorkspacePath,
    /// The commit that is pinned before.
    pub base: Option<ObjectId>,
    /// The commit that is pinned after.
    pub head: Option<ObjectId>,
}

/// The files of `commit`, whose contents are hashed as those of files on disk are.
pub fn snapshot_of(repository: &Repository, commit: &Commit) -> Snapshot {
    let files = repository.files(commit, Contents::Bytes);
    Snapshot::of_origin(Box::new(files), repository.root(), Some(commit.id.to_string()))
}

impl Comparison {
    /// The files of `base` beside those of `head`, or of the checkout.
    ///
    /// # Errors
    /// When git does not answer.
    pub fn new(repository: &Repository, base: &Commit, head: Option<&Commit>) -> Result<Self, GitError> {
        let changed = match head {
            Some(_) => HashSet::new(),
            None => repository.changed_in_checkout(base)?,
        };
        let changed = Arc::new(changed);
        let contents = Contents::Ids { but: Arc::clone(&changed) };
        let places = Arc::clone(&changed);
        let of_commit = |commit: &Commit, files: &CommitFiles| {
            let id = Some(commit.id.to_string());
            Snapshot::of_origin(Box::new(files.clone()), repository.root(), id)
        };
        let base_files = repository.files(base, contents.clone());
        let head_files = head.map(|commit| repository.files(commit, contents));
        let head = match (head, &head_files) {
            (Some(commit), Some(files)) => of_commit(commit, files),
            _ => {
                let disk = Disk::new(repository.root().to_path_buf());
                let files = CheckoutFiles::new(disk, base_files.clone(), changed);
                Snapshot::of_origin(Box::new(files), repository.root(), None)
            }
        };
        Ok(Self { base: of_commit(base, &base_files), head, base_files, head_files, changed: places })
    }

    /// Makes ready for somebody who loads the head and looks for differences: every folder of a commit, and what
    /// will be parsed, is read in one go. Beside the checkout only the folders of the base are wanted.
    ///
    /// # Errors
    /// When git does not answer.
    pub fn read_all(&self) -> Result<(), GitError> {
        self.head_files.as_ref().map_or_else(|| self.base_files.read_folders(), CommitFiles::read_all)
    }

    /// Whether the head is the checkout.
    pub fn has_checkout(&self) -> bool {
        self.head_files.is_none()
    }

    /// The modes and blobs that a file has on both sides, for people.
    pub fn described(&self, file: &WorkspacePath) -> (Option<String>, Option<String>) {
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { return (None, None) };
        let place = Place { folder: &folder, name };
        let words = |files: &CommitFiles| {
            let (mode, id) = files.entry(place).ok()??;
            Some(format!("{} {}", mode.as_str(), id.short()))
        };
        let head = match &self.head_files {
            Some(files) => words(files),
            None => Some("checkout".to_owned()),
        };
        (words(&self.base_files), head)
    }

    /// Where the two differ. A folder is looked into where its trees differ; where the head is the checkout,
    /// each folder of the base is.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn differences(&self) -> Result<Differences, ReadError> {
        let mut found = Differences { are_files: true, ..Differences::default() };
        let mut pending = vec![WorkspacePath::root()];
        while let Some(folder) = pending.pop() {
            let (before, after) = (self.names(&self.base_files, &folder)?, self.names_after(&folder)?);
            for (name, one, other) in beside(&before, &after) {
                if matches!((one, other), (Some(Name::Commit(..)), Some(_))) && one == other {
                    continue;
                }
                let path = folder.join_name(name);
                match (one, other) {
                    (None, Some(Name::Disk(EntryKind::Folder))) => found.folders.push(path),
                    _ if [one, other].into_iter().flatten().all(Name::is_folder) => {
                        if one.is_some_and(Name::is_submodule) || other.is_some_and(Name::is_submodule) {
                            self.note(path.clone(), one, other, &mut found);
                        }
                        pending.push(path);
                    }
                    _ => self.note(path, one, other, &mut found),
                }
            }
        }
        found.paths.sort();
        Ok(found)
    }

    fn note(&self, path: WorkspacePath, one: Option<&Name>, other: Option<&Name>, found: &mut Differences) {
        let differs = match (one, other) {
            (Some(one @ Name::Commit(..)), Some(other @ Name::Commit(..))) => one != other,
            // What the checkout has in this place is as in the commit, or git says that it is not.
            (Some(one), Some(Name::Disk(kind))) => one.kind() != *kind || self.changed.contains(&path),
            _ => true,
        };
        if differs {
            let is_file = |name: Option<&Name>| name.is_none_or(|name| name.kind() == EntryKind::File);
            found.are_files &= is_file(one) && is_file(other);
            found.paths.push(path);
        }
    }

    fn names_after(&self, folder: &WorkspacePath) -> Result<Vec<(Vec<u8>, Name)>, ReadError> {
        if let Some(files) = &self.head_files {
            return self.names(files, folder);
        }
        let Some(folder) = self.head.folder(folder)? else { return Ok(Vec::new()) };
        let entries = folder.entries()?.into_iter().filter(|entry| {
            // Git has no entry for its own folder.
            entry.name() != b".git"
        });
        Ok(entries.map(|entry| (entry.name().to_vec(), Name::Disk(entry.kind()))).collect())
    }

    fn names(&self, files: &CommitFiles, folder: &WorkspacePath) -> Result<Vec<(Vec<u8>, Name)>, ReadError> {
        let names = files.names(folder)?;
        Ok(names.into_iter().map(|(name, mode, id)| (name, Name::Commit(mode, id))).collect())
    }

    /// The submodules that somebody looked into and that cannot be read here, where they differ.
    pub fn closed_submodules(&self) -> Vec<ClosedSubmodule> {
        let before = self.base_files.closed();
        let after = self.head_files.as_ref().map_or_else(BTreeMap::new, CommitFiles::closed);
        let paths: BTreeSet<&WorkspacePath> = before.keys().chain(after.keys()).collect();
        let closed = paths.into_iter().map(|path| ClosedSubmodule {
            path: path.clone(),
            base: before.get(path).copied(),
            head: after.get(path).copied(),
        });
        let differs = |closed: &ClosedSubmodule| match self.head_files {
            Some(_) => closed.base != closed.head,
            None => self.changed.contains(&closed.path),
        };
        closed.filter(differs).collect()
    }
}

/// The names of two folders, sorted as they are in either, with what each stands for there.
fn beside<'n>(
    before: &'n [(Vec<u8>, Name)],
    after: &'n [(Vec<u8>, Name)],
) -> impl Iterator<Item = (&'n [u8], Option<&'n Name>, Option<&'n Name>)> {
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        let one = before.next_if(|_| order != Ordering::Greater);
        let other = after.next_if(|_| order != Ordering::Less);
        let (name, _) = one.or(other)?;
        Some((name.as_slice(), one.map(|(_, name)| name), other.map(|(_, name)| name)))
    })
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Commit(Mode, ObjectId),
    Disk(EntryKind),
}

impl Name {
    fn kind(&self) -> EntryKind {
        match self {
            Self::Commit(mode, _) => mode.kind(),
            Self::Disk(kind) => *kind,
        }
    }

    fn is_folder(&self) -> bool {
        self.kind() == EntryKind::Folder
    }

    fn is_submodule(&self) -> bool {
        matches!(self, Self::Commit(Mode::Submodule, _))
    }
}
