//! Which blob holds the tar of a layer in which compressed form: so that a layer is compressed once.
//!
//! A small file each, named by diff id and compression, in a folder beside the store. It is only a hint: a blob
//! that is not there any more is made again, to the same bytes. It has a checksum, so it need not outlive a loss
//! of power, and is not synced.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::blob_digest::{BlobDigest, DiffId};
use super::image::LayerBlob;
use super::layers::compression::{Compression, unpacked};
use super::layers::read_ahead;
use super::store::{Blob, Store, StoreError};
use super::temporary;

/// In bytes: a digest has 71, and its checksum 64.
const LARGEST_NOTE: u64 = 256;

/// The key of the checksum. Its number counts up when a compressor gives other bytes: what was compressed before
/// would be another image on this machine than on others.
const CHECKSUM_KEY: &str = "imgraph compressed layer 2";

/// What is known of compressed forms.
#[derive(Clone, Debug)]
pub struct CompressedLayers {
    folder: PathBuf,
}

impl CompressedLayers {
    /// Notes in `folder`, which is made with the first of them.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// The blob that holds the tar of `diff_id` in this form, when that is known and the blob is there.
    pub fn find(&self, store: &Store, diff_id: &DiffId, compression: Compression) -> Option<Blob> {
        let mut text = String::new();
        let file = fs::File::open(self.note(diff_id, compression)).ok()?;
        file.take(LARGEST_NOTE).read_to_string(&mut text).ok()?;
        let (digest, _checksum) = text.split_once(' ')?;
        let digest: BlobDigest = digest.parse().ok()?;
        if text != note_text(diff_id, compression, &digest) {
            return None;
        }
        let size = store.size(&digest).ok()??;
        store.has(&digest).then_some(Blob { digest, size })
    }

    /// Writes down that `digest` is the tar of `diff_id` in this form.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn remember(
        &self,
        diff_id: &DiffId,
        compression: Compression,
        digest: &BlobDigest,
    ) -> Result<(), StoreError> {
        let path = self.note(diff_id, compression);
        let write = || -> io::Result<()> {
            let mut file = temporary::create(&self.folder)?;
            file.write_all(note_text(diff_id, compression, digest).as_bytes())?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|cause| StoreError::disk("write", &path, cause))
    }

    /// `layer` in the wanted form, which is made when it is not there.
    ///
    /// # Errors
    /// When the layer is missing or damaged, or the disk does not take it.
    pub fn in_form(
        &self,
        store: &Store,
        layer: &LayerBlob,
        wanted: Compression,
    ) -> Result<LayerBlob, StoreError> {
        let diff_id = layer.diff_id;
        if layer.compression == wanted {
            return Ok(*layer);
        }
        let blob = if wanted == Compression::None {
            tar(store, layer)?
        } else if let Some(known) = self.find(store, &diff_id, wanted) {
            known
        } else {
            let made = compress(store, &tar(store, layer)?.digest, wanted)?;
            self.remember(&diff_id, wanted, &made.digest)?;
            made
        };
        Ok(LayerBlob { digest: blob.digest, size: blob.size, diff_id, compression: wanted })
    }

    fn note(&self, diff_id: &DiffId, compression: Compression) -> PathBuf {
        self.folder.join(format!("{}.{}", diff_id.0.hex(), compression.name()))
    }
}

fn note_text(diff_id: &DiffId, compression: Compression, digest: &BlobDigest) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(CHECKSUM_KEY);
    hasher.update(diff_id.0.as_bytes()).update(digest.as_bytes()).update(compression.name().as_bytes());
    format!("{digest} {}\n", hasher.finalize().to_hex())
}

/// The uncompressed tar of a layer, as a blob: unpacked, and found to have its diff id, where it is not there.
fn tar(store: &Store, layer: &LayerBlob) -> Result<Blob, StoreError> {
    let diff_id = layer.diff_id.0;
    if let Some(size) = store.size(&diff_id)?.filter(|_| store.has(&diff_id)) {
        return Ok(Blob { digest: diff_id, size });
    }
    let packed = store.verified_reader(&layer.digest)?.ok_or(StoreError::Missing(layer.digest))?;
    let refused = |error| store.stream_error("unpack", &layer.digest, error);
    let (_packing, mut reader) = unpacked(packed).map_err(refused)?;
    let mut writer = store.writer()?;
    read_ahead::copy(&mut reader, &mut writer).map_err(refused)?;
    writer.finish_as(&diff_id)
}

fn compress(store: &Store, tar: &BlobDigest, wanted: Compression) -> Result<Blob, StoreError> {
    let mut reader = store.verified_reader(tar)?.ok_or(StoreError::Missing(*tar))?;
    let mut writer = store.writer()?;
    wanted.compress(&mut reader, &mut writer).map_err(|error| store.stream_error("compress", tar, error))?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_made_once_in_each_form_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("oci")).unwrap();
        let compressed = CompressedLayers::new(&folder.path().join("compressed"));
        let content = b"a layer ".repeat(10_000);
        let blob = store.put(&content).unwrap();
        let layer = LayerBlob {
            digest: blob.digest,
            size: blob.size,
            diff_id: DiffId(blob.digest),
            compression: Compression::None,
        };
        for form in [Compression::Gzip, Compression::Zstd] {
            let made = compressed.in_form(&store, &layer, form).unwrap();
            assert!(made.size < layer.size && made.diff_id == layer.diff_id && made.compression == form);
            let known = compressed.find(&store, &layer.diff_id, form).unwrap();
            assert_eq!((known.digest, known.size), (made.digest, made.size));
            // Without the tar it is unpacked from the compressed form.
            fs::remove_file(store.folder().join("blobs/sha256").join(blob.digest.hex())).unwrap();
            assert_eq!(compressed.in_form(&store, &made, Compression::None).unwrap(), layer);
            assert_eq!(store.read(&blob.digest, 1 << 20).unwrap(), Some(content.clone()));
        }
    }

    #[test]
    fn a_note_that_is_wrong_is_no_note() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("oci")).unwrap();
        let compressed = CompressedLayers::new(&folder.path().join("compressed"));
        let diff_id = DiffId(BlobDigest::of(b"tar"));
        let note = compressed.note(&diff_id, Compression::Gzip);
        fs::create_dir_all(&compressed.folder).unwrap();
        let gone = BlobDigest::of(b"gone").to_string();
        let there = store.put(b"there").unwrap();
        let of_other = note_text(&DiffId(BlobDigest::of(b"other")), Compression::Gzip, &there.digest);
        let unchecked = format!("{} \n", there.digest);
        for text in ["", "sha256:../../x", &gone, &gone.repeat(100), &unchecked, &of_other] {
            fs::write(&note, text).unwrap();
            assert_eq!(compressed.find(&store, &diff_id, Compression::Gzip), None, "{text}");
        }
        compressed.remember(&diff_id, Compression::Gzip, &there.digest).unwrap();
        assert_eq!(compressed.find(&store, &diff_id, Compression::Gzip), Some(there));
    }

    #[test]
    fn a_blob_that_is_not_the_layer_that_it_is_taken_for_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("oci")).unwrap();
        let compressed = CompressedLayers::new(&folder.path().join("compressed"));
        let mut bytes = Vec::new();
        Compression::Gzip.compress(&mut &b"other"[..], &mut bytes).unwrap();
        let blob = store.put(&bytes).unwrap();
        let diff_id = DiffId(BlobDigest::of(b"expected"));
        let layer =
            LayerBlob { digest: blob.digest, size: blob.size, diff_id, compression: Compression::Gzip };
        let error = compressed.in_form(&store, &layer, Compression::Zstd).unwrap_err();
        assert!(matches!(error, StoreError::OtherBytes { .. }), "{error}");
        assert!(!store.has(&diff_id.0));
    }
}
