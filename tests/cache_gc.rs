//! `imgraph cache gc`, run as a program over stores that were made here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use imgraph::oci::blob_digest::{BlobDigest, DiffId};
use imgraph::oci::image::{LayerBlob, write_image};
use imgraph::oci::image_config::ImageConfig;
use imgraph::oci::layers::compression::Compression;
use imgraph::oci::store::Store;
use oci_spec::image::MediaType;
use serde_json::json;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct House {
    cache: tempfile::TempDir,
}

fn house() -> House {
    let house = House { cache: tempfile::tempdir().unwrap() };
    for (name, days) in [("app:old", 20), ("app:new", 2)] {
        house.image(name, days);
    }
    let unnamed = house.store().put(&[b'u'; 700]).unwrap();
    house.used(&unnamed.digest, 30);
    house
}

impl House {
    fn store(&self) -> Store {
        Store::open(&self.cache.path().join("oci")).unwrap()
    }

    fn used(&self, digest: &BlobDigest, days_ago: u32) {
        let path = self.cache.path().join("oci/blobs/sha256").join(digest.hex());
        File::open(path).unwrap().set_modified(SystemTime::now() - DAY * days_ago).unwrap();
    }

    fn image(&self, name: &str, days_ago: u32) {
        let store = self.store();
        let blob = store.put(name.repeat(200).as_bytes()).unwrap();
        let (digest, size) = (blob.digest, blob.size);
        let layer = LayerBlob { digest, size, diff_id: DiffId(digest), compression: Compression::None };
        let config = ImageConfig { architecture: name.to_owned(), ..ImageConfig::default() };
        let digest = write_image(&store, &config, &[layer]).unwrap();
        store.name(name, &digest, MediaType::ImageManifest, 1).unwrap();
        let entries = fs::read_dir(store.folder().join("blobs/sha256")).unwrap();
        for entry in entries {
            let file = entry.unwrap();
            let is_new = file.metadata().unwrap().modified().unwrap() > SystemTime::now() - DAY;
            if is_new {
                let name = format!("sha256:{}", file.file_name().to_str().unwrap());
                self.used(&name.parse().unwrap(), days_ago);
            }
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(self.cache.path(), arguments)
    }

    fn names(&self) -> Vec<String> {
        self.store().names().unwrap().into_keys().collect()
    }
}

fn run(cache: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
    command.args(["cache", "gc", "--cache-dir"]).arg(cache).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn bounds_decide_what_goes() {
    let check = |arguments: &[&str], names: &[&str], blobs: usize| {
        let house = house();
        stdout(&house.run(arguments));
        assert_eq!(
            (house.names(), house.store().blobs().unwrap().len()),
            (names.iter().map(|name| (*name).to_owned()).collect(), blobs),
            "{arguments:?}"
        );
    };
    check(&[], &["app:new", "app:old"], 6);
    check(&["--older", "14d"], &["app:new"], 3);
    check(&["--older", "1d"], &[], 0);
    check(&["--older", "90d"], &["app:new", "app:old"], 7);
    check(&["--keep", "1MB"], &["app:new", "app:old"], 7);
    check(&["--keep", "3KB"], &["app:new"], 3);
    check(&["--keep", "1MB", "--older", "14d"], &["app:new"], 3);
    check(&["--keep", "0"], &[], 0);
    check(&["--keep", "0", "--dry-run"], &["app:new", "app:old"], 7);
}

#[test]
fn what_went_is_told() {
    let house = house();
    let dry = house.run(&["--older", "14d", "--dry-run"]);
    assert!(stdout(&dry).starts_with("would remove app:old\nwould remove 4 blobs, "), "{dry:?}");
    let output = house.run(&["--older", "14d", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((&document["schema"], &document["names"]), (&json!(1), &json!(["app:old"])));
    assert_eq!((&document["removed"]["blobs"], &document["kept"]["blobs"]), (&json!(4), &json!(3)));
    assert_eq!(document["dry_run"], json!(false));
    assert!(document["removed"]["bytes"].as_u64().unwrap() > 2000);
    let lease = house.store().lease().unwrap();
    house.image("app:building", 0);
    house.store().put(b"of the build").unwrap();
    let output = house.run(&["--keep", "0"]);
    assert!(stdout(&output).contains("of them for builds that run"), "{output:?}");
    drop(lease);
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    assert_eq!(stdout(&run(&cache, &[])), "removed 0 blobs, 0 B\nkept 0 blobs, 0 B\n");
    assert!(!cache.exists());
}

#[test]
fn what_is_wrong_is_told_with_a_way_out() {
    let house = house();
    let layout = house.cache.path().join("oci/oci-layout");
    fs::write(&layout, r#"{"imageLayoutVersion":"9.0.0"}"#).unwrap();
    let output = house.run(&[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("version `9.0.0`") && said.contains("name another folder"), "{said}");
    for wrong in [["--keep", "much"], ["--older", "14"]] {
        assert_eq!(house.run(&wrong).status.code(), Some(2));
    }
}
