//! What `index.json` says, kept as it was read until another file is there.
//!
//! With ten thousand names it takes longer to understand the file than to build most images, and each build looks
//! for its bases in it. A store replaces the file, and never writes into it.
//!
//! **Invariant:** what is kept is what the very file says that is there now: it is held open, so that no other file
//! has its number, and whoever writes into it changes its times.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use oci_spec::image::ImageIndex;

use super::error::StoreError;

/// In bytes: 2,000 names take about 600,000.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The file that was read last, and what it says.
#[derive(Debug, Default)]
pub(super) struct KnownIndex(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    facts: Facts,
    index: Arc<ImageIndex>,
    /// Nobody reads it any more.
    _held: File,
}

/// Device, inode, size, and the times of the last change of its content and of anything, in seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts(u64, u64, u64, (i64, i64), (i64, i64));

impl Facts {
    fn of(file: &Metadata) -> Self {
        let (modified, changed) = ((file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec()));
        Self(file.dev(), file.ino(), file.size(), modified, changed)
    }
}

impl KnownIndex {
    /// What the file at `path` says.
    ///
    /// # Errors
    /// When it is missing, too large, or says something else.
    pub(super) fn read(&self, path: &Path) -> Result<Arc<ImageIndex>, StoreError> {
        let damaged = |reason: String| StoreError::File { path: path.to_path_buf(), reason };
        let failed = |cause| StoreError::disk("read", path, cause);
        let mut file = match File::open(path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                return Err(damaged("it is missing".to_owned()));
            }
            file => file.map_err(failed)?,
        };
        let facts = Facts::of(&file.metadata().map_err(failed)?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.facts == facts) {
            return Ok(Arc::clone(&known.index));
        }
        let mut bytes = Vec::new();
        (&mut file).take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > LARGEST {
            return Err(damaged(format!("it has more than {LARGEST} bytes")));
        }
        let index: ImageIndex = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let index = Arc::new(index);
        let is_as_it_was = Facts::of(&file.metadata().map_err(failed)?) == facts;
        *known = is_as_it_was.then(|| Known { facts, index: Arc::clone(&index), _held: file });
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn another_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.json");
        let known = KnownIndex::default();
        let text = |version: u32| format!("{{\"schemaVersion\":{version},\"manifests\":[]}}");
        let version = || known.read(&path).unwrap().schema_version();
        assert!(known.read(&path).is_err());
        for number in 1..9 {
            let other = folder.path().join("other");
            fs::write(&other, text(number)).unwrap();
            fs::rename(other, &path).unwrap();
            assert_eq!((version(), version()), (number, number), "it was replaced");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&path, text(9)).unwrap();
        assert_eq!(version(), 9, "somebody wrote into it");
        fs::write(&path, "{").unwrap();
        assert!(known.read(&path).is_err());
        fs::remove_file(&path).unwrap();
        assert!(known.read(&path).is_err());
    }
}
