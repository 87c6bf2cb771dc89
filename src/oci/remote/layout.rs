//! An image from disk: an OCI layout in a folder or in a tar, or what `docker save` writes.
//!
//! A tar of today's `docker save` is an OCI layout as well, and is read as one. An older one has a
//! `manifest.json` without digests: the digests are counted here, and a manifest of OCI is made, so that the
//! image is like every other.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::oci::archive::compression::Compression;
use crate::oci::blob_digest::BlobDigest;
use crate::oci::document::{self, LARGEST_DOCUMENT};
use crate::syntax::image_reference::ImageReference;
use crate::types::cancellation::Cancellation;
use crate::types::platform::Platform;

use super::blob_sink::{BlobSink, copy};
use super::error::RemoteError;
use super::image::{DocumentKind, DocumentSource, FoundImage, Image, ImageLayer, Search, parse_config};
use super::layout_files::{LayoutFiles, Section};
use super::manifest::{Descriptor, Manifest, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST};

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const IMAGE_NAME: &str = "io.containerd.image.name";
const DEEPEST_INDEX: u32 = 4;

/// A folder or a tar with images.
pub struct Layout {
    files: LayoutFiles,
    /// What it is called in errors.
    what: String,
}

/// An image of a `docker save` without digests.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

/// A manifest that is made here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MadeManifest {
    schema_version: u32,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

impl Layout {
    /// Opens the folder or the tar at `path`, which may be compressed: then `scratch` is a folder that holds it
    /// while it is open.
    ///
    /// # Errors
    /// It cannot be read, or is neither folder nor tar.
    pub fn open(path: &Path, scratch: &Path) -> Result<Self, RemoteError> {
        Ok(Self { files: LayoutFiles::open(path, scratch)?, what: path.display().to_string() })
    }

    /// Puts the image of a platform into the sink: blobs that are there are not read again.
    ///
    /// `name` is a tag, a digest or a whole name, for a layout of several images.
    ///
    /// # Errors
    /// The image is not there, not whole, or not for the platform; or the sink does not take it.
    pub fn import(
        &self,
        name: Option<&str>,
        platform: &Platform,
        sink: &dyn BlobSink,
        cancellation: &Cancellation,
    ) -> Result<Image, RemoteError> {
        if let Some(index) = self.document_at("index.json")? {
            let found = self.find(&index, name, platform)?;
            self.import_found(&found, sink, cancellation)
        } else if let Some(saved) = self.document_at("manifest.json")? {
            self.import_saved(&saved, name, sink, cancellation)
        } else {
            Err(RemoteError::unfit(
                &self.what,
                "it has neither index.json nor manifest.json, so it is no image",
            ))
        }
    }

    fn find(&self, index: &[u8], name: Option<&str>, platform: &Platform) -> Result<FoundImage, RemoteError> {
        let search = Search { source: self, what: &self.what, platform, unnamed: Cell::default() };
        let Ok(Manifest::Index(entries)) = Manifest::parse(index) else {
            return Err(RemoteError::unfit(&self.what, "its index.json is no index"));
        };
        let entries: Vec<Descriptor> =
            entries.into_iter().filter(|entry| name.is_none_or(|name| is_called(entry, name))).collect();
        let names: BTreeSet<&str> = entries.iter().filter_map(own_name).collect();
        match entries.as_slice() {
            [] => Err(self.nothing_called(name)),
            _ if names.len() > 1 => Err(self.several(&names)),
            // An image that stands alone is meant, whatever it is for.
            [entry] if entry.platform.is_none() => {
                let bytes = self.document(entry, DocumentKind::Manifest)?;
                if BlobDigest::of(&bytes) != entry.digest {
                    let what = format!("the manifest of {}", self.what);
                    return Err(RemoteError::Digest { what, expected: entry.digest.to_string() });
                }
                search.image(bytes)
            }
            entries => search.of_index(entries, DEEPEST_INDEX),
        }
    }

    fn nothing_called(&self, name: Option<&str>) -> RemoteError {
        let name = name.map_or_else(|| "an image".to_owned(), |name| format!("an image `{name}`"));
        RemoteError::Missing { what: format!("{name} in {}", self.what) }
    }

    fn several(&self, names: &BTreeSet<&str>) -> RemoteError {
        let names = names.iter().take(10).map(|name| super::error::printable(name));
        let names = names.collect::<Vec<_>>().join(", ");
        RemoteError::Several { what: self.what.clone(), names }
    }

    fn import_found(
        &self,
        found: &FoundImage,
        sink: &dyn BlobSink,
        cancellation: &Cancellation,
    ) -> Result<Image, RemoteError> {
        for layer in &found.image.layers {
            let section = |()| self.section(&blob_name(&layer.blob));
            self.import_blob(&layer.blob, layer.size, section, sink, cancellation)?;
        }
        self.put(&found.image.config_digest, &found.config_bytes, sink)?;
        self.put(&found.image.manifest, &found.manifest_bytes, sink)?;
        Ok(found.image.clone())
    }

    fn import_blob(
        &self,
        digest: &BlobDigest,
        size: u64,
        section: impl FnOnce(()) -> Result<Section, RemoteError>,
        sink: &dyn BlobSink,
        cancellation: &Cancellation,
    ) -> Result<(), RemoteError> {
        let what = format!("{digest} of {}", self.what);
        if cancellation.is_cancelled() {
            return Err(RemoteError::Cancelled);
        }
        if sink.has(digest).map_err(|error| RemoteError::Local { what: what.clone(), error })? {
            return Ok(());
        }
        let mut section = section(())?;
        if section.size() != size {
            return Err(RemoteError::Size { what, expected: size, found: section.size() });
        }
        copy(sink, digest, &mut section).map_err(|error| RemoteError::copying(&what, digest, error))?;
        Ok(())
    }

    fn put(&self, digest: &BlobDigest, bytes: &[u8], sink: &dyn BlobSink) -> Result<(), RemoteError> {
        let failed = |error| RemoteError::copying(&self.what, digest, error);
        if !sink.has(digest).map_err(failed)? {
            copy(sink, digest, &mut &*bytes).map_err(failed)?;
        }
        Ok(())
    }

    fn import_saved(
        &self,
        saved: &[u8],
        name: Option<&str>,
        sink: &dyn BlobSink,
        cancellation: &Cancellation,
    ) -> Result<Image, RemoteError> {
        let images: Vec<SavedImage> = document::read(saved).map_err(|error| {
            RemoteError::unfit(&self.what, format!("its manifest.json is not right: {error}"))
        })?;
        let image = match (name, images.as_slice()) {
            (None, [image]) => image,
            (None, [_, _, ..]) => {
                let tags = images.iter().filter_map(|image| image.repo_tags.as_ref()?.first());
                return Err(self.several(&tags.map(String::as_str).collect()));
            }
            (name, images) => images
                .iter()
                .find(|image| name.is_some_and(|name| image.is_called(name)))
                .ok_or_else(|| self.nothing_called(name))?,
        };
        let layers = image.layers.as_deref().unwrap_or_default();
        let config_bytes = self.document_at(&image.config)?.ok_or_else(|| self.missing(&image.config))?;
        let config = parse_config(&config_bytes, layers.len())
            .map_err(|reason| RemoteError::unfit(&self.what, reason))?;
        let mut found = Vec::new();
        for (member, diff_id) in layers.iter().zip(&config.rootfs.diff_ids) {
            let (blob, size, media_type) = self.saved_layer(member, cancellation)?;
            if media_type == OCI_LAYER && blob != diff_id.0 {
                let what = format!("{member} of {}", self.what);
                return Err(RemoteError::Digest { what, expected: diff_id.to_string() });
            }
            self.import_blob(&blob, size, |()| self.section(member), sink, cancellation)?;
            found.push(ImageLayer { blob, size, media_type, diff_id: *diff_id });
        }
        let config_digest = BlobDigest::of(&config_bytes);
        let manifest = made_manifest(config_digest, config_bytes.len() as u64, &found);
        self.put(&config_digest, &config_bytes, sink)?;
        self.put(&BlobDigest::of(&manifest), &manifest, sink)?;
        Ok(Image { manifest: BlobDigest::of(&manifest), config_digest, config, layers: found })
    }

    /// The digest, the size and the media type of a layer.
    fn saved_layer(
        &self,
        member: &str,
        cancellation: &Cancellation,
    ) -> Result<(BlobDigest, u64, String), RemoteError> {
        let mut section = self.section(member)?;
        let size = section.size();
        let (mut hash, mut media_type) = (Sha256::new(), None);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            if cancellation.is_cancelled() {
                return Err(RemoteError::Cancelled);
            }
            let count = section.read(&mut buffer).map_err(|error| self.local(error))?;
            media_type = media_type.or_else(|| Some(Compression::of(&buffer[..count])));
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
        }
        let suffix = match media_type {
            Some(Compression::Gzip) => "+gzip",
            Some(Compression::Zstd) => "+zstd",
            Some(Compression::None) | None => "",
            Some(other) => {
                let reason = format!("its layer {member} is compressed with {other:?}");
                return Err(RemoteError::unfit(&self.what, reason));
            }
        };
        Ok((BlobDigest::from_bytes(hash.finalize().into()), size, format!("{OCI_LAYER}{suffix}")))
    }

    fn section(&self, name: &str) -> Result<Section, RemoteError> {
        self.files.section(name).map_err(|error| self.local(error))?.ok_or_else(|| self.missing(name))
    }

    fn document_at(&self, name: &str) -> Result<Option<Vec<u8>>, RemoteError> {
        let Some(section) = self.files.section(name).map_err(|error| self.local(error))? else {
            return Ok(None);
        };
        if section.size() > LARGEST_DOCUMENT {
            let what = format!("{name} of {}", self.what);
            return Err(RemoteError::TooLarge { what, limit: LARGEST_DOCUMENT });
        }
        let mut bytes = Vec::new();
        section.take(LARGEST_DOCUMENT).read_to_end(&mut bytes).map_err(|error| self.local(error))?;
        Ok(Some(bytes))
    }

    fn local(&self, error: std::io::Error) -> RemoteError {
        RemoteError::Local { what: self.what.clone(), error }
    }

    fn missing(&self, name: &str) -> RemoteError {
        RemoteError::Missing { what: format!("{} of {}", super::error::printable(name), self.what) }
    }
}

impl DocumentSource for Layout {
    fn document(&self, descriptor: &Descriptor, _: DocumentKind) -> Result<Vec<u8>, RemoteError> {
        let name = blob_name(&descriptor.digest);
        self.document_at(&name)?.ok_or_else(|| self.missing(&name))
    }
}

impl SavedImage {
    fn is_called(&self, name: &str) -> bool {
        let tags = self.repo_tags.as_deref().unwrap_or_default();
        tags.iter().any(|tag| same_image(tag, name))
    }
}

/// What an entry of an index is called, best where that is a whole name.
fn own_name(entry: &Descriptor) -> Option<&str> {
    entry.annotation(IMAGE_NAME).or_else(|| entry.annotation(REF_NAME))
}

fn is_called(entry: &Descriptor, name: &str) -> bool {
    let is_name = |note: &str| entry.annotation(note).is_some_and(|found| same_image(found, name));
    entry.digest.to_string() == name || is_name(REF_NAME) || is_name(IMAGE_NAME)
}

/// Whether both are written the same, or name the same image once they are whole.
fn same_image(one: &str, other: &str) -> bool {
    let whole = |name: &str| name.parse().ok().map(ImageReference::with_default_tag);
    one == other || whole(one).is_some_and(|one| whole(other) == Some(one))
}

fn blob_name(digest: &BlobDigest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn made_manifest(config: BlobDigest, size: u64, layers: &[ImageLayer]) -> Vec<u8> {
    let descriptor = |layer: &ImageLayer| Descriptor::new(&*layer.media_type, layer.blob, layer.size);
    let manifest = MadeManifest {
        schema_version: 2,
        media_type: OCI_MANIFEST,
        config: Descriptor::new(OCI_CONFIG, config, size),
        layers: layers.iter().map(descriptor).collect(),
    };
    serde_json::to_vec(&manifest).expect("texts and numbers are always JSON")
}

#[cfg(test)]
mod tests;
