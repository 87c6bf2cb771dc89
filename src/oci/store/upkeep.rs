//! What those need of a store who look after it: the collector, and whoever checks it.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::layout::Store;
use super::places::cannot_be_written;
use crate::oci::blob_digest::BlobDigest;
use crate::oci::file_lock::FileLock;

/// Bytes of a blob that are read at once.
const READ_AT_ONCE: usize = 256 << 10;

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

    /// Whether a blob's bytes are those that its name says, without using it. One that is damaged is moved aside, and
    /// is missing from then on.
    ///
    /// # Errors
    /// When it cannot be read or moved. One that is gone meanwhile is none.
    pub fn check(&self, digest: &BlobDigest) -> Result<bool, StoreError> {
        let mut file = match self.file(digest) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(true),
            opened => opened.map_err(|cause| StoreError::disk("read", &self.path(digest), cause))?,
        };
        let found =
            digest_of(&mut file).map_err(|cause| StoreError::disk("read", &self.path(digest), cause))?;
        if found == *digest {
            return Ok(true);
        }
        match self.places.set_aside(&file, digest) {
            Err(StoreError::Disk { cause, .. }) if cannot_be_written(&cause) => Ok(false),
            aside => aside.map(|_path| false),
        }
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

fn digest_of(file: &mut File) -> io::Result<BlobDigest> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; READ_AT_ONCE]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(BlobDigest::from_bytes(hasher.finalize().into())),
            count => hasher.update(&buffer[..count]),
        }
    }
}
