//! Collections of stores whose blobs were used at given hours.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use oci_spec::image::MediaType;

use super::{Bounds, Collected, collect};
use crate::oci::blob_digest::{BlobDigest, DiffId};
use crate::oci::image::{LayerBlob, read_image, write_image};
use crate::oci::image_config::ImageConfig;
use crate::oci::layers::compression::Compression;
use crate::oci::store::Store;

const HOUR: Duration = Duration::from_secs(3600);

struct House {
    folder: tempfile::TempDir,
    store: Store,
    time: SystemTime,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("oci")).unwrap();
    House { folder, store, time: SystemTime::now() }
}

impl House {
    fn derived(&self) -> PathBuf {
        self.folder.path().join("embedded")
    }

    fn used(&self, digest: &BlobDigest, hours_ago: u32) {
        let path = self.store.folder().join("blobs/sha256").join(digest.hex());
        File::open(path).unwrap().set_modified(self.time - HOUR * hours_ago).unwrap();
    }

    /// A layer of a thousand bytes.
    fn layer(&self, letter: u8, hours_ago: u32) -> LayerBlob {
        let blob = self.store.put(&[letter; 1000]).unwrap();
        self.used(&blob.digest, hours_ago);
        let (digest, size) = (blob.digest, blob.size);
        LayerBlob { digest, size, diff_id: DiffId(digest), compression: Compression::None }
    }

    fn image(&self, name: &str, layers: &[LayerBlob], hours_ago: u32) -> BlobDigest {
        let config = ImageConfig { architecture: name.to_owned(), ..ImageConfig::default() };
        let digest = write_image(&self.store, &config, layers).unwrap();
        self.store.name(name, &digest, MediaType::ImageManifest, 1).unwrap();
        let image = read_image(&self.store, &digest, &"linux/amd64".parse().unwrap()).unwrap().unwrap();
        self.used(&image.config_digest, hours_ago);
        self.used(&digest, hours_ago);
        for layer in layers {
            // Reading touched nothing of them, writing the image neither.
            assert!(self.store.size(&layer.digest).unwrap().is_some());
        }
        digest
    }

    fn collect(&self, bounds: &Bounds) -> Collected {
        let there = self.store.blobs().unwrap();
        let named = self.store.names().unwrap();
        let said = collect(&self.store, &self.derived(), bounds, self.time, true).unwrap();
        assert_eq!((self.store.blobs().unwrap(), self.store.names().unwrap()), (there, named));
        let done = collect(&self.store, &self.derived(), bounds, self.time, false).unwrap();
        assert_eq!(said, done, "what was said is not what was done");
        assert_eq!(self.store.blobs().unwrap().len(), done.kept_blobs);
        done
    }

    fn names(&self) -> Vec<String> {
        self.store.names().unwrap().into_keys().collect()
    }

    fn has(&self, layer: &LayerBlob) -> bool {
        self.store.size(&layer.digest).unwrap().is_some()
    }
}

fn within(hours: u32) -> Bounds {
    Bounds { used_within: Some(HOUR * hours), ..Bounds::default() }
}

#[test]
fn what_was_not_used_for_long_goes_with_its_name() {
    let house = house();
    let (shared, own, new) = (house.layer(b's', 90), house.layer(b'o', 90), house.layer(b'n', 90));
    house.image("old", &[shared, own], 50);
    house.image("new", &[shared, new], 5);
    let alone = house.layer(b'a', 80);
    let done = house.collect(&within(24));
    assert_eq!(done.names, ["old"]);
    assert_eq!(house.names(), ["new"]);
    // The old image's manifest, its configuration and its own layer, and the layer of nobody.
    assert_eq!(done.removed_blobs, 4);
    assert_eq!([shared, own, new, alone].map(|layer| house.has(&layer)), [true, false, true, false]);
    assert_eq!(
        house.collect(&within(24)),
        Collected { removed_blobs: 0, removed_bytes: 0, names: vec![], ..done }
    );
}

#[test]
fn so_many_bytes_of_the_latest_stay() {
    let check = |keep: u64, expected: &[&str]| {
        let house = house();
        for (name, letter, hours) in [("a", b'a', 30), ("b", b'b', 10), ("c", b'c', 20)] {
            let layer = house.layer(letter, 100);
            house.image(name, &[layer], hours);
        }
        let done = house.collect(&Bounds { keep: Some(keep), ..Bounds::default() });
        assert_eq!(house.names(), expected, "{keep}");
        assert!(done.kept_bytes <= keep);
    };
    // An image takes about 1,500 bytes here.
    check(1 << 20, &["a", "b", "c"]);
    check(3500, &["b", "c"]);
    check(2000, &["b"]);
    check(0, &[]);
}

#[test]
fn without_bounds_only_what_roots_need_stays() {
    let house = house();
    let (one, other) = (house.layer(b'1', 0), house.layer(b'2', 0));
    let root = house.image("root", &[one], 0);
    house.image("other", &[other], 0);
    let roots = BTreeSet::from([root, BlobDigest::of(b"not there")]);
    house.collect(&Bounds { roots, ..Bounds::default() });
    assert_eq!(house.names(), ["root"]);
    assert_eq!([one, other].map(|layer| house.has(&layer)), [true, false]);
}

#[test]
fn an_index_keeps_its_images_and_a_configuration_its_tars() {
    let house = house();
    let layer = house.layer(b'x', 90);
    let image = house.image("image", &[layer], 90);
    house.store.unname(["image"]).unwrap();
    let index =
        format!(r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"a/b","digest":"{image}","size":1}}]}}"#);
    let index = house.store.put(index.as_bytes()).unwrap().digest;
    house.used(&index, 1);
    assert_eq!(house.collect(&within(24)).removed_blobs, 0);
    house.used(&index, 48);
    assert_eq!(house.collect(&within(24)).kept_blobs, 0);
}

#[test]
fn what_a_running_build_used_stays_and_goes_when_it_ended() {
    let house = house();
    let (old, asked) = (house.layer(b'o', 90), house.layer(b'a', 90));
    let image = house.image("image", &[asked], 90);
    let lease = house.store.lease().unwrap();
    let written = house.store.put(b"written").unwrap().digest;
    assert!(house.store.has(&image));
    let nothing = Bounds { keep: Some(0), ..Bounds::default() };
    let done = house.collect(&nothing);
    assert_eq!((done.in_use, done.removed_blobs), (4, 1));
    assert_eq!([old, asked].map(|layer| house.has(&layer)), [false, true]);
    assert!(house.store.size(&written).unwrap().is_some());
    drop(lease);
    assert_eq!(house.collect(&nothing).kept_blobs, 0);
    assert!(house.names().is_empty());
}

#[test]
fn what_was_made_of_a_layer_goes_with_it() {
    let house = house();
    let (stays, goes) = (house.layer(b's', 1), house.layer(b'g', 90));
    let gone = BlobDigest::of(b"gone before");
    let make = |digest: &BlobDigest| {
        let hex = digest.hex();
        let folder = house.derived().join("unpacked/root").join(&hex);
        fs::create_dir_all(folder.join("deep/er")).unwrap();
        fs::write(folder.join("deep/er/file"), [0; 500]).unwrap();
        // A file of several names takes its place once.
        fs::hard_link(folder.join("deep/er/file"), folder.join("deep/other")).unwrap();
        fs::create_dir_all(house.derived().join("layers")).unwrap();
        let index = house.derived().join("layers").join(format!("{hex}.index"));
        fs::write(&index, [0; 100]).unwrap();
        [folder, index]
    };
    let [kept, removed, orphaned] = [&stays.digest, &goes.digest, &gone].map(make);
    let unknown = house.derived().join("layers/.being-made");
    fs::write(&unknown, "").unwrap();
    let done = house.collect(&within(24));
    assert_eq!(done.removed_bytes, 1000 + 600 + 600);
    assert!(kept.iter().chain([&unknown]).all(|path| path.exists()));
    assert!(!removed.iter().chain(&orphaned).any(|path| path.exists()));
    assert_eq!(fs::read_dir(house.derived().join("trash")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(house.store.folder().join(".imgraph/trash")).unwrap().count(), 0);
    // Its folders count, too, where bytes are counted.
    let done = house.collect(&Bounds { keep: Some(1000), ..Bounds::default() });
    assert_eq!((done.removed_bytes, done.kept_bytes), (1600, 0));
}

#[test]
fn what_a_dead_collector_and_damage_left_goes() {
    let house = house();
    let trash = house.store.folder().join(".imgraph/trash/dead");
    fs::create_dir_all(&trash).unwrap();
    fs::write(trash.join("0"), "x").unwrap();
    let digest = house.store.put(b"good").unwrap().digest;
    fs::write(house.store.folder().join("blobs/sha256").join(digest.hex()), "evil").unwrap();
    house.store.read(&digest, 10).unwrap_err();
    let damaged = house.store.folder().join(".imgraph/damaged");
    assert!(damaged.exists());
    house.collect(&within(24));
    assert!(!trash.exists() && !damaged.exists());
}

#[test]
fn files_that_are_no_blobs_and_documents_that_lie_do_no_harm() {
    let house = house();
    let blobs = house.store.folder().join("blobs/sha256");
    fs::write(blobs.join("README"), "not a blob").unwrap();
    let outside = house.folder.path().join("outside");
    fs::write(&outside, "x").unwrap();
    for text in [
        "{".to_owned(),
        "{\"layers\":3}".to_owned(),
        "{\"layers\":[{\"digest\":\"sha256:../../../outside\"}]}".to_owned(),
        "{\"manifests\":[{\"digest\":\"sha512:00\"}]}".to_owned(),
        "{".repeat(100_000),
    ] {
        house.store.put(text.as_bytes()).unwrap();
    }
    // Two that were damaged such that each needs the other.
    let [one, other] = [b"one", b"two"].map(|bytes| house.store.put(bytes).unwrap().digest);
    for (digest, needed) in [(one, other), (other, one)] {
        let text = format!("{{\"layers\":[{{\"digest\":\"{needed}\"}}]}}");
        fs::write(blobs.join(digest.hex()), text).unwrap();
    }
    let done = house.collect(&Bounds::default());
    assert_eq!((done.removed_blobs, done.kept_blobs), (7, 0));
    assert!(outside.exists() && blobs.join("README").exists());
}

#[test]
fn a_name_that_leads_nowhere_goes() {
    let house = house();
    house.store.name("nowhere", &BlobDigest::of(b"nothing"), MediaType::ImageManifest, 1).unwrap();
    assert_eq!(house.collect(&within(24)).names, ["nowhere"]);
}
