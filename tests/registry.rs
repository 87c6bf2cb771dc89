//! Images of a real registry: Debian's `docker-registry`, with a password, on a port of this machine.
//!
//! The test engine's root has the program; `IMGRAPH_TEST_REGISTRY` names it. Where it is not set, one that
//! lies in the path is taken.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use imgraph::oci::blob_digest::BlobDigest;
use imgraph::oci::remote::blob_sink::{BlobSink, BlobWriter};
use imgraph::oci::remote::error::RemoteError;
use imgraph::oci::remote::image::Image;
use imgraph::oci::remote::registry::Remote;
use imgraph::oci::remote::settings::RemoteSettings;
use imgraph::types::cancellation::Cancellation;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};

const USER: &str = "reader";
const PASSWORD: &str = "hunter22";
/// What `htpasswd -nbB` writes for the two.
const HTPASSWD: &str = "reader:$2y$05$dmat7hC1Rvk9ag/gp5Xt5O.aZ16VqOtoX7TjXAGaxBTHjRgFFhKku\n";

/// A registry that ends with the test.
struct Registry {
    process: Child,
    host: String,
    _folder: tempfile::TempDir,
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let password_file = folder.path().join("htpasswd");
        fs::write(&password_file, HTPASSWD).unwrap();
        let configuration = serde_json::json!({
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": folder.path().join("data")}},
            "http": {"addr": host},
            "auth": {"htpasswd": {"realm": "test", "path": password_file}},
        });
        let file = folder.path().join("registry.yml");
        fs::write(&file, configuration.to_string()).unwrap();
        let program = std::env::var("IMGRAPH_TEST_REGISTRY").unwrap_or_else(|_| "docker-registry".to_owned());
        let process = Command::new(&program)
            .arg("serve")
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{program} cannot be run ({error}): install docker-registry, or set IMGRAPH_TEST_REGISTRY"
                )
            });
        let is_up = || TcpStream::connect(&host).is_ok();
        assert!((0..200).any(|_| is_up() || {
            thread::sleep(Duration::from_millis(50));
            false
        }));
        Self { process, host, _folder: folder }
    }

    fn settings(&self) -> RemoteSettings {
        let mut settings = RemoteSettings::default();
        let auths = serde_json::json!({"auths": {&*self.host: {"username": USER, "password": PASSWORD}}});
        settings.credentials.config_text = Some(auths.to_string());
        settings
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder with a file a blob.
struct FolderSink(PathBuf);

struct Blob<'s>(&'s FolderSink, tempfile::NamedTempFile);

impl BlobSink for FolderSink {
    fn has(&self, digest: &BlobDigest) -> io::Result<bool> {
        self.0.join(digest.hex()).try_exists()
    }

    fn read(&self, digest: &BlobDigest, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let Ok(file) = File::open(self.0.join(digest.hex())) else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn room(&self) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn writer(&self) -> io::Result<Box<dyn BlobWriter + '_>> {
        Ok(Box::new(Blob(self, tempfile::NamedTempFile::new_in(&self.0)?)))
    }
}

impl Write for Blob<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

impl BlobWriter for Blob<'_> {
    fn finish_as(self: Box<Self>, digest: &BlobDigest) -> io::Result<()> {
        if BlobDigest::of(&fs::read(self.1.path())?) != *digest {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.1.persist(self.0.0.join(digest.hex()))?;
        Ok(())
    }
}

/// Pushes an index of two platforms with an attestation, and gives the layers of `linux/amd64`.
struct Pushed {
    index: BlobDigest,
    layers: Vec<Vec<u8>>,
}

fn push(registry: &Registry, repository: &str) -> Pushed {
    // The client of the test has no provider of its own; whoever was first is right.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::new(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() });
        let image: Reference = format!("{}/{repository}:1", registry.host).parse().unwrap();
        let auth = RegistryAuth::Basic(USER.to_owned(), PASSWORD.to_owned());
        client.auth(&image, &auth, RegistryOperation::Push).await.unwrap();
        let mut entries = Vec::new();
        let mut wanted = Vec::new();
        for architecture in ["arm64", "amd64"] {
            let layers: Vec<Vec<u8>> = (0..5_u8)
                .map(|number| {
                    [architecture.as_bytes(), &vec![number; 300_000 * usize::from(number)]].concat()
                })
                .collect();
            let manifest = push_image(&client, &image, architecture, &layers).await;
            let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
            entry["platform"] = serde_json::json!({"os": "linux", "architecture": architecture});
            entries.push(entry);
            wanted = layers;
        }
        let mut attestation = entries[0].clone();
        attestation["platform"] = serde_json::json!({"os": "unknown", "architecture": "unknown"});
        attestation["annotations"] = serde_json::json!({"vnd.docker.reference.type": "attestation-manifest"});
        entries.insert(0, attestation);
        let kind = "application/vnd.oci.image.index.v1+json";
        let index =
            serde_json::json!({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).to_string();
        client.push_manifest_raw(&image, index.clone().into_bytes(), kind.parse().unwrap()).await.unwrap();
        Pushed { index: BlobDigest::of(index.as_bytes()), layers: wanted }
    })
}

fn descriptor(media_type: &str, bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({"mediaType": media_type, "digest": BlobDigest::of(bytes), "size": bytes.len()})
}

async fn push_image(client: &Client, image: &Reference, architecture: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<BlobDigest> = layers.iter().map(|layer| BlobDigest::of(layer)).collect();
    let config = serde_json::json!({
        "architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = config.to_string().into_bytes();
    for bytes in layers.iter().chain([&config]) {
        client.push_blob(image, bytes.clone(), &BlobDigest::of(bytes).to_string()).await.unwrap();
    }
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let layer_kind = "application/vnd.oci.image.layer.v1.tar";
    let layers: Vec<serde_json::Value> = layers.iter().map(|layer| descriptor(layer_kind, layer)).collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": kind,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config), "layers": layers,
    });
    let manifest = manifest.to_string().into_bytes();
    let named = image.clone_with_digest(BlobDigest::of(&manifest).to_string());
    client.push_manifest_raw(&named, manifest.clone(), kind.parse().unwrap()).await.unwrap();
    manifest
}

fn pull(settings: RemoteSettings, image: &str, folder: &Path) -> Result<Image, RemoteError> {
    let sink = FolderSink(folder.to_owned());
    let platform = "linux/amd64".parse().unwrap();
    Remote::new(settings)?.pull(
        &image.parse().unwrap(),
        &platform,
        &sink,
        &|_, _| (),
        &Cancellation::default(),
    )
}

#[test]
fn images_come_from_a_real_registry() {
    let registry = Registry::start();
    let pushed = push(&registry, "team/app");
    let name = format!("{}/team/app", registry.host);
    let folder = tempfile::tempdir().unwrap();
    let by_tag = pull(registry.settings(), &format!("{name}:1"), folder.path()).unwrap();
    let layers: Vec<Vec<u8>> =
        by_tag.layers.iter().map(|layer| fs::read(folder.path().join(layer.blob.hex())).unwrap()).collect();
    assert_eq!(layers, pushed.layers);
    assert_eq!(by_tag.config.architecture, "amd64");
    let other = tempfile::tempdir().unwrap();
    let by_digest = pull(registry.settings(), &format!("{name}@{}", pushed.index), other.path()).unwrap();
    assert_eq!(by_digest.manifest, by_tag.manifest);
    let mirrors = BTreeMap::from([("nowhere.example".to_owned(), vec![registry.host.clone()])]);
    let settings = RemoteSettings { mirrors, ..registry.settings() };
    let third = tempfile::tempdir().unwrap();
    let mirrored = pull(settings, &format!("nowhere.example/team/app@{}", by_tag.manifest), third.path());
    assert_eq!(mirrored.unwrap().manifest, by_tag.manifest);
    refusals(&registry, &name);
}

fn refusals(registry: &Registry, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let check = |settings: RemoteSettings, image: &str, expected: &str| {
        let error = pull(settings, image, folder.path()).unwrap_err();
        let text = format!("{error} ({})", error.help().unwrap_or_default());
        assert!(text.replace(&registry.host, "HOST").starts_with(expected), "{text}");
        assert!(!format!("{text} {error:?}").contains(PASSWORD), "{text}");
    };
    check(
        RemoteSettings::default(),
        &format!("{name}:1"),
        "HOST answered 401 to the manifest of HOST/team/app:1: authentication required (log in with `docker login HOST`",
    );
    check(
        registry.settings(),
        &format!("{name}:2"),
        "HOST answered 404 to the manifest of HOST/team/app:2: manifest unknown (check the name",
    );
    let mut wrong = registry.settings();
    wrong.credentials.config_text =
        wrong.credentials.config_text.map(|text| text.replace("reader", "writer"));
    check(wrong, &format!("{name}:1"), "HOST answered 401 to the manifest");
}
