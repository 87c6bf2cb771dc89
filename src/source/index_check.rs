//! Compares what an index says with the files as they are: all that a run would believe is read.
//!
//! It asks the same questions as a run, of two snapshots: one with the index, one without. Where a
//! run would read a file anyway there is nothing to compare.

use super::parallel::each;
use super::read_error::ReadError;
use super::snapshot::{EntryRef, FolderRef, Snapshot};
use super::stat::EntryKind;
use crate::types::workspace_path::WorkspacePath;

/// What was compared, and what was wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexCheck {
    /// Folders whose entries a run would not list again.
    pub folders: u64,
    /// Files that a run would not read again.
    pub files: u64,
    /// Links that a run would not read again.
    pub links: u64,
    /// Files and links that the index does not know as they are: a run would read them.
    pub unknown: u64,
    /// What a run would believe and is not so, sorted by path.
    pub wrong: Vec<WrongEntry>,
}

/// Something that the index says and that is not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongEntry {
    /// Where.
    pub path: WorkspacePath,
    /// What is wrong.
    pub what: Wrong,
}

/// What an index can be wrong about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The folder holds other entries.
    Entries,
    /// The file holds other bytes.
    Content,
    /// The link points elsewhere.
    Target,
}

impl Wrong {
    /// What is wrong, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Entries => "holds other entries",
            Self::Content => "holds other bytes",
            Self::Target => "points elsewhere",
        }
    }
}

/// Compares what the index of `indexed` says with what is there. What changes meanwhile is left out.
///
/// # Errors
/// When something cannot be read.
pub fn check(indexed: &Snapshot) -> Result<IndexCheck, ReadError> {
    let mut check = in_folder(indexed.root(), indexed.without_index().root())?;
    check.wrong.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(check)
}

impl IndexCheck {
    fn add(mut self, other: Self) -> Self {
        self.folders += other.folders;
        self.files += other.files;
        self.links += other.links;
        self.unknown += other.unknown;
        self.wrong.extend(other.wrong);
        self
    }

    fn find_wrong(&mut self, path: WorkspacePath, what: Wrong) {
        self.wrong.push(WrongEntry { path, what });
    }
}

fn in_folder(indexed: FolderRef<'_>, real: FolderRef<'_>) -> Result<IndexCheck, ReadError> {
    let (entries, real_entries) = (indexed.entries()?, real.entries()?);
    let mut check = IndexCheck::default();
    if indexed.is_from_index() {
        check.folders += 1;
        let names = |entries: &[EntryRef<'_>]| -> Vec<_> {
            entries.iter().map(|entry| (entry.name().to_vec(), entry.kind())).collect()
        };
        if names(&entries) != names(&real_entries) && indexed.steady() == real.steady() {
            check.find_wrong(indexed.path().clone(), Wrong::Entries);
        }
    }
    let pairs = entries.into_iter().filter_map(|entry| {
        let same = |real: &&EntryRef<'_>| real.name() == entry.name() && real.kind() == entry.kind();
        let at = real_entries.binary_search_by(|real| real.name().cmp(entry.name())).ok()?;
        real_entries.get(at).filter(same).map(|real| (entry, *real))
    });
    let depth = indexed.path().names().count();
    let found =
        each(pairs.collect(), depth, |(entry, _)| entry.is_folder(), |(entry, real)| in_entry(entry, real))?;
    Ok(found.into_iter().fold(check, IndexCheck::add))
}

fn in_entry(indexed: EntryRef<'_>, real: EntryRef<'_>) -> Result<IndexCheck, ReadError> {
    if let (Some(inside), Some(real)) = (indexed.as_folder(), real.as_folder()) {
        return if inside.is_in_index() { in_folder(inside, real) } else { Ok(IndexCheck::default()) };
    }
    let mut check = IndexCheck::default();
    if !indexed.is_from_index() {
        check.unknown += u64::from(matches!(indexed.kind(), EntryKind::File | EntryKind::Link));
        return Ok(check);
    }
    let (is_wrong, what) = if indexed.kind() == EntryKind::File {
        check.files += 1;
        (indexed.content()? != real.content()?, Wrong::Content)
    } else {
        check.links += 1;
        (indexed.link_target()? != real.link_target()?, Wrong::Target)
    };
    if is_wrong && indexed.steady() == real.steady() {
        check.find_wrong(indexed.path(), what);
    }
    Ok(check)
}
