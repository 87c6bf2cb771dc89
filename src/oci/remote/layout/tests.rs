//! Layouts and tars of every form, and damaged ones.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;

use super::*;
use crate::oci::remote::tests::folder_sink::FolderSink;

/// Files by their names.
type Files = BTreeMap<String, Vec<u8>>;

fn config(architecture: &str, layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| BlobDigest::of(layer).to_string()).collect();
    let value = serde_json::json!({
        "architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    serde_json::to_vec(&value).unwrap()
}

fn put(files: &mut Files, media_type: &str, bytes: Vec<u8>) -> Descriptor {
    let descriptor = Descriptor::new(media_type, BlobDigest::of(&bytes), bytes.len() as u64);
    files.insert(blob_name(&descriptor.digest), bytes);
    descriptor
}

/// A manifest of one layer of gzip.
fn put_image(files: &mut Files, architecture: &str, layer: &[u8]) -> Descriptor {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(layer).unwrap();
    let blob = put(files, &format!("{OCI_LAYER}+gzip"), encoder.finish().unwrap());
    let config = put(files, OCI_CONFIG, config(architecture, &[layer]));
    let manifest = MadeManifest { schema_version: 2, media_type: OCI_MANIFEST, config, layers: vec![blob] };
    put(files, OCI_MANIFEST, serde_json::to_vec(&manifest).unwrap())
}

fn index(manifests: &[Descriptor]) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({"schemaVersion": 2, "manifests": manifests})).unwrap()
}

/// An index with an image for each of two platforms behind another index, as buildx writes it.
fn layout() -> Files {
    let mut files = Files::new();
    let images: Vec<Descriptor> = ["amd64", "arm64"]
        .iter()
        .map(|architecture| {
            let mut image = put_image(&mut files, architecture, architecture.as_bytes());
            image.platform =
                serde_json::from_value(serde_json::json!({"os": "linux", "architecture": architecture}))
                    .unwrap();
            image
        })
        .collect();
    let mut inner = put(&mut files, "application/vnd.oci.image.index.v1+json", index(&images));
    inner.annotations = Some(BTreeMap::from([(REF_NAME.to_owned(), "1.0".to_owned())]));
    files.insert("index.json".to_owned(), index(&[inner]));
    files.insert("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
    files
}

fn saved() -> Files {
    let layers: [&[u8]; 2] = [b"one", b"two"];
    let manifest = serde_json::json!([
        {"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["1/layer.tar", "2/layer.tar"]},
    ]);
    Files::from([
        ("manifest.json".to_owned(), serde_json::to_vec(&manifest).unwrap()),
        ("c.json".to_owned(), config("amd64", &layers)),
        ("1/layer.tar".to_owned(), b"one".to_vec()),
        ("2/layer.tar".to_owned(), b"two".to_vec()),
    ])
}

fn tar_of(files: &Files) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        if let Some(target) = bytes.strip_prefix(b"-> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, name, str::from_utf8(target).unwrap()).unwrap();
        } else {
            builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

/// The layers' tars, or why not; from a folder, a tar and a compressed tar alike.
fn import(files: &Files, name: Option<&str>, platform: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    for (name, bytes) in files.iter().filter(|(_, bytes)| !bytes.starts_with(b"-> ")) {
        let path = layout.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let (tar, zip) = (folder.path().join("image.tar"), folder.path().join("image.tar.zst"));
    fs::write(&tar, tar_of(files)).unwrap();
    fs::write(&zip, zstd::encode_all(File::open(&tar).unwrap(), 1).unwrap()).unwrap();
    let has_links = files.values().any(|bytes| bytes.starts_with(b"-> "));
    let sources = if has_links { vec![tar, zip] } else { vec![layout, tar, zip] };
    let mut found: Vec<String> = sources
        .iter()
        .map(|path| {
            let blobs = tempfile::tempdir().unwrap();
            let sink = FolderSink(blobs.path().to_owned());
            let platform = platform.parse().unwrap();
            let image = Layout::open(path, folder.path())
                .and_then(|layout| layout.import(name, &platform, &sink, &Cancellation::default()));
            match image {
                Ok(image) => whole(&image, &sink),
                Err(error) => error.to_string().replace(path.to_str().unwrap(), "X"),
            }
        })
        .collect();
    found.dedup();
    found.join(" | ")
}

/// What the layers hold, once everything was found to be in the sink.
fn whole(image: &Image, sink: &FolderSink) -> String {
    let read = |digest: &BlobDigest| sink.read(digest, 1 << 20).unwrap().unwrap();
    let Ok(Manifest::Image { config, layers }) = Manifest::parse(&read(&image.manifest)) else {
        panic!("the manifest is none");
    };
    assert_eq!(config.digest, image.config_digest);
    assert_eq!(
        serde_json::from_slice::<crate::oci::image_config::ImageConfig>(&read(&config.digest)).unwrap(),
        image.config
    );
    let texts = layers.iter().zip(&image.layers).map(|(layer, found)| {
        assert_eq!((layer.digest, layer.size), (found.blob, found.size));
        let mut text = String::new();
        let bytes = read(&layer.digest);
        let (_, mut plain) = crate::oci::archive::compression::decompress(bytes.as_slice()).unwrap();
        plain.read_to_string(&mut text).unwrap();
        assert_eq!(BlobDigest::of(text.as_bytes()), found.diff_id.0);
        text
    });
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn layouts_give_the_image_of_the_platform() {
    assert_eq!(import(&layout(), None, "linux/amd64"), "amd64");
    assert_eq!(import(&layout(), Some("1.0"), "linux/arm64"), "arm64");
    let missing = "X is not there for linux/s390x, only for linux/amd64, linux/arm64";
    assert_eq!(import(&layout(), None, "linux/s390x"), missing);
    assert_eq!(import(&layout(), Some("2.0"), "linux/amd64"), "an image `2.0` in X is not there");
}

#[test]
fn what_docker_save_writes_is_read() {
    assert_eq!(import(&saved(), None, "linux/amd64"), "one two");
    assert_eq!(import(&saved(), Some("docker.io/library/app:1"), "linux/amd64"), "one two");
    assert_eq!(import(&saved(), Some("other"), "linux/amd64"), "an image `other` in X is not there");
    let mut twice = saved();
    twice.insert("c.json".to_owned(), config("amd64", &[b"one", b"one"]));
    twice.insert("2/layer.tar".to_owned(), b"-> ../1/layer.tar".to_vec());
    assert_eq!(import(&twice, None, "linux/amd64"), "one one");
}

#[test]
fn an_image_alone_is_taken_for_every_platform() {
    let mut files = Files::new();
    let image = put_image(&mut files, "riscv64", b"text");
    files.insert("index.json".to_owned(), index(&[image]));
    assert_eq!(import(&files, None, "linux/amd64"), "text");
    let other = put_image(&mut files, "amd64", b"other");
    let first = Descriptor { platform: None, ..put_image(&mut files, "riscv64", b"text") };
    files.insert("index.json".to_owned(), index(&[first, other]));
    assert_eq!(import(&files, None, "linux/amd64"), "other");
}

#[test]
fn of_several_images_one_is_named() {
    let mut files = Files::new();
    let named = |mut image: Descriptor, name: &str| {
        let annotations = [(IMAGE_NAME, name), (REF_NAME, "1")];
        image.annotations = Some(annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        image
    };
    let images = [
        named(put_image(&mut files, "amd64", b"one"), "docker.io/library/one:1"),
        named(put_image(&mut files, "amd64", b"two"), "docker.io/library/two:1"),
    ];
    files.insert("index.json".to_owned(), index(&images));
    assert_eq!(import(&files, Some("two:1"), "linux/amd64"), "two");
    let several = "X cannot be used: it has several images, and which is not said: \
        docker.io/library/one:1, docker.io/library/two:1";
    assert_eq!(import(&files, None, "linux/amd64"), several);
    assert_eq!(import(&files, Some("1"), "linux/amd64"), several);
    let mut saved = saved();
    let two = saved["manifest.json"].strip_suffix(b"]").unwrap().to_vec();
    let two = [two.as_slice(), b",", &two[1..], b"]"].concat();
    saved.insert("manifest.json".to_owned(), two);
    let several = "X cannot be used: it has several images, and which is not said: app:1";
    assert_eq!(import(&saved, None, "linux/amd64"), several);
}

/// Changes one file of a layout or a saved image, and imports it.
fn check_damaged(mut files: Files, name: &str, bytes: &[u8], expected: &str) {
    let names: Vec<String> = files.keys().filter(|found| found.contains(name)).cloned().collect();
    let name = names.first().map_or(name, String::as_str);
    files.insert(name.to_owned(), bytes.to_vec());
    let found = import(&files, None, "linux/amd64");
    assert!(found.contains(expected), "{name}: {found}");
}

#[test]
fn damage_is_an_error() {
    let layer = layout().into_iter().find(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b])).unwrap();
    let mut flipped = layer.1.clone();
    flipped[10] ^= 1;
    check_damaged(layout(), &layer.0, &flipped, "has other bytes than its digest");
    check_damaged(layout(), &layer.0, &layer.1[1..], "bytes, and not the");
    let is_config = |bytes: &[u8]| bytes.starts_with(br#"{"architecture":"amd64""#);
    let config_file = layout().into_iter().find(|(_, bytes)| is_config(bytes)).unwrap();
    let changed = String::from_utf8(config_file.1).unwrap().replace("linux", "linuy");
    let expected = "the configuration of X has other bytes than its digest";
    check_damaged(layout(), &config_file.0, changed.as_bytes(), expected);
    check_damaged(layout(), "index.json", b"{", "its index.json is no index");
    check_damaged(layout(), "index.json", index(&[]).as_slice(), "an image in X is not there");
    check_damaged(layout(), "index.json", &vec![b' '; 5 << 20], "has more than 4194304 bytes");
    check_damaged(saved(), "1/layer", b"on3", "1/layer.tar of X has other bytes than its digest");
    check_damaged(saved(), "manifest.json", b"[]", "an image in X is not there");
    check_damaged(
        saved(),
        "c.json",
        &config("amd64", &[]),
        "its manifest has 2 layers and its configuration 0",
    );
    let outside = br#"[{"Config":"../../../../etc/passwd","Layers":[]}]"#;
    check_damaged(saved(), "manifest.json", outside, "../../../../etc/passwd of X is not there");
    let tar = [("-".to_owned(), Vec::new())].into();
    check_damaged(tar, "x", b"", "it has neither index.json nor manifest.json");
}

#[test]
fn indexes_do_not_lie_too_deep() {
    let mut files = Files::new();
    let mut inner = put_image(&mut files, "riscv64", b"text");
    for _ in 0..6 {
        inner = put(&mut files, "", index(&[inner]));
    }
    files.insert("index.json".to_owned(), index(&[inner]));
    assert_eq!(
        import(&files, None, "linux/amd64"),
        "X cannot be used: its indexes lie too deep in one another"
    );
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mode = rustix::fs::Mode::RUSR;
    let path = folder.path().join("index.json");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let sink = FolderSink(folder.path().to_owned());
    let layout = Layout::open(folder.path(), folder.path()).unwrap();
    let error = layout.import(None, &Platform::local(), &sink, &Cancellation::default()).unwrap_err();
    assert!(error.to_string().ends_with("it is not a file"), "{error}");
}
