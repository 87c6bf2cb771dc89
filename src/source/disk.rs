//! The workspace on disk: listing, facts, bytes. All system calls of the walk are in this file.
//!
//! Everything is asked for by its path from the opened root: for the seven files that a folder holds
//! on average this is as fast as opening each folder first, and needs no descriptors. Nothing here
//! follows a link in the last name; the names before it were folders when they were listed.

use std::cell::RefCell;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::file_system::tells_of_changes;
use super::origin::{Content, Hashed, Listed, Origin, Place, StatResult, Text};
use super::read_error::ReadError;
use super::stat::{EntryKind, SpecialKind, Stat, Timestamp};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// How much of a file is read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// For how many bytes of a text room is made before they are read.
const MOST_RESERVED: u64 = 1 << 20;

/// Entries must not be links. `NONBLOCK` keeps a pipe that took the place of a file from blocking for
/// ever.
const ENTRY: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// A workspace on disk.
pub(super) struct Disk {
    root: PathBuf,
    opened: OnceLock<Result<OwnedFd, Errno>>,
}

impl Disk {
    /// The workspace at `root`, an absolute path.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, opened: OnceLock::new() }
    }

    /// The root's descriptor: whoever replaces the root meanwhile does not replace it for this walk.
    fn root(&self) -> Result<BorrowedFd<'_>, Errno> {
        let open = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, &self.root, flags, Mode::empty())
        };
        self.opened.get_or_init(open).as_ref().map(OwnedFd::as_fd).map_err(|cause| *cause)
    }

    fn open(&self, place: Place<'_>, flags: OFlags) -> Result<OwnedFd, Errno> {
        let root = self.root()?;
        with_path(place, |path| rustix::fs::openat(root, path, ENTRY | flags, Mode::empty()))
    }

    /// An opened regular file and its facts.
    fn open_file(&self, place: Place<'_>) -> Result<(File, Stat), ReadError> {
        let changed = || ReadError::Changed { path: place.path() };
        let descriptor = self.open(place, OFlags::empty()).map_err(|cause| match cause {
            Errno::LOOP | Errno::NXIO => changed(),
            cause => ReadError::io(&place.path(), cause),
        })?;
        let stat = rustix::fs::fstat(&descriptor).map_err(|cause| ReadError::io(&place.path(), cause))?;
        match stat_of(&stat) {
            stat if stat.kind == EntryKind::File => Ok((File::from(descriptor), stat)),
            _ => Err(changed()),
        }
    }
}

impl Origin for Disk {
    fn again(&self) -> Box<dyn Origin> {
        Box::new(Self::new(self.root.clone()))
    }

    fn telling_device(&self) -> Option<u64> {
        let root = self.root().ok()?;
        let device = rustix::fs::fstat(root).ok()?.st_dev;
        tells_of_changes(root).then_some(device)
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn stat(&self, place: Place<'_>) -> StatResult {
        let stat = |path: &CStr| rustix::fs::statat(self.root()?, path, AtFlags::SYMLINK_NOFOLLOW);
        match with_path(place, stat) {
            Ok(stat) => Ok(Some(stat_of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(cause) => Err(ReadError::io(&place.path(), cause)),
        }
    }

    fn list(&self, folder: &WorkspacePath) -> Result<Listed, ReadError> {
        let failed = |cause: Errno| ReadError::io(folder, cause);
        let descriptor = self.open(Place::of_folder(folder), OFlags::DIRECTORY).map_err(failed)?;
        let mut directory = Dir::new(descriptor).map_err(failed)?;
        let before = facts(&directory).map_err(failed)?;
        let mut listed = Listed::default();
        while let Some(entry) = directory.read() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => unlisted_kind(&directory, entry.file_name()).map_err(failed)?,
                known => kind_of(known),
            };
            listed.push(name, kind);
        }
        listed.steady = (facts(&directory).map_err(failed)? == before).then_some(before);
        Ok(listed)
    }

    fn link_target(&self, link: Place<'_>) -> Result<Box<[u8]>, ReadError> {
        let target = with_path(link, |path| rustix::fs::readlinkat(self.root()?, path, Vec::new()));
        let target = target.map_err(|cause| ReadError::io(&link.path(), cause))?;
        Ok(target.into_bytes().into_boxed_slice())
    }

    fn content(&self, file: Place<'_>) -> Result<Hashed, ReadError> {
        let failed = |cause: io::Error| ReadError::io(&file.path(), cause);
        let (mut opened, before) = self.open_file(file)?;
        let content = hash(&mut opened, before.size).map_err(failed)?;
        let after = rustix::fs::fstat(&opened).map_err(|cause| failed(cause.into()))?;
        let steady = stat_of(&after) == before && content.size == before.size;
        Ok(Hashed { content, steady: steady.then_some(before) })
    }

    fn read(&self, file: Place<'_>) -> Result<Text, ReadError> {
        let failed = |cause: io::Error| ReadError::io(&file.path(), cause);
        let (opened, before) = self.open_file(file)?;
        let mut bytes = Vec::with_capacity(before.size.min(MOST_RESERVED) as usize + 1);
        // A bare file would ask the system for its size and position first.
        let mut opened = opened.take(u64::MAX);
        opened.read_to_end(&mut bytes).map_err(failed)?;
        let after = rustix::fs::fstat(opened.get_ref()).map_err(|cause| failed(cause.into()))?;
        let steady = stat_of(&after) == before && bytes.len() as u64 == before.size;
        Ok(Text { bytes, steady: steady.then_some(before) })
    }
}

/// Gives `ask` the path from the root as the system wants it, in a buffer that is used again.
fn with_path<Answer>(
    place: Place<'_>,
    ask: impl FnOnce(&CStr) -> Result<Answer, Errno>,
) -> Result<Answer, Errno> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        for part in [place.folder.as_bytes(), place.name].into_iter().filter(|part| !part.is_empty()) {
            if !buffer.is_empty() {
                buffer.push(b'/');
            }
            buffer.extend_from_slice(part);
        }
        if buffer.is_empty() {
            buffer.push(b'.');
        }
        buffer.push(0);
        // A name with a NUL byte cannot come from a folder; it is no name.
        ask(CStr::from_bytes_with_nul(buffer).map_err(|_nul_inside| Errno::INVAL)?)
    })
}

fn facts(directory: &Dir) -> Result<Stat, Errno> {
    Ok(stat_of(&directory.stat()?))
}

/// The hash of a file that had `size` bytes when it was opened. The end is not asked for when they
/// were all read: a file that grew meanwhile has other facts.
fn hash(file: &mut File, size: u64) -> io::Result<Content> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let mut hasher = blake3::Hasher::new();
        loop {
            match file.read(buffer) {
                Ok(0) => break,
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    if hasher.count() == size {
                        break;
                    }
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cause),
            }
        }
        let hash = ContentHash::from_bytes(*hasher.finalize().as_bytes());
        Ok(Content { hash, size: hasher.count() })
    })
}

/// Some file systems list names without saying what they are.
fn unlisted_kind(directory: &Dir, name: &CStr) -> Result<EntryKind, Errno> {
    match rustix::fs::statat(directory.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(kind_of(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(EntryKind::File),
        Err(cause) => Err(cause),
    }
}

fn kind_of(file_type: FileType) -> EntryKind {
    match file_type {
        FileType::Directory => EntryKind::Folder,
        FileType::RegularFile => EntryKind::File,
        FileType::Symlink => EntryKind::Link,
        FileType::Socket => EntryKind::Special(SpecialKind::Socket),
        FileType::Fifo => EntryKind::Special(SpecialKind::Pipe),
        FileType::BlockDevice | FileType::CharacterDevice | FileType::Unknown => {
            EntryKind::Special(SpecialKind::Device)
        }
    }
}

pub(super) fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    Stat {
        kind: kind_of(FileType::from_raw_mode(stat.st_mode)),
        permissions: stat.st_mode & 0o7777,
        size: stat.st_size as u64,
        modified: Timestamp { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec as u32 },
        changed: Timestamp { seconds: stat.st_ctime, nanoseconds: stat.st_ctime_nsec as u32 },
        inode: stat.st_ino,
        device: stat.st_dev,
    }
}
