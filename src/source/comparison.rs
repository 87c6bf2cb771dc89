//! Two snapshots that can be compared: of two commits, or of a commit and the checkout.
//!
//! Contents are told apart by the ids of blobs wherever both sides have one, so that next to nothing is
//! read; where the checkout has other bytes than the commit, both sides are told apart by their bytes.
//!
//! **Invariant:** what these snapshots call the hash of a content is good for comparing the two, and for
//! nothing else: no key that is made of it is ever kept or shown.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::{io, thread};

use super::disk::Disk;
use super::git::changed_places::ChangedPlaces;
use super::git::checkout_files::CheckoutFiles;
use super::git::command::GitError;
use super::git::commit_files::{CommitFiles, Contents};
use super::git::object_id::ObjectId;
use super::git::repository::{Commit, Repository};
use super::git::tree::Mode;
use super::origin::Place;
use super::parallel::each;
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
    changed: ChangedPlaces,
    repository: Repository,
    base_commit: Commit,
}

/// Why two snapshots cannot be compared.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ComparisonError {
    /// Git does not answer.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A folder cannot be listed.
    #[error(transparent)]
    Read(#[from] ReadError),
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

impl Differences {
    /// Those of the paths that lie in `folder` and begin there with `letters`.
    pub fn beginning(&self, folder: &WorkspacePath, letters: &[u8]) -> &[WorkspacePath] {
        let letters = match folder.as_bytes() {
            b"" => Cow::Borrowed(letters),
            folder => Cow::Owned([folder, b"/", letters].concat()),
        };
        let first = self.paths.partition_point(|path| path.cmp_letters(&letters).is_lt());
        let count = self.paths[first..].partition_point(|path| path.as_bytes().starts_with(&letters));
        &self.paths[first..first + count]
    }

    /// Whether `path` itself is one of the paths.
    pub fn has(&self, path: &WorkspacePath) -> bool {
        self.paths.binary_search(path).is_ok()
    }

    fn add(&mut self, path: WorkspacePath, one: Option<&Name>, other: Option<&Name>) {
        let is_file = |name: Option<&Name>| name.is_none_or(|name| name.kind() == EntryKind::File);
        self.are_files &= is_file(one) && is_file(other);
        self.paths.push(path);
    }

    fn in_order(mut self) -> Self {
        self.paths.sort();
        self.folders.sort();
        self
    }
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
    /// The files of `base` beside those of `head`, or of the checkout. Nothing is read yet.
    pub fn new(repository: &Repository, base: &Commit, head: Option<&Commit>) -> Self {
        let changed = head.map_or_else(ChangedPlaces::default, |_commit| ChangedPlaces::none());
        let contents = Contents::Ids { but: changed.clone() };
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
                let files = CheckoutFiles::new(disk, base_files.clone(), changed.clone());
                Snapshot::of_origin(Box::new(files), repository.root(), None)
            }
        };
        let (repository, base_commit) = (repository.clone(), *base);
        let base = of_commit(base, &base_files);
        Self { base, head, base_files, head_files, changed, repository, base_commit }
    }

    /// Makes ready for somebody who loads a head that is a commit: all its folders, and what will be parsed, are read
    /// in one go.
    ///
    /// # Errors
    /// When git does not answer.
    pub fn read_all(&self) -> Result<(), GitError> {
        self.head_files.as_ref().map_or(Ok(()), CommitFiles::read_all)
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
    /// each folder of the base is, while git looks for files that differ.
    ///
    /// # Errors
    /// When git does not answer, or a folder cannot be listed.
    pub fn differences(&self) -> Result<Differences, ComparisonError> {
        let root = WorkspacePath::root();
        if self.head_files.is_some() {
            return Ok(self.differences_below(root, 0)?.in_order());
        }
        let found = thread::scope(|scope| {
            let asked = scope.spawn(|| self.repository.changed_in_checkout(&self.base_commit));
            self.base_files.read_folders()?;
            let found = self.differences_below(root, 0);
            self.changed.say(asked.join().expect("asking git does not panic")?);
            Ok::<_, ComparisonError>(found?)
        });
        let mut found = found?;
        for path in self.changed.each() {
            self.add_changed(path, &mut found)?;
        }
        Ok(found.in_order())
    }

    /// Where the two differ in what is in `folder`, `depth` folders below the root.
    fn differences_below(&self, folder: WorkspacePath, depth: usize) -> Result<Differences, ReadError> {
        let mut found = Differences { are_files: true, ..Differences::default() };
        let mut inner = Vec::new();
        let (before, after) = (self.names(&self.base_files, &folder)?, self.names_after(&folder)?);
        for (name, one, other) in beside(&before, &after) {
            if matches!((one, other), (Some(Name::Commit(..)), Some(_))) && one == other {
                continue;
            }
            match (one, other) {
                (None, Some(Name::Disk(EntryKind::Folder))) => found.folders.push(folder.join_name(name)),
                // Git says it where a submodule of the checkout differs.
                (Some(Name::Commit(Mode::Submodule, _)), Some(Name::Disk(EntryKind::Folder))) => {
                    inner.push(folder.join_name(name));
                }
                _ if [one, other].into_iter().flatten().all(Name::is_folder) => {
                    let path = folder.join_name(name);
                    if one.is_some_and(Name::is_submodule) || other.is_some_and(Name::is_submodule) {
                        found.add(path.clone(), one, other);
                    }
                    inner.push(path);
                }
                // Git says it where files of the checkout differ.
                (Some(one), Some(Name::Disk(kind))) if one.kind() == *kind => {}
                _ => found.add(folder.join_name(name), one, other),
            }
        }
        for inner in each(inner, depth, |_| true, |inner| self.differences_below(inner, depth + 1))? {
            found.are_files &= inner.are_files;
            found.paths.extend(inner.paths);
            found.folders.extend(inner.folders);
        }
        Ok(found)
    }

    /// Adds a place at which git says that the checkout differs, where both have the same kind of thing there: else
    /// their folders differ.
    fn add_changed(&self, path: &WorkspacePath, found: &mut Differences) -> Result<(), ReadError> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let place = Place { folder: &folder, name };
        let before =
            self.base_files.entry(place).map_err(|error| ReadError::io(path, io::Error::other(error)))?;
        let Some((mode, id)) = before.filter(|(mode, _)| *mode != Mode::Folder) else { return Ok(()) };
        let (one, other) =
            (Name::Commit(mode, id), self.head.entry(path)?.map(|entry| Name::Disk(entry.kind())));
        if let Some(other) = other.filter(|other| other.kind() == one.kind()) {
            found.add(path.clone(), Some(&one), Some(&other));
        }
        Ok(())
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
            None => self.changed.contain(&closed.path),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_alike_stands_together() {
        let path = |text: &str| WorkspacePath::root().resolve(text.as_bytes()).unwrap();
        let all = ["a", "a-b/c", "a.txt", "a/b", "a/b-c", "a/b/c", "a/bd", "b", "b/a", "ba", "\u{e9}/a"];
        let mut differences = Differences::default();
        differences.paths.extend(all.map(path));
        let differences = differences.in_order();
        let folders = [path("."), path("a"), path("a/b"), path("b"), path("c")];
        let letters = ["", "a", "a/", "a/b", "a/b/", "b", "b-", "ba", "c", "\u{e9}", "z"];
        for (folder, letters) in folders.iter().flat_map(|folder| letters.map(|letters| (folder, letters))) {
            let begins = |path: &&WorkspacePath| {
                let inner = path.letters_below(folder).filter(|_| *path != folder);
                inner.is_some_and(|inner| inner.starts_with(letters.as_bytes()))
            };
            let expected: Vec<&WorkspacePath> = differences.paths.iter().filter(begins).collect();
            let found: Vec<&WorkspacePath> =
                differences.beginning(folder, letters.as_bytes()).iter().collect();
            assert_eq!(found, expected, "{letters} in {folder}");
        }
        assert!(differences.has(&path("a/b")) && !differences.has(&path("a/c")));
    }
}
