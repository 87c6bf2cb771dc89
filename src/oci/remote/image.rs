//! An image that was found: its manifest, its configuration and its layers.
//!
//! Registries, layouts and tars differ in how a document is had, and in nothing else: the way from an index
//! to the image of a platform is here, once.

use std::cell::Cell;

use crate::oci::blob_digest::{BlobDigest, DiffId};
use crate::oci::document::{self, LARGEST_DOCUMENT};
use crate::oci::image_config::ImageConfig;
use crate::types::platform::Platform;

use super::error::RemoteError;
use super::manifest::{Descriptor, Manifest, PlatformNames};
use super::platform_choice::{available, candidates, platform_of, rank};

/// How many indexes may lie in one another.
const DEEPEST_INDEX: u32 = 4;
/// How many manifests that name no platform are looked into.
const MOST_UNNAMED: usize = 16;

/// An image, whose blobs are in a sink or may be fetched into one.
#[derive(Clone, Debug)]
pub struct Image {
    /// The digest of the manifest of this platform.
    pub manifest: BlobDigest,
    /// The digest of the configuration: the image's id.
    pub config_digest: BlobDigest,
    /// The configuration.
    pub config: ImageConfig,
    /// The layers, lowest first.
    pub layers: Vec<ImageLayer>,
}

/// A layer of an image, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageLayer {
    /// The blob, compressed as it came.
    pub blob: BlobDigest,
    /// The blob's size in bytes.
    pub size: u64,
    /// The blob's media type, which tells its compression.
    pub media_type: String,
    /// The digest of the tar in it, as the configuration says: nobody has checked it yet.
    pub diff_id: DiffId,
}

/// An image and the bytes of its two documents.
#[derive(Clone, Debug)]
pub(super) struct FoundImage {
    pub(super) image: Image,
    pub(super) manifest_bytes: Vec<u8>,
    pub(super) config_bytes: Vec<u8>,
}

/// What a document is, since a registry keeps the two in different places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DocumentKind {
    /// A manifest or an index.
    Manifest,
    /// A configuration.
    Config,
}

/// Something that gives documents.
pub(super) trait DocumentSource {
    /// The bytes that the descriptor names. Neither digest nor size need be checked.
    fn document(&self, descriptor: &Descriptor, kind: DocumentKind) -> Result<Vec<u8>, RemoteError>;
}

/// Follows indexes to the image of a platform.
pub(super) struct Search<'s> {
    pub(super) source: &'s dyn DocumentSource,
    /// What the image is called in errors.
    pub(super) what: &'s str,
    pub(super) platform: &'s Platform,
    /// How many manifests that name no platform were looked into: indexes that lie in one another count together.
    pub(super) unnamed: Cell<usize>,
}

impl Search<'_> {
    /// The image that these bytes, whose digest was checked, describe or lead to. An image that is named itself,
    /// and not through an index, is taken whatever its platform is, as containerd does it.
    pub(super) fn image(&self, bytes: Vec<u8>) -> Result<FoundImage, RemoteError> {
        match self.parse(&bytes)? {
            Manifest::Image { config, layers } => self.read_image(bytes, &config, layers),
            Manifest::Index(index) => self.of_index(&index, DEEPEST_INDEX),
        }
    }

    /// The image of an index, which need not be a document of its own.
    pub(super) fn of_index(&self, index: &[Descriptor], deeper: u32) -> Result<FoundImage, RemoteError> {
        for candidate in candidates(index, self.platform) {
            if candidate.platform.is_some() {
                return self.of_descriptor(candidate, deeper)?.ok_or_else(|| self.none_of(index));
            }
            self.unnamed.set(self.unnamed.get() + 1);
            if self.unnamed.get() > MOST_UNNAMED {
                break;
            }
            if let Some(found) = self.of_descriptor(candidate, deeper)? {
                return Ok(found);
            }
        }
        Err(self.none_of(index))
    }

    /// `None` where the index does not say what it is for, and it is for another platform.
    fn of_descriptor(&self, descriptor: &Descriptor, deeper: u32) -> Result<Option<FoundImage>, RemoteError> {
        let deeper = deeper
            .checked_sub(1)
            .ok_or_else(|| RemoteError::unfit(self.what, "its indexes lie too deep in one another"))?;
        let bytes = self.checked(descriptor, DocumentKind::Manifest)?;
        match self.parse(&bytes)? {
            Manifest::Index(index) => match self.of_index(&index, deeper) {
                Err(RemoteError::NoPlatform { .. }) if descriptor.platform.is_none() => Ok(None),
                found => found.map(Some),
            },
            Manifest::Image { config, layers } => {
                let found = self.read_image(bytes, &config, layers)?;
                Ok((descriptor.platform.is_some() || self.runs(&found.image.config)).then_some(found))
            }
        }
    }

    fn runs(&self, config: &ImageConfig) -> bool {
        let names = PlatformNames {
            architecture: config.architecture.clone(),
            os: config.os.clone(),
            variant: config.variant.clone(),
        };
        platform_of(&names).is_some_and(|offered| rank(self.platform, &offered).is_some())
    }

    fn parse(&self, bytes: &[u8]) -> Result<Manifest, RemoteError> {
        Manifest::parse(bytes).map_err(|reason| RemoteError::unfit(self.what, reason))
    }

    fn none_of(&self, index: &[Descriptor]) -> RemoteError {
        RemoteError::NoPlatform {
            what: self.what.to_owned(),
            platform: self.platform.clone(),
            available: available(index),
        }
    }

    fn checked(&self, descriptor: &Descriptor, kind: DocumentKind) -> Result<Vec<u8>, RemoteError> {
        let name = match kind {
            DocumentKind::Manifest => "a manifest",
            DocumentKind::Config => "the configuration",
        };
        let what = format!("{name} of {}", self.what);
        if descriptor.size > LARGEST_DOCUMENT {
            return Err(RemoteError::TooLarge { what, limit: LARGEST_DOCUMENT });
        }
        let bytes = self.source.document(descriptor, kind)?;
        if BlobDigest::of(&bytes) != descriptor.digest {
            return Err(RemoteError::Digest { what, expected: descriptor.digest.to_string() });
        }
        if bytes.len() as u64 != descriptor.size {
            return Err(RemoteError::Size { what, expected: descriptor.size, found: bytes.len() as u64 });
        }
        Ok(bytes)
    }

    fn read_image(
        &self,
        manifest_bytes: Vec<u8>,
        config: &Descriptor,
        layers: Vec<Descriptor>,
    ) -> Result<FoundImage, RemoteError> {
        let config_bytes = self.checked(config, DocumentKind::Config)?;
        let read = parse_config(&config_bytes, layers.len());
        let read = read.map_err(|reason| RemoteError::unfit(self.what, reason))?;
        let diff_ids = read.rootfs.diff_ids.iter();
        let layers = layers.into_iter().zip(diff_ids).map(|(layer, diff_id)| ImageLayer {
            blob: layer.digest,
            size: layer.size,
            media_type: layer.media_type,
            diff_id: *diff_id,
        });
        let image = Image {
            manifest: BlobDigest::of(&manifest_bytes),
            config_digest: config.digest,
            layers: layers.collect(),
            config: read,
        };
        Ok(FoundImage { image, manifest_bytes, config_bytes })
    }
}

/// Reads the configuration of an image that has so many layers.
pub(super) fn parse_config(bytes: &[u8], layers: usize) -> Result<ImageConfig, String> {
    let config: ImageConfig =
        document::read(bytes).map_err(|error| format!("its configuration is not right: {error}"))?;
    let diff_ids = config.rootfs.diff_ids.len();
    if diff_ids != layers {
        return Err(format!("its manifest has {layers} layers and its configuration {diff_ids}"));
    }
    Ok(config)
}
