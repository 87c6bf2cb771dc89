//! Removes unpacked layers, of whatever modes their folders are.
//!
//! A folder of an unpacked layer may not let its own owner in, so that the usual ways to remove one fail.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::RootfsError;
use super::ownership::Ownership;
use super::unpack::{TEMPORARY_PREFIX, this_run};
use crate::oci::blob_digest::DiffId;

/// A folder that is being unpacked is locked right after it was made.
const UNLOCKED_AT_FIRST: Duration = Duration::from_secs(60);

/// Removes what processes left that are gone, and what was unpacked before the system's last start, from the
/// folder of `unpacked` for this ownership. What is in use stays.
pub fn sweep_unpacked(unpacked: &Path, ownership: Ownership) -> Result<(), RootfsError> {
    left_over(unpacked, ownership, |folder| remove_tree(&folder).map(|()| true)).map(drop)
}

/// Whether [`sweep_unpacked`] has something to remove.
pub fn has_left_over(unpacked: &Path, ownership: Ownership) -> Result<bool, RootfsError> {
    left_over(unpacked, ownership, |_folder| Ok(false)).map(|all| !all)
}

/// Gives `each` what is left over, until it says no. Says whether it never did.
fn left_over(
    unpacked: &Path,
    ownership: Ownership,
    each: impl Fn(PathBuf) -> io::Result<bool>,
) -> Result<bool, RootfsError> {
    let folder = unpacked.join(ownership.name());
    let run = this_run()?;
    let look = || -> io::Result<bool> {
        for folder in entries(&folder)? {
            if is_left_over(&folder, &run)? && !each(folder)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let path = std::os::unix::ffi::OsStrExt::as_bytes(folder.as_os_str());
    look().map_err(|cause| RootfsError::system("clean", path, cause))
}

/// The folders of layers that were unpacked in this run of the system, with the layers.
pub(super) fn unpacked_layers(
    unpacked: &Path,
    ownership: Ownership,
) -> Result<Vec<(PathBuf, DiffId)>, RootfsError> {
    let folder = unpacked.join(ownership.name());
    let run = this_run()?;
    let all = entries(&folder);
    let all =
        all.map_err(|cause| RootfsError::system("read", folder.as_os_str().as_encoded_bytes(), cause))?;
    let layer = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let (hex, _rest) = name.split_once('.')?;
        let diff_id = DiffId(format!("sha256:{hex}").parse().ok()?);
        let is_of_run = name.rsplit('.').next() == Some(&run);
        is_of_run.then_some((path, diff_id))
    };
    Ok(all.into_iter().filter_map(layer).collect())
}

/// Removes `folder` and all that is in it, whatever its modes. No link is followed. It may be gone already.
pub fn remove_tree(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
        removed => return removed,
    }
    open_up(folder)?;
    fs::remove_dir_all(folder)
}

/// Lets the owner of all folders in `folder` into them.
fn open_up(folder: &Path) -> io::Result<()> {
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| entry.map(|entry| entry.path())).collect(),
    }
}

fn is_left_over(folder: &Path, run: &str) -> io::Result<bool> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if !name.starts_with(TEMPORARY_PREFIX) {
        return Ok(name.rsplit('.').next() != Some(run));
    }
    let seen = || {
        let made = fs::metadata(folder)?.modified()?;
        let age = SystemTime::now().duration_since(made).unwrap_or_default();
        let lock = File::open(folder)?;
        match lock.try_lock() {
            Ok(()) => Ok(age > UNLOCKED_AT_FIRST),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    };
    match seen() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        seen => seen,
    }
}
