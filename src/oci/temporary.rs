//! Files and folders that are being written: each is locked by its writer for as long as it has no final name.
//!
//! A file that nobody has locked belongs to a process that died. A file that is found unlocked between its
//! making and its locking may be taken for such a one; its writer sees that its name is gone, and makes
//! another.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use super::file_lock::{is_at, uninterrupted};

/// How the names of those begin that lie beside others.
const PREFIX: &str = ".tmp-";

/// A locked file in `folder`, which is made when it is not there. It goes when it is dropped.
///
/// # Errors
/// When it cannot be made or locked.
pub fn create(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let Some(file) = made_in(folder, make)? else { continue };
        uninterrupted(|| file.as_file().lock())?;
        if is_at(file.as_file(), file.path())? {
            return Ok(file);
        }
    }
}

/// A locked folder, which goes with all that is in it when it is dropped before it has its name.
#[derive(Debug)]
pub struct TemporaryFolder {
    folder: TempDir,
    /// Held as long as somebody writes into it.
    _lock: File,
}

impl TemporaryFolder {
    /// A folder in `parent`, which is made when it is not there. Its owner alone may enter it.
    ///
    /// # Errors
    /// When it cannot be made or locked.
    pub fn create(parent: &Path) -> io::Result<Self> {
        let make = |parent: &Path| tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent);
        loop {
            let Some(folder) = made_in(parent, make)? else { continue };
            let lock = match File::open(folder.path()) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                opened => opened?,
            };
            uninterrupted(|| lock.lock())?;
            if is_at(&lock, folder.path())? {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives it the name `place`, which nobody has.
    ///
    /// # Errors
    /// When the system refuses; then the folder is removed.
    pub fn persist(self, place: &Path) -> io::Result<()> {
        fs::rename(self.folder.path(), place)?;
        // Nothing is left to remove.
        let _path = self.folder.keep();
        Ok(())
    }
}

/// What `make` makes in `folder`, which is made where it is not there; `None` when it was not: try again.
fn made_in<Made>(folder: &Path, make: impl Fn(&Path) -> io::Result<Made>) -> io::Result<Option<Made>> {
    match make(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Somebody may tidy it away again before it is used.
            fs::create_dir_all(folder)?;
            Ok(None)
        }
        result => result.map(Some),
    }
}

fn make(folder: &Path) -> io::Result<NamedTempFile> {
    // The permissions that any other file would get: umask decides.
    let permissions = Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(PREFIX).permissions(permissions).tempfile_in(folder)
}

/// Removes what dead processes left in `folder`, in which nothing else lies, and calls `living` with each file that
/// is held.
pub(in crate::oci) fn sweep(folder: &Path, mut living: impl FnMut(&File)) -> io::Result<()> {
    for path in entries(folder, |_name| true)? {
        if path.symlink_metadata().is_ok_and(|found| found.is_file())
            && let Some(file) = dead_or_living(&path, |path| fs::remove_file(path))?
        {
            living(&file);
        }
    }
    Ok(())
}

/// Removes what dead processes left in `folder` beside other things. A folder is removed by `remove`: others may
/// own what is in it.
///
/// # Errors
/// When `folder` cannot be read, or something in it not be removed; what can be is removed all the same.
pub fn sweep_beside(folder: &Path, remove: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut swept = Ok(());
    for path in entries(folder, |name| name.starts_with(PREFIX.as_bytes()))? {
        let one = match path.symlink_metadata() {
            Ok(found) if found.is_dir() => dead_or_living(&path, &remove),
            Ok(found) if found.is_file() => dead_or_living(&path, |path| fs::remove_file(path)),
            // A link or a pipe is nobody's of those who write here.
            Ok(_) | Err(_) => continue,
        };
        swept = swept.and(one.map(drop));
    }
    swept
}

/// What is in a folder under the names that `is_wanted` names; nothing where there is none.
fn entries(folder: &Path, is_wanted: impl Fn(&[u8]) -> bool) -> io::Result<Vec<PathBuf>> {
    let found = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        found => found?,
    };
    let mut entries = Vec::new();
    for entry in found {
        let entry = entry?;
        if is_wanted(entry.file_name().as_encoded_bytes()) {
            entries.push(entry.path());
        }
    }
    Ok(entries)
}

/// Removes `path` by `remove` while it is locked, or gives it, opened, when its writer lives.
fn dead_or_living(path: &Path, remove: impl Fn(&Path) -> io::Result<()>) -> io::Result<Option<File>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match file.try_lock() {
        Ok(()) => absent_is_fine(remove(path)).map(|()| None),
        Err(TryLockError::WouldBlock) => Ok(Some(file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What another process did first was done.
pub(in crate::oci) fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_left_goes_and_what_lives_stays() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("made when it is needed");
        let (file, inside) = (create(&folder).unwrap(), TemporaryFolder::create(&folder).unwrap());
        fs::write(inside.path().join("half"), "").unwrap();
        for name in [".tmp-dead", "other", "tmp-other"] {
            fs::write(folder.join(name), "").unwrap();
        }
        fs::create_dir_all(folder.join(".tmp-dead folder/half")).unwrap();
        sweep_beside(&folder, |path| fs::remove_dir_all(path)).unwrap();
        let names = || {
            let entries = fs::read_dir(&folder).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let name_of = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut expected =
            vec![name_of(file.path()), name_of(inside.path()), "other".into(), "tmp-other".into()];
        expected.sort();
        assert_eq!(names(), expected);
        file.persist(folder.join("file")).unwrap();
        inside.persist(&folder.join("folder")).unwrap();
        sweep_beside(&folder, |path| fs::remove_dir_all(path)).unwrap();
        assert_eq!(names(), ["file", "folder", "other", "tmp-other"]);
        assert!(folder.join("folder/half").is_file());
        sweep_beside(&place.path().join("nothing"), |_path| Ok(())).unwrap();
    }
}
