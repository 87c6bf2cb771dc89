//! An index as it was read: one buffer, looked into where it lies.

use std::num::NonZeroU32;
use std::ops::Range;

use super::IndexDamage;
use super::layout::{
    self, DATA_BYTES, ENTRY_BYTES, ENTRY_NUMBER_AT, FACTS_BYTES, FOLDER_BYTES, HEADER_BYTES, KIND_AT, Owner,
    RECORD_BYTES,
};
use crate::source::origin::Content;
use crate::source::stat::{EntryKind, Stat, Timestamp};
use crate::types::digest::ContentHash;

/// The number of a folder of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct FolderNumber(u32);

/// The number of an entry of an index, counted from 1, so that none takes no room of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct EntryNumber(NonZeroU32);

impl FolderNumber {
    /// The workspace's own folder.
    pub(in crate::source) const ROOT: Self = Self(0);
}

impl EntryNumber {
    /// The entry that stands at `place`, which is less than the number of entries.
    fn at(place: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(place))
    }

    fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// An index that was found whole.
#[derive(Debug)]
pub(in crate::source) struct StatIndex {
    bytes: Vec<u8>,
    entries_at: usize,
    records_at: usize,
    names_at: usize,
}

impl StatIndex {
    /// Checks everything, so that no question fails later.
    pub(in crate::source) fn decode(bytes: Vec<u8>) -> Result<Self, IndexDamage> {
        if bytes.len() < HEADER_BYTES || !bytes.starts_with(layout::MAGIC) {
            return Err(IndexDamage::Unknown);
        }
        let count = |place: usize| layout::number(&bytes, layout::COUNTS_AT + 4 * place) as usize;
        let (folders, entries, names, records) = (count(0), count(1), count(2), count(3));
        let entries_at = HEADER_BYTES + folders * FOLDER_BYTES;
        let records_at = entries_at + entries * ENTRY_BYTES;
        let names_at = records_at + records * RECORD_BYTES;
        let index = Self { bytes, entries_at, records_at, names_at };
        let has_length = names_at + names == index.bytes.len();
        let is_whole = || index.checksum() == layout::checksum(&index.bytes);
        let (is_whole, is_sound) =
            rayon::join(is_whole, || has_length && index.is_sound(folders, entries, records));
        match (is_whole, is_sound) {
            (true, true) => Ok(index),
            (false, _) => Err(IndexDamage::Checksum),
            (true, false) => Err(IndexDamage::Contradiction),
        }
    }

    /// What tells it from any other index.
    pub(in crate::source) fn checksum(&self) -> [u8; 32] {
        Self::checksum_of(&self.bytes)
    }

    /// The checksum in the bytes of an index.
    pub(in crate::source) fn checksum_of(bytes: &[u8]) -> [u8; 32] {
        layout::array(bytes, layout::CHECKSUM_AT)
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
        self.range(folder).map(EntryNumber::at)
    }

    /// The entry of that name.
    pub(in crate::source) fn entry(&self, folder: FolderNumber, name: &[u8]) -> Option<EntryNumber> {
        let Range { mut start, mut end } = self.range(folder);
        while start < end {
            let middle = start + (end - start) / 2;
            match self.name(EntryNumber::at(middle)).cmp(name) {
                std::cmp::Ordering::Less => start = middle + 1,
                std::cmp::Ordering::Equal => return Some(EntryNumber::at(middle)),
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
        start..start + u32::from(u16::from_le_bytes([record[4], record[5]]))
    }

    /// A part of the names.
    pub(in crate::source) fn text(&self, range: Range<u32>) -> &[u8] {
        let names = self.bytes.get(self.names_at..).unwrap_or_default();
        names.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    pub(in crate::source) fn kind(&self, entry: EntryNumber) -> EntryKind {
        // The letters were checked when the index was read.
        layout::kind_of(self.entry_record(entry)[KIND_AT]).unwrap_or(EntryKind::File)
    }

    /// The folder that the entry is, when it is one.
    pub(in crate::source) fn folder(&self, entry: EntryNumber) -> Option<FolderNumber> {
        (self.kind(entry) == EntryKind::Folder).then(|| FolderNumber(self.number(entry)))
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

    /// Whether something is known of the folder.
    pub(in crate::source) fn has_folder_facts(&self, folder: FolderNumber) -> bool {
        self.folder_facts(folder) != layout::NO_FACTS
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
        self.knows_entry(entry, EntryKind::File, stat, moment)
            .then(|| Content { hash: ContentHash::from_bytes(self.entry_data(entry)), size: stat.size })
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
        let data = self.entry_data(entry);
        let start = layout::number(&data, 0);
        self.text(start..start.saturating_add(layout::number(&data, 4)))
    }

    pub(super) fn folder_facts(&self, folder: FolderNumber) -> layout::Facts {
        layout::array(self.folder_record(folder), 0)
    }

    pub(super) fn entry_facts(&self, entry: EntryNumber) -> layout::Facts {
        self.record(entry).map_or(layout::NO_FACTS, |record| layout::array(record, 0))
    }

    pub(super) fn entry_data(&self, entry: EntryNumber) -> [u8; DATA_BYTES] {
        self.record(entry).map_or([0; DATA_BYTES], |record| layout::array(record, FACTS_BYTES))
    }

    /// Whether something is known of the entry besides its name and kind.
    pub(in crate::source) fn has_facts(&self, entry: EntryNumber) -> bool {
        self.number(entry) != 0 && self.kind(entry) != EntryKind::Folder
    }

    fn folder_record(&self, FolderNumber(number): FolderNumber) -> &[u8] {
        let at = HEADER_BYTES + number as usize * FOLDER_BYTES;
        &self.bytes[at..at + FOLDER_BYTES]
    }

    /// What is known of an entry that is no folder.
    fn record(&self, entry: EntryNumber) -> Option<&[u8]> {
        let number = self.has_facts(entry).then(|| self.number(entry))?.checked_sub(1)?;
        let at = self.records_at + number as usize * RECORD_BYTES;
        Some(&self.bytes[at..at + RECORD_BYTES])
    }

    fn number(&self, entry: EntryNumber) -> u32 {
        layout::number(self.entry_record(entry), ENTRY_NUMBER_AT)
    }

    fn entry_record(&self, entry: EntryNumber) -> &[u8; ENTRY_BYTES] {
        let at = self.entries_at + entry.place() * ENTRY_BYTES;
        self.bytes[at..].first_chunk().expect("the index has as many entries as it says")
    }

    fn range(&self, folder: FolderNumber) -> Range<u32> {
        let record = self.folder_record(folder);
        let first = layout::number(record, FACTS_BYTES);
        first..first.saturating_add(layout::number(record, FACTS_BYTES + 4))
    }

    /// Whether all numbers lie inside, names are names and sorted, and folders form a tree.
    fn is_sound(&self, folders: usize, entries: usize, records: usize) -> bool {
        let mut next = Next { entry: 0, folder: 1, record: 1 };
        for number in 0..folders as u32 {
            let Range { start, end } = self.range(FolderNumber(number));
            if start != next.entry || end as usize > entries || number >= next.folder {
                return false;
            }
            let mut before: &[u8] = b"";
            for entry in (start..end).map(EntryNumber::at) {
                match self.sound_name(entry, records, &mut next).filter(|name| before < *name) {
                    Some(name) => before = name,
                    None => return false,
                }
            }
            next.entry = end;
        }
        let Next { entry, folder, record } = next;
        folders > 0 && (entry, folder, record - 1) == (entries as u32, folders as u32, records as u32)
    }

    /// The name of an entry with which nothing is wrong; folders and records are numbered in the order of their
    /// entries.
    fn sound_name(&self, entry: EntryNumber, records: usize, next: &mut Next) -> Option<&[u8]> {
        let record = self.entry_record(entry);
        let kind = layout::kind_of(record[KIND_AT])?;
        let start = layout::number(record, 0) as usize;
        let length = usize::from(u16::from_le_bytes([record[4], record[5]]));
        let name = self.bytes.get(self.names_at..)?.get(start..)?.get(..length)?;
        let is_name = name != b"." && name != b".." && !name.iter().any(|byte| matches!(byte, 0 | b'/'));
        let is_next = next.takes(kind, layout::number(record, ENTRY_NUMBER_AT));
        let is_sound = is_name && is_next && next.record as usize <= records + 1;
        let name = Some(name).filter(|_| is_sound)?;
        if kind == EntryKind::Link {
            let target = self.entry_data(entry);
            let end = layout::number(&target, 0) as usize + layout::number(&target, 4) as usize;
            return Some(name).filter(|_| self.names_at + end <= self.bytes.len());
        }
        Some(name)
    }
}

/// The numbers that come next when an index is read from its beginning.
struct Next {
    entry: u32,
    folder: u32,
    record: u32,
}

impl Next {
    /// Whether `number` is the next of its kind, or none where there may be none.
    fn takes(&mut self, kind: EntryKind, number: u32) -> bool {
        let next = match kind {
            EntryKind::Folder => &mut self.folder,
            _ if number == 0 => return true,
            _ => &mut self.record,
        };
        *next += 1;
        number == *next - 1
    }
}
