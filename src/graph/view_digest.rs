//! The Merkle digest of what a view holds.
//!
//! | enters | why |
//! |---|---|
//! | the name, the kind, and the order by name | they are what a builder sees |
//! | permission bits | a `COPY` keeps them |
//! | a link's target, a file's size and content | likewise |
//!
//! | never enters | why |
//! |---|---|
//! | times, owners, inode numbers, extended attributes | no builder is sent them |
//! | where the context lies, the order in which the disk lists names | a fresh clone has the same key |
//! | whether a folder holds more than the view | it cannot be read |
//!
//! A folder's digest covers its kept entries; each folder in it counts by its own digest.

use super::view_error::ViewError;
use super::view_filter::{Inside, Kept};
use crate::source::parallel::each;
use crate::source::read_error::ReadError;
use crate::source::stat::{EntryKind, SpecialKind};
use crate::types::digest::{ContentHash, TreeDigest};
use crate::types::file_entry::{FileEntry, FileKind};

/// The derived-key context: another encoding must have another name.
const CONTEXT: &str = "imgraph view folder, version 1";

/// What Linux gives every link, and nobody can change.
const LINK_PERMISSIONS: u32 = 0o777;

/// A kept entry and, for a folder, the digest of and the entries in it.
struct Described {
    entry: FileEntry,
    inside: Option<(TreeDigest, Vec<FileEntry>)>,
}

/// The digest of `inside` and its entries, each folder directly before what is in it. Files are
/// hashed in parallel. What vanished after its folder was listed is left out.
pub(super) fn describe(inside: Inside<'_>) -> Result<(TreeDigest, Vec<FileEntry>), ViewError> {
    let Inside { folder, entries, whole } = inside;
    let depth = entries.first().map_or(0, |kept| kept.path.names().count() - 1);
    let described = each(entries, depth, |kept| kept.inside.is_some(), describe_entry)?;
    let described: Vec<Described> = described.into_iter().flatten().collect();
    let compute = || Ok(digest(&described));
    let digest = if whole { folder.whole_digest(compute)? } else { digest(&described) };
    let below = |described: &Described| described.inside.as_ref().map_or(0, |(_, entries)| entries.len());
    let mut listed = Vec::with_capacity(described.len() + described.iter().map(below).sum::<usize>());
    for Described { entry, inside } in described {
        listed.push(entry);
        if let Some((_, mut entries)) = inside {
            listed.append(&mut entries);
        }
    }
    Ok((digest, listed))
}

fn describe_entry(kept: Kept<'_>) -> Result<Option<Described>, ViewError> {
    let Kept { entry, path, inside } = kept;
    // A file that is opened tells its facts, so that they need not be asked for.
    let content = (entry.kind() == EntryKind::File).then(|| entry.content());
    let Some(stat) = entry.stat()? else { return Ok(None) };
    let mut permissions = stat.permissions;
    let kind = match entry.kind() {
        EntryKind::Folder => FileKind::Folder,
        EntryKind::File => {
            let content = content.unwrap_or_else(|| entry.content())?;
            FileKind::File { size: content.size, content: content.hash }
        }
        EntryKind::Link => {
            permissions = LINK_PERMISSIONS;
            FileKind::Link { target: entry.link_target()?.into() }
        }
        // fsutil clears the bit that makes it a socket and cannot open it: an empty file arrives.
        EntryKind::Special(SpecialKind::Socket) => {
            let content = ContentHash::from_bytes(*blake3::hash(b"").as_bytes());
            FileKind::File { size: 0, content }
        }
        EntryKind::Special(kind) => {
            return Err(ReadError::Special { path: entry.path(), kind: kind.words() }.into());
        }
    };
    let inside = inside.map(describe).transpose()?;
    Ok(Some(Described { entry: FileEntry { path, permissions, kind }, inside }))
}

fn digest(entries: &[Described]) -> TreeDigest {
    let mut text = Vec::with_capacity(entries.len() * 96);
    for Described { entry, inside } in entries {
        write_bytes(&mut text, entry.path.file_name().unwrap_or_default());
        text.extend_from_slice(&entry.permissions.to_le_bytes());
        match &entry.kind {
            FileKind::Folder => {
                text.push(b'd');
                if let Some((digest, _)) = inside {
                    text.extend_from_slice(digest.as_bytes());
                }
            }
            FileKind::File { size, content } => {
                text.push(b'f');
                text.extend_from_slice(&size.to_le_bytes());
                text.extend_from_slice(content.as_bytes());
            }
            FileKind::Link { target } => {
                text.push(b'l');
                write_bytes(&mut text, target);
            }
        }
    }
    TreeDigest::from_bytes(blake3::derive_key(CONTEXT, &text))
}

fn write_bytes(text: &mut Vec<u8>, bytes: &[u8]) {
    text.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    text.extend_from_slice(bytes);
}
