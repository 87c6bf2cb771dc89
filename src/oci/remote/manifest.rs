//! Manifests and indexes, of OCI and of Docker (schema 2).
//!
//! They are read loosely, as containerd reads them, where that changes nothing: fields that nobody needs are
//! not looked at. What would be read in two ways is refused: a document that is an index and a manifest at
//! once, as are images of schema 1, layers that lie elsewhere, and what is no image at all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::oci::blob_digest::BlobDigest;
use crate::oci::document;

/// The media type of a manifest of OCI.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of a configuration of OCI.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of a layer of OCI; with `+gzip` or `+zstd` where it is compressed.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// What a registry is asked for, in one header.
pub const ACCEPTED: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];
const MOST_LAYERS: usize = 1000;
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// A blob, as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is; empty where nobody says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// Its digest.
    pub digest: BlobDigest,
    /// Its size in bytes.
    pub size: u64,
    /// Where it lies, if not in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<String>>,
    /// What a manifest is for, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformNames>,
    /// Notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    /// A blob of this type.
    pub fn new(media_type: impl Into<String>, digest: BlobDigest, size: u64) -> Self {
        Self { media_type: media_type.into(), digest, size, urls: None, platform: None, annotations: None }
    }

    /// A note by its name.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// Whether it tells of another manifest how that was built, and is no image.
    pub fn is_attestation(&self) -> bool {
        self.annotation(REFERENCE_TYPE) == Some("attestation-manifest")
    }
}

/// A platform as an index writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformNames {
    /// The processor's family.
    #[serde(default)]
    pub architecture: String,
    /// The system.
    #[serde(default)]
    pub os: String,
    /// The variant of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A document that a reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// One image.
    Image {
        /// Its configuration.
        config: Descriptor,
        /// Its layers, lowest first.
        layers: Vec<Descriptor>,
    },
    /// Several manifests.
    Index(Vec<Descriptor>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    media_type: String,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<serde_json::Value>,
}

impl Manifest {
    /// Reads a document.
    ///
    /// # Errors
    /// It is no manifest, or one that is not taken: the reason.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document: Document =
            document::read(bytes).map_err(|error| format!("its manifest is not right: {error}"))?;
        if document.schema_version == 1 || document.fs_layers.is_some() {
            return Err("it is an image of schema 1, which has no digests of its own; push it again with a \
                 program of today"
                .to_owned());
        }
        let is_index = matches!(document.media_type.as_str(), OCI_INDEX | DOCKER_LIST);
        let is_image = matches!(document.media_type.as_str(), OCI_MANIFEST | DOCKER_MANIFEST);
        match document {
            Document { manifests: Some(manifests), config: None, layers: None, .. } if !is_image => {
                Ok(Self::Index(manifests))
            }
            Document { manifests: None, config: Some(config), layers, .. } if !is_index => {
                let layers = layers.unwrap_or_default();
                if layers.len() > MOST_LAYERS {
                    return Err(format!("it has more than {MOST_LAYERS} layers"));
                }
                layers.iter().try_for_each(checked_layer)?;
                Ok(Self::Image { config, layers })
            }
            _ => Err("its manifest is neither that of an image nor an index".to_owned()),
        }
    }
}

fn checked_layer(layer: &Descriptor) -> Result<(), String> {
    let kind = layer.media_type.as_str();
    let is_elsewhere = kind.contains("nondistributable") || kind.contains("foreign");
    if is_elsewhere || layer.urls.as_ref().is_some_and(|urls| !urls.is_empty()) {
        return Err("a layer of it lies elsewhere (a foreign layer), and is fetched from no place but the \
             registry"
            .to_owned());
    }
    let compression = kind.strip_prefix(OCI_LAYER).or_else(|| kind.strip_prefix(DOCKER_LAYER));
    match compression {
        Some("" | "+gzip" | "+zstd" | ".gzip" | ".zstd") => Ok(()),
        _ => Err(format!("it is no image: a layer of it is `{}`", super::error::printable(kind))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(letter: &str) -> String {
        format!("sha256:{}", letter.repeat(64))
    }

    fn layer(kind: &str, more: &str) -> String {
        format!(r#"{{"mediaType":"{kind}","digest":"{}","size":1{more}}}"#, digest("b"))
    }

    fn image(layers: &str, more: &str) -> String {
        let config = format!(r#"{{"digest":"{}","size":2,"urls":null}}"#, digest("a"));
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layers}]{more}}}"#)
    }

    fn check(text: &str, expected: &str) {
        let found = match Manifest::parse(text.as_bytes()) {
            Ok(Manifest::Image { layers, .. }) => format!("image {}", layers.len()),
            Ok(Manifest::Index(manifests)) => format!("index {}", manifests.len()),
            Err(reason) => reason,
        };
        assert!(found.starts_with(expected), "{text}: {found}");
    }

    #[test]
    fn manifests_are_told_apart() {
        let gzip = format!("{OCI_LAYER}+gzip");
        check(&image(&layer(&gzip, ""), ""), "image 1");
        check(&image(&layer(&format!("{DOCKER_LAYER}.gzip"), r#","urls":[]"#), ""), "image 1");
        check(r#"{"schemaVersion":2,"manifests":[]}"#, "index 0");
        check(&image("", r#","manifests":[]"#), "its manifest is neither");
        check(&image("", &format!(r#","mediaType":"{OCI_INDEX}""#)), "its manifest is neither");
        check(r#"{"schemaVersion":1,"fsLayers":[]}"#, "it is an image of schema 1");
        check("{}", "its manifest is neither");
        check("[", "its manifest is not right");
        check(&image(&layer(&gzip, "").replace("sha256", "sha512"), ""), "its manifest is not right");
    }

    #[test]
    fn layers_that_are_not_taken_are_refused() {
        check(
            &image(&layer(&format!("{OCI_LAYER}+gzip"), r#","urls":["http://x"]"#), ""),
            "a layer of it lies",
        );
        check(
            &image(&layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", ""), ""),
            "a layer of it",
        );
        check(
            &image(&layer("application/vnd.cncf.helm.chart.content.v1.tar+gzip", ""), ""),
            "it is no image",
        );
    }
}
