//! An image of one layer, as a registry answers with it, and the ways to ask for it.

use std::time::Duration;

use serde_json::json;

use crate::oci::blob_digest::BlobDigest;
use crate::oci::remote::blob_sink::BlobSink;
use crate::oci::remote::error::RemoteError;
use crate::oci::remote::image::Image;
use crate::oci::remote::manifest::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST};
use crate::oci::remote::registry::Remote;
use crate::oci::remote::settings::{Patience, RemoteSettings};
use crate::oci::remote::tests::folder_sink::FolderSink;
use crate::types::cancellation::Cancellation;

use super::server::{Reply, Request};

/// The bytes of an image.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) layer: Vec<u8>,
    config: Vec<u8>,
    pub(super) manifest: Vec<u8>,
}

impl Served {
    pub(super) fn new() -> Self {
        let layer: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [BlobDigest::of(&layer).to_string()]},
        });
        let config = config.to_string().into_bytes();
        let descriptor = |media_type: &str, bytes: &[u8]| json!({"mediaType": media_type, "digest": BlobDigest::of(bytes), "size": bytes.len()});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, &config), "layers": [descriptor(OCI_LAYER, &layer)],
        });
        Self { layer, config, manifest: manifest.to_string().into_bytes() }
    }

    pub(super) fn digest(&self) -> BlobDigest {
        BlobDigest::of(&self.manifest)
    }

    pub(super) fn layer_path(&self) -> String {
        format!("/v2/app/blobs/{}", self.layer_digest())
    }

    pub(super) fn layer_digest(&self) -> BlobDigest {
        BlobDigest::of(&self.layer)
    }

    /// What a registry answers.
    pub(super) fn answer(&self, request: &Request) -> Reply {
        let blob = |bytes: &[u8]| format!("/v2/app/blobs/{}", BlobDigest::of(bytes));
        let named = [
            ("/v2/app/manifests/latest".to_owned(), &self.manifest),
            (format!("/v2/app/manifests/{}", self.digest()), &self.manifest),
            (blob(&self.config), &self.config),
            (blob(&self.layer), &self.layer),
        ];
        let Some((_, bytes)) = named.iter().find(|(path, _)| *path == request.path) else {
            return Reply::new(404, r#"{"errors":[{"code":"X_UNKNOWN","message":"no such thing"}]}"#);
        };
        let range = request.header("range").strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
        match range.map(|from| from.parse::<usize>().unwrap()) {
            Some(from) => {
                let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
                Reply::new(206, &bytes[from..]).with("Content-Range", range)
            }
            None => Reply::new(200, bytes.as_slice()),
        }
    }
}

/// Settings under which tests do not wait for long.
pub(super) fn hasty() -> RemoteSettings {
    let patience = Patience {
        attempts: 3,
        first_wait: Duration::from_millis(5),
        longest_wait: Duration::from_secs(2),
        silence: Duration::from_millis(500),
        ..Patience::default()
    };
    RemoteSettings { patience, ..RemoteSettings::default() }
}

/// Pulls; everything that the image has must be in the sink.
pub(super) fn pull(settings: RemoteSettings, image: &str, sink: &FolderSink) -> Result<Image, RemoteError> {
    let progress = |came: u64, total: u64| assert!(came <= total, "{came} of {total}");
    let platform = "linux/amd64".parse().unwrap();
    let image = Remote::new(settings)?.pull(
        &image.parse().unwrap(),
        &platform,
        sink,
        &progress,
        &Cancellation::default(),
    )?;
    let blobs = image.layers.iter().map(|layer| layer.blob);
    for digest in blobs.chain([image.config_digest, image.manifest]) {
        assert_eq!(BlobDigest::of(&sink.read(&digest, 1 << 30).unwrap().unwrap()), digest);
    }
    Ok(image)
}

/// A sink that is empty, in a folder that goes with it.
pub(super) fn empty_sink() -> (tempfile::TempDir, FolderSink) {
    let folder = tempfile::tempdir().unwrap();
    let sink = FolderSink(folder.path().to_owned());
    (folder, sink)
}
