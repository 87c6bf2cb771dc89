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
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::file_system::tells_of_changes;
use super::origin::{Content, Hashed, Listed, Origin, Place, StatResult, Text};
use super::read_error::ReadError;
use super::stat::{EntryKind, SpecialKind, Stat, Timestamp};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// How much of a file is read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// How much of a folder is listed at once.
#[cfg(target_os = "linux")]
const NAMES_BYTES: usize = 32 * 1024;

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

    /// The same workspace, to be looked at anew.
    pub(super) fn same_root(&self) -> Self {
        Self::new(self.root.clone())
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

    /// An opened regular file.
    fn open_file(&self, place: Place<'_>) -> Result<Opened, ReadError> {
        let changed = || ReadError::Changed { path: place.path() };
        let descriptor = self.open(place, OFlags::empty()).map_err(|cause| match cause {
            Errno::LOOP | Errno::NXIO => changed(),
            cause => ReadError::io(&place.path(), cause),
        })?;
        let stat = rustix::fs::fstat(&descriptor).map_err(|cause| ReadError::io(&place.path(), cause))?;
        match stat_of(&stat) {
            facts if facts.kind == EntryKind::File => {
                Ok(Opened { file: File::from(descriptor), facts, moment: self.now() })
            }
            _ => Err(changed()),
        }
    }
}

/// A file that is open and was not read yet.
struct Opened {
    file: File,
    facts: Stat,
    /// A moment before the first byte was read.
    moment: Timestamp,
}

impl Opened {
    /// Whether `count` bytes that were read are what the file holds as long as it has these facts.
    fn is_steady(&self, count: u64) -> Result<bool, Errno> {
        let again = || Ok(stat_of(&rustix::fs::fstat(&self.file)?));
        Ok(count == self.facts.size && is_steady(&self.facts, self.moment, again)?)
    }
}

/// Whether what was read from `moment` on can be kept under the facts `opened`, which were asked for before.
///
/// A change after `moment` gives other facts than those that were settled at that moment: what was read
/// in the midst of it lies under facts that nothing will have again. Where they were not settled, they are
/// asked for `again`.
fn is_steady(
    opened: &Stat,
    moment: Timestamp,
    again: impl FnOnce() -> Result<Stat, Errno>,
) -> Result<bool, Errno> {
    Ok(opened.settled_before(moment) || again()? == *opened)
}

impl Origin for Disk {
    fn again(&self) -> Box<dyn Origin> {
        Box::new(self.same_root())
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
        let facts = || Ok(stat_of(&rustix::fs::fstat(&descriptor)?));
        let (before, moment) = (facts().map_err(failed)?, self.now());
        let mut listed = Listed::default();
        let visit = |name: &CStr, file_type: FileType| {
            if name != c"." && name != c".." {
                let kind = match file_type {
                    FileType::Unknown => unlisted_kind(&descriptor, name)?,
                    known => kind_of(known),
                };
                listed.push(name.to_bytes(), kind);
            }
            Ok(())
        };
        each_name(&descriptor, visit).map_err(failed)?;
        let is_steady = is_steady(&before, moment, facts).map_err(failed)?;
        listed.steady = is_steady.then_some(before);
        Ok(listed)
    }

    fn link_target(&self, link: Place<'_>) -> Result<Box<[u8]>, ReadError> {
        let target = with_path(link, |path| rustix::fs::readlinkat(self.root()?, path, Vec::new()));
        let target = target.map_err(|cause| ReadError::io(&link.path(), cause))?;
        Ok(target.into_bytes().into_boxed_slice())
    }

    fn content(&self, file: Place<'_>) -> Result<Hashed, ReadError> {
        let failed = |cause: io::Error| ReadError::io(&file.path(), cause);
        let mut opened = self.open_file(file)?;
        let content = hash(&mut opened.file, opened.facts.size).map_err(failed)?;
        let is_steady = opened.is_steady(content.size).map_err(|cause| failed(cause.into()))?;
        Ok(Hashed { content, facts: opened.facts, is_steady })
    }

    fn read(&self, file: Place<'_>) -> Result<Text, ReadError> {
        let failed = |cause: io::Error| ReadError::io(&file.path(), cause);
        let opened = self.open_file(file)?;
        let size = opened.facts.size;
        let mut bytes = Vec::with_capacity(size.min(MOST_RESERVED) as usize + 1);
        // A bare file would ask the system for its size and position first, and for its end at last.
        let limit = if size == 0 { u64::MAX } else { size };
        (&opened.file).take(limit).read_to_end(&mut bytes).map_err(failed)?;
        let is_steady = opened.is_steady(bytes.len() as u64).map_err(|cause| failed(cause.into()))?;
        Ok(Text { bytes: bytes.into(), steady: is_steady.then_some(opened.facts) })
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

/// Gives `visit` every name in the opened `folder`, with what it is. One buffer does for all folders.
#[cfg(target_os = "linux")]
fn each_name(
    folder: &OwnedFd,
    mut visit: impl FnMut(&CStr, FileType) -> Result<(), Errno>,
) -> Result<(), Errno> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(NAMES_BYTES));
    }
    BUFFER.with_borrow_mut(|buffer| {
        let mut names = rustix::fs::RawDir::new(folder, buffer.spare_capacity_mut());
        while let Some(entry) = names.next() {
            let entry = entry?;
            visit(entry.file_name(), entry.file_type())?;
        }
        Ok(())
    })
}

/// As on Linux, through what every Unix has.
#[cfg(not(target_os = "linux"))]
fn each_name(
    folder: &OwnedFd,
    mut visit: impl FnMut(&CStr, FileType) -> Result<(), Errno>,
) -> Result<(), Errno> {
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        visit(entry.file_name(), entry.file_type())?;
    }
    Ok(())
}

/// The hash of a file that had `size` bytes when it was opened. The end is not asked for when they
/// were all read: a file that grew meanwhile has other facts.
fn hash(file: &mut File, size: u64) -> io::Result<Content> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let mut count = read_some(file, buffer)?;
        if count as u64 == size {
            return Ok(Content {
                hash: ContentHash::from_bytes(*blake3::hash(&buffer[..count]).as_bytes()),
                size,
            });
        }
        let mut hasher = blake3::Hasher::new();
        while count > 0 {
            hasher.update(&buffer[..count]);
            count = if hasher.count() == size { 0 } else { read_some(file, buffer)? };
        }
        let hash = ContentHash::from_bytes(*hasher.finalize().as_bytes());
        Ok(Content { hash, size: hasher.count() })
    })
}

/// Reads into `buffer`; 0 bytes at the end.
fn read_some(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Some file systems list names without saying what they are.
fn unlisted_kind(folder: &OwnedFd, name: &CStr) -> Result<EntryKind, Errno> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn changed_at(seconds: i64) -> Stat {
        let moment = Timestamp { seconds, nanoseconds: 0 };
        Stat {
            kind: EntryKind::File,
            permissions: 0o644,
            size: 1,
            modified: moment,
            changed: moment,
            inode: 1,
            device: 1,
        }
    }

    #[test]
    fn only_facts_that_were_not_settled_are_asked_for_again() {
        let opened = Timestamp { seconds: 1000, nanoseconds: 0 };
        assert!(is_steady(&changed_at(997), opened, || unreachable!("settled")).unwrap());
        for seconds in [998, 1000, 1001] {
            let facts = changed_at(seconds);
            assert!(is_steady(&facts, opened, || Ok(facts)).unwrap(), "{seconds}");
            assert!(!is_steady(&facts, opened, || Ok(changed_at(seconds + 1))).unwrap(), "{seconds}");
        }
    }
}
