//! Image layouts made up for a test: honest ones, large ones, and such as nobody should make.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A layout on disk.
pub(crate) struct Layout {
    pub(crate) folder: PathBuf,
}

impl Layout {
    /// An empty one.
    pub(crate) fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self { folder: folder.to_owned() }
    }

    /// Adds what `write` writes; its descriptor.
    pub(crate) fn blob(&self, media_type: &str, write: impl FnOnce(&mut Hashed<File>)) -> Value {
        let place = self.folder.join("blobs/sha256");
        let mut file = Hashed::new(File::create(place.join("begun")).unwrap());
        write(&mut file);
        let (digest, size) = file.finish();
        fs::rename(place.join("begun"), place.join(digest.trim_start_matches("sha256:"))).unwrap();
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    /// Adds a document; its descriptor.
    pub(crate) fn document(&self, media_type: &str, document: &Value) -> Value {
        self.blob(media_type, |file| file.write_all(document.to_string().as_bytes()).unwrap())
    }

    /// Adds an image of these layers and makes it the layout's only one.
    pub(crate) fn image(&self, layers: &[Value], diff_ids: &[String]) {
        let config = self.document(CONFIG, &config(diff_ids));
        let document = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        self.only(&self.document(MANIFEST, &document));
    }

    /// Makes a manifest the layout's only one.
    pub(crate) fn only(&self, descriptor: &Value) {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]});
        fs::write(self.folder.join("index.json"), index.to_string()).unwrap();
    }
}

/// A configuration of this machine's platform.
pub(crate) fn config(diff_ids: &[String]) -> Value {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    })
}

/// A writer that hashes.
pub(crate) struct Hashed<Inner: Write> {
    inner: BufWriter<Inner>,
    hasher: Sha256,
    size: u64,
}

impl<Inner: Write> Hashed<Inner> {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: BufWriter::with_capacity(1 << 18, inner), hasher: Sha256::new(), size: 0 }
    }

    /// `sha256:` and the digits, and how many bytes there were.
    pub(crate) fn finish(mut self) -> (String, u64) {
        self.inner.flush().unwrap();
        let hex: String = self.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        (format!("sha256:{hex}"), self.size)
    }
}

impl<Inner: Write> Write for Hashed<Inner> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
