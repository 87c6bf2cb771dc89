//! Puts an index together, folder by folder.
//!
//! Folders are written in the order in which they were announced by their parents' entries: breadth
//! first, so that a parent's number is smaller, and no tree is too deep.

use super::layout::{self, DATA_BYTES, ENTRY_BYTES, Facts, NO_FACTS, Owner, RECORD_BYTES};
use super::reader::{EntryNumber, FolderNumber, StatIndex};
use crate::source::stat::{EntryKind, Stat, Timestamp};
use crate::types::digest::ContentHash;

/// What is to be said of an entry.
pub(in crate::source) enum Knowledge<'k> {
    /// Nothing but its name and kind.
    Name,
    /// What an earlier index said of the entry of the same name and kind.
    Earlier(&'k StatIndex, EntryNumber),
    /// A file with these facts has this content.
    File(&'k Stat, ContentHash),
    /// A link with these facts points there.
    Link(&'k Stat, &'k [u8]),
}

/// What is to be said of a folder.
pub(in crate::source) enum FolderKnowledge<'k> {
    /// Which entries it had, and no more.
    Nothing,
    /// What an earlier index said: the entries that follow are the same.
    Earlier(&'k StatIndex, FolderNumber),
    /// A folder with these facts has the entries that follow.
    Facts(&'k Stat),
}

/// An index that is being written.
#[derive(Default)]
pub(in crate::source) struct IndexWriter {
    folders: Vec<u8>,
    entries: Vec<u8>,
    records: Vec<u8>,
    names: Vec<u8>,
    announced: u32,
}

impl IndexWriter {
    /// Begins with the next folder, whose entries are pushed next.
    pub(in crate::source) fn folder(&mut self, knowledge: &FolderKnowledge<'_>, entries: usize) {
        let facts = match knowledge {
            FolderKnowledge::Nothing => NO_FACTS,
            FolderKnowledge::Earlier(index, folder) => index.folder_facts(*folder),
            FolderKnowledge::Facts(stat) => layout::facts(stat),
        };
        let first = (self.entries.len() / ENTRY_BYTES) as u32;
        self.folders.extend_from_slice(&facts);
        self.folders.extend_from_slice(&first.to_le_bytes());
        self.folders.extend_from_slice(&(entries as u32).to_le_bytes());
    }

    /// Pushes an entry. Entries come sorted by name; each folder among them must be written later, in
    /// the order in which they were pushed.
    pub(in crate::source) fn entry(&mut self, name: &[u8], kind: EntryKind, knowledge: &Knowledge<'_>) {
        let start = self.text(name);
        let number = if kind == EntryKind::Folder { self.announce() } else { self.record(kind, knowledge) };
        self.entries.extend_from_slice(&start.to_le_bytes());
        self.entries.extend_from_slice(&(name.len() as u16).to_le_bytes());
        self.entries.extend_from_slice(&[layout::kind_letter(kind), 0]);
        self.entries.extend_from_slice(&number.to_le_bytes());
    }

    /// The number of the next folder.
    fn announce(&mut self) -> u32 {
        self.announced += 1;
        self.announced
    }

    /// Writes what is known of an entry that is no folder, and gives its number; 0 for nothing.
    fn record(&mut self, kind: EntryKind, knowledge: &Knowledge<'_>) -> u32 {
        let Some((facts, data)) = self.facts_and_data(kind, knowledge) else { return 0 };
        self.records.extend_from_slice(&facts);
        self.records.extend_from_slice(&data);
        (self.records.len() / RECORD_BYTES) as u32
    }

    fn facts_and_data(
        &mut self,
        kind: EntryKind,
        knowledge: &Knowledge<'_>,
    ) -> Option<(Facts, [u8; DATA_BYTES])> {
        match knowledge {
            Knowledge::Name => None,
            Knowledge::Earlier(index, entry) if !index.has_facts(*entry) => None,
            Knowledge::Earlier(index, entry) if kind == EntryKind::Link => {
                let target = index.stored_target(*entry);
                Some((index.entry_facts(*entry), self.target(target)))
            }
            Knowledge::Earlier(index, entry) => Some((index.entry_facts(*entry), index.entry_data(*entry))),
            Knowledge::File(stat, hash) => Some((layout::facts(stat), *hash.as_bytes())),
            Knowledge::Link(stat, target) => Some((layout::facts(stat), self.target(target))),
        }
    }

    /// Where a link points, as a record's data.
    fn target(&mut self, target: &[u8]) -> [u8; DATA_BYTES] {
        let mut data = [0; DATA_BYTES];
        data[..4].copy_from_slice(&self.text(target).to_le_bytes());
        data[4..8].copy_from_slice(&(target.len() as u32).to_le_bytes());
        data
    }

    fn text(&mut self, text: &[u8]) -> u32 {
        let start = self.names.len() as u32;
        self.names.extend_from_slice(text);
        start
    }

    /// The finished index; `None` when `earlier` says all of it, or when it is too large for its
    /// numbers.
    pub(in crate::source) fn finish(
        self,
        taken: Timestamp,
        owner: Owner,
        earlier: Option<&StatIndex>,
    ) -> Option<Vec<u8>> {
        let folders = u32::try_from(self.folders.len() / layout::FOLDER_BYTES).ok()?;
        let entries = u32::try_from(self.entries.len() / ENTRY_BYTES).ok()?;
        let names = u32::try_from(self.names.len()).ok()?;
        let records = u32::try_from(self.records.len() / RECORD_BYTES).ok()?;
        let parts = [&self.folders, &self.entries, &self.records, &self.names];
        let length = layout::HEADER_BYTES + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(layout::MAGIC);
        bytes.resize(layout::CHECKED_FROM, 0);
        bytes.extend_from_slice(&taken.seconds.to_le_bytes());
        bytes.extend_from_slice(&taken.nanoseconds.to_le_bytes());
        bytes.extend_from_slice(&owner.user.to_le_bytes());
        bytes.extend_from_slice(&owner.root_device.to_le_bytes());
        bytes.extend_from_slice(&owner.root_inode.to_le_bytes());
        for count in [folders, entries, names, records] {
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        parts.into_iter().for_each(|part| bytes.extend_from_slice(part));
        if earlier.is_some_and(|earlier| earlier.knowledge() == &bytes[layout::KNOWLEDGE_FROM..]) {
            return None;
        }
        let checksum = layout::checksum(&bytes);
        bytes[layout::CHECKSUM_AT..layout::CHECKED_FROM].copy_from_slice(&checksum);
        Some(bytes)
    }
}
