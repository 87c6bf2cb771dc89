//! What the collector needs of a store and nobody else does.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::error::StoreError;
use super::layout::Store;
use crate::oci::blob_digest::BlobDigest;
use crate::oci::file_lock::FileLock;

/// While this is held, nobody asks for blobs or gives them their names.
#[derive(Debug)]
pub(in crate::oci) struct Alone {
    _lock: FileLock,
}

impl Store {
    /// Waits until nobody is asking for a blob.
    pub(in crate::oci) fn alone(&self) -> Result<Alone, StoreError> {
        let path = self.places.gate_lock();
        let lock = FileLock::alone(&path).map_err(|cause| StoreError::disk("lock", &path, cause))?;
        Ok(Alone { _lock: lock })
    }

    /// Opens a blob without using it.
    pub(in crate::oci) fn file(&self, digest: &BlobDigest) -> io::Result<File> {
        File::open(self.path(digest))
    }

    /// Where a blob lies.
    pub(in crate::oci) fn path(&self, digest: &BlobDigest) -> PathBuf {
        self.places.blob(digest)
    }

    /// Where blobs lie that are being removed.
    pub(in crate::oci) fn trash(&self) -> PathBuf {
        self.places.trash()
    }

    /// Where blobs lie that were found to have other bytes.
    pub(in crate::oci) fn damaged(&self) -> PathBuf {
        self.places.damaged()
    }
}
