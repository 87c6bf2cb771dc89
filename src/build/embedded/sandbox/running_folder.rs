//! The working folders of runs, and the removal of those whose run is dead.
//!
//! A run holds a lock on a file beside its folder. The kernel lets go of it with the process, however that ends,
//! so a folder whose lock can be had belongs to nobody. The lock is there before the folder and goes after it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::outcome::SandboxError;
use super::running::Sandbox;
use super::spec::Privileges;

const LOCK: &str = "lock";

/// A folder that this run works in. It is removed with this value, as far as this user may.
#[derive(Debug)]
pub struct RunningFolder {
    path: PathBuf,
    /// Held as long as the folder is used.
    _lock: File,
}

impl RunningFolder {
    /// Makes a folder of its own in `all`, which is made too.
    ///
    /// # Errors
    /// When it cannot be written there.
    pub fn make(all: &Path) -> io::Result<Self> {
        fs::create_dir_all(all)?;
        loop {
            let (lock, file) = tempfile::Builder::new()
                .suffix(".lock")
                .rand_bytes(12)
                .tempfile_in(all)?
                .keep()
                .map_err(|error| error.error)?;
            // Whoever cleans may have been faster.
            if lock.try_lock().is_err() || !file.exists() {
                continue;
            }
            let path = file.with_extension("");
            fs::create_dir(&path)?;
            return Ok(Self { path, _lock: lock });
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it with the rights that its sandboxes had: files of other ids may lie in it.
    ///
    /// # Errors
    /// When something in it cannot be removed; it is tried again by [`clean`].
    pub fn remove(self, sandbox: &Sandbox, privileges: Privileges) -> Result<(), SandboxError> {
        sandbox.remove(&self.path, privileges)
    }
}

impl Drop for RunningFolder {
    fn drop(&mut self) {
        // What stays is found by the next run that cleans, for which the lock file has to stay too.
        let removed = fs::remove_dir_all(&self.path);
        if removed.is_ok() || removed.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            let _ = fs::remove_file(self.path.with_extension(LOCK));
        }
    }
}

/// Removes the folders in `all` whose run is dead, and returns how many there were. A folder that cannot be removed
/// is passed over: it is in nobody's way.
///
/// # Errors
/// When `all` cannot be read.
pub fn clean(all: &Path, sandbox: &Sandbox, privileges: Privileges) -> io::Result<usize> {
    let entries = match fs::read_dir(all) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let is_lock = path.extension().is_some_and(|extension| extension == LOCK);
        if is_lock && remove_dead(&path, sandbox, privileges) {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes the folder of the lock file `file` when nobody holds the lock.
fn remove_dead(file: &Path, sandbox: &Sandbox, privileges: Privileges) -> bool {
    let Ok(lock) = File::options().read(true).write(true).open(file) else { return false };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return false,
    }
    let folder = file.with_extension("");
    // Whose run it was may have had fewer rights than this one would have.
    let fewer = if privileges == Privileges::Root { Privileges::Root } else { Privileges::Single };
    let removed = sandbox.remove(&folder, privileges).or_else(|_error| sandbox.remove(&folder, fewer));
    removed.is_ok() && fs::remove_file(file).is_ok()
}
