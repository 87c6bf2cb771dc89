//! The index of a layer: its tree, and where in the tar each file's bytes lie.
//!
//! It is flat: one list of records, in which the children of a folder stand side by side and sorted by name, and
//! one text with all names. A record takes about 80 bytes with its name. A path is found by a binary search
//! for each of its names; a record's own path is told by the records above it.
//!
//! What an index holds was checked when it was made: see `index_builder`. One that is read from its file has the
//! checksum that it was written with.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::oci::layer_entry::{Attribute, EntryKind, LayerEntry};

/// The record of a layer's root folder, which every index has.
pub const ROOT: u32 = 0;

/// A piece of an index's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Text {
    pub(super) at: u32,
    pub(super) length: u16,
}

/// What a record stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Content {
    Folder,
    File { offset: u64, size: u64, check: u64 },
    Link { target: Text },
    Device { is_character: bool, major: u32, minor: u32 },
    Pipe,
    Whiteout,
}

/// An entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) name: Text,
    pub(super) content: Content,
    /// The record of the folder that it is in; the root's is the root.
    pub(super) parent: u32,
    pub(super) first_child: u32,
    pub(super) children: u32,
    pub(super) mode: u16,
    /// For folders: hides what layers below have in it.
    pub(super) is_opaque: bool,
    /// For folders: no entry makes it, only entries below it.
    pub(super) is_implied: bool,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Files with the same number, unless it is 0, are one file with several names.
    pub(super) link_group: u32,
    /// The place of its attributes plus one; 0 for none.
    pub(super) attributes: u32,
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
}

/// The index of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerIndex {
    pub(super) records: Vec<Record>,
    pub(super) text: Vec<u8>,
    pub(super) attributes: Vec<Vec<Attribute>>,
    /// For each group of names of one file, the record that comes first in the order of paths. Numbers of
    /// groups begin with 1, so the first is of no group.
    pub(super) first_names: Vec<u32>,
}

impl LayerIndex {
    /// The index of a layer without entries.
    pub fn empty() -> Self {
        let root = Record::implied_folder(Text::default(), ROOT);
        Self { records: vec![root], text: Vec::new(), attributes: Vec::new(), first_names: vec![ROOT] }
    }

    /// How many records there are, the root and folders that no entry makes included.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.records.len() == 1 && self.records[0].is_implied && !self.records[0].is_opaque
    }

    /// The records of what is in the folder `record`, sorted by the bytes of their names. Whiteouts are
    /// among them.
    pub fn children(&self, record: u32) -> Range<u32> {
        let folder = &self.records[record as usize];
        folder.first_child..folder.first_child + folder.children
    }

    /// The name of `record`; empty for the root.
    pub fn name(&self, record: u32) -> &[u8] {
        self.text_at(self.records[record as usize].name)
    }

    /// The record of `name` in the folder `record`.
    pub fn child(&self, record: u32, name: &[u8]) -> Option<u32> {
        let range = self.children(record);
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle).cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// The record of the folder that `record` is in; the root is in itself.
    pub fn parent(&self, record: u32) -> u32 {
        self.records[record as usize].parent
    }

    /// The path of `record`, clean and relative to the root.
    pub fn path(&self, record: u32) -> Vec<u8> {
        let (mut names, mut at) = (Vec::new(), record);
        while at != ROOT {
            names.push(self.name(at));
            at = self.records[at as usize].parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// What `record` is. A file is a [`EntryKind::File`] under each of its names.
    pub fn kind(&self, record: u32) -> EntryKind {
        match self.records[record as usize].content {
            Content::Folder => EntryKind::Folder,
            Content::File { size, .. } => EntryKind::File { size },
            Content::Link { target } => EntryKind::Link { target: self.text_at(target).into() },
            Content::Device { is_character, major, minor } => {
                EntryKind::Device { is_character, major, minor }
            }
            Content::Pipe => EntryKind::Pipe,
            Content::Whiteout => EntryKind::Whiteout,
        }
    }

    /// Whether `record` is a folder.
    pub fn is_folder(&self, record: u32) -> bool {
        self.records[record as usize].content == Content::Folder
    }

    /// Whether `record` says that the path is gone.
    pub fn is_whiteout(&self, record: u32) -> bool {
        self.records[record as usize].content == Content::Whiteout
    }

    /// Whether `record` is a folder that hides what layers below have in it.
    pub fn is_opaque(&self, record: u32) -> bool {
        self.records[record as usize].is_opaque
    }

    /// Whether `record` is a folder that no entry makes: it is there for what is in it, and as layers below
    /// have it.
    pub fn is_implied(&self, record: u32) -> bool {
        self.records[record as usize].is_implied
    }

    /// The target of the symbolic link `record`.
    pub fn link_target(&self, record: u32) -> Option<&[u8]> {
        match self.records[record as usize].content {
            Content::Link { target } => Some(self.text_at(target)),
            _ => None,
        }
    }

    /// Where in the tar the bytes of the file `record` lie.
    pub fn bytes_at(&self, record: u32) -> Option<Range<u64>> {
        match self.records[record as usize].content {
            Content::File { offset, size, .. } => Some(offset..offset + size),
            _ => None,
        }
    }

    /// What the bytes of the file `record` were when the index was made.
    pub(super) fn check(&self, record: u32) -> u64 {
        match self.records[record as usize].content {
            Content::File { check, .. } => check,
            _ => 0,
        }
    }

    /// When `record` was changed: seconds since 1970, and nanoseconds.
    pub fn changed_at(&self, record: u32) -> (i64, u32) {
        let record = &self.records[record as usize];
        (record.seconds, record.nanoseconds)
    }

    /// The number of the file that `record` is one of several names of.
    pub fn link_group(&self, record: u32) -> Option<u32> {
        Some(self.records[record as usize].link_group).filter(|group| *group != 0)
    }

    /// Of a file's names, that whose path comes first.
    pub fn first_name(&self, record: u32) -> u32 {
        self.link_group(record).map_or(record, |group| self.first_names[group as usize])
    }

    /// The lower twelve bits of `st_mode`, the owner and the group of `record`.
    pub fn owner(&self, record: u32) -> (u32, u32, u32) {
        let record = &self.records[record as usize];
        (u32::from(record.mode), record.uid, record.gid)
    }

    /// The extended attributes of `record`.
    pub fn attributes(&self, record: u32) -> &[Attribute] {
        match self.records[record as usize].attributes {
            0 => &[],
            place => &self.attributes[place as usize - 1],
        }
    }

    /// `record` as the entry of a layer at `path`.
    pub fn entry(&self, record: u32, path: &[u8]) -> LayerEntry {
        let (mode, uid, gid) = self.owner(record);
        let xattrs = self.attributes(record).to_vec();
        LayerEntry { path: path.into(), kind: self.kind(record), mode, uid, gid, xattrs }
    }

    fn text_at(&self, text: Text) -> &[u8] {
        &self.text[text.at as usize..text.at as usize + usize::from(text.length)]
    }

    /// Whether all numbers lie within the lists that they point into, and children after their folder.
    pub(super) fn is_sound(&self) -> bool {
        let count = self.records.len() as u64;
        let has_text = |text: Text| u64::from(text.at) + u64::from(text.length) <= self.text.len() as u64;
        let is_sound = |(at, record): (usize, &Record)| {
            let first = u64::from(record.first_child);
            let children =
                record.children == 0 || (first > at as u64 && first + u64::from(record.children) <= count);
            let content = match record.content {
                Content::Link { target } => has_text(target),
                Content::File { offset, size, .. } => offset.checked_add(size).is_some(),
                _ => true,
            };
            let parent = record.parent < at as u32 || (at == 0 && record.parent == ROOT);
            let places = (record.attributes as usize) <= self.attributes.len()
                && (record.link_group as usize) < self.first_names.len().max(1);
            has_text(record.name) && children && content && parent && places
        };
        count > 0
            && self.records.iter().enumerate().all(is_sound)
            && self.first_names.iter().all(|first| u64::from(*first) < count)
    }
}

impl Record {
    /// A folder that no entry makes, as Docker makes it.
    pub(super) fn implied_folder(name: Text, parent: u32) -> Self {
        Self {
            name,
            content: Content::Folder,
            parent,
            first_child: 0,
            children: 0,
            mode: 0o755,
            is_opaque: false,
            is_implied: true,
            uid: 0,
            gid: 0,
            link_group: 0,
            attributes: 0,
            seconds: 0,
            nanoseconds: 0,
        }
    }
}
