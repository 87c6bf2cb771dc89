//! The store itself: opened, asked for blobs, given blobs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::blob_writer::{Blob, BlobWriter};
use super::error::StoreError;
use super::known_index::KnownIndex;
use super::places::{Places, cannot_be_written, sync_folder};
use super::verified_reader::VerifiedReader;
use crate::oci::blob_digest::BlobDigest;
use crate::oci::temporary;

const VERSION: &str = "1.0.0";
/// The content of `oci-layout`.
pub(in crate::oci) const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const EMPTY_INDEX: &[u8] =
    br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
/// In bytes: `oci-layout` has 30.
const LARGEST_LAYOUT: u64 = 4096;

/// An OCI image layout. Copies are the same store; all of it may be used by many threads.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) places: Arc<Places>,
    pub(super) known: Arc<KnownIndex>,
}

impl Store {
    /// Opens the layout at `folder`; makes it when it is not there, and removes what processes that died
    /// left half written.
    ///
    /// # Errors
    /// When the folder is a layout of another version, or cannot be made.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let places = Places::new(folder);
        if !is_layout(&places)? {
            make(&places)?;
        }
        match temporary::sweep(&places.temporary(), |_living| {}) {
            Err(cause) if !cannot_be_written(&cause) => {
                return Err(StoreError::disk("clear", &places.temporary(), cause));
            }
            _ => {}
        }
        Ok(Self { places: Arc::new(places), known: Arc::default() })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.places.root
    }

    /// Begins a blob.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn writer(&self) -> Result<BlobWriter, StoreError> {
        BlobWriter::new(Arc::clone(&self.places))
    }

    /// Puts `bytes` into the store.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn put(&self, bytes: &[u8]) -> Result<Blob, StoreError> {
        let blob = Blob { digest: BlobDigest::of(bytes), size: bytes.len() as u64 };
        {
            let _gate = self.places.gate()?;
            if self.places.touch(&blob.digest, Some(blob.size)) {
                return Ok(blob);
            }
        }
        let mut writer = self.writer()?;
        writer
            .write_all(bytes)
            .map_err(|cause| StoreError::disk("write", &self.places.blob(&blob.digest), cause))?;
        writer.finish()
    }

    /// Puts several contents into the store, which have their names in this order: of what refers to others none
    /// is there before those are. The disk is waited for once.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn put_all(&self, contents: &[&[u8]]) -> Result<Vec<Blob>, StoreError> {
        let mut written = Vec::with_capacity(contents.len());
        for content in contents {
            let mut writer = self.writer()?;
            let failed = |cause| StoreError::disk("write", self.places.blobs(), cause);
            writer.write_all(content).map_err(failed)?;
            let blob = writer.written()?;
            let is_there = blob.is_there()?;
            written.push((blob, is_there));
        }
        thread::scope(|scope| {
            let missing = written.iter().filter(|(_, is_there)| !is_there);
            let syncs: Vec<_> = missing.map(|(blob, _)| scope.spawn(|| blob.sync())).collect();
            syncs.into_iter().try_for_each(|sync| sync.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })?;
        let placed =
            written.into_iter().map(|(blob, is_there)| if is_there { Ok(blob.blob) } else { blob.place() });
        placed.collect()
    }

    /// Syncs the folders, so that a loss of power takes nothing of what is there.
    ///
    /// # Errors
    /// When the disk does not do it.
    pub fn sync(&self) -> Result<(), StoreError> {
        [self.places.blobs(), self.folder()].into_iter().try_for_each(|folder| {
            sync_folder(folder).map_err(|cause| StoreError::disk("sync", folder, cause))
        })
    }

    /// Whether a blob is there. To ask is to use: while a [`super::Lease`] is held since before, a blob
    /// that was there stays.
    pub fn has(&self, digest: &BlobDigest) -> bool {
        let _gate = self.places.gate();
        self.places.touch(digest, None)
    }

    /// The file of a blob, not verified; `None` when it is not there. To open is to use.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_blob(&self, digest: &BlobDigest) -> Result<Option<File>, StoreError> {
        if !self.has(digest) {
            return Ok(None);
        }
        let path = self.places.blob(digest);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(StoreError::disk("read", &path, cause)),
        }
    }

    /// How many bytes a blob has; `None` when it is not there.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn size(&self, digest: &BlobDigest) -> Result<Option<u64>, StoreError> {
        let path = self.places.blob(digest);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len()).filter(|_| metadata.is_file())),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(StoreError::disk("look at", &path, cause)),
        }
    }

    /// The bytes of a blob, verified; `None` when it is not there.
    ///
    /// # Errors
    /// When it has more than `limit` bytes, cannot be read, or has other bytes than its name says: then it
    /// is moved aside, and is missing from then on.
    pub fn read(&self, digest: &BlobDigest, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut reader) = self.verified_reader(digest)? else { return Ok(None) };
        let size = self.size(digest)?.unwrap_or_default();
        if size > limit {
            return Err(StoreError::TooLarge { digest: *digest, size, limit });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        // One byte more shows a file that grew, and otherwise lets the reader see the end.
        match reader.by_ref().take(limit.saturating_add(1)).read_to_end(&mut bytes) {
            Ok(count) if count as u64 > limit => {
                Err(StoreError::TooLarge { digest: *digest, size: count as u64, limit })
            }
            Ok(_) => Ok(Some(bytes)),
            Err(cause) => Err(self.stream_error("read", digest, cause)),
        }
    }

    /// A blob's bytes, which fail at their end when they are others than its name says; `None` when it is
    /// not there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn verified_reader(&self, digest: &BlobDigest) -> Result<Option<VerifiedReader>, StoreError> {
        let file = self.open_blob(digest)?;
        Ok(file.map(|file| VerifiedReader::new(Arc::clone(&self.places), file, *digest)))
    }

    /// What failed while a [`VerifiedReader`] of `digest` was read, as an error of the store. `action` is what
    /// was done with the bytes: `read`, `unpack` …
    pub fn stream_error(&self, action: &'static str, digest: &BlobDigest, cause: io::Error) -> StoreError {
        match cause.downcast::<StoreError>() {
            Ok(error) => error,
            Err(cause) => StoreError::disk(action, &self.places.blob(digest), cause),
        }
    }

    /// All blobs with their sizes in bytes, without touching any: in one reading of the folder.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn blobs(&self) -> Result<BTreeMap<BlobDigest, u64>, StoreError> {
        let files = self.blob_files()?;
        Ok(files.into_iter().map(|(digest, metadata)| (digest, metadata.len())).collect())
    }

    /// All blobs with what the system says of their files.
    pub(in crate::oci) fn blob_files(&self) -> Result<BTreeMap<BlobDigest, fs::Metadata>, StoreError> {
        let folder = self.places.blobs();
        let failed = |cause| StoreError::disk("read", folder, cause);
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(digest) = entry.file_name().to_str().and_then(digest_of_name) else { continue };
            match fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_file() => drop(found.insert(digest, metadata)),
                Ok(_) => {}
                Err(cause) if cause.kind() == ErrorKind::NotFound => {}
                Err(cause) => return Err(failed(cause)),
            }
        }
        Ok(found)
    }
}

/// The digest whose blob a file of this name is.
pub(in crate::oci) fn digest_of_name(name: &str) -> Option<BlobDigest> {
    format!("sha256:{name}").parse().ok()
}

/// Whether the folder is a layout of the version that is understood; `false` when nothing is there.
fn is_layout(places: &Places) -> Result<bool, StoreError> {
    let path = places.layout();
    let Some(bytes) = read_limited(&path, LARGEST_LAYOUT)? else { return Ok(false) };
    let damaged = |reason: String| StoreError::File { path: path.clone(), reason };
    let layout: oci_spec::image::OciLayout =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let version = layout.image_layout_version();
    if version != VERSION {
        return Err(StoreError::Version { folder: places.root.clone(), version: version.clone() });
    }
    Ok(places.blobs().is_dir() && places.index().is_file())
}

/// Makes what is missing of a layout. `oci-layout` comes last: where it is, all is.
fn make(places: &Places) -> Result<(), StoreError> {
    let blobs = places.blobs();
    fs::create_dir_all(blobs).map_err(|cause| StoreError::disk("make the folder", blobs, cause))?;
    for (path, bytes) in [(places.index(), EMPTY_INDEX), (places.layout(), LAYOUT)] {
        let made = || -> io::Result<()> {
            let mut file = temporary::create(&places.temporary())?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            match file.persist_noclobber(&path) {
                Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
                _ => sync_folder(&places.root),
            }
        };
        made().map_err(|cause| StoreError::disk("write", &path, cause))?;
    }
    Ok(())
}

/// The bytes of a file; `None` when there is none.
fn read_limited(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match File::open(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        result => result.map_err(|cause| StoreError::disk("read", path, cause))?,
    };
    let mut bytes = Vec::new();
    let count = file
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|cause| StoreError::disk("read", path, cause))?;
    if count as u64 > limit {
        let reason = format!("it has more than {limit} bytes");
        return Err(StoreError::File { path: path.to_path_buf(), reason });
    }
    Ok(Some(bytes))
}
