//! Images as builders write them: an OCI layout, as a folder or as one tar archive.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::tree::Layers;

/// An image, read whole.
pub(crate) struct Image {
    /// The image configuration.
    pub(crate) config: Value,
    /// Its layers from below, each an uncompressed tar.
    pub(crate) layers: Vec<Vec<u8>>,
}

impl Image {
    /// Reads a tar archive of an OCI layout that has one image in it.
    pub(crate) fn of_archive(path: &Path) -> Self {
        let mut blobs = BTreeMap::new();
        let mut archive = tar::Archive::new(fs::File::open(path).unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            blobs.insert(name, bytes);
        }
        let read = |name: &str| blobs.get(name).unwrap_or_else(|| panic!("no {name}")).clone();
        let index: Value = serde_json::from_slice(&read("index.json")).unwrap();
        let images = index["manifests"].as_array().unwrap();
        assert_eq!(images.len(), 1, "one image: {index}");
        Self::of(images[0]["digest"].as_str().unwrap(), read)
    }

    /// Reads the image `digest` of an OCI layout.
    pub(crate) fn of_folder(folder: &Path, digest: &str) -> Self {
        let read = |name: &str| fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self::of(digest, read)
    }

    fn of(digest: &str, read: impl Fn(&str) -> Vec<u8>) -> Self {
        let blob = |digest: &str| read(&format!("blobs/{}", digest.replace(':', "/")));
        let json = |bytes: Vec<u8>| -> Value { serde_json::from_slice(&bytes).unwrap() };
        let mut manifest = json(blob(digest));
        while let Some(images) = manifest["manifests"].as_array() {
            assert_eq!(images.len(), 1, "one image: {manifest}");
            manifest = json(blob(images[0]["digest"].as_str().unwrap()));
        }
        let blob = |descriptor: &Value| blob(descriptor["digest"].as_str().unwrap());
        let config = json(blob(&manifest["config"]));
        // An image without layers says `null`.
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        Self { config, layers: layers.iter().map(|layer| plain(blob(layer))).collect() }
    }

    /// The layers, laid on each other.
    pub(crate) fn laid(&self) -> Layers {
        lay(Layers::default(), &self.layers)
    }

    /// The layers, where those of `base` lie at the bottom: what was laid of it is taken as it is.
    pub(crate) fn laid_on(&self, base: &Self, laid: &Layers) -> Option<Layers> {
        let above = self.layers.strip_prefix(base.layers.as_slice()).filter(|_| !base.layers.is_empty())?;
        Some(lay(laid.clone(), above))
    }
}

fn lay(mut laid: Layers, layers: &[Vec<u8>]) -> Layers {
    for layer in layers {
        laid.add(layer);
    }
    laid
}

/// The bytes that were compressed, whichever way.
fn plain(bytes: Vec<u8>) -> Vec<u8> {
    let mut result = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut result).unwrap();
    } else if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        zstd::stream::copy_decode(bytes.as_slice(), &mut result).unwrap();
    } else {
        return bytes;
    }
    result
}
