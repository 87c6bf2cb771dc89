//! What of the store goes out: for each image its documents and its layers in the form that is asked for.

use std::collections::{BTreeMap, HashMap};

use oci_spec::image::{Descriptor, MediaType};

use crate::oci::blob_digest::BlobDigest;
use crate::oci::compressed_layers::CompressedLayers;
use crate::oci::image::{Image, LayerBlob, documents, read_image};
use crate::oci::layers::compression::Compression;
use crate::oci::store::{REFERENCE_NAME, Store, StoreError, descriptor};
use crate::syntax::image_reference::ImageReference;
use crate::types::platform::Platform;

/// The name by which containerd imports an image: always in full.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// An image that is to go out.
#[derive(Clone, Debug)]
pub struct Outgoing<'o> {
    /// A manifest, or an index that has one for the platform.
    pub digest: BlobDigest,
    /// Its platform.
    pub platform: &'o Platform,
    /// Its names. A digest in one is left out; a tag that is missing is `latest`.
    pub names: &'o [ImageReference],
}

/// An image as it goes out.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Its configuration.
    pub(super) config: Vec<u8>,
    pub(super) manifest: Vec<u8>,
    pub(super) layers: Vec<LayerBlob>,
    names: Vec<ImageReference>,
}

impl Exported {
    /// Finds or makes all that goes out for an image. `compression` is that of the layers; `None` leaves them,
    /// and the manifest, as they are stored.
    ///
    /// # Errors
    /// When something is missing or damaged, or the disk does not take what is made.
    pub fn of(
        store: &Store,
        compressed: &CompressedLayers,
        outgoing: &Outgoing<'_>,
        compression: Option<Compression>,
    ) -> Result<Self, StoreError> {
        let image = read_image(store, &outgoing.digest, outgoing.platform)?
            .ok_or(StoreError::Missing(outgoing.digest))?;
        let names = outgoing.names.iter().map(|name| {
            let name = ImageReference { digest: None, ..name.clone() };
            name.with_default_tag()
        });
        let names = names.collect();
        let exported = match compression
            .filter(|wanted| image.layers.iter().any(|layer| layer.compression != *wanted))
        {
            Some(wanted) => in_form(store, compressed, &image, wanted)?,
            None => as_stored(store, &image)?,
        };
        let (config, manifest, layers) = exported;
        layers.iter().try_for_each(|layer| check_size(store, layer))?;
        Ok(Self { config, manifest, layers, names })
    }

    /// The name of its manifest.
    pub fn digest(&self) -> BlobDigest {
        BlobDigest::of(&self.manifest)
    }

    pub(super) fn config_digest(&self) -> BlobDigest {
        BlobDigest::of(&self.config)
    }

    /// Its names as Docker lists them.
    pub(super) fn familiar_names(&self) -> Vec<String> {
        self.names.iter().map(ImageReference::familiar).collect()
    }

    /// Its entries in an `index.json`: one for each name, or one without.
    pub(super) fn entries(&self) -> Vec<Descriptor> {
        let size = self.manifest.len() as u64;
        let plain = descriptor(&self.digest(), MediaType::ImageManifest, size);
        let named = |name: &ImageReference| {
            let mut entry = plain.clone();
            let full = name.to_string();
            let annotations = [CONTAINERD_NAME, REFERENCE_NAME].map(|key| (key.to_owned(), full.clone()));
            entry.set_annotations(Some(HashMap::from(annotations)));
            entry
        };
        if self.names.is_empty() { vec![plain] } else { self.names.iter().map(named).collect() }
    }
}

type Parts = (Vec<u8>, Vec<u8>, Vec<LayerBlob>);

fn as_stored(store: &Store, image: &Image) -> Result<Parts, StoreError> {
    let read = |digest: &BlobDigest| {
        store.read(digest, crate::oci::document::LARGEST_DOCUMENT)?.ok_or(StoreError::Missing(*digest))
    };
    Ok((read(&image.config_digest)?, read(&image.manifest_digest)?, image.layers.clone()))
}

fn in_form(
    store: &Store,
    compressed: &CompressedLayers,
    image: &Image,
    wanted: Compression,
) -> Result<Parts, StoreError> {
    let layers = image.layers.iter().map(|layer| compressed.in_form(store, layer, wanted));
    let layers = layers.collect::<Result<Vec<_>, _>>()?;
    let (config, manifest) = documents(&image.config, &layers);
    Ok((config, manifest, layers))
}

/// What an archive says of a size must be what follows.
fn check_size(store: &Store, layer: &LayerBlob) -> Result<(), StoreError> {
    match store.size(&layer.digest)?.filter(|_| store.has(&layer.digest)) {
        Some(size) if size == layer.size => Ok(()),
        Some(size) => Err(StoreError::Document {
            digest: layer.digest,
            what: "layer of its image",
            reason: format!("it has {size} bytes, where the manifest says {}", layer.size),
        }),
        None => Err(StoreError::Missing(layer.digest)),
    }
}

/// A blob that goes out.
pub(super) enum Content<'e> {
    Bytes(&'e [u8]),
    /// Of the store, with its size in bytes.
    Stored(u64),
}

/// All blobs of some images, each once.
pub(super) fn blobs(images: &[Exported]) -> BTreeMap<BlobDigest, Content<'_>> {
    let mut blobs = BTreeMap::new();
    for image in images {
        blobs.extend(image.layers.iter().map(|layer| (layer.digest, Content::Stored(layer.size))));
        blobs.insert(image.config_digest(), Content::Bytes(&image.config));
        blobs.insert(image.digest(), Content::Bytes(&image.manifest));
    }
    blobs
}
