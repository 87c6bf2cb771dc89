//! All that lies in some places of a snapshot: for who has names of folders and wants names of files.

use std::collections::HashSet;

use super::Snapshot;
use crate::source::read_error::ReadError;
use crate::source::stat::EntryKind;
use crate::types::workspace_path::WorkspacePath;

/// What lies in some places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Below {
    /// The places that are folders, and all folders in them.
    pub folders: HashSet<WorkspacePath>,
    /// What is in these folders and is none.
    pub others: Vec<WorkspacePath>,
}

impl Snapshot {
    /// What lies in `places`. No link is followed.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn below(&self, places: &HashSet<WorkspacePath>) -> Result<Below, ReadError> {
        let mut below = Below::default();
        let mut pending: Vec<WorkspacePath> = Vec::new();
        for place in places {
            if self.entry(place)?.is_some_and(|entry| entry.kind() == EntryKind::Folder) {
                pending.push(place.clone());
            }
        }
        while let Some(path) = pending.pop() {
            let Some(folder) = self.folder(&path)?.filter(|_| below.folders.insert(path.clone())) else {
                continue;
            };
            for entry in folder.entries()? {
                match entry.kind() {
                    EntryKind::Folder => pending.push(entry.path()),
                    _ => below.others.push(entry.path()),
                }
            }
        }
        Ok(below)
    }
}
