//! A folder that is open, and what is done in it: no path is ever followed through a link.
//!
//! All calls name one entry of a folder that is open, or go by `openat2` with links refused and everything kept
//! beneath the folder. Attributes of links and devices have no such call: they are reached through the
//! folder's own entry in `/proc`, with the last name not followed.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::ownership::Ownership;
use crate::oci::layer_entry::Attribute;

/// The most bytes of an attribute, and of the list of their names: `XATTR_SIZE_MAX` and `XATTR_LIST_MAX`.
const ATTRIBUTE_BYTES: usize = 64 << 10;

/// Only this, and nothing outside.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder that is open.
#[derive(Debug)]
pub(super) struct Handle(OwnedFd);

impl Handle {
    /// The folder `path`.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        rustix::fs::openat(CWD, path, FOLDER, Mode::empty()).map(Self)
    }

    /// The folder at `path` below this one; this one itself when `path` is empty.
    pub(super) fn folder(&self, path: &[u8]) -> Result<Self, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        rustix::fs::openat2(&self.0, path, FOLDER, Mode::empty(), BENEATH).map(Self)
    }

    /// The file at `path` below this folder, to be read.
    pub(super) fn file(&self, path: &[u8]) -> Result<File, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        rustix::fs::openat2(&self.0, path, flags, Mode::empty(), BENEATH).map(File::from)
    }

    /// Makes the file `name`, to be written by its owner.
    pub(super) fn create(&self, name: &[u8]) -> Result<File, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    /// Makes the folder `name`, for its owner alone, and opens it.
    pub(super) fn make_folder(&self, name: &[u8]) -> Result<Self, Errno> {
        rustix::fs::mkdirat(&self.0, name, Mode::RWXU)?;
        rustix::fs::openat(&self.0, name, FOLDER, Mode::empty()).map(Self)
    }

    /// Makes the symbolic link `name`.
    pub(super) fn make_link(&self, name: &[u8], target: &[u8]) -> Result<(), Errno> {
        rustix::fs::symlinkat(target, &self.0, name)
    }

    /// Makes `name` another name of `other` in `folder`.
    pub(super) fn make_hard_link(&self, name: &[u8], folder: &Self, other: &[u8]) -> Result<(), Errno> {
        rustix::fs::linkat(&folder.0, other, &self.0, name, AtFlags::empty())
    }

    /// Makes the node `name`.
    pub(super) fn make_node(
        &self,
        name: &[u8],
        kind: rustix::fs::FileType,
        major: u32,
        minor: u32,
    ) -> Result<(), Errno> {
        let device = rustix::fs::makedev(major, minor);
        rustix::fs::mknodat(&self.0, name, kind, Mode::RUSR | Mode::WUSR, device)
    }

    /// Gives `name` an owner; links are not followed.
    pub(super) fn set_owner(&self, name: &[u8], uid: u32, gid: u32) -> Result<(), Errno> {
        let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        rustix::fs::chownat(&self.0, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Gives `name` its owner and attributes; links are not followed. The mode comes after it: a change of owner takes
    /// bits of it and attributes away, and a mode may shut this process out.
    pub(super) fn give(
        &self,
        name: &[u8],
        (uid, gid): (u32, u32),
        attributes: &[Attribute],
        ownership: Ownership,
    ) -> Result<(), Errno> {
        if ownership.gives_away() {
            self.set_owner(name, uid, gid)?;
        }
        for (attribute, value) in attributes {
            match self.set_attribute(name, attribute, value) {
                // A file system may have no such attributes, and without root's privileges many are not to be had.
                // Docker goes on without them too.
                Err(Errno::NOTSUP) => {}
                Err(Errno::PERM | Errno::INVAL) if ownership != Ownership::Root => {}
                set => set?,
            }
        }
        Ok(())
    }

    /// Gives `name`, which is no link, a mode.
    pub(super) fn set_mode(&self, name: &[u8], mode: u32) -> Result<(), Errno> {
        rustix::fs::chmodat(&self.0, name, Mode::from_raw_mode(mode), AtFlags::empty())
    }

    /// Gives `name` a time; links are not followed.
    pub(super) fn set_time(&self, name: &[u8], seconds: i64, nanoseconds: u32) -> Result<(), Errno> {
        let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: i64::from(nanoseconds) as _ };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        rustix::fs::utimensat(&self.0, name, &times, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Gives `name` an attribute; links are not followed.
    pub(super) fn set_attribute(&self, name: &[u8], attribute: &[u8], value: &[u8]) -> Result<(), Errno> {
        rustix::fs::lsetxattr(self.through_proc(name), attribute, value, rustix::fs::XattrFlags::empty())
    }

    /// The attributes of `name`, sorted; links are not followed. None where the file system has none.
    pub(super) fn attributes(&self, name: &[u8]) -> Result<Vec<Attribute>, Errno> {
        let path = self.through_proc(name);
        let mut names = vec![0; 1024];
        let length = loop {
            match rustix::fs::llistxattr(&path, &mut names) {
                Err(Errno::NOTSUP) => return Ok(Vec::new()),
                Err(Errno::RANGE) if names.len() < ATTRIBUTE_BYTES => names.resize(ATTRIBUTE_BYTES, 0),
                listed => break listed?,
            }
        };
        let mut attributes = Vec::new();
        let mut value = Vec::new();
        for attribute in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            value.resize(ATTRIBUTE_BYTES, 0);
            let length = rustix::fs::lgetxattr(&path, attribute, &mut value)?;
            attributes.push((attribute.into(), value[..length].into()));
        }
        attributes.sort();
        Ok(attributes)
    }

    /// What `name` is; links are not followed.
    pub(super) fn facts(&self, name: &[u8]) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// The target of the symbolic link `name`.
    pub(super) fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        rustix::fs::readlinkat(&self.0, name, Vec::new()).map(std::ffi::CString::into_bytes)
    }

    /// The names in the folder, sorted.
    pub(super) fn names(&self) -> Result<Vec<Vec<u8>>, Errno> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(name.to_vec());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn through_proc(&self, name: &[u8]) -> PathBuf {
        let folder = PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()));
        folder.join(OsStr::from_bytes(name))
    }
}
