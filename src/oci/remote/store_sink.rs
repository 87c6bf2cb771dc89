//! A store as the place where images from elsewhere go.

use std::io;

use super::blob_sink::{BlobSink, BlobWriter};
use crate::oci::blob_digest::BlobDigest;
use crate::oci::store::{Store, StoreError};

/// A store as the place where images from elsewhere go.
pub struct StoreSink<'s>(pub &'s Store);

struct StoreWriter(crate::oci::store::BlobWriter);

impl BlobSink for StoreSink<'_> {
    fn has(&self, digest: &BlobDigest) -> io::Result<bool> {
        Ok(self.0.has(digest))
    }

    fn read(&self, digest: &BlobDigest, limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.0.read(digest, limit).map_err(io::Error::other)
    }

    fn room(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(self.0.folder())?;
        // A file system that counts nothing has room until it says otherwise.
        Ok(if disk.f_blocks == 0 { u64::MAX } else { disk.f_bavail.saturating_mul(disk.f_frsize) })
    }

    fn writer(&self) -> io::Result<Box<dyn BlobWriter + '_>> {
        let writer = self.0.writer().map_err(io::Error::other)?;
        Ok(Box::new(StoreWriter(writer)))
    }
}

impl io::Write for StoreWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl BlobWriter for StoreWriter {
    fn finish_as(self: Box<Self>, digest: &BlobDigest) -> io::Result<()> {
        self.0.finish_as(digest).map(drop).map_err(|error| match error {
            StoreError::OtherBytes { .. } => io::Error::new(io::ErrorKind::InvalidData, error),
            error => io::Error::other(error),
        })
    }
}
