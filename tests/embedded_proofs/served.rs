//! What a registry has: blobs and manifests of one repository, with digests that are right.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use crate::attacker::{Reply, Request};
use crate::base_layout::digest;
use crate::layout::{CONFIG, GZIP, INDEX, MANIFEST, config};

/// The repository.
pub(crate) const REPOSITORY: &str = "team/app";

/// Blobs and manifests by digest, and manifests by tag.
#[derive(Clone, Default)]
pub(crate) struct Served {
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    pub(crate) manifests: BTreeMap<String, Vec<u8>>,
}

impl Served {
    /// An image of these layers, archives that are not compressed, as `latest`.
    pub(crate) fn of(layers: &[&[u8]]) -> Self {
        let mut served = Self::default();
        let described = layers.iter().map(|layer| served.blob(GZIP, gzip(layer))).collect::<Vec<_>>();
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
        served.image(&described, &config(&diff_ids));
        served
    }

    /// Adds a blob; its descriptor.
    pub(crate) fn blob(&mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Value {
        let bytes = bytes.into();
        let descriptor = json!({"mediaType": media_type, "digest": digest(&bytes), "size": bytes.len()});
        self.blobs.insert(digest(&bytes), bytes);
        descriptor
    }

    /// Makes an image `latest`; the descriptor of its manifest.
    pub(crate) fn image(&mut self, layers: &[Value], config: &Value) -> Value {
        let config = self.blob(CONFIG, config.to_string());
        self.latest(&json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}))
    }

    /// Makes an index `latest`; its descriptor.
    pub(crate) fn index(&mut self, manifests: &[Value]) -> Value {
        self.latest(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
    }

    /// Makes a document `latest`; its descriptor.
    pub(crate) fn latest(&mut self, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        let kind = document["mediaType"].clone();
        let descriptor = json!({"mediaType": kind, "digest": digest(&bytes), "size": bytes.len()});
        self.manifests.insert(digest(&bytes), bytes.clone());
        self.manifests.insert("latest".to_owned(), bytes);
        descriptor
    }

    /// The manifest that is `latest`.
    pub(crate) fn manifest(&self) -> Value {
        serde_json::from_slice(&self.manifests["latest"]).unwrap()
    }

    /// The digest of the lowest layer of `latest`.
    pub(crate) fn layer(&self) -> String {
        self.manifest()["layers"][0]["digest"].as_str().unwrap().to_owned()
    }

    /// The bytes that are asked for.
    pub(crate) fn asked(&self, request: &Request) -> Option<&Vec<u8>> {
        let path = request.path.strip_prefix(&format!("/v2/{REPOSITORY}/"))?;
        let (kind, name) = path.split_once('/')?;
        let place = if kind == "manifests" { &self.manifests } else { &self.blobs };
        place.get(name)
    }

    /// What an honest registry answers.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        let Some(bytes) = self.asked(request) else { return Reply::new(404, &[], "") };
        match begin_of(request) {
            0 => Reply::new(200, &[], bytes.as_slice()),
            from => {
                let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
                Reply::new(206, &[("Content-Range", &range)], &bytes[from..])
            }
        }
    }
}

/// From where on the bytes are wanted.
pub(crate) fn begin_of(request: &Request) -> usize {
    let range = request.header("range").strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
    range.map_or(0, |from| from.parse().unwrap())
}

/// Compresses.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
