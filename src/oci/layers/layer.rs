//! A layer at hand: its index, and its tar.
//!
//! The index is made once and kept in a file. The tar is opened when its first byte is asked for: most layers of
//! a chain are only looked up in.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::error::LayerError;
use super::index::LayerIndex;
use super::index_builder::index_of;
use crate::oci::blob_digest::DiffId;

/// How the file of an index begins, with the version of its form.
const FIRST_WORDS: &str = "imgraph-layer-index 1 ";

/// The key of the checksum.
const CHECKSUM_KEY: &str = "imgraph layer index 1";

/// A layer: its index, and its tar.
#[derive(Debug)]
pub struct Layer {
    diff_id: DiffId,
    index: LayerIndex,
    tar_path: PathBuf,
    tar: OnceLock<File>,
}

impl Layer {
    /// The layer whose tar is the file `tar_path`. Its index is read from the folder `indexes`, or made and
    /// written there; a file that is damaged is made again.
    ///
    /// The caller knows that the tar has the digest: it is not hashed.
    pub fn load_or_make(indexes: &Path, tar_path: &Path, diff_id: DiffId) -> Result<Arc<Self>, LayerError> {
        let path = indexes.join(diff_id.0.hex());
        let (index, tar) = match saved(&path, diff_id) {
            Some(index) => (index, OnceLock::new()),
            None => {
                let files = |action| move |cause| LayerError::Files { action, layer: diff_id, cause };
                let tar = File::open(tar_path).map_err(files("open"))?;
                let index = index_of(&tar, diff_id)?;
                save(indexes, &path, &index, diff_id).map_err(files("write the index of"))?;
                (index, OnceLock::from(tar))
            }
        };
        Ok(Arc::new(Self { diff_id, index, tar_path: tar_path.to_owned(), tar }))
    }

    /// The layer of `tar`, for which nothing is kept.
    pub fn read(tar: File, diff_id: DiffId) -> Result<Arc<Self>, LayerError> {
        let index = index_of(&tar, diff_id)?;
        Ok(Arc::new(Self { diff_id, index, tar_path: PathBuf::new(), tar: OnceLock::from(tar) }))
    }

    /// A layer without entries: what is below all others.
    pub(super) fn nothing() -> Arc<Self> {
        let diff_id = DiffId(crate::oci::blob_digest::BlobDigest::of(b""));
        Arc::new(Self { diff_id, index: LayerIndex::empty(), tar_path: PathBuf::new(), tar: OnceLock::new() })
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
        Ok(FileBytes { layer: Arc::clone(self), left: self.index.bytes_at(record).unwrap_or_default() })
    }
}

/// Reads the bytes of a file at their place in a tar.
#[derive(Debug)]
pub struct FileBytes {
    layer: Arc<Layer>,
    left: Range<u64>,
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
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
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
