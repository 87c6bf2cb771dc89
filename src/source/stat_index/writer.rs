//! Puts an index together, folder by folder.
//!
//! Folders are written in the order in which they were announced by their parents' entries: breadth
//! first, so that a parent's number is smaller, and no tree is too deep. Parts of them are written side by side,
//! each with numbers of its own; put together, each number grows by what the parts before have.

use super::layout::{
    self, DATA_BYTES, ENTRY_BYTES, ENTRY_NUMBER_AT, FACTS_BYTES, Facts, KIND_AT, NO_FACTS, Owner,
    RECORD_BYTES,
};
use super::reader::{EntryNumber, FolderNumber, StatIndex};
use crate::source::stat::{EntryKind, Stat, Timestamp};
use crate::types::digest::ContentHash;

/// In bytes.
const USUAL_NAME: usize = 16;

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

/// Some folders of an index that is being written.
#[derive(Default)]
pub(in crate::source) struct IndexPart {
    folders: Vec<u8>,
    entries: Vec<u8>,
    records: Vec<u8>,
    names: Vec<u8>,
    announced: u32,
}

impl IndexPart {
    /// One with room for so many entries.
    pub(in crate::source) fn with_room(entries: usize) -> Self {
        Self {
            folders: Vec::new(),
            entries: Vec::with_capacity(entries * ENTRY_BYTES),
            records: Vec::with_capacity(entries * RECORD_BYTES),
            names: Vec::with_capacity(entries * USUAL_NAME),
            announced: 0,
        }
    }

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

    /// The number of the next folder among those that this part announces, counted from 1.
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
}

/// The index that `parts` are, in their order; `None` when `earlier` says all of it, or when it is too large for its
/// numbers.
pub(in crate::source) fn whole(
    parts: &[IndexPart],
    taken: Timestamp,
    owner: Owner,
    earlier: Option<&StatIndex>,
) -> Option<Vec<u8>> {
    let sum = |length: fn(&IndexPart) -> usize| parts.iter().map(length).sum::<usize>();
    let lengths = [
        sum(|part| part.folders.len()),
        sum(|part| part.entries.len()),
        sum(|part| part.records.len()),
        sum(|part| part.names.len()),
    ];
    let [folders, entries, records, names] = lengths;
    let counts = [folders / layout::FOLDER_BYTES, entries / ENTRY_BYTES, names, records / RECORD_BYTES];
    let mut bytes = Vec::with_capacity(layout::HEADER_BYTES + lengths.iter().sum::<usize>());
    bytes.extend_from_slice(layout::MAGIC);
    bytes.resize(layout::CHECKED_FROM, 0);
    bytes.extend_from_slice(&taken.seconds.to_le_bytes());
    bytes.extend_from_slice(&taken.nanoseconds.to_le_bytes());
    bytes.extend_from_slice(&owner.user.to_le_bytes());
    bytes.extend_from_slice(&owner.root_device.to_le_bytes());
    bytes.extend_from_slice(&owner.root_inode.to_le_bytes());
    for count in counts {
        bytes.extend_from_slice(&u32::try_from(count).ok()?.to_le_bytes());
    }
    append(&mut bytes, parts);
    if earlier.is_some_and(|earlier| earlier.knowledge() == &bytes[layout::KNOWLEDGE_FROM..]) {
        return None;
    }
    let checksum = layout::checksum(&bytes);
    bytes[layout::CHECKSUM_AT..layout::CHECKED_FROM].copy_from_slice(&checksum);
    Some(bytes)
}

/// Appends what the parts hold, their numbers made those of the whole. All of them fit.
fn append(bytes: &mut Vec<u8>, parts: &[IndexPart]) {
    let placed = parts.iter().scan(Before::default(), |all, part| {
        let before = *all;
        all.add(part);
        Some((part, before))
    });
    let placed: Vec<(&IndexPart, Before)> = placed.collect();
    for (part, before) in &placed {
        for folder in part.folders.chunks_exact(layout::FOLDER_BYTES) {
            push(bytes, folder, &[(FACTS_BYTES, before.entries)]);
        }
    }
    for (part, before) in &placed {
        for entry in part.entries.chunks_exact(ENTRY_BYTES) {
            let number = match (entry[KIND_AT], layout::number(entry, ENTRY_NUMBER_AT)) {
                (_, 0) => 0,
                (kind, _) if kind == layout::kind_letter(EntryKind::Folder) => before.announced,
                _ => before.records,
            };
            push(bytes, entry, &[(0, before.names), (ENTRY_NUMBER_AT, number)]);
        }
    }
    for (part, before) in &placed {
        for record in part.records.chunks_exact(RECORD_BYTES) {
            let is_link = record[0] == layout::kind_letter(EntryKind::Link);
            push(bytes, record, &[(FACTS_BYTES, if is_link { before.names } else { 0 })]);
        }
    }
    parts.iter().for_each(|part| bytes.extend_from_slice(&part.names));
}

/// Appends `piece`, the numbers at these places grown by so much.
fn push(bytes: &mut Vec<u8>, piece: &[u8], grown: &[(usize, u32)]) {
    let start = bytes.len();
    bytes.extend_from_slice(piece);
    for (at, more) in grown.iter().filter(|(_, more)| *more > 0) {
        let number = layout::number(piece, *at) + more;
        bytes[start + at..][..4].copy_from_slice(&number.to_le_bytes());
    }
}

/// How much the parts before one have.
#[derive(Clone, Copy, Default)]
struct Before {
    entries: u32,
    records: u32,
    names: u32,
    announced: u32,
}

impl Before {
    fn add(&mut self, part: &IndexPart) {
        self.entries += (part.entries.len() / ENTRY_BYTES) as u32;
        self.records += (part.records.len() / RECORD_BYTES) as u32;
        self.names += part.names.len() as u32;
        self.announced += part.announced;
    }
}
