//! A layer at hand: its index, and its tar.
//!
//! The index is made once and kept in a file. The tar is opened when its first byte is asked for: most layers of
//! a chain are only looked up in.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::check::Check;
use super::error::LayerError;
use super::index::LayerIndex;
use super::index_builder::index_of;
use crate::oci::blob_digest::DiffId;
use crate::oci::temporary;

/// How the file of an index begins, with the version of its form.
const FIRST_WORDS: &str = "imgraph-layer-index 2 ";

/// The key of the checksum.
const CHECKSUM_KEY: &str = "imgraph layer index 2";

/// A layer: its index, and its tar.
#[derive(Debug)]
pub struct Layer {
    diff_id: DiffId,
    index: LayerIndex,
    tar_path: PathBuf,
    tar: OnceLock<File>,
    is_damaged: AtomicBool,
}

impl Layer {
    /// The layer whose tar is the file `tar_path`, when its index is in the folder `indexes` and is whole.
    pub fn load(indexes: &Path, tar_path: &Path, diff_id: DiffId) -> Option<Arc<Self>> {
        let index = saved(&indexes.join(diff_id.0.hex()), diff_id)?;
        Some(Arc::new(Self::of(diff_id, index, tar_path, OnceLock::new())))
    }

    /// The layer whose tar is the file `tar_path`. Its index is `index`, or is made; it is written to the folder
    /// `indexes`.
    ///
    /// The caller knows that the tar has the digest: it is not hashed. From then on each file of it that is read to
    /// its end is found to be what it was, or damaged.
    pub fn make(
        indexes: &Path,
        tar_path: &Path,
        diff_id: DiffId,
        index: Option<LayerIndex>,
    ) -> Result<Arc<Self>, LayerError> {
        let files = |action| move |cause| LayerError::Files { action, layer: diff_id, cause };
        let tar = File::open(tar_path).map_err(files("open"))?;
        let index = index.map_or_else(|| checked_index(&tar, diff_id), Ok)?;
        save(indexes, &indexes.join(diff_id.0.hex()), &index, diff_id)
            .map_err(files("write the index of"))?;
        Ok(Arc::new(Self::of(diff_id, index, tar_path, OnceLock::from(tar))))
    }

    fn of(diff_id: DiffId, index: LayerIndex, tar_path: &Path, tar: OnceLock<File>) -> Self {
        Self { diff_id, index, tar_path: tar_path.to_owned(), tar, is_damaged: AtomicBool::new(false) }
    }

    /// Whether somebody read a file of it that is not what it was.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// The layer of `tar`, for which nothing is kept.
    pub fn read(tar: File, diff_id: DiffId) -> Result<Arc<Self>, LayerError> {
        let index = checked_index(&tar, diff_id)?;
        Ok(Arc::new(Self::of(diff_id, index, Path::new(""), OnceLock::from(tar))))
    }

    /// A layer without entries: what is below all others.
    pub(super) fn nothing() -> Arc<Self> {
        let diff_id = DiffId(crate::oci::blob_digest::BlobDigest::of(b""));
        Arc::new(Self::of(diff_id, LayerIndex::empty(), Path::new(""), OnceLock::new()))
    }

    /// The digest of its tar.
    pub fn diff_id(&self) -> DiffId {
        self.diff_id
    }

    /// Its index.
    pub fn index(&self) -> &LayerIndex {
        &self.index
    }

    /// Its tar, opened.
    pub fn tar(&self) -> io::Result<&File> {
        if let Some(tar) = self.tar.get() {
            return Ok(tar);
        }
        let tar = File::open(&self.tar_path)?;
        Ok(self.tar.get_or_init(|| tar))
    }

    /// A reader of the bytes of the file `record`; nothing for what is no file.
    pub fn open(self: &Arc<Self>, record: u32) -> io::Result<FileBytes> {
        self.tar()?;
        Ok(self.bytes(record))
    }

    /// As [`Self::open`], with the tar not opened before the first byte is asked for.
    pub fn bytes(self: &Arc<Self>, record: u32) -> FileBytes {
        let left = self.index.bytes_at(record).unwrap_or_default();
        FileBytes { layer: Arc::clone(self), record, left, check: None }
    }
}

fn checked_index(tar: &File, diff_id: DiffId) -> Result<LayerIndex, LayerError> {
    let files = |cause| LayerError::Files { action: "read", layer: diff_id, cause };
    let length = tar.metadata().map_err(files)?.len();
    let mut from_start = tar;
    from_start.rewind().map_err(files)?;
    index_of(from_start, diff_id, Some(length))
}

/// Reads the bytes of a file at their place in a tar. Who reads them to their end is told there when they are not
/// what they were when the index was made.
#[derive(Clone, Debug)]
pub struct FileBytes {
    layer: Arc<Layer>,
    record: u32,
    left: Range<u64>,
    check: Option<Check>,
}

impl Read for FileBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.layer.tar()?.read_at(&mut buffer[..wanted], self.left.start)?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the layer's tar became shorter"));
        }
        self.left.start += read as u64;
        let check = self.check.get_or_insert_default();
        check.take(&buffer[..read]);
        if self.left.is_empty() && check.value() != self.layer.index.check(self.record) {
            self.layer.is_damaged.store(true, Ordering::Relaxed);
            let message =
                format!("the layer {} is damaged: its files are not what they were", self.layer.diff_id);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(read)
    }
}

/// The index in the file `path`, when it is whole.
fn saved(path: &Path, layer: DiffId) -> Option<LayerIndex> {
    let bytes = std::fs::read(path).ok()?;
    let end = bytes.iter().position(|byte| *byte == b'\n')? + 1;
    let (line, body) = bytes.split_at(end);
    if line != first_line(layer, body).as_bytes() {
        return None;
    }
    postcard::from_bytes(body).ok().filter(LayerIndex::is_sound)
}

/// It has a checksum, so it need not outlive a loss of power: it is not synced.
fn save(folder: &Path, path: &Path, index: &LayerIndex, layer: DiffId) -> io::Result<()> {
    let body = postcard::to_stdvec(index).map_err(io::Error::other)?;
    let mut file = temporary::create(folder)?;
    file.write_all(first_line(layer, &body).as_bytes())?;
    file.write_all(&body)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// The line with the checksum of `body` as the index of `layer`.
fn first_line(layer: DiffId, body: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(CHECKSUM_KEY);
    hasher.update(layer.0.as_bytes()).update(body);
    format!("{FIRST_WORDS}{}\n", hasher.finalize().to_hex())
}
