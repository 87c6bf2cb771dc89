//! How an index lies in a file.
//!
//! ```text
//! header    magic 16, checksum 32, taken 12, user 4, root device 8, root inode 8,
//!           folders 4, entries 4, bytes of names 4, records 4
//! folders   facts 56, first entry 4, entries 4                     64 each
//! entries   name start 4, name length 2, kind 1, zero 1, number 4   12 each
//! records   facts 56, data 32                                      88 each
//! names     all names and link targets
//! ```
//!
//! Numbers are little-endian. The checksum (blake3) covers all that follows it. It is what keeps a
//! file that the system lost half of from being used, so that nothing has to be synced to the disk.
//! The parts of a kind have one size, so that a file is used as it was read, without an allocation an entry.
//!
//! Folder 0 is the root; a folder's number is larger than its parent's. The entries of a folder lie
//! together, sorted by name. An entry's number is that of a folder; of anything else it is the number of
//! its record, counted from 1, or 0 where nothing is known but the name. A record's data is a file's content
//! hash, or a link's target, as start and length in the names. Facts of zero bytes are no facts.

use crate::source::stat::{EntryKind, SpecialKind, Stat, Timestamp};

/// The version is in it: another layout, or another meaning of a fact, has another number.
pub(super) const MAGIC: &[u8; 16] = b"imgraph-index 2\n";
pub(super) const CHECKSUM_AT: usize = 16;
pub(super) const CHECKED_FROM: usize = 48;
pub(super) const TAKEN_AT: usize = 48;
/// What two indexes that know the same have in common begins here.
pub(super) const KNOWLEDGE_FROM: usize = USER_AT;
pub(super) const USER_AT: usize = 60;
pub(super) const ROOT_AT: usize = 64;
pub(super) const COUNTS_AT: usize = 80;
pub(super) const HEADER_BYTES: usize = 96;

pub(super) const FACTS_BYTES: usize = 56;
pub(super) const FOLDER_BYTES: usize = 64;
pub(super) const ENTRY_BYTES: usize = 12;
/// Where in an entry the letter of its kind stands.
pub(super) const KIND_AT: usize = 6;
/// Where in an entry its number begins.
pub(super) const ENTRY_NUMBER_AT: usize = 8;
pub(super) const RECORD_BYTES: usize = FACTS_BYTES + DATA_BYTES;
pub(super) const DATA_BYTES: usize = 32;

/// Facts as they are stored.
pub(super) type Facts = [u8; FACTS_BYTES];

pub(super) const NO_FACTS: Facts = [0; FACTS_BYTES];

/// Whose index it is: another user may be allowed to see less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) root_device: u64,
    pub(crate) root_inode: u64,
}

/// The first byte is the kind, which is never zero, so that no facts look like [`NO_FACTS`].
pub(super) fn facts(stat: &Stat) -> Facts {
    let mut facts = NO_FACTS;
    facts[0] = kind_letter(stat.kind);
    facts[2..4].copy_from_slice(&(stat.permissions as u16).to_le_bytes());
    facts[4..8].copy_from_slice(&stat.modified.nanoseconds.to_le_bytes());
    facts[8..12].copy_from_slice(&stat.changed.nanoseconds.to_le_bytes());
    let numbers = [
        stat.modified.seconds.cast_unsigned(),
        stat.changed.seconds.cast_unsigned(),
        stat.size,
        stat.inode,
        stat.device,
    ];
    for (place, number) in facts[16..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    facts
}

/// The permissions in `facts`.
pub(super) fn permissions(facts: &Facts) -> u32 {
    u32::from(u16::from_le_bytes([facts[2], facts[3]]))
}

pub(super) fn kind_letter(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Folder => b'd',
        EntryKind::File => b'f',
        EntryKind::Link => b'l',
        EntryKind::Special(SpecialKind::Socket) => b's',
        EntryKind::Special(SpecialKind::Pipe) => b'p',
        EntryKind::Special(SpecialKind::Device) => b'b',
    }
}

pub(super) fn kind_of(letter: u8) -> Option<EntryKind> {
    Some(match letter {
        b'd' => EntryKind::Folder,
        b'f' => EntryKind::File,
        b'l' => EntryKind::Link,
        b's' => EntryKind::Special(SpecialKind::Socket),
        b'p' => EntryKind::Special(SpecialKind::Pipe),
        b'b' => EntryKind::Special(SpecialKind::Device),
        _ => return None,
    })
}

/// The bytes at `at`; zeros where the file ends, which a reader has ruled out before.
#[inline]
pub(super) fn array<const LENGTH: usize>(bytes: &[u8], at: usize) -> [u8; LENGTH] {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; LENGTH])
}

#[inline]
pub(super) fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

pub(super) fn timestamp(bytes: &[u8], at: usize) -> Timestamp {
    Timestamp { seconds: i64::from_le_bytes(array(bytes, at)), nanoseconds: number(bytes, at + 8) }
}

pub(super) fn checksum(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("imgraph stat index 2");
    *hasher.update(bytes.get(CHECKED_FROM..).unwrap_or_default()).finalize().as_bytes()
}
