//! Locks that are files: held by an open file, and let go of by the system when its process ends.
//!
//! A lock may be removed together with its file by whoever holds it alone. So a lock that was waited for
//! counts only when the name still leads to the file that was locked.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A lock, until it is dropped.
#[derive(Debug)]
pub(in crate::oci) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Waits until nobody holds `path` alone.
    pub(in crate::oci) fn shared(path: &Path) -> io::Result<Self> {
        Self::take(path, File::lock_shared)
    }

    /// Waits until nobody else holds `path`.
    pub(in crate::oci) fn alone(path: &Path) -> io::Result<Self> {
        Self::take(path, File::lock)
    }

    fn take(path: &Path, lock: fn(&File) -> io::Result<()>) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            uninterrupted(|| lock(&file))?;
            if is_at(&file, path)? {
                return Ok(Self { _file: file });
            }
        }
    }
}

/// Tries again what a signal interrupted.
pub(in crate::oci) fn uninterrupted<Value>(mut call: impl FnMut() -> io::Result<Value>) -> io::Result<Value> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether the name `path` leads to `file`.
pub(in crate::oci) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok(named.dev() == opened.dev() && named.ino() == opened.ino()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reading is enough for a lock, so that a store can be used by those who may not write into it.
fn open(path: &Path) -> io::Result<File> {
    loop {
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => return result,
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path) {
            // Somebody tidied the folder away meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => return result,
        }
    }
}
