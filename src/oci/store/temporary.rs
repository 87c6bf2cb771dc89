//! Files that are being written: each is locked by its writer for as long as it has no final name.
//!
//! A file that nobody has locked belongs to a process that died. A file that is found unlocked between its
//! making and its locking may be taken for such a one; its writer sees that its name is gone, and makes
//! another.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

use super::file_lock::{is_at, uninterrupted};

/// A locked file in `folder`, which is made when it is not there. It goes when it is dropped.
pub(super) fn create(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = match make(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Somebody may tidy it away again before it is used.
                fs::create_dir_all(folder)?;
                continue;
            }
            result => result?,
        };
        uninterrupted(|| file.as_file().lock())?;
        if is_at(file.as_file(), file.path())? {
            return Ok(file);
        }
    }
}

fn make(folder: &Path) -> io::Result<NamedTempFile> {
    // The permissions that any other file would get: umask decides.
    tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}

/// Removes what dead processes left in `folder`, and calls `living` with each file that is held.
pub(super) fn sweep(folder: &Path, mut living: impl FnMut(&File)) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if !entry.file_type()?.is_file() {
            continue;
        }
        match File::open(&path) {
            Ok(file) => match file.try_lock() {
                Ok(()) => absent_is_fine(fs::remove_file(&path))?,
                Err(TryLockError::WouldBlock) => living(&file),
                Err(TryLockError::Error(error)) => return Err(error),
            },
            result => absent_is_fine(result.map(drop))?,
        }
    }
    Ok(())
}

/// What another process did first was done.
pub(super) fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
