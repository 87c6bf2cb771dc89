//! The names of images: the annotation `org.opencontainers.image.ref.name` in `index.json`.
//!
//! A name is a whole reference, as the image layout's specification allows and other tools expect. Whoever
//! changes a name reads the file, changes it and replaces it while holding a lock; whoever only reads needs
//! none. A loss of power may take back what was changed last, and nothing else.
//!
//! **Invariant:** entries that others put into the file, and what they say of them, are kept.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::sync::Arc;

use oci_spec::image::{Descriptor, ImageIndex, MediaType, Sha256Digest};

use super::error::StoreError;
use super::layout::Store;
use crate::oci::blob_digest::BlobDigest;
use crate::oci::file_lock::FileLock;
use crate::oci::temporary;

/// The annotation that names an image in a layout.
pub const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";

impl Store {
    /// Gives the name `reference` to the blob `digest`, which it takes from any other.
    ///
    /// # Errors
    /// When `index.json` is damaged or cannot be written.
    pub fn name(
        &self,
        reference: &str,
        digest: &BlobDigest,
        media_type: MediaType,
        size: u64,
    ) -> Result<(), StoreError> {
        self.name_all(BTreeMap::from([(reference.to_owned(), descriptor(digest, media_type, size))]))
    }

    /// As [`Self::name`], for many names in one step. What the descriptors say besides stays with them.
    ///
    /// # Errors
    /// As [`Self::name`].
    pub fn name_all(&self, names: BTreeMap<String, Descriptor>) -> Result<(), StoreError> {
        if names.is_empty() {
            return Ok(());
        }
        self.change(|entries| {
            entries.retain(|entry| reference_of(entry).is_none_or(|name| !names.contains_key(name)));
            entries.extend(names.into_iter().map(|(name, mut descriptor)| {
                let mut annotations = descriptor.annotations().clone().unwrap_or_default();
                annotations.insert(REFERENCE_NAME.to_owned(), name);
                descriptor.set_annotations(Some(annotations));
                descriptor
            }));
        })
    }

    /// Takes names away; those that are not there are not missed.
    ///
    /// # Errors
    /// As [`Self::name`].
    pub fn unname<'n>(&self, references: impl IntoIterator<Item = &'n str>) -> Result<(), StoreError> {
        let references: Vec<&str> = references.into_iter().collect();
        if references.is_empty() {
            return Ok(());
        }
        self.change(|entries| {
            entries.retain(|entry| reference_of(entry).is_none_or(|name| !references.contains(&name)));
        })
    }

    /// What has the name `reference`.
    ///
    /// # Errors
    /// When `index.json` is damaged or cannot be read.
    pub fn named(&self, reference: &str) -> Result<Option<Descriptor>, StoreError> {
        let index = self.entries()?;
        let named = index.manifests().iter().rfind(|entry| reference_of(entry) == Some(reference));
        Ok(named.cloned())
    }

    /// All names. Where several images have one, the last does.
    ///
    /// # Errors
    /// As [`Self::named`].
    pub fn names(&self) -> Result<BTreeMap<String, Descriptor>, StoreError> {
        let index = self.entries()?;
        let named = |entry: &Descriptor| Some((reference_of(entry)?.to_owned(), entry.clone()));
        Ok(index.manifests().iter().filter_map(named).collect())
    }

    /// What `index.json` says: images without names too.
    ///
    /// # Errors
    /// As [`Self::named`].
    pub fn entries(&self) -> Result<Arc<ImageIndex>, StoreError> {
        self.known.read(&self.places.index())
    }

    /// Changes the entries of `index.json` in one step.
    pub(in crate::oci) fn change(&self, change: impl FnOnce(&mut Vec<Descriptor>)) -> Result<(), StoreError> {
        let lock = self.places.names_lock();
        let _lock = FileLock::alone(&lock).map_err(|cause| StoreError::disk("lock", &lock, cause))?;
        let index = self.entries()?;
        let mut entries = index.manifests().clone();
        change(&mut entries);
        // Stable: of two entries with one name the last stays the last.
        entries.sort_by(|one, other| reference_of(one).cmp(&reference_of(other)));
        if *index.manifests() == entries {
            return Ok(());
        }
        let mut index = ImageIndex::clone(&index);
        index.set_manifests(entries);
        let path = self.places.index();
        self.replace_index(&index).map_err(|cause| StoreError::disk("write", &path, cause))
    }

    fn replace_index(&self, index: &ImageIndex) -> io::Result<()> {
        let mut file = temporary::create(&self.places.temporary())?;
        file.write_all(&canonical(index)?)?;
        file.as_file().sync_all()?;
        file.persist(self.places.index()).map_err(|error| error.error)?;
        Ok(())
    }
}

/// The bytes of a document: its maps are sorted, whatever order they have in memory.
pub(in crate::oci) fn canonical<Document: serde::Serialize>(document: &Document) -> io::Result<Vec<u8>> {
    // A `Value` keeps its keys in a sorted map.
    let value = serde_json::to_value(document)?;
    Ok(serde_json::to_vec(&value)?)
}

/// The name of an entry.
pub fn reference_of(entry: &Descriptor) -> Option<&str> {
    let annotations: &HashMap<String, String> = entry.annotations().as_ref()?;
    annotations.get(REFERENCE_NAME).map(String::as_str)
}

/// A descriptor of a blob.
pub fn descriptor(digest: &BlobDigest, media_type: MediaType, size: u64) -> Descriptor {
    let digest: Sha256Digest = digest.hex().parse().expect("64 lower-case digits are a sha256");
    Descriptor::new(media_type, size, digest)
}

/// The digest of what a descriptor describes.
///
/// # Errors
/// When it is no sha256: no blob of a store has such a name.
pub fn digest_of(descriptor: &Descriptor) -> Result<BlobDigest, String> {
    descriptor.digest().as_ref().parse().map_err(|error: crate::types::digest::DigestError| error.to_string())
}
