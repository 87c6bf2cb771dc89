//! An entry of a snapshot: its facts, its bytes, where it points; each asked for at most once.

use std::sync::Arc;

use super::FolderRef;
use crate::source::cells::{Cell, FileCell, Target};
use crate::source::folder::{Listing, Node};
use crate::source::lookout::Lookout;
use crate::source::origin::{Content, Hashed, Place, Text};
use crate::source::read_error::ReadError;
use crate::source::stat::{EntryKind, Stat};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// An entry of a folder of a snapshot. Nothing but its name and kind is known until it is asked for.
#[derive(Clone, Copy)]
pub struct EntryRef<'s> {
    pub(super) parent: FolderRef<'s>,
    pub(super) listing: &'s Listing,
    pub(super) node: &'s Node,
}

impl<'s> EntryRef<'s> {
    /// Its name in its folder.
    pub fn name(&self) -> &'s [u8] {
        self.listing.name(self.node)
    }

    /// Its path from the workspace's root.
    pub fn path(&self) -> WorkspacePath {
        self.parent.path().join_name(self.name())
    }

    /// What it is, as its folder listed it.
    pub fn kind(&self) -> EntryKind {
        self.node.kind
    }

    /// Whether it is a folder. Who wants to know no more need not look at the folder itself.
    pub fn is_folder(&self) -> bool {
        self.kind() == EntryKind::Folder
    }

    /// The folder, when it is one.
    pub fn as_folder(&self) -> Option<FolderRef<'s>> {
        let FolderRef { shared, folder } = self.parent;
        let folder = folder.inner(self.listing, self.node, &shared.lookout)?;
        Some(FolderRef { shared, folder })
    }

    /// Whether a package may lie in it or below it, for a folder, as far as that is known without looking.
    pub(in crate::source) fn may_hold_packages(&self) -> bool {
        self.node.may_hold_packages
    }

    /// Its facts; `None` when it vanished after its folder was listed.
    ///
    /// # Errors
    /// When the facts cannot be had, or say that it became another kind of thing.
    pub fn stat(&self) -> Result<Option<Stat>, ReadError> {
        let stat = match self.as_folder() {
            Some(inside) => Some(inside.folder.facts(self.lookout())),
            None => self.cell().map(|cell| cell.stat(&*self.lookout().origin, self.place())),
        };
        // An entry that is no folder has a cell.
        match stat.unwrap_or(&Ok(None)) {
            Ok(Some(stat)) if stat.kind != self.kind() => Err(ReadError::Changed { path: self.path() }),
            stat => stat.clone(),
        }
    }

    /// The hash of its bytes and their number, for a file; read at most once.
    ///
    /// # Errors
    /// When it is no file, vanished, or cannot be read.
    pub fn content(&self) -> Result<Content, ReadError> {
        match self.cell() {
            Some(Cell::File(file)) => file.content(|| self.hash(file)),
            _ => Err(ReadError::WrongKind { path: self.path(), expected: "file" }),
        }
    }

    /// What the file holds: as the index knows it, as the snapshot before this one knows it, or read.
    ///
    /// A file of which neither can know anything is not asked for its facts first: once it is open, it
    /// tells them. Where it cannot be opened, they say why.
    fn hash(&self, file: &FileCell) -> Result<Hashed, ReadError> {
        let may_be_known = self.node.number.is_some() || self.parent.shared.before.is_some();
        if !may_be_known
            && Cell::File(file).asked_stat().is_none()
            && let Ok(hashed) = self.hash_bytes()
        {
            file.set_stat(hashed.facts);
            return Ok(hashed);
        }
        let stat = self.stat()?.ok_or_else(|| ReadError::Missing { path: self.path() })?;
        if let Some(content) = self.lookout().known_content(self.node.number, &stat) {
            return Ok(Hashed { content, facts: stat, is_steady: true });
        }
        if let Some(before) = &self.parent.shared.before
            && let Some(content) = before.unchanged_content(&self.path(), &stat)
        {
            return Ok(Hashed { content, facts: stat, is_steady: true });
        }
        self.hash_bytes()
    }

    fn hash_bytes(&self) -> Result<Hashed, ReadError> {
        let hashed = self.lookout().origin.content(self.place())?;
        self.lookout().learn_of(hashed.steady().as_ref());
        Ok(hashed)
    }

    /// The bytes of a file. What was read is known from here on as if it had been hashed.
    pub(super) fn read(&self) -> Result<Arc<[u8]>, ReadError> {
        let read = self.lookout().origin.read(self.place());
        if !read.as_ref().is_ok_and(|text| text.steady.is_some()) {
            self.lookout().lean_on_the_unsaid();
        }
        let Text { bytes, steady } = read?;
        if let Some(steady) = steady
            && let Some(Cell::File(file)) = self.cell()
        {
            let hash = ContentHash::from_bytes(*blake3::hash(&bytes).as_bytes());
            let content = Content { hash, size: steady.size };
            file.set_stat(steady);
            file.set_content(&Hashed { content, facts: steady, is_steady: true });
            if self.lookout().known_content(self.node.number, &steady) != Some(content) {
                self.lookout().learn_of(Some(&steady));
            }
        }
        Ok(bytes)
    }

    /// What it holds, when it is a file that was hashed already, and the facts under which that can be kept.
    pub(super) fn kept_content(&self) -> Option<(Content, &'s Stat)> {
        match self.listing.known_cell(self.node)? {
            Cell::File(file) => Some((file.known_content()?.ok()?, file.steady()?)),
            _ => None,
        }
    }

    /// Where it points, for a link.
    ///
    /// # Errors
    /// When it is no link, or cannot be read.
    pub fn link_target(&self) -> Result<&'s [u8], ReadError> {
        let Some(Cell::Link(link)) = self.cell() else {
            return Err(ReadError::WrongKind { path: self.path(), expected: "link" });
        };
        let target = link.target.get_or_init(|| self.read_link());
        target.as_ref().map(|target| &*target.text).map_err(Clone::clone)
    }

    /// Whether the index knows what it holds or where it points.
    pub(in crate::source) fn is_from_index(&self) -> bool {
        let (lookout, number) = (self.lookout(), self.node.number);
        self.stat().ok().flatten().is_some_and(|stat| {
            lookout.known_content(number, &stat).is_some() || lookout.known_target(number, &stat).is_some()
        })
    }

    /// The facts under which what it holds can be kept.
    pub(in crate::source) fn steady(&self) -> Option<Stat> {
        match self.listing.known_cell(self.node)? {
            Cell::File(file) => file.steady().copied(),
            cell @ Cell::Link(link) => {
                let target = link.target.get()?.as_ref().ok()?;
                cell.known_stat().copied().filter(|_| target.is_steady)
            }
            Cell::Special(_) => None,
        }
    }

    fn read_link(&self) -> Result<Target, ReadError> {
        let stat = self.stat().ok().flatten();
        if let Some(stat) = stat
            && let Some(text) = self.lookout().known_target(self.node.number, &stat)
        {
            return Ok(Target { text: text.into(), is_steady: true });
        }
        let text = self.lookout().origin.link_target(self.place())?;
        let is_steady = stat.is_some() && self.lookout().origin.stat(self.place())? == stat;
        self.lookout().learn_of(stat.as_ref().filter(|_| is_steady));
        Ok(Target { text, is_steady })
    }

    /// What is known of it, when it is no folder.
    fn cell(&self) -> Option<Cell<'s>> {
        self.listing.cell(self.node)
    }

    fn place(&self) -> Place<'s> {
        Place { folder: self.parent.path(), name: self.name() }
    }

    fn lookout(&self) -> &'s Lookout {
        &self.parent.shared.lookout
    }
}
