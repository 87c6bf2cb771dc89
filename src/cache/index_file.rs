//! A stat index, of a workspace or of what one request leaned on: bytes that the layer which reads the workspace understands.
//!
//! The index brings its own checksum, so that it is used as it was read. It is not synced: a loss of
//! power that damages it costs reading the files again. Of two processes that write one, the later
//! wins; each wrote only what is true.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::folder::{CacheError, CacheFolder, Kind, Outlives};
use super::record_file::Lookup;
use crate::types::diagnostic::Diagnostic;

/// The file of one index.
#[derive(Clone, Debug)]
pub struct IndexFile {
    folder: CacheFolder,
    place: String,
}

impl IndexFile {
    /// That of the workspace at `root`, an absolute path without links.
    pub fn new(folder: &CacheFolder, root: &Path) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("imgraph cache index 1");
        let digest = hasher.update(root.as_os_str().as_bytes()).finalize().to_hex();
        let place = format!("{}/{}", Kind::Indexes.name(), &digest[..32]);
        Self::at(folder, place)
    }

    /// The one at `place`.
    pub(super) fn at(folder: &CacheFolder, place: String) -> Self {
        Self { folder: folder.clone(), place }
    }

    /// The bytes that were written last.
    pub fn read(&self) -> Lookup<Vec<u8>> {
        match self.folder.read(&self.place) {
            Ok(Some(bytes)) => Lookup::Hit(bytes),
            Ok(None) => Lookup::Miss,
            Err(cause) => match self.folder.no_folder(&self.place, cause) {
                // Whoever writes the index at the end of the run tells it.
                Ok(_warning) => Lookup::Miss,
                Err(cause) => Lookup::Damaged(self.warning(&format!("cannot be read: {cause}"))),
            },
        }
    }

    /// Replaces the bytes.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn write(&self, bytes: &[u8]) -> Result<(), CacheError> {
        self.folder.write(&self.place, bytes, Outlives::Process)
    }

    /// The warning for a file that cannot be used; `reason` follows its name.
    pub fn warning(&self, reason: &str) -> Diagnostic {
        let path = self.folder.on_disk(&self.place);
        Diagnostic::warning(format!("the cache file `{}` {reason}", path.display()))
            .help("it counts as absent, so that all files are read; the next run replaces it")
    }
}
