//! One entry of a view: what is hashed, and what a builder is sent.
//!
//! The same value goes into the key and over the wire, so that what was keyed is what is built.

use super::digest::ContentHash;
use super::workspace_path::WorkspacePath;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its size in bytes.
        size: u64,
        /// The hash of its bytes.
        content: ContentHash,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as it is stored.
        target: Box<[u8]>,
    },
}

/// An entry of a folder, as a build sees it. Never holds a time or an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Relative to the context.
    pub path: WorkspacePath,
    /// Permission bits as a build keeps them, of the lower twelve bits of `st_mode`.
    pub permissions: u32,
    /// What it is.
    pub kind: FileKind,
}
