//! The store between processes: killed at any moment, and collected while others build.
//!
//! The processes are this test binary started again, with the work that it is to do in the environment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use imgraph::oci::blob_digest::{BlobDigest, DiffId};
use imgraph::oci::collect::{Bounds, collect};
use imgraph::oci::image::{LayerBlob, read_image, write_image};
use imgraph::oci::image_config::ImageConfig;
use imgraph::oci::layers::compression::Compression;
use imgraph::oci::store::{Store, digest_of};
use imgraph::types::platform::Platform;
use oci_spec::image::MediaType;

const WORK: &str = "IMGRAPH_TEST_STORE_WORK";
const FOLDER: &str = "IMGRAPH_TEST_STORE_FOLDER";
const SEED: &str = "IMGRAPH_TEST_STORE_SEED";

fn spawn(work: &str, folder: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_work_of_a_process", "--nocapture"])
        .env(WORK, work)
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a process does that was started by another test; nothing when it was started by a person.
#[test]
fn the_work_of_a_process() {
    let Ok(work) = std::env::var(WORK) else { return };
    let folder = std::env::var(FOLDER).unwrap();
    let folder = Path::new(&folder);
    let seed = std::env::var(SEED).unwrap().parse().unwrap();
    match work.as_str() {
        "write for ever" => (0..u64::MAX).for_each(|round| build(folder, seed, round)),
        "build" => (0..60).for_each(|round| build(folder, seed, round)),
        "collect" => {
            let until = Instant::now() + Duration::from_secs(60);
            while !folder.join("stop").exists() && Instant::now() < until {
                collect_all(folder);
            }
        }
        work => panic!("no such work: {work}"),
    }
}

fn store_in(folder: &Path) -> Store {
    Store::open(&folder.join("oci")).unwrap()
}

/// Bytes that are others for each seed and round, but the same for some pairs of them.
fn content(seed: u64, round: u64) -> Vec<u8> {
    let number = seed.wrapping_mul(31).wrapping_add(round) % 40;
    let length = usize::try_from(number * number * 250 + 10).unwrap();
    format!("{number} ").into_bytes().into_iter().cycle().take(length).collect()
}

/// One build: layers that are there are used, others written; then the image is named and looked at.
fn build(folder: &Path, seed: u64, round: u64) {
    let store = store_in(folder);
    let lease = store.lease().unwrap();
    let layers: Vec<LayerBlob> =
        (0..3).map(|number| layer(&store, &content(seed, round * 7 + number))).collect();
    let config = ImageConfig { architecture: format!("{seed}-{round}"), ..ImageConfig::default() };
    let digest = write_image(&store, &config, &layers).unwrap();
    store.name(&format!("image-{seed}-{}", round % 10), &digest, MediaType::ImageManifest, 1).unwrap();
    // Whatever was collected meanwhile: what this build used is there.
    let image = read_image(&store, &digest, &Platform::local()).unwrap().expect("the image was collected");
    for layer in image.layers {
        let found = store.read(&layer.digest, 1 << 20).unwrap();
        assert!(found.is_some(), "a layer of a running build was collected");
    }
    drop(lease);
}

fn layer(store: &Store, content: &[u8]) -> LayerBlob {
    let digest = BlobDigest::of(content);
    let size = content.len() as u64;
    if !store.has(&digest) {
        let mut writer = store.writer().unwrap();
        content.chunks(1000).for_each(|piece| writer.write_all(piece).unwrap());
        assert_eq!(writer.finish_as(&digest).unwrap().size, size);
    }
    LayerBlob { digest, size, diff_id: DiffId(digest), compression: Compression::None }
}

fn collect_all(folder: &Path) {
    let bounds = Bounds { keep: Some(20_000), ..Bounds::default() };
    let done =
        collect(&store_in(folder), &folder.join("embedded"), &bounds, SystemTime::now(), false).unwrap();
    assert_eq!(done.problems, [""; 0]);
}

/// All blobs have the bytes that their names say, and all names lead to whole images.
fn check(folder: &Path) {
    let store = store_in(folder);
    for digest in store.blobs().unwrap().into_keys() {
        assert!(store.read(&digest, 1 << 20).unwrap().is_some());
    }
    for entry in store.names().unwrap().into_values() {
        let image = read_image(&store, &digest_of(&entry).unwrap(), &Platform::local()).unwrap();
        let blobs: BTreeMap<BlobDigest, u64> = store.blobs().unwrap();
        assert!(
            image.expect("a name leads nowhere").layers.iter().all(|layer| blobs.contains_key(&layer.digest))
        );
    }
    for rest in ["temporary", "trash"] {
        let left = std::fs::read_dir(store.folder().join(".imgraph").join(rest));
        assert_eq!(left.map_or(0, Iterator::count), 0, "something is left in {rest}");
    }
}

#[test]
fn a_process_that_is_killed_leaves_no_half_written_blob() {
    let folder = tempfile::tempdir().unwrap();
    for moment in 0..25 {
        let mut child = spawn("write for ever", folder.path(), moment % 3);
        std::thread::sleep(Duration::from_millis(20 + moment * 13 % 140));
        child.kill().unwrap();
        child.wait().unwrap();
        check(folder.path());
    }
    assert!(store_in(folder.path()).blobs().unwrap().len() > 10, "the processes wrote nothing");
}

#[test]
fn builds_go_on_while_collectors_work() {
    let folder = tempfile::tempdir().unwrap();
    let collectors = [0, 1].map(|seed| spawn("collect", folder.path(), seed));
    let builds = [1, 2, 3].map(|seed| spawn("build", folder.path(), seed));
    for mut build in builds {
        assert!(build.wait().unwrap().success(), "a build failed");
    }
    std::fs::write(folder.path().join("stop"), "").unwrap();
    for mut collector in collectors {
        assert!(collector.wait().unwrap().success(), "a collector failed");
    }
    check(folder.path());
    collect_all(folder.path());
    let left: u64 = store_in(folder.path()).blobs().unwrap().values().sum();
    assert!(left <= 20_000, "{left} bytes are left");
    check(folder.path());
}

#[test]
fn a_collector_that_is_killed_leaves_whole_images() {
    let folder = tempfile::tempdir().unwrap();
    for moment in 0..15 {
        (0..4).for_each(|round| build(folder.path(), moment, round));
        let mut child = spawn("collect", folder.path(), 0);
        std::thread::sleep(Duration::from_millis(10 + moment * 7 % 60));
        child.kill().unwrap();
        child.wait().unwrap();
        // The next collector removes what the last one left.
        collect_all(folder.path());
        check(folder.path());
    }
}
