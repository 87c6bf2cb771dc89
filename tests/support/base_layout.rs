//! The base images of the embedded builder's tests, as a layout that stands for its store: tar archives that
//! `tests/support/engine` makes, as images of one layer.
//!
//! The Engine imports the same archives, so that both builders begin with the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Name, archive, and the command that the image starts.
pub(crate) const BASES: &[(&str, &str, &str)] =
    &[("busybox:1.36", "busybox-2.tar", "sh"), ("debian-root:trixie", "debian-root-1.tar", "bash")];

/// Writes an OCI layout with all bases under their names, where a builder's store is to be.
pub(crate) fn write_layout(folder: &Path) {
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    let manifest = |(name, archive, command): &(&str, &str, &str)| {
        let layer = read(archive);
        let config = config(command, &layer).to_string();
        let layer = blob(folder, &layer, "application/vnd.oci.image.layer.v1.tar");
        let config = blob(folder, config.as_bytes(), "application/vnd.oci.image.config.v1+json");
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest =
            json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]});
        let mut descriptor = blob(folder, manifest.to_string().as_bytes(), media_type);
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        descriptor
    };
    let manifests: Vec<Value> = BASES.iter().map(manifest).collect();
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// The bytes of a base's archive.
pub(crate) fn read(archive: &str) -> Vec<u8> {
    let folder = std::env::var_os("IMGRAPH_TEST_BASES").map(PathBuf::from).unwrap_or_else(|| {
        panic!("IMGRAPH_TEST_BASES is not set: run tests/run, or `eval \"$(tests/support/engine env)\"`")
    });
    let path = folder.join(archive);
    fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}: `tests/support/engine debian NAME` makes it", path.display())
    })
}

/// The configuration of a base.
pub(crate) fn config(command: &str, layer: &[u8]) -> Value {
    let time = "1970-01-01T00:00:00Z";
    json!({
        "architecture": "amd64",
        "os": "linux",
        "created": time,
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Cmd": [command],
        },
        "history": [{"created": time, "comment": "Imported from -"}],
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    })
}

/// Writes a blob; its descriptor.
pub(crate) fn blob(layout: &Path, bytes: &[u8], media_type: &str) -> Value {
    let digest = digest(bytes);
    fs::write(layout.join("blobs").join(digest.replace(':', "/")), bytes).unwrap();
    json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
}

/// `sha256:` and the digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
