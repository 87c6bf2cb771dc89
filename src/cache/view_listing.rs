//! The files of a view, kept once under the view's digest, so that `explain` can say which changed.
//!
//! A form of our own, for three reasons: paths are bytes, which JSON cannot hold; neighbours share
//! most of their paths, so only what differs is written; and a listing of 50,000 files is a few
//! megabytes that are written and read in milliseconds. Each entry is
//!
//! ```text
//! kind (1 byte) | permissions | length shared with the path before | rest of the path, with its length
//! then: folder: nothing | file: size, 32 bytes of content hash | link: target, with its length
//! ```
//!
//! and numbers are LEB128: seven bits a byte, the lowest first.
//!
//! **Invariant:** reading never panics and never trusts a length that the bytes do not hold.

use super::folder::{CacheError, CacheFolder, Kind, Outlives};
use super::record_file::{self, Lookup};
use crate::types::digest::{ContentHash, TreeDigest};
use crate::types::file_entry::{FileEntry, FileKind};
use crate::types::workspace_path::WorkspacePath;

const FOLDER: u8 = 0;
const FILE: u8 = 1;
const LINK: u8 = 2;

/// The entries of the view `digest`, in the order in which they were kept.
pub fn load(folder: &CacheFolder, digest: &TreeDigest) -> Lookup<Vec<FileEntry>> {
    record_file::read(folder, &place(digest), |body| {
        decode(body).ok_or_else(|| "is not a listing of a view".to_owned())
    })
}

/// Keeps the entries of the view `digest`. What is kept already and whole is not written again.
///
/// # Errors
/// When the cache cannot be written.
pub fn store(folder: &CacheFolder, digest: &TreeDigest, entries: &[FileEntry]) -> Result<(), CacheError> {
    let place = place(digest);
    let body = encode(entries);
    let kept = record_file::read(folder, &place, |kept| Ok(kept == body));
    if kept == Lookup::Hit(true) {
        Ok(())
    } else {
        record_file::write(folder, &place, &body, Outlives::Power)
    }
}

fn place(digest: &TreeDigest) -> String {
    Kind::Views.place(&digest.to_string())
}

pub(super) fn encode(entries: &[FileEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * 64);
    let mut previous: &[u8] = &[];
    for entry in entries {
        let path = entry.path.as_bytes();
        let shared = previous.iter().zip(path).take_while(|(one, other)| one == other).count();
        bytes.push(match entry.kind {
            FileKind::Folder => FOLDER,
            FileKind::File { .. } => FILE,
            FileKind::Link { .. } => LINK,
        });
        put_number(&mut bytes, u64::from(entry.permissions));
        put_number(&mut bytes, shared as u64);
        put_bytes(&mut bytes, &path[shared..]);
        match &entry.kind {
            FileKind::Folder => {}
            FileKind::File { size, content } => {
                put_number(&mut bytes, *size);
                bytes.extend_from_slice(content.as_bytes());
            }
            FileKind::Link { target } => put_bytes(&mut bytes, target),
        }
        previous = path;
    }
    bytes
}

fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn put_bytes(bytes: &mut Vec<u8>, content: &[u8]) {
    put_number(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

/// The entries that `bytes` hold; `None` when they hold anything else.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<FileEntry>> {
    let mut reader = Reader { rest: bytes };
    let mut entries = Vec::new();
    let mut path = Vec::new();
    while !reader.rest.is_empty() {
        let entry = reader.entry(&mut path)?;
        entries.push(entry);
    }
    Some(entries)
}

/// Takes values off the front of bytes that may be anything.
struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    /// One entry. `path` is that of the entry before, and then that of this one.
    fn entry(&mut self, path: &mut Vec<u8>) -> Option<FileEntry> {
        let kind = self.byte()?;
        let permissions = u32::try_from(self.number()?).ok()?;
        let shared = self.length()?;
        if shared > path.len() {
            return None;
        }
        path.truncate(shared);
        path.extend_from_slice(self.counted()?);
        let kind = match kind {
            FOLDER => FileKind::Folder,
            FILE => FileKind::File {
                size: self.number()?,
                content: ContentHash::from_bytes(self.take(32)?.try_into().ok()?),
            },
            LINK => FileKind::Link { target: self.counted()?.into() },
            _ => return None,
        };
        Some(FileEntry { path: clean_path(path)?, permissions, kind })
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits != 0 && bits.leading_zeros() < shift {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn counted(&mut self) -> Option<&'b [u8]> {
        let length = self.length()?;
        self.take(length)
    }
}

/// The path that is written exactly so.
fn clean_path(bytes: &[u8]) -> Option<WorkspacePath> {
    let path = WorkspacePath::root().resolve(bytes).ok()?;
    (path.as_bytes() == bytes).then_some(path)
}
