//! Where a snapshot's bytes and its time come from: the one seam between a snapshot and the world.
//!
//! An origin answers by place and remembers nothing; remembering is the snapshot's business. A method
//! is called for a place that the origin itself listed, now or in an earlier run, so that no origin
//! follows a link.

use std::sync::Arc;

use super::read_error::ReadError;
use super::stat::{EntryKind, Stat, Timestamp};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// A folder and a name in it. Asking about a thousand files of one folder makes no thousand paths.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) folder: &'p WorkspacePath,
    /// Empty for the folder itself.
    pub(super) name: &'p [u8],
}

impl<'p> Place<'p> {
    /// The place of `folder` itself.
    pub(super) fn of_folder(folder: &'p WorkspacePath) -> Self {
        Self { folder, name: b"" }
    }

    pub(super) fn path(&self) -> WorkspacePath {
        if self.name.is_empty() { self.folder.clone() } else { self.folder.join_name(self.name) }
    }
}

/// What is in a folder: all names in one text.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    pub(super) names: Vec<u8>,
    pub(super) entries: Vec<ListedEntry>,
    /// The folder's own facts when it was opened; `None` when a change while it was listed need not show
    /// in them, and there was one.
    pub(super) steady: Option<Stat>,
}

/// A name in a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListedEntry {
    /// Where the name begins in [`Listed::names`].
    pub(super) start: u32,
    pub(super) length: u32,
    pub(super) kind: EntryKind,
    /// Whether a package may lie in a folder or below it, as far as that is known without looking.
    pub(super) may_hold_packages: bool,
}

impl Listed {
    /// Adds a name of which nothing is known but what it is.
    pub(super) fn push(&mut self, name: &[u8], kind: EntryKind) {
        self.add(name, kind, true);
    }

    /// Adds a folder.
    pub(super) fn push_folder(&mut self, name: &[u8], may_hold_packages: bool) {
        self.add(name, EntryKind::Folder, may_hold_packages);
    }

    fn add(&mut self, name: &[u8], kind: EntryKind, may_hold_packages: bool) {
        // A folder with names of four gigabytes is beyond every file system.
        let start = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.extend_from_slice(name);
        let length = name.len() as u32;
        self.entries.push(ListedEntry { start, length, kind, may_hold_packages });
    }

    /// The name of one of its entries.
    pub(super) fn name(&self, entry: &ListedEntry) -> &[u8] {
        &self.names[entry.start as usize..(entry.start + entry.length) as usize]
    }
}

/// The hash of a file's bytes, and how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The hash of the bytes.
    pub hash: ContentHash,
    /// How many bytes were hashed.
    pub size: u64,
}

/// What was hashed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashed {
    pub(super) content: Content,
    /// The facts that the very file that was read had when it was opened.
    pub(super) facts: Stat,
    /// Whether a change while it was read must show in its facts, or there was none.
    pub(super) is_steady: bool,
}

impl Hashed {
    /// The facts under which the content can be kept.
    pub(super) fn steady(&self) -> Option<Stat> {
        self.is_steady.then_some(self.facts)
    }
}

/// The bytes of a file.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) bytes: Arc<[u8]>,
    /// The facts of the very file that was read when it was opened; `None` when a change while it was read
    /// need not show in them, and there was one.
    pub(super) steady: Option<Stat>,
}

/// What is known of one entry; `None` when it vanished after its folder was listed.
pub(super) type StatResult = Result<Option<Stat>, ReadError>;

/// Something that has folders and files.
pub(super) trait Origin: Send + Sync {
    /// The same files, to be looked at anew.
    fn again(&self) -> Box<dyn Origin>;

    /// The device of the root, when a change of anything on it shows in what the system tells of it.
    fn telling_device(&self) -> Option<u64>;

    /// The time.
    fn now(&self) -> Timestamp;

    /// The facts of an entry.
    fn stat(&self, place: Place<'_>) -> StatResult;

    /// What is in a folder, in any order.
    fn list(&self, folder: &WorkspacePath) -> Result<Listed, ReadError>;

    /// Whether it is known, without looking, that there is neither a link nor another repository in it.
    fn holds_no_links(&self) -> bool {
        false
    }

    /// Where a link points, as it is stored.
    fn link_target(&self, link: Place<'_>) -> Result<Box<[u8]>, ReadError>;

    /// The hash of a file.
    fn content(&self, file: Place<'_>) -> Result<Hashed, ReadError>;

    /// The bytes of a file.
    fn read(&self, file: Place<'_>) -> Result<Text, ReadError>;
}
