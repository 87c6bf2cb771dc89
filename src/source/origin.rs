//! Where a snapshot's bytes come from: the one seam between a snapshot and the disk.
//!
//! An origin answers by path and remembers nothing; remembering is the snapshot's business. A method
//! is called for a path that the origin itself listed, so that no origin follows a link.

use super::read_error::ReadError;
use super::stat::{EntryKind, Stat};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// A name in a folder.
pub(super) struct Listed {
    pub(super) name: Box<[u8]>,
    pub(super) kind: EntryKind,
}

/// The hash of a file's bytes, and how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The hash of the bytes.
    pub hash: ContentHash,
    /// How many bytes were hashed.
    pub size: u64,
}

/// What is known of one entry; `None` when it vanished after its folder was listed.
pub(super) type StatResult = Result<Option<Stat>, ReadError>;

/// Something that has folders and files.
pub(super) trait Origin: Send + Sync {
    /// What is in a folder, in any order.
    fn list(&self, folder: &WorkspacePath) -> Result<Vec<Listed>, ReadError>;

    /// The facts of the named entries of a folder, in the same order.
    fn stats(&self, folder: &WorkspacePath, names: &[&[u8]]) -> Result<Vec<StatResult>, ReadError>;

    /// Where a link points, as it is stored.
    fn link_target(&self, link: &WorkspacePath) -> Result<Box<[u8]>, ReadError>;

    /// The hash of a file that had the facts `stat`.
    fn content(&self, file: &WorkspacePath, stat: &Stat) -> Result<Content, ReadError>;

    /// The bytes of a file.
    fn read(&self, file: &WorkspacePath) -> Result<Vec<u8>, ReadError>;
}
