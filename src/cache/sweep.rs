//! Removes the temporary files that killed runs left behind, once a day at most.
//!
//! Only age tells a file that was left from one that is being written: nobody writes one for a day.
//! A clock that was put back makes files look as if they came from the future; those stay.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::folder::{CacheError, CacheFolder, TEMPORARY_PREFIX};

/// How old a temporary file is before it counts as left behind, and how often one looks.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes what was left behind more than a day before `time`, unless that was done within a day;
/// returns how many files went. A cache that is not there is left so.
///
/// # Errors
/// When the cache cannot be read or written; what a build needs of it may work all the same.
pub fn sweep(folder: &CacheFolder, time: SystemTime) -> Result<usize, CacheError> {
    let marker = folder.path().join("swept");
    if !folder.path().is_dir() || modified(&marker).is_some_and(|swept| is_recent(swept, time)) {
        return Ok(0);
    }
    let mut removed = 0;
    for (path, metadata) in folder.files()? {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let old = metadata.modified().is_ok_and(|modified| is_a_day_old(modified, time));
        if old && name.starts_with(TEMPORARY_PREFIX.as_bytes()) {
            remove(&path).map_err(|cause| folder.error("remove files", &path, cause))?;
            removed += 1;
        }
    }
    mark(&marker, time).map_err(|cause| folder.error("write", &marker, cause))?;
    Ok(removed)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// Whether one looked within a day. A marker from the future says nothing.
fn is_recent(swept: SystemTime, time: SystemTime) -> bool {
    time.duration_since(swept).is_ok_and(|age| age < DAY)
}

fn is_a_day_old(modified: SystemTime, time: SystemTime) -> bool {
    time.duration_since(modified).is_ok_and(|age| age > DAY)
}

/// Removes a file that another process may remove at the same time.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn mark(marker: &Path, time: SystemTime) -> io::Result<()> {
    File::create(marker)?.set_modified(time)
}
