//! The nodes of a snapshot: folders that list themselves at most once, files hashed at most once.
//!
//! Every answer sits in a cell that is written once, so that nodes are shared by threads without a
//! lock around the tree. The facts of all entries of a folder are asked for together.

use std::sync::OnceLock;

use super::origin::{Content, Origin, StatResult};
use super::read_error::ReadError;
use super::stat::{EntryKind, SpecialKind};
use crate::types::digest::TreeDigest;
use crate::types::workspace_path::WorkspacePath;

/// A folder and what is known of it.
pub(super) struct Folder {
    pub(super) path: WorkspacePath,
    listing: OnceLock<Result<Box<[Node]>, ReadError>>,
    stats: OnceLock<Result<Box<[StatResult]>, ReadError>>,
    /// The digest of everything in the folder, when somebody needed it.
    pub(super) whole_digest: OnceLock<TreeDigest>,
}

/// An entry of a folder.
pub(super) struct Node {
    pub(super) name: Box<[u8]>,
    pub(super) body: Body,
}

/// What an entry holds.
pub(super) enum Body {
    Folder(Box<Folder>),
    File(OnceLock<Result<Content, ReadError>>),
    Link(OnceLock<Result<Box<[u8]>, ReadError>>),
    Special(SpecialKind),
}

impl Folder {
    pub(super) fn new(path: WorkspacePath) -> Self {
        Self { path, listing: OnceLock::new(), stats: OnceLock::new(), whole_digest: OnceLock::new() }
    }

    /// The entries, sorted by the bytes of their names.
    pub(super) fn nodes(&self, origin: &dyn Origin) -> Result<&[Node], ReadError> {
        let listing = self.listing.get_or_init(|| self.list(origin));
        listing.as_deref().map_err(Clone::clone)
    }

    fn list(&self, origin: &dyn Origin) -> Result<Box<[Node]>, ReadError> {
        let mut listed = origin.list(&self.path)?;
        listed.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        let node = |name: Box<[u8]>, kind| {
            let body = match kind {
                EntryKind::Folder => Body::Folder(Box::new(Self::new(self.path.join_name(&name)))),
                EntryKind::File => Body::File(OnceLock::new()),
                EntryKind::Link => Body::Link(OnceLock::new()),
                EntryKind::Special(kind) => Body::Special(kind),
            };
            Node { name, body }
        };
        Ok(listed.into_iter().map(|entry| node(entry.name, entry.kind)).collect())
    }

    /// The facts of the entry at `index` of [`Folder::nodes`].
    pub(super) fn stat(&self, origin: &dyn Origin, index: usize) -> StatResult {
        let stats = self.stats.get_or_init(|| {
            let names: Vec<&[u8]> = self.nodes(origin)?.iter().map(|node| &*node.name).collect();
            origin.stats(&self.path, &names).map(Vec::into_boxed_slice)
        });
        match stats {
            Ok(stats) => stats[index].clone(),
            Err(error) => Err(error.clone()),
        }
    }
}

impl Drop for Folder {
    /// Folders are freed one after the other: a tree may be deeper than a stack.
    fn drop(&mut self) {
        let mut pending = Vec::new();
        take_folders(self, &mut pending);
        while let Some(mut folder) = pending.pop() {
            take_folders(&mut folder, &mut pending);
        }
    }
}

/// Moves the folders in `folder` to `taken`.
fn take_folders(folder: &mut Folder, taken: &mut Vec<Folder>) {
    if let Some(Ok(nodes)) = folder.listing.take() {
        taken.extend(nodes.into_iter().filter_map(|node| match node.body {
            Body::Folder(folder) => Some(*folder),
            _ => None,
        }));
    }
}

impl Node {
    pub(super) fn kind(&self) -> EntryKind {
        match &self.body {
            Body::Folder(_) => EntryKind::Folder,
            Body::File(_) => EntryKind::File,
            Body::Link(_) => EntryKind::Link,
            Body::Special(kind) => EntryKind::Special(*kind),
        }
    }
}
