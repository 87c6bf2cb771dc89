//! The files of a view as a tree.

use std::collections::HashMap;

use super::tree::{Content, Node, Owner, Tree};
use crate::build::builder::SentFolder;
use crate::build::keyed_file::KeyedFile;
use crate::oci::layer_entry::EntryKind;
use crate::types::file_entry::{FileEntry, FileKind};

/// The files of a view. All of them are root's, as BuildKit sends them.
#[derive(Debug)]
pub struct ContextTree<'v> {
    folder: SentFolder<'v>,
    by_path: HashMap<&'v [u8], &'v FileEntry>,
    names: HashMap<&'v [u8], Vec<&'v [u8]>>,
}

impl<'v> ContextTree<'v> {
    /// The tree of a view.
    pub fn new(folder: SentFolder<'v>) -> Self {
        let mut by_path = HashMap::with_capacity(folder.entries.len());
        let mut names: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
        for entry in folder.entries {
            let path = entry.path.as_bytes();
            by_path.insert(path, entry);
            names.entry(super::tree::parent(path)).or_default().push(super::tree::last_name(path));
        }
        names.values_mut().for_each(|names| names.sort_unstable());
        Self { folder, by_path, names }
    }

    /// The entry at `path`, as it was keyed.
    pub fn entry(&self, path: &[u8]) -> Option<&'v FileEntry> {
        self.by_path.get(path).copied()
    }
}

impl Tree for ContextTree<'_> {
    fn node(&self, path: &[u8]) -> Option<Node> {
        if path.is_empty() {
            return Some(Node::folder(0o755, Owner::default()));
        }
        let entry = self.entry(path)?;
        let (kind, content) = match &entry.kind {
            FileKind::Folder => (EntryKind::Folder, Content::Nothing),
            FileKind::Link { target } => (EntryKind::Link { target: target.clone() }, Content::Nothing),
            FileKind::File { size, content } => {
                let file = KeyedFile {
                    on_disk: entry.path.on_disk(self.folder.on_disk),
                    path: entry.path.clone(),
                    size: *size,
                    content: *content,
                };
                (EntryKind::File { size: *size }, Content::OnDisk(file))
            }
        };
        Some(Node { kind, content, ..Node::folder(entry.permissions, Owner::default()) })
    }

    fn names(&self, path: &[u8]) -> Vec<Box<[u8]>> {
        self.names.get(path).into_iter().flatten().map(|name| Box::from(*name)).collect()
    }
}
