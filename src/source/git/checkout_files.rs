//! The files of a checkout, told apart as those of a commit are, so that the two can be compared.
//!
//! What git says to be as in the commit is as in the commit, whatever filters, line ends and permissions
//! a checkout gives it; everything else is read.

use super::changed_places::ChangedPlaces;
use super::command::GitError;
use super::commit_files::{CommitFiles, facts, unreadable};
use super::object_id::ObjectId;
use super::tree::Mode;
use crate::source::disk::Disk;
use crate::source::origin::{Hashed, Listed, Origin, Place, StatResult, Text};
use crate::source::read_error::ReadError;
use crate::source::stat::{EntryKind, Stat, Timestamp};
use crate::types::workspace_path::WorkspacePath;

/// A checkout beside a commit.
pub(in crate::source) struct CheckoutFiles {
    disk: Disk,
    commit: CommitFiles,
    /// The places in which it differs from the commit.
    changed: ChangedPlaces,
}

impl CheckoutFiles {
    pub(in crate::source) fn new(disk: Disk, commit: CommitFiles, changed: ChangedPlaces) -> Self {
        Self { disk, commit, changed }
    }

    /// What the commit has at `place`, if the checkout has the same.
    fn same(&self, place: Place<'_>) -> Result<Option<(Mode, ObjectId)>, ReadError> {
        if self.changed.hold(&place) {
            return Ok(None);
        }
        self.commit.entry(place).map_err(|error: GitError| unreadable(&place, &error))
    }

    /// The facts that git would keep of an entry of the disk.
    fn kept(&self, place: Place<'_>, stat: &Stat) -> Result<Stat, ReadError> {
        let is_executable = stat.permissions & 0o100 != 0;
        Ok(match (stat.kind, self.same(place)?) {
            (EntryKind::File, Some((mode @ (Mode::File | Mode::Executable), _))) => facts(mode),
            (EntryKind::File, _) if is_executable => facts(Mode::Executable),
            (EntryKind::File, _) => facts(Mode::File),
            (EntryKind::Folder, _) => facts(Mode::Folder),
            (EntryKind::Link, _) => facts(Mode::Link),
            (EntryKind::Special(_), _) => Stat { permissions: 0o644, ..facts_of_special(stat) },
        })
    }
}

fn facts_of_special(stat: &Stat) -> Stat {
    Stat { kind: stat.kind, ..facts(Mode::File) }
}

impl Origin for CheckoutFiles {
    fn again(&self) -> Box<dyn Origin> {
        Box::new(Self::new(self.disk.same_root(), self.commit.clone(), self.changed.clone()))
    }

    fn telling_device(&self) -> Option<u64> {
        None
    }

    fn now(&self) -> Timestamp {
        self.disk.now()
    }

    fn stat(&self, place: Place<'_>) -> StatResult {
        self.disk.stat(place)?.map(|stat| self.kept(place, &stat)).transpose()
    }

    fn list(&self, folder: &WorkspacePath) -> Result<Listed, ReadError> {
        let all = self.disk.list(folder)?;
        let mut listed = Listed::default();
        // No commit has git's own folder, nor the file that a submodule or a worktree has in its place.
        for entry in all.entries.iter().filter(|entry| all.name(entry) != b".git") {
            listed.push(all.name(entry), entry.kind);
        }
        Ok(listed)
    }

    fn link_target(&self, link: Place<'_>) -> Result<Box<[u8]>, ReadError> {
        self.disk.link_target(link)
    }

    fn content(&self, file: Place<'_>) -> Result<Hashed, ReadError> {
        if let Some((mode @ (Mode::File | Mode::Executable), id)) = self.same(file)?
            && let Some(content) = self.commit.by_id(file, id)
        {
            return Ok(Hashed { content, facts: facts(mode), is_steady: false });
        }
        let hashed = self.disk.content(file)?;
        Ok(Hashed { facts: self.kept(file, &hashed.facts)?, is_steady: false, ..hashed })
    }

    fn read(&self, file: Place<'_>) -> Result<Text, ReadError> {
        Ok(Text { steady: None, ..self.disk.read(file)? })
    }
}
