//! A sink for tests: a folder with a file a blob.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::oci::blob_digest::BlobDigest;
use crate::oci::remote::blob_sink::{BlobSink, BlobWriter};

/// A folder of blobs.
pub(crate) struct FolderSink(pub(crate) PathBuf);

struct Blob<'s>(&'s FolderSink, Vec<u8>);

impl BlobSink for FolderSink {
    fn has(&self, digest: &BlobDigest) -> io::Result<bool> {
        self.0.join(digest.hex()).try_exists()
    }

    fn read(&self, digest: &BlobDigest, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if !self.has(digest)? {
            return Ok(None);
        }
        let bytes = fs::read(self.0.join(digest.hex()))?;
        if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(Some(bytes)) }
    }

    fn room(&self) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn writer(&self) -> io::Result<Box<dyn BlobWriter + '_>> {
        Ok(Box::new(Blob(self, Vec::new())))
    }
}

impl Write for Blob<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for Blob<'_> {
    fn finish_as(self: Box<Self>, digest: &BlobDigest) -> io::Result<()> {
        if BlobDigest::of(&self.1) != *digest {
            return Err(io::ErrorKind::InvalidData.into());
        }
        fs::write(self.0.0.join(digest.hex()), self.1)
    }
}
