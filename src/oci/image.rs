//! An image: a manifest, the configuration that it names, and the layers that it lists.
//!
//! **Invariant:** an image that was read has as many layers as its configuration has diff ids, and each digest
//! in it is one that a blob of a store may have.

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, ImageManifestBuilder, MediaType};

use super::blob_digest::{BlobDigest, DiffId};
use super::document::{self, LARGEST_DOCUMENT};
use super::image_config::ImageConfig;
use super::layers::compression::Compression;
use super::store::{Store, StoreError, descriptor, digest_of};
use crate::types::platform::Platform;

/// How many indexes may lie in each other.
const DEEPEST_INDEX: usize = 4;

/// A layer as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerBlob {
    /// The blob's name.
    pub digest: BlobDigest,
    /// The blob's bytes.
    pub size: u64,
    /// The digest of the tar in it.
    pub diff_id: DiffId,
    /// How the tar is compressed in it.
    pub compression: Compression,
}

/// An image of one platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The manifest's name, which is the image's.
    pub manifest_digest: BlobDigest,
    /// The manifest, as it was read.
    pub manifest: ImageManifest,
    /// The configuration's name.
    pub config_digest: BlobDigest,
    /// The configuration.
    pub config: ImageConfig,
    /// The layers, lowest first.
    pub layers: Vec<LayerBlob>,
}

/// The image `digest`: a manifest, or an index of which the manifest for `platform` is taken. `None` when the
/// store has no such blob.
///
/// # Errors
/// When it is no image, or part of it is missing or damaged.
pub fn read_image(
    store: &Store,
    digest: &BlobDigest,
    platform: &Platform,
) -> Result<Option<Image>, StoreError> {
    let Some(mut bytes) = store.read(digest, LARGEST_DOCUMENT)? else { return Ok(None) };
    let mut digest = *digest;
    for _depth in 0..DEEPEST_INDEX {
        match parse(&digest, &bytes)? {
            Document::Manifest(manifest) => return of_manifest(store, digest, *manifest).map(Some),
            Document::Index(index) => {
                digest = pick(&digest, &index, platform)?;
                bytes = bytes_of(store, &digest)?;
            }
        }
    }
    let reason = format!("indexes lie in each other more than {DEEPEST_INDEX} deep");
    Err(StoreError::Document { digest, what: "image", reason })
}

/// Puts an image into the store; returns the name of its manifest. The configuration gets the diff ids of
/// `layers`, which must be in the store already.
///
/// # Errors
/// When the disk does not take it.
pub fn write_image(
    store: &Store,
    config: &ImageConfig,
    layers: &[LayerBlob],
) -> Result<BlobDigest, StoreError> {
    let (config, manifest) = documents(config, layers);
    store.put_all(&[&config, &manifest])?;
    Ok(BlobDigest::of(&manifest))
}

/// The bytes of a configuration and of a manifest, always the same for the same image.
pub(super) fn documents(config: &ImageConfig, layers: &[LayerBlob]) -> (Vec<u8>, Vec<u8>) {
    let mut config = config.clone();
    config.rootfs.diff_ids = layers.iter().map(|layer| layer.diff_id).collect();
    let config = serde_json::to_vec(&config).expect("a configuration has text keys and no number that fails");
    let described = descriptor(&BlobDigest::of(&config), MediaType::ImageConfig, config.len() as u64);
    let manifest = ImageManifestBuilder::default()
        .schema_version(oci_spec::image::SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(described)
        .layers(layers.iter().map(layer_descriptor).collect::<Vec<_>>())
        .build()
        .expect("all that a manifest needs is given");
    let manifest = serde_json::to_vec(&manifest).expect("a manifest has text keys");
    (config, manifest)
}

fn layer_descriptor(layer: &LayerBlob) -> Descriptor {
    descriptor(&layer.digest, MediaType::from(layer.compression.media_type()), layer.size)
}

enum Document {
    Manifest(Box<ImageManifest>),
    Index(Box<ImageIndex>),
}

/// What the bytes are goes by what is in them: a media type may be missing or wrong.
fn parse(digest: &BlobDigest, bytes: &[u8]) -> Result<Document, StoreError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        schema_version: u32,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let refused = |reason: String| StoreError::Document { digest: *digest, what: "image", reason };
    let shape: Shape = document::read(bytes).map_err(|error| refused(error.to_string()))?;
    if shape.schema_version != oci_spec::image::SCHEMA_VERSION {
        return Err(refused(format!("its schema has version {}; only 2 is read", shape.schema_version)));
    }
    let parsed = match shape.manifests {
        Some(_) => document::read(bytes).map(|index| Document::Index(Box::new(index))),
        None => document::read(bytes).map(|manifest| Document::Manifest(Box::new(manifest))),
    };
    parsed.map_err(|error| refused(error.to_string()))
}

fn bytes_of(store: &Store, digest: &BlobDigest) -> Result<Vec<u8>, StoreError> {
    store.read(digest, LARGEST_DOCUMENT)?.ok_or(StoreError::Missing(*digest))
}

fn of_manifest(
    store: &Store,
    manifest_digest: BlobDigest,
    manifest: ImageManifest,
) -> Result<Image, StoreError> {
    let refused = |reason: String| StoreError::Document { digest: manifest_digest, what: "image", reason };
    let config_digest = digest_of(manifest.config()).map_err(refused)?;
    let config: ImageConfig =
        document::read(&bytes_of(store, &config_digest)?).map_err(|error| StoreError::Document {
            digest: config_digest,
            what: "configuration of an image",
            reason: error.to_string(),
        })?;
    let (described, diff_ids) = (manifest.layers(), &config.rootfs.diff_ids);
    if described.len() != diff_ids.len() {
        return Err(refused(format!(
            "it lists {} layers, and its configuration {}",
            described.len(),
            diff_ids.len()
        )));
    }
    let layers = described.iter().zip(diff_ids).map(|(layer, diff_id)| {
        Ok(LayerBlob {
            digest: digest_of(layer)?,
            size: layer.size(),
            diff_id: *diff_id,
            compression: compression_of(layer.media_type())?,
        })
    });
    let layers = layers.collect::<Result<_, String>>().map_err(refused)?;
    Ok(Image { manifest_digest, manifest, config_digest, config, layers })
}

/// How a layer of this media type, Docker's or OCI's, is compressed.
fn compression_of(media_type: &MediaType) -> Result<Compression, String> {
    let name = media_type.to_string();
    let known = [
        ("application/vnd.oci.image.layer.v1.tar", Compression::None),
        ("application/vnd.oci.image.layer.v1.tar+gzip", Compression::Gzip),
        ("application/vnd.oci.image.layer.v1.tar+zstd", Compression::Zstd),
        ("application/vnd.docker.image.rootfs.diff.tar", Compression::None),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", Compression::Gzip),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", Compression::Zstd),
    ];
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(_, compression)| *compression).ok_or_else(|| format!("`{name}` is no layer that can be read"))
}

/// The manifest for `platform`: of those that it can run, the one that asks for most (containerd
/// `platforms.Only`). A statement about an image has a platform that nothing runs.
fn pick(digest: &BlobDigest, index: &ImageIndex, platform: &Platform) -> Result<BlobDigest, StoreError> {
    let of = |entry: &Descriptor| -> Option<Platform> {
        let named = entry.platform().as_ref()?;
        let variant = named.variant().iter().map(|variant| format!("/{variant}")).collect::<String>();
        format!("{}/{}{variant}", named.os(), named.architecture()).parse().ok()
    };
    let ranked = index.manifests().iter().filter_map(|entry| Some((rank(&of(entry)?, platform)?, entry)));
    // Of equals the first, which is the last in reverse.
    let ranked: Vec<(u32, &Descriptor)> = ranked.collect();
    let best = ranked.into_iter().rev().max_by_key(|(rank, _)| *rank).map(|(_, entry)| entry);
    let refused = |reason: String| StoreError::Document { digest: *digest, what: "image", reason };
    match best {
        Some(entry) => digest_of(entry).map_err(refused),
        None => {
            let there: Vec<String> =
                index.manifests().iter().filter_map(of).map(|platform| platform.to_string()).collect();
            Err(refused(format!("it is not for {platform}, only for {}", there.join(", "))))
        }
    }
}

/// How well an image for `there` does on `wanted`; `None` when it does not run.
fn rank(there: &Platform, wanted: &Platform) -> Option<u32> {
    if there.os() != wanted.os() || there.architecture() != wanted.architecture() {
        return None;
    }
    if there == wanted {
        return Some(u32::MAX);
    }
    // Processors run what was made for earlier ones of their family. `amd64` is its first version.
    let version = |platform: &Platform| -> Option<u32> {
        platform.variant().map_or(Some(1), |variant| variant.strip_prefix('v')?.parse().ok())
    };
    let (there, wanted) = (version(there)?, version(wanted)?);
    (there <= wanted).then_some(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store)
    }

    fn layer(store: &Store, bytes: &[u8]) -> LayerBlob {
        let blob = store.put(bytes).unwrap();
        let (digest, size) = (blob.digest, blob.size);
        LayerBlob { digest, size, diff_id: DiffId(digest), compression: Compression::None }
    }

    fn config(architecture: &str) -> ImageConfig {
        ImageConfig { architecture: architecture.to_owned(), os: "linux".to_owned(), ..Default::default() }
    }

    fn platform(name: &str) -> Platform {
        name.parse().unwrap()
    }

    #[test]
    fn an_image_that_was_written_is_read() {
        let (_folder, store) = store();
        let layers = [layer(&store, b"one"), layer(&store, b"two")];
        let digest = write_image(&store, &config("amd64"), &layers).unwrap();
        let image = read_image(&store, &digest, &platform("linux/amd64")).unwrap().unwrap();
        assert_eq!((image.manifest_digest, &image.layers[..]), (digest, &layers[..]));
        assert_eq!(image.config.rootfs.diff_ids, layers.map(|layer| layer.diff_id));
        assert_eq!(read_image(&store, &BlobDigest::of(b"no"), &platform("linux/amd64")).unwrap(), None);
    }

    /// The digest of an image must not move: it would be another image for the same inputs.
    #[test]
    fn the_bytes_of_an_image_are_fixed() {
        let (_folder, store) = store();
        let layers = [layer(&store, b"one")];
        let digest = write_image(&store, &config("amd64"), &layers).unwrap();
        assert_eq!(
            digest.to_string(),
            "sha256:8c440b567c49b5b7ceb6f712b464afa45b177de4a5b1c187331bbe731d8e3f70"
        );
    }

    #[test]
    fn an_index_gives_the_manifest_for_the_platform() {
        let (_folder, store) = store();
        let entry = |name: &str| {
            let parts: Vec<&str> = name.split('/').collect();
            let variant =
                parts.get(2).map_or_else(String::new, |variant| format!(r#","variant":"{variant}""#));
            let digest = write_image(&store, &config(name), &[]).unwrap();
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":1,
                "platform":{{"os":"{}","architecture":"{}"{variant}}}}}"#,
                parts[0], parts[1]
            )
        };
        let check = |there: &[&str], wanted: &str, expected: Result<&str, &str>| {
            let entries: Vec<String> = there.iter().map(|name| entry(name)).collect();
            let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
            let digest = store.put(index.as_bytes()).unwrap().digest;
            let found = read_image(&store, &digest, &platform(wanted));
            match (found, expected) {
                (Ok(Some(image)), Ok(expected)) => assert_eq!(image.config.architecture, expected),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
                (found, expected) => panic!("{there:?} {wanted}: {found:?} is not {expected:?}"),
            }
        };
        check(&["linux/arm64", "linux/amd64"], "linux/amd64", Ok("linux/amd64"));
        check(&["linux/arm64/v8", "linux/amd64"], "linux/arm64", Ok("linux/arm64/v8"));
        check(
            &["unknown/unknown", "linux/arm64"],
            "linux/amd64",
            Err("only for unknown/unknown, linux/arm64"),
        );
        check(&["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v7", Ok("linux/arm/v6"));
        check(&["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7", Ok("linux/arm/v7"));
        check(&["linux/amd64", "linux/amd64/v3"], "linux/amd64/v2", Ok("linux/amd64"));
        check(&["linux/amd64/v3"], "linux/amd64", Err("not for linux/amd64"));
        check(&[], "linux/amd64", Err("not for linux/amd64"));
    }

    #[test]
    fn what_is_no_image_is_an_error() {
        let (_folder, store) = store();
        let blob = store.put(b"{}").unwrap().digest;
        let described = |kind: &str, digest: &str| {
            format!(r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"{digest}","size":2}}"#)
        };
        let check = |text: &str, expected: &str| {
            let digest = store.put(text.as_bytes()).unwrap().digest;
            let error = read_image(&store, &digest, &platform("linux/amd64")).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        let manifest = |config: &str, layers: &str| {
            format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layers}]}}"#)
        };
        let config_of =
            |text: &str| described("config.v1+json", &store.put(text.as_bytes()).unwrap().digest.to_string());
        let one_layer = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{blob}"]}}}}"#
        );
        check("", "no image");
        check("[]", "no image");
        check(&"[".repeat(10_000), "no image");
        check(r#"{"schemaVersion":1,"fsLayers":[]}"#, "its schema has version 1");
        check(&manifest(&described("config.v1+json", "sha256:../../x"), ""), "no image");
        check(
            &manifest(&described("config.v1+json", &BlobDigest::of(b"gone").to_string()), ""),
            "is missing",
        );
        check(&manifest(&config_of("[]"), ""), "no configuration");
        check(&manifest(&config_of(&one_layer), ""), "lists 0 layers, and its configuration 1");
        let odd = described("layer.v1.tar+odd", &blob.to_string());
        check(&manifest(&config_of(&one_layer), &odd), "no layer that can be read");
        let other = described("layer.v1.tar", &format!("sha512:{}", "a".repeat(128)));
        check(&manifest(&config_of(&one_layer), &other), "is not a digest");
    }
}
