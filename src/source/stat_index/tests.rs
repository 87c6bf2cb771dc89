//! The bytes of an index: what was written is read, and nothing else is.

use proptest::prelude::*;

use super::layout;
use super::*;
use crate::source::stat::{EntryKind, SpecialKind, Stat, Timestamp};
use crate::types::digest::ContentHash;

const OWNER: Owner = Owner { user: 1, root_device: 2, root_inode: 3 };
const TAKEN: Timestamp = Timestamp { seconds: 1000, nanoseconds: 5 };

fn stat(kind: EntryKind, size: u64) -> Stat {
    let modified = Timestamp { seconds: 500, nanoseconds: 1 };
    let changed = Timestamp { seconds: 600, nanoseconds: 999_999_999 };
    Stat { kind, permissions: 0o644, size, modified, changed, inode: 9, device: 4 }
}

/// A root with a file, a folder with a pipe in it, and a link; the parts begin with these folders.
fn example_of(parts: &[usize]) -> Vec<u8> {
    let of_part = |first: usize| {
        let mut part = IndexPart::with_room(4);
        let end = parts.iter().copied().find(|next| *next > first).unwrap_or(2);
        if (first..end).contains(&0) {
            let file = stat(EntryKind::File, 3);
            part.folder(&FolderKnowledge::Facts(&stat(EntryKind::Folder, 0)), 4);
            let hash = ContentHash::from_bytes([7; 32]);
            part.entry(b"file", EntryKind::File, &Knowledge::File(&file, hash));
            part.entry(b"folder", EntryKind::Folder, &Knowledge::Name);
            part.entry(b"further", EntryKind::Folder, &Knowledge::Name);
            part.entry(b"link", EntryKind::Link, &Knowledge::Link(&stat(EntryKind::Link, 4), b"file"));
        }
        if (first..end).contains(&1) {
            part.folder(&FolderKnowledge::Nothing, 4);
            part.entry(b"deep", EntryKind::Folder, &Knowledge::Name);
            part.entry(b"link", EntryKind::Link, &Knowledge::Link(&stat(EntryKind::Link, 5), b"there"));
            part.entry(b"name", EntryKind::File, &Knowledge::Name);
            part.entry(b"pipe", EntryKind::Special(SpecialKind::Pipe), &Knowledge::Name);
            part.folder(&FolderKnowledge::Nothing, 0);
            part.folder(&FolderKnowledge::Facts(&stat(EntryKind::Folder, 8)), 0);
        }
        part
    };
    let parts: Vec<IndexPart> = parts.iter().copied().map(of_part).collect();
    whole(&parts, TAKEN, OWNER, None).unwrap()
}

fn example() -> Vec<u8> {
    example_of(&[0])
}

#[test]
fn parts_are_the_same_index_as_one() {
    assert_eq!(example_of(&[0, 1]), example());
    let index = StatIndex::decode(example()).unwrap();
    let inside = index.folder(index.entry(FolderNumber::ROOT, b"folder").unwrap()).unwrap();
    let link = index.entry(inside, b"link").unwrap();
    assert_eq!(index.link_target(link, &stat(EntryKind::Link, 5), TAKEN), Some(&b"there"[..]));
    let deep = index.folder(index.entry(inside, b"deep").unwrap()).unwrap();
    assert!(index.knows_folder(deep, &stat(EntryKind::Folder, 8), TAKEN));
}

#[test]
fn what_was_written_is_read() {
    let index = StatIndex::decode(example()).unwrap();
    assert_eq!((index.taken(), index.owner()), (TAKEN, OWNER));
    let root = FolderNumber::ROOT;
    let names: Vec<&[u8]> = index.entries(root).map(|entry| index.name(entry)).collect();
    assert_eq!(names, [&b"file"[..], b"folder", b"further", b"link"]);
    let [file, folder, link] =
        [b"file".as_slice(), b"folder", b"link"].map(|name| index.entry(root, name).unwrap());
    let content = index.content(file, &stat(EntryKind::File, 3), TAKEN).unwrap();
    assert_eq!((content.size, content.hash.as_bytes()), (3, &[7; 32]));
    assert_eq!(index.link_target(link, &stat(EntryKind::Link, 4), TAKEN), Some(&b"file"[..]));
    assert_eq!(index.link_target(file, &stat(EntryKind::File, 3), TAKEN), None);
    assert!(index.knows_folder(root, &stat(EntryKind::Folder, 0), TAKEN));
    let inside = index.folder(folder).unwrap();
    assert!(!index.knows_folder(inside, &stat(EntryKind::Folder, 0), TAKEN));
    assert_eq!(index.kind(index.entry(inside, b"pipe").unwrap()), EntryKind::Special(SpecialKind::Pipe));
    assert_eq!(index.entry(inside, b"file"), None);
}

#[test]
fn facts_are_believed_only_when_they_are_old_enough() {
    let index = StatIndex::decode(example()).unwrap();
    let file = index.entry(FolderNumber::ROOT, b"file").unwrap();
    let known = |seconds| {
        let moment = Timestamp { seconds, nanoseconds: 0 };
        index.content(file, &stat(EntryKind::File, 3), moment).is_some()
    };
    assert_eq!([500, 600, 601, 602, 603, 604].map(known), [false, false, false, false, true, true]);
}

#[test]
fn an_index_that_says_the_same_is_not_written() {
    let earlier = StatIndex::decode(example()).unwrap();
    let mut part = IndexPart::default();
    let mut folders = vec![FolderNumber::ROOT];
    let mut next = 0;
    while let Some(folder) = folders.get(next).copied() {
        part.folder(&FolderKnowledge::Earlier(&earlier, folder), earlier.entries(folder).len());
        for entry in earlier.entries(folder) {
            part.entry(earlier.name(entry), earlier.kind(entry), &Knowledge::Earlier(&earlier, entry));
            folders.extend(earlier.folder(entry));
        }
        next += 1;
    }
    let later = Timestamp { seconds: 2000, nanoseconds: 0 };
    assert_eq!(whole(&[part], later, OWNER, Some(&earlier)), None);
}

#[test]
fn every_shorter_file_is_refused() {
    let whole = example();
    for length in 0..whole.len() {
        assert!(StatIndex::decode(whole[..length].to_vec()).is_err(), "{length}");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let whole = example();
    for at in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(StatIndex::decode(bytes).is_err(), "bit {at}");
    }
}

/// Asks everything that can be asked.
fn ask_all(index: &StatIndex) {
    let mut folders = vec![FolderNumber::ROOT];
    while let Some(folder) = folders.pop() {
        index.knows_folder(folder, &stat(EntryKind::Folder, 0), TAKEN);
        for entry in index.entries(folder) {
            assert_eq!(index.entry(folder, index.name(entry)), Some(entry));
            index.content(entry, &stat(EntryKind::File, 3), TAKEN);
            index.link_target(entry, &stat(EntryKind::Link, 4), TAKEN);
            folders.extend(index.folder(entry));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// Changes that bring their own right checksum: a writer with a mistake. Refused, or harmless.
    #[test]
    fn nonsense_with_a_right_checksum_never_panics(
        changes in prop::collection::vec((layout::COUNTS_AT..10_000, any::<u8>()), 1..4),
        cut in prop::option::of(layout::HEADER_BYTES..1000_usize),
    ) {
        let mut bytes = example();
        for (at, byte) in changes {
            let at = at % bytes.len();
            if at >= layout::CHECKED_FROM {
                bytes[at] = byte;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.max(layout::HEADER_BYTES));
        }
        let checksum = layout::checksum(&bytes);
        bytes[layout::CHECKSUM_AT..layout::CHECKED_FROM].copy_from_slice(&checksum);
        if let Ok(index) = StatIndex::decode(bytes) {
            ask_all(&index);
        }
    }

    /// Any bytes at all, with and without the right beginning.
    #[test]
    fn random_bytes_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..500), magic: bool) {
        if magic && bytes.len() >= layout::MAGIC.len() {
            bytes[..layout::MAGIC.len()].copy_from_slice(layout::MAGIC);
        }
        prop_assert!(StatIndex::decode(bytes).is_err());
    }
}
