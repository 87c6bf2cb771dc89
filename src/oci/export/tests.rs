//! Exports of small images, looked at as the programs do that read them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};

use super::destination::write_file;
use super::exported::{Exported, Outgoing};
use super::{archive, folder, output};
use crate::oci::blob_digest::{BlobDigest, DiffId};
use crate::oci::compressed_layers::CompressedLayers;
use crate::oci::image::{LayerBlob, read_image, write_image};
use crate::oci::image_config::ImageConfig;
use crate::oci::layers::compression::Compression;
use crate::oci::store::{Store, StoreError};
use crate::syntax::image_reference::ImageReference;
use crate::types::platform::Platform;

struct House {
    folder: tempfile::TempDir,
    store: Store,
    platform: Platform,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("oci")).unwrap();
    House { folder, store, platform: "linux/amd64".parse().unwrap() }
}

impl House {
    /// An image of layers with these contents.
    fn image(&self, contents: &[&str]) -> BlobDigest {
        let layers: Vec<LayerBlob> = contents
            .iter()
            .map(|content| {
                let blob = self.store.put(content.repeat(1000).as_bytes()).unwrap();
                let (digest, size) = (blob.digest, blob.size);
                LayerBlob { digest, size, diff_id: DiffId(digest), compression: Compression::None }
            })
            .collect();
        let config = ImageConfig {
            architecture: "amd64".to_owned(),
            os: "linux".to_owned(),
            ..ImageConfig::default()
        };
        write_image(&self.store, &config, &layers).unwrap()
    }

    fn exported(
        &self,
        digest: BlobDigest,
        names: &[&str],
        compression: Option<Compression>,
    ) -> Result<Exported, StoreError> {
        let names: Vec<ImageReference> = names.iter().map(|name| name.parse().unwrap()).collect();
        let outgoing = Outgoing { digest, platform: &self.platform, names: &names };
        let compressed = CompressedLayers::new(&self.folder.path().join("compressed"));
        Exported::of(&self.store, &compressed, &outgoing, compression)
    }

    fn archive(&self, images: &[Exported], docker: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        archive::write(&self.store, images, docker, &mut bytes).unwrap();
        bytes
    }
}

/// The files of a tar, by path.
fn files(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (path, content)
    });
    entries.filter(|(path, _)| !path.ends_with('/')).collect()
}

#[test]
fn an_archive_is_a_layout_that_can_be_read() {
    for compression in [None, Some(Compression::None), Some(Compression::Gzip), Some(Compression::Zstd)] {
        let house = house();
        let digest = house.image(&["one", "two", "one"]);
        let exported = house.exported(digest, &["app:1"], compression).unwrap();
        let found = files(&house.archive(std::slice::from_ref(&exported), false));
        let unpacked = house.folder.path().join("unpacked");
        for (path, content) in &found {
            let path = unpacked.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        assert!(!found.contains_key("manifest.json"));
        let layout = Store::open(&unpacked).unwrap();
        let named = layout.named("docker.io/library/app:1").unwrap().unwrap();
        let manifest = crate::oci::store::digest_of(&named).unwrap();
        assert_eq!(manifest, exported.digest());
        let image = read_image(&layout, &manifest, &house.platform).unwrap().unwrap();
        assert_eq!(image.layers.len(), 3);
        for layer in image.layers {
            assert_eq!(layer.compression, compression.unwrap_or(Compression::None));
            let bytes = layout.read(&layer.digest, 1 << 20).unwrap().unwrap();
            let mut tar = Vec::new();
            crate::oci::layers::compression::unpacked(&bytes[..]).unwrap().1.read_to_end(&mut tar).unwrap();
            assert_eq!((BlobDigest::of(&tar), bytes.len() as u64), (layer.diff_id.0, layer.size));
        }
    }
}

#[test]
fn an_archive_for_docker_says_what_is_where() {
    let house = house();
    let one = house.exported(house.image(&["one", "two"]), &["app", "ghcr.io/a/b:2"], None).unwrap();
    let other = house.exported(house.image(&["one"]), &[], None).unwrap();
    let found = files(&house.archive(&[one, other], true));
    let manifest: serde_json::Value = serde_json::from_slice(&found["manifest.json"]).unwrap();
    assert_eq!(manifest[0]["RepoTags"], serde_json::json!(["app:latest", "ghcr.io/a/b:2"]));
    assert_eq!(manifest[1]["RepoTags"], serde_json::json!([]));
    assert_eq!(manifest[0]["Layers"][0], manifest[1]["Layers"][0]);
    for image in manifest.as_array().unwrap() {
        assert!(found.contains_key(image["Config"].as_str().unwrap()));
        for layer in image["Layers"].as_array().unwrap() {
            assert!(found.contains_key(layer.as_str().unwrap()));
        }
    }
    let index: serde_json::Value = serde_json::from_slice(&found["index.json"]).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 3);
    // Three documents, two manifests, two configurations, two layers.
    assert_eq!(found.len(), 9);
}

#[test]
fn the_same_images_give_the_same_bytes() {
    let export = |others_first: bool| {
        let house = house();
        if others_first {
            house.image(&["others"]);
        }
        let digest = house.image(&["one", "two"]);
        let exported = house.exported(digest, &["a:1", "b:2"], Some(Compression::Gzip)).unwrap();
        let out = house.folder.path().join("out");
        folder::write(&house.store, std::slice::from_ref(&exported), &out).unwrap();
        (house.archive(&[exported], true), fs::read(out.join("index.json")).unwrap())
    };
    assert_eq!(export(false), export(true));
}

#[test]
fn a_folder_keeps_what_is_in_it_and_nothing_of_imgraph() {
    let house = house();
    let out = house.folder.path().join("out");
    let write = |contents: &[&str], names: &[&str]| {
        let exported = house.exported(house.image(contents), names, None).unwrap();
        folder::write(&house.store, std::slice::from_ref(&exported), &out).unwrap();
        exported.digest()
    };
    write(&["one"], &["a:1", "b:1"]);
    let two = write(&["two"], &["a:1"]);
    write(&["three"], &[]);
    write(&["three"], &[]);
    let mut there: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, ["blobs", "index.json", "oci-layout"]);
    let layout = Store::open(&out).unwrap();
    let names: Vec<String> = layout.names().unwrap().into_keys().collect();
    assert_eq!(names, ["docker.io/library/a:1", "docker.io/library/b:1"]);
    let a = layout.named("docker.io/library/a:1").unwrap().unwrap();
    assert_eq!(crate::oci::store::digest_of(&a), Ok(two));
    assert_eq!(layout.entries().unwrap().manifests().len(), 3);
}

#[test]
fn several_that_write_one_folder_lose_nothing() {
    let house = house();
    let out = house.folder.path().join("out");
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (house, out) = (&house, &out);
            scope.spawn(move || {
                let digest = house.image(&["shared", &format!("own {number}")]);
                let exported = house.exported(digest, &[&format!("app:{number}")], None).unwrap();
                folder::write(&house.store, &[exported], out).unwrap();
            });
        }
    });
    let layout = Store::open(&out).unwrap();
    assert_eq!(layout.names().unwrap().len(), 6);
    for entry in layout.names().unwrap().values() {
        let digest = crate::oci::store::digest_of(entry).unwrap();
        read_image(&layout, &digest, &house.platform).unwrap().unwrap();
    }
}

#[test]
fn what_is_missing_or_damaged_is_an_error_and_leaves_no_file() {
    let house = house();
    let digest = house.image(&["one"]);
    let exported = house.exported(digest, &["a:1"], None).unwrap();
    let layer = house.store.folder().join("blobs/sha256").join(exported.layers[0].digest.hex());
    let size = usize::try_from(exported.layers[0].size).unwrap();
    let file = house.folder.path().join("out.tar");
    let write =
        |images: &[Exported]| write_file(&file, |writer| archive::write(&house.store, images, true, writer));
    fs::write(&layer, vec![b'x'; size]).unwrap();
    let error = write(std::slice::from_ref(&exported)).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    assert!(!file.exists());
    let error = house.exported(digest, &[], None).unwrap_err();
    assert!(matches!(error, StoreError::Missing(_)), "{error}");
    let left = fs::read_dir(house.folder.path()).unwrap().count();
    assert_eq!(left, 1, "something was left beside the store");
}

#[test]
fn a_manifest_that_lies_about_a_size_is_refused() {
    let house = house();
    let blob = house.store.put(b"layer").unwrap();
    let (digest, diff_id) = (blob.digest, DiffId(blob.digest));
    let lie = LayerBlob { digest, size: 1 << 40, diff_id, compression: Compression::None };
    let digest = write_image(&house.store, &ImageConfig::default(), &[lie]).unwrap();
    let error = house.exported(digest, &[], None).unwrap_err().to_string();
    assert!(error.contains("has 5 bytes"), "{error}");
}

#[test]
fn outputs_go_where_they_are_to() {
    let house = house();
    let exported = [house.exported(house.image(&["one"]), &["a:1"], None).unwrap()];
    let directory = house.folder.path().join("work");
    fs::create_dir(&directory).unwrap();
    let write = |spec: &str| {
        let mut standard = Vec::new();
        let written =
            output::write(&house.store, &exported, &spec.parse().unwrap(), &directory, &mut standard);
        written.map(|()| standard)
    };
    assert_eq!(write("docker-tar:-").unwrap(), house.archive(&exported, true));
    assert!(write("docker-tar:a.tar").unwrap().is_empty());
    assert_eq!(fs::read(directory.join("a.tar")).unwrap(), house.archive(&exported, true));
    write("type=oci-tar,dest=b.tar").unwrap();
    assert_eq!(fs::read(directory.join("b.tar")).unwrap(), house.archive(&exported, false));
    write("oci:folder/deep").unwrap();
    assert_eq!(Store::open(&directory.join("folder/deep")).unwrap().names().unwrap().len(), 1);
    let error = write("oci-tar:nowhere/c.tar").unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("nowhere/c.tar"), "{error}");
}

#[test]
fn a_file_is_replaced_whole_and_a_pipe_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let write = |content: &'static [u8]| write_file(&path, |writer| writer.write_all(content));
    write(b"one").unwrap();
    write(b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    let failed = write_file(&path, |writer| {
        writer.write_all(b"half")?;
        Err(io::Error::other("stopped"))
    });
    assert!(failed.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    write_file(&link, |writer| writer.write_all(b"three")).unwrap();
    assert!(link.is_symlink() && fs::read(&path).unwrap() == b"three");

    write_file("/dev/null".as_ref(), |writer| writer.write_all(b"x")).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let error = write_file(folder.path(), |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
}
