//! How a blob comes into a store: written under a name that says nothing, hashed on the way, synced, and
//! only then given its digest's name.
//!
//! The folder is not synced: a loss of power may take a blob's name away, which is a miss, but never gives the
//! name to other bytes.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::error::StoreError;
use super::places::Places;
use super::temporary;
use crate::oci::blob_digest::BlobDigest;

/// In bytes.
const BUFFER: usize = 128 * 1024;

/// A blob that is in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blob {
    /// Its name.
    pub digest: BlobDigest,
    /// In bytes.
    pub size: u64,
}

/// A blob that is being written. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct BlobWriter {
    places: Arc<Places>,
    file: BufWriter<Hashed>,
}

/// The file, and the hash of what went into it.
#[derive(Debug)]
struct Hashed {
    file: NamedTempFile,
    hasher: Sha256,
    size: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.as_file_mut().write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter {
    pub(super) fn new(places: Arc<Places>) -> Result<Self, StoreError> {
        let folder = places.temporary();
        let file =
            temporary::create(&folder).map_err(|cause| StoreError::disk("write into", &folder, cause))?;
        let hashed = Hashed { file, hasher: Sha256::new(), size: 0 };
        Ok(Self { places, file: BufWriter::with_capacity(BUFFER, hashed) })
    }

    /// Puts what was written into the store. A blob that is there already is kept.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn finish(self) -> Result<Blob, StoreError> {
        self.finish_if(None)
    }

    /// As [`Self::finish`], for bytes whose digest was told.
    ///
    /// # Errors
    /// When the bytes have another digest, too; nothing is kept then.
    pub fn finish_as(self, wanted: &BlobDigest) -> Result<Blob, StoreError> {
        self.finish_if(Some(wanted))
    }

    fn finish_if(self, wanted: Option<&BlobDigest>) -> Result<Blob, StoreError> {
        let Self { places, file } = self;
        let folder = places.temporary();
        let Hashed { file, hasher, size } =
            file.into_inner().map_err(|error| StoreError::disk("write into", &folder, error.into_error()))?;
        let digest = BlobDigest::from_bytes(hasher.finalize().into());
        if let Some(wanted) = wanted.filter(|wanted| **wanted != digest) {
            return Err(StoreError::OtherBytes { wanted: *wanted, found: digest });
        }
        place(&places, file, &digest, size)?;
        Ok(Blob { digest, size })
    }
}

fn place(places: &Places, file: NamedTempFile, digest: &BlobDigest, size: u64) -> Result<(), StoreError> {
    let failed = |path: &Path, cause| StoreError::disk("write", path, cause);
    let path = places.blob(digest);
    {
        let _gate = places.gate()?;
        if places.touch(digest, Some(size)) {
            return Ok(());
        }
    }
    file.as_file().sync_all().map_err(|cause| failed(&path, cause))?;
    let _gate = places.gate()?;
    // A whole blob takes the place of nothing, of the same blob, or of one that was cut short.
    file.persist(&path).map_err(|error| failed(&path, error.error))?;
    Ok(())
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
