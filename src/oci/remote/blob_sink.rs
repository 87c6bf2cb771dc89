//! Where the blobs of an image go.
//!
//! A small trait, so that fetching knows nothing of how blobs are kept.

use std::io::{self, Read, Write};

use crate::oci::blob_digest::BlobDigest;

/// Something that keeps blobs by their digests.
pub trait BlobSink: Sync {
    /// Whether it has the blob.
    ///
    /// # Errors
    /// It cannot be found out.
    fn has(&self, digest: &BlobDigest) -> io::Result<bool>;

    /// The bytes of a blob of at most `limit` bytes, `None` where it is not there.
    ///
    /// # Errors
    /// It cannot be read, it is larger, or its bytes have another digest.
    fn read(&self, digest: &BlobDigest, limit: u64) -> io::Result<Option<Vec<u8>>>;

    /// How many bytes it can take.
    ///
    /// # Errors
    /// It cannot be found out.
    fn room(&self) -> io::Result<u64>;

    /// A writer of a blob. Nothing is kept until it is finished.
    ///
    /// # Errors
    /// Nothing can be written.
    fn writer(&self) -> io::Result<Box<dyn BlobWriter + '_>>;
}

/// A blob that is being written.
pub trait BlobWriter: Write + Send {
    /// Keeps what was written under its digest.
    ///
    /// # Errors
    /// It cannot be kept. The kind is `InvalidData` exactly where the bytes have another digest.
    fn finish_as(self: Box<Self>, digest: &BlobDigest) -> io::Result<()>;
}

/// Copies a blob into the sink.
///
/// # Errors
/// The source cannot be read, or the sink does not take it: `InvalidData` where the digest is another.
pub fn copy(sink: &dyn BlobSink, digest: &BlobDigest, source: &mut dyn Read) -> io::Result<u64> {
    let mut writer = sink.writer()?;
    let mut buffer = vec![0; 128 * 1024];
    let mut size = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                writer.write_all(&buffer[..count])?;
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    writer.finish_as(digest)?;
    Ok(size)
}
