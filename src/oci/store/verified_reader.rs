//! Reading a blob to its end, and finding out there whether its bytes are those that its name says.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::places::{Places, cannot_be_written};
use crate::oci::blob_digest::BlobDigest;

/// A blob's bytes. Reading fails where they end, when they were others: what was read before is not to be
/// relied on until the end was seen.
#[derive(Debug)]
pub struct VerifiedReader {
    places: Arc<Places>,
    file: File,
    digest: BlobDigest,
    hasher: Sha256,
}

impl VerifiedReader {
    pub(super) fn new(places: Arc<Places>, file: File, digest: BlobDigest) -> Self {
        Self { places, file, digest, hasher: Sha256::new() }
    }

    fn check(&self) -> Result<(), StoreError> {
        let found = BlobDigest::from_bytes(self.hasher.clone().finalize().into());
        if found == self.digest {
            return Ok(());
        }
        let aside = match self.places.set_aside(&self.file, &self.digest) {
            Err(StoreError::Disk { cause, .. }) if cannot_be_written(&cause) => None,
            result => Some(result?),
        };
        Err(StoreError::DamagedBlob { digest: self.digest, found, aside })
    }
}

impl Read for VerifiedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        if count == 0 && !buffer.is_empty() {
            self.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        Ok(count)
    }
}
