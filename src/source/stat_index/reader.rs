//! An index as it was read: one buffer, looked into where it lies.

use std::ops::Range;

use super::IndexDamage;
use super::layout::{self, ENTRY_BYTES, FOLDER_BYTES, HEADER_BYTES, Owner};
use crate::source::origin::Content;
use crate::source::stat::{EntryKind, Stat, Timestamp};
use crate::types::digest::ContentHash;

/// The number of a folder of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct FolderNumber(u32);

/// The number of an entry of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct EntryNumber(u32);

impl EntryNumber {
    pub(in crate::source) fn number(self) -> u32 {
        self.0
    }
}

impl FolderNumber {
    pub(in crate::source) fn number(self) -> u32 {
        self.0
    }

    /// The workspace's own folder.
    pub(in crate::source) const ROOT: Self = Self(0);
}

/// An index that was found whole.
#[derive(Debug)]
pub(in crate::source) struct StatIndex {
    bytes: Vec<u8>,
    entries_at: usize,
    names_at: usize,
}

impl StatIndex {
    /// Checks everything, so that no question fails later.
    pub(in crate::source) fn decode(bytes: Vec<u8>) -> Result<Self, IndexDamage> {
        if bytes.len() < HEADER_BYTES || !bytes.starts_with(layout::MAGIC) {
            return Err(IndexDamage::Unknown);
        }
        if layout::array(&bytes, layout::CHECKSUM_AT) != layout::checksum(&bytes) {
            return Err(IndexDamage::Checksum);
        }
        let count = |place: usize| layout::number(&bytes, layout::COUNTS_AT + 4 * place) as usize;
        let (folders, entries, names) = (count(0), count(1), count(2));
        let entries_at = HEADER_BYTES + folders * FOLDER_BYTES;
        let names_at = entries_at + entries * ENTRY_BYTES;
        let index = Self { bytes, entries_at, names_at };
        if names_at + names == index.bytes.len() && index.is_sound(folders, entries) {
            Ok(index)
        } else {
            Err(IndexDamage::Contradiction)
        }
    }

    /// What tells it from any other index.
    pub(in crate::source) fn checksum(&self) -> [u8; 32] {
        layout::array(&self.bytes, layout::CHECKSUM_AT)
    }

    /// Bytes.
    pub(in crate::source) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// When the run that wrote it began to look.
    pub(in crate::source) fn taken(&self) -> Timestamp {
        layout::timestamp(&self.bytes, layout::TAKEN_AT)
    }

    /// Whose it is.
    pub(in crate::source) fn owner(&self) -> Owner {
        let device_and_inode = |at| u64::from_le_bytes(layout::array(&self.bytes, at));
        Owner {
            user: layout::number(&self.bytes, layout::USER_AT),
            root_device: device_and_inode(layout::ROOT_AT),
            root_inode: device_and_inode(layout::ROOT_AT + 8),
        }
    }

    /// All but the moment of the look.
    pub(super) fn knowledge(&self) -> &[u8] {
        &self.bytes[layout::KNOWLEDGE_FROM..]
    }

    /// The entries of a folder. Those of a folder that nobody looked into are none.
    pub(in crate::source) fn entries(
        &self,
        folder: FolderNumber,
    ) -> impl ExactSizeIterator<Item = EntryNumber> + use<> {
        self.range(folder).map(EntryNumber)
    }

    /// The entry of that name.
    pub(in crate::source) fn entry(&self, folder: FolderNumber, name: &[u8]) -> Option<EntryNumber> {
        let Range { mut start, mut end } = self.range(folder);
        while start < end {
            let middle = start + (end - start) / 2;
            match self.name(EntryNumber(middle)).cmp(name) {
                std::cmp::Ordering::Less => start = middle + 1,
                std::cmp::Ordering::Equal => return Some(EntryNumber(middle)),
                std::cmp::Ordering::Greater => end = middle,
            }
        }
        None
    }

    pub(in crate::source) fn name(&self, entry: EntryNumber) -> &[u8] {
        self.text(self.name_range(entry))
    }

    /// Where its name lies in [`StatIndex::text`].
    pub(in crate::source) fn name_range(&self, entry: EntryNumber) -> Range<u32> {
        let record = self.entry_record(entry);
        let start = layout::number(record, 0);
        start..start + u32::from(u16::from_le_bytes(layout::array(record, 4)))
    }

    /// A part of the names.
    pub(in crate::source) fn text(&self, range: Range<u32>) -> &[u8] {
        let names = self.bytes.get(self.names_at..).unwrap_or_default();
        names.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    pub(in crate::source) fn kind(&self, entry: EntryNumber) -> EntryKind {
        // The letters were checked when the index was read.
        layout::kind_of(self.entry_record(entry)[6]).unwrap_or(EntryKind::File)
    }

    /// The folder that the entry is, when it is one.
    pub(in crate::source) fn folder(&self, entry: EntryNumber) -> Option<FolderNumber> {
        let data = &self.entry_record(entry)[layout::ENTRY_DATA_AT..];
        (self.kind(entry) == EntryKind::Folder).then(|| FolderNumber(layout::number(data, 0)))
    }

    /// Whether a folder that has the facts `stat` at `moment` holds the entries that are known.
    pub(in crate::source) fn knows_folder(
        &self,
        folder: FolderNumber,
        stat: &Stat,
        moment: Timestamp,
    ) -> bool {
        stat.kind == EntryKind::Folder
            && stat.settled_before(moment)
            && self.folder_facts(folder) == layout::facts(stat)
    }

    /// The permissions that a folder had when somebody looked into it.
    pub(in crate::source) fn folder_permissions(&self, folder: FolderNumber) -> u32 {
        layout::permissions(&self.folder_facts(folder))
    }

    /// What a file that has the facts `stat` at `moment` holds, when that is known.
    pub(in crate::source) fn content(
        &self,
        entry: EntryNumber,
        stat: &Stat,
        moment: Timestamp,
    ) -> Option<Content> {
        self.knows_entry(entry, EntryKind::File, stat, moment).then(|| {
            let data = &self.entry_record(entry)[layout::ENTRY_DATA_AT..];
            Content { hash: ContentHash::from_bytes(layout::array(data, 0)), size: stat.size }
        })
    }

    /// Where a link that has the facts `stat` at `moment` points, when that is known.
    pub(in crate::source) fn link_target(
        &self,
        entry: EntryNumber,
        stat: &Stat,
        moment: Timestamp,
    ) -> Option<&[u8]> {
        self.knows_entry(entry, EntryKind::Link, stat, moment).then(|| self.stored_target(entry))
    }

    /// Whether what is known of an entry holds for one that has the facts `stat` at `moment`.
    pub(in crate::source) fn knows(&self, entry: EntryNumber, stat: &Stat, moment: Timestamp) -> bool {
        self.knows_entry(entry, stat.kind, stat, moment)
    }

    fn knows_entry(&self, entry: EntryNumber, kind: EntryKind, stat: &Stat, moment: Timestamp) -> bool {
        stat.kind == kind
            && self.kind(entry) == kind
            && stat.settled_before(moment)
            && self.entry_facts(entry) == layout::facts(stat)
    }

    pub(super) fn stored_target(&self, entry: EntryNumber) -> &[u8] {
        let data = &self.entry_record(entry)[layout::ENTRY_DATA_AT..];
        let start = layout::number(data, 0);
        self.text(start..start.saturating_add(layout::number(data, 4)))
    }

    pub(super) fn folder_facts(&self, folder: FolderNumber) -> layout::Facts {
        layout::array(self.folder_record(folder), 0)
    }

    pub(super) fn entry_facts(&self, entry: EntryNumber) -> layout::Facts {
        layout::array(self.entry_record(entry), layout::ENTRY_FACTS_AT)
    }

    pub(super) fn entry_data(&self, entry: EntryNumber) -> [u8; 32] {
        layout::array(self.entry_record(entry), layout::ENTRY_DATA_AT)
    }

    /// Whether something is known of the entry besides its name and kind.
    pub(in crate::source) fn has_facts(&self, entry: EntryNumber) -> bool {
        self.entry_facts(entry) != layout::NO_FACTS
    }

    fn folder_record(&self, FolderNumber(number): FolderNumber) -> &[u8] {
        let at = HEADER_BYTES + number as usize * FOLDER_BYTES;
        &self.bytes[at..at + FOLDER_BYTES]
    }

    fn entry_record(&self, EntryNumber(number): EntryNumber) -> &[u8] {
        let at = self.entries_at + number as usize * ENTRY_BYTES;
        &self.bytes[at..at + ENTRY_BYTES]
    }

    fn range(&self, folder: FolderNumber) -> Range<u32> {
        let record = self.folder_record(folder);
        let first = layout::number(record, layout::FACTS_BYTES);
        first..first.saturating_add(layout::number(record, layout::FACTS_BYTES + 4))
    }

    /// Whether all numbers lie inside, names are names and sorted, and folders form a tree.
    fn is_sound(&self, folders: usize, entries: usize) -> bool {
        let (mut next_entry, mut next_folder) = (0, 1);
        for number in 0..folders as u32 {
            let Range { start, end } = self.range(FolderNumber(number));
            if start != next_entry || end as usize > entries || number >= next_folder {
                return false;
            }
            let mut before: &[u8] = b"";
            for entry in (start..end).map(EntryNumber) {
                if !self.is_sound_entry(entry, before, &mut next_folder) {
                    return false;
                }
                before = self.name(entry);
            }
            next_entry = end;
        }
        folders > 0 && next_folder as usize == folders && next_entry as usize == entries
    }

    /// `before` is the name before it; folders are numbered in the order of their entries.
    fn is_sound_entry(&self, entry: EntryNumber, before: &[u8], next_folder: &mut u32) -> bool {
        let record = self.entry_record(entry);
        let start = layout::number(record, 0) as usize;
        let length = usize::from(u16::from_le_bytes(layout::array(record, 4)));
        if self.names_at + start + length > self.bytes.len() {
            return false;
        }
        let name = self.name(entry);
        let is_name = name != b"." && name != b".." && !name.iter().any(|byte| matches!(byte, 0 | b'/'));
        let kind = layout::kind_of(record[6]);
        let is_next = kind != Some(EntryKind::Folder) || {
            *next_folder += 1;
            layout::number(record, layout::ENTRY_DATA_AT) == *next_folder - 1
        };
        let target = &record[layout::ENTRY_DATA_AT..];
        let target_end = layout::number(target, 0) as usize + layout::number(target, 4) as usize;
        let has_target = kind != Some(EntryKind::Link) || self.names_at + target_end <= self.bytes.len();
        kind.is_some() && is_name && before < name && is_next && has_target
    }
}
