//! The workspace on disk: listing, facts, bytes. All system calls of the walk are in this file.
//!
//! Facts of a folder's entries are asked for relative to the opened folder, which spares the kernel
//! the way from the root for each file. Nothing here follows a link.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::origin::{Content, Listed, Origin, StatResult};
use super::read_error::ReadError;
use super::stat::{EntryKind, SpecialKind, Stat, Timestamp};
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// How much of a file is read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// A workspace on disk.
pub(super) struct Disk {
    pub(super) root: PathBuf,
}

impl Disk {
    /// Opens one entry, which must not be a link. `NONBLOCK` keeps a pipe that took the place of a
    /// file from blocking for ever.
    fn open(&self, path: &WorkspacePath, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        rustix::fs::openat(CWD, path.on_disk(&self.root), flags, Mode::empty())
    }

    fn open_file(&self, path: &WorkspacePath) -> Result<File, ReadError> {
        let descriptor = self.open(path, OFlags::empty()).map_err(|cause| match cause {
            Errno::LOOP | Errno::NXIO => ReadError::Changed { path: path.clone() },
            cause => ReadError::io(path, cause),
        })?;
        let stat = rustix::fs::fstat(&descriptor).map_err(|cause| ReadError::io(path, cause))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(File::from(descriptor)),
            _ => Err(ReadError::Changed { path: path.clone() }),
        }
    }
}

impl Origin for Disk {
    fn list(&self, folder: &WorkspacePath) -> Result<Vec<Listed>, ReadError> {
        let failed = |cause: Errno| ReadError::io(folder, cause);
        let descriptor = self.open(folder, OFlags::DIRECTORY).map_err(failed)?;
        let mut directory = Dir::new(descriptor).map_err(failed)?;
        let mut listed = Vec::new();
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
            listed.push(Listed { name: name.into(), kind });
        }
        Ok(listed)
    }

    fn stats(&self, folder: &WorkspacePath, names: &[&[u8]]) -> Result<Vec<StatResult>, ReadError> {
        let descriptor =
            self.open(folder, OFlags::DIRECTORY).map_err(|cause| ReadError::io(folder, cause))?;
        let stat = |name: &&[u8]| match rustix::fs::statat(&descriptor, *name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat_of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(cause) => Err(ReadError::io(&folder.join_name(name), cause)),
        };
        Ok(names.iter().map(stat).collect())
    }

    fn link_target(&self, link: &WorkspacePath) -> Result<Box<[u8]>, ReadError> {
        let target =
            std::fs::read_link(link.on_disk(&self.root)).map_err(|cause| ReadError::io(link, cause))?;
        Ok(target.into_os_string().into_vec().into_boxed_slice())
    }

    fn content(&self, file: &WorkspacePath, _stat: &Stat) -> Result<Content, ReadError> {
        let opened = self.open_file(file)?;
        hash(opened).map_err(|cause| ReadError::io(file, cause))
    }

    fn read(&self, file: &WorkspacePath) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        let mut opened = self.open_file(file)?;
        opened.read_to_end(&mut bytes).map_err(|cause| ReadError::io(file, cause))?;
        Ok(bytes)
    }
}

fn hash(mut file: File) -> io::Result<Content> {
    thread_local! {
        static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; BUFFER_BYTES]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let mut hasher = blake3::Hasher::new();
        loop {
            match file.read(buffer) {
                Ok(0) => break,
                Ok(count) => hasher.update(&buffer[..count]),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cause),
            };
        }
        let hash = ContentHash::from_bytes(*hasher.finalize().as_bytes());
        Ok(Content { hash, size: hasher.count() })
    })
}

/// Some file systems list names without saying what they are.
fn unlisted_kind(directory: &Dir, name: &std::ffi::CStr) -> Result<EntryKind, Errno> {
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

fn stat_of(stat: &rustix::fs::Stat) -> Stat {
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
