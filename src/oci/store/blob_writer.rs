//! How a blob comes into a store: written under a name that says nothing, hashed on the way, synced, and
//! only then given its digest's name.
//!
//! The disk takes a large blob while more of it comes: what was written up to some point is synced beside the
//! writing, so that little is left to be waited for in the end.
//!
//! The folder is not synced: a loss of power may take a blob's name away, which is a miss, but never gives the
//! name to other bytes.

use std::io::{self, BufWriter, Write};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::error::StoreError;
use super::places::Places;
use crate::oci::blob_digest::BlobDigest;
use crate::oci::temporary;

/// In bytes.
const BUFFER: usize = 128 * 1024;

/// So many bytes are written before the disk is told to take them, on a thread of its own.
const SYNCED_AT_ONCE: u64 = 16 << 20;

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
    /// The sync of what was written before, and how much was written when it began.
    syncing: Option<JoinHandle<io::Result<()>>>,
    sync_began_at: u64,
}

impl Hashed {
    fn new(file: NamedTempFile) -> Self {
        Self { file, hasher: Sha256::new(), size: 0, syncing: None, sync_began_at: 0 }
    }

    /// Begins to sync, when there is much to be synced, and nobody does it.
    fn sync_beside(&mut self) -> io::Result<()> {
        let is_due = self.size - self.sync_began_at >= SYNCED_AT_ONCE;
        if !is_due || self.syncing.as_ref().is_some_and(|syncing| !syncing.is_finished()) {
            return Ok(());
        }
        self.wait_for_sync()?;
        let file = self.file.as_file().try_clone()?;
        self.syncing = Some(thread::spawn(move || file.sync_data()));
        self.sync_began_at = self.size;
        Ok(())
    }

    /// A failure is told once by the system: what comes later does not know of it.
    fn wait_for_sync(&mut self) -> io::Result<()> {
        self.syncing
            .take()
            .map_or(Ok(()), |syncing| syncing.join().unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.as_file_mut().write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        self.sync_beside()?;
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
        Ok(Self { places, file: BufWriter::with_capacity(BUFFER, Hashed::new(file)) })
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
        let written = self.written()?;
        if let Some(wanted) = wanted.filter(|wanted| **wanted != written.blob.digest) {
            return Err(StoreError::OtherBytes { wanted: *wanted, found: written.blob.digest });
        }
        if !written.is_there()? {
            written.sync()?;
            return written.place();
        }
        Ok(written.blob)
    }

    /// Ends the writing; the blob is still under a name that says nothing, and not synced.
    pub(super) fn written(self) -> Result<WrittenBlob, StoreError> {
        let Self { places, file } = self;
        let folder = places.temporary();
        let failed = |cause| StoreError::disk("write into", &folder, cause);
        let mut hashed = file.into_inner().map_err(|error| failed(error.into_error()))?;
        hashed.wait_for_sync().map_err(failed)?;
        let Hashed { file, hasher, size, .. } = hashed;
        let blob = Blob { digest: BlobDigest::from_bytes(hasher.finalize().into()), size };
        Ok(WrittenBlob { places, file, blob })
    }
}

/// A blob that is written, and has to be synced before it is placed. Dropped, it leaves nothing.
#[derive(Debug)]
pub(super) struct WrittenBlob {
    places: Arc<Places>,
    file: NamedTempFile,
    pub(super) blob: Blob,
}

impl WrittenBlob {
    /// Whether the store has it already.
    pub(super) fn is_there(&self) -> Result<bool, StoreError> {
        let _gate = self.places.gate()?;
        Ok(self.places.touch(&self.blob.digest, Some(self.blob.size)))
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.as_file().sync_all().map_err(|cause| self.failed(cause))
    }

    /// Gives it its name.
    pub(super) fn place(self) -> Result<Blob, StoreError> {
        let Self { places, file, blob } = self;
        let path = places.blob(&blob.digest);
        let _gate = places.gate()?;
        // A whole blob takes the place of nothing, of the same blob, or of one that was cut short.
        file.persist(&path).map_err(|error| StoreError::disk("write", &path, error.error))?;
        Ok(blob)
    }

    fn failed(&self, cause: io::Error) -> StoreError {
        StoreError::disk("write", &self.places.blob(&self.blob.digest), cause)
    }
}

impl Write for BlobWriter {
    /// An error says where: who writes a stream does not know.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|cause| in_folder(&self.places, &cause))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|cause| in_folder(&self.places, &cause))
    }
}

fn in_folder(places: &Places, cause: &io::Error) -> io::Error {
    let folder = places.temporary();
    io::Error::new(cause.kind(), format!("cannot write into `{}`: {cause}", folder.display()))
}
