//! Stores in temporary folders: blobs, names, damage, hostile files, several writers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use oci_spec::image::MediaType;

use super::{Store, StoreError};
use crate::oci::blob_digest::BlobDigest;

const LIMIT: u64 = 1 << 20;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("oci")).unwrap();
    (folder, store)
}

fn blob_path(store: &Store, digest: &BlobDigest) -> std::path::PathBuf {
    store.folder().join("blobs/sha256").join(digest.hex())
}

fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn temporary_files(store: &Store) -> usize {
    names_in(&store.folder().join(".imgraph/temporary")).len()
}

#[test]
fn what_is_put_is_read() {
    let (_folder, store) = store();
    let big = vec![7; 300_000];
    for bytes in [&b""[..], b"abc", &big] {
        let blob = store.put(bytes).unwrap();
        assert_eq!((blob.digest, blob.size), (BlobDigest::of(bytes), bytes.len() as u64));
        assert_eq!(store.read(&blob.digest, LIMIT).unwrap().as_deref(), Some(bytes));
        assert!(store.has(&blob.digest));
        assert_eq!(store.size(&blob.digest).unwrap(), Some(blob.size));
    }
    assert_eq!(store.read(&BlobDigest::of(b"other"), LIMIT).unwrap(), None);
    assert!(!store.has(&BlobDigest::of(b"other")));
    assert_eq!(store.blobs().unwrap().len(), 3);
    assert_eq!(temporary_files(&store), 0);
}

#[test]
fn several_are_put_at_once() {
    let (_folder, store) = store();
    store.put(b"there").unwrap();
    let contents = [&b"there"[..], b"one", b"two", b"one", b""];
    let blobs = store.put_all(&contents).unwrap();
    for (blob, content) in blobs.iter().zip(contents) {
        assert_eq!((blob.digest, blob.size), (BlobDigest::of(content), content.len() as u64));
        assert_eq!(store.read(&blob.digest, LIMIT).unwrap().as_deref(), Some(content));
    }
    assert_eq!((blobs.len(), store.blobs().unwrap().len(), temporary_files(&store)), (5, 4, 0));
}

#[test]
fn a_large_blob_is_whole_though_it_was_synced_on_the_way() {
    let (_folder, store) = store();
    let mut writer = store.writer().unwrap();
    let piece = vec![3; 1 << 20];
    for _ in 0..40 {
        writer.write_all(&piece).unwrap();
    }
    let blob = writer.finish().unwrap();
    assert_eq!(store.read(&blob.digest, 64 << 20).unwrap(), Some(vec![3; 40 << 20]));
}

#[test]
fn a_writer_that_is_dropped_or_refused_leaves_nothing() {
    let (_folder, store) = store();
    let mut writer = store.writer().unwrap();
    writer.write_all(b"half").unwrap();
    assert_eq!(temporary_files(&store), 1);
    drop(writer);
    let mut writer = store.writer().unwrap();
    writer.write_all(b"other bytes").unwrap();
    let refused = writer.finish_as(&BlobDigest::of(b"bytes")).unwrap_err();
    assert!(matches!(refused, StoreError::OtherBytes { .. }), "{refused}");
    assert_eq!(temporary_files(&store), 0);
    assert!(store.blobs().unwrap().is_empty());
}

#[test]
fn a_file_that_is_being_written_survives_an_opening_and_one_of_the_dead_does_not() {
    let (_folder, store) = store();
    let mut writer = store.writer().unwrap();
    writer.write_all(b"living").unwrap();
    let dead = store.folder().join(".imgraph/temporary/dead");
    fs::write(&dead, "dead").unwrap();
    Store::open(store.folder()).unwrap();
    assert!(!dead.exists());
    let blob = writer.finish().unwrap();
    assert_eq!(store.read(&blob.digest, LIMIT).unwrap().as_deref(), Some(&b"living"[..]));
}

#[test]
fn a_damaged_blob_is_found_set_aside_and_can_be_put_again() {
    let good = b"good bytes".to_vec();
    for bad in [&b""[..], b"good bytez", b"good", b"good bytes and more"] {
        let (_folder, store) = store();
        let digest = store.put(&good).unwrap().digest;
        fs::write(blob_path(&store, &digest), bad).unwrap();
        let found = store.read(&digest, LIMIT).unwrap_err();
        assert!(matches!(found, StoreError::DamagedBlob { .. }), "{found}");
        assert_eq!(store.read(&digest, LIMIT).unwrap(), None);
        assert!(!store.has(&digest));
        store.put(&good).unwrap();
        assert_eq!(store.read(&digest, LIMIT).unwrap(), Some(good.clone()));
    }
}

#[test]
fn a_blob_that_was_cut_short_is_replaced_when_it_is_put_again() {
    let (_folder, store) = store();
    let digest = store.put(b"whole").unwrap().digest;
    fs::write(blob_path(&store, &digest), "who").unwrap();
    store.put(b"whole").unwrap();
    assert_eq!(store.read(&digest, LIMIT).unwrap().as_deref(), Some(&b"whole"[..]));
}

#[test]
fn a_stream_fails_at_its_end_when_the_bytes_are_others() {
    let (_folder, store) = store();
    let digest = store.put(b"good").unwrap().digest;
    fs::write(blob_path(&store, &digest), "evil").unwrap();
    let mut reader = store.verified_reader(&digest).unwrap().unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(matches!(store.stream_error("read", &digest, error), StoreError::DamagedBlob { .. }));
    assert!(!store.has(&digest));
}

#[test]
fn a_blob_larger_than_expected_is_not_read() {
    let (_folder, store) = store();
    let digest = store.put(&[1; 100]).unwrap().digest;
    assert!(matches!(store.read(&digest, 99), Err(StoreError::TooLarge { size: 100, limit: 99, .. })));
    assert!(store.read(&digest, 100).unwrap().is_some());
}

#[test]
fn a_folder_or_a_pipe_in_a_blobs_place_is_no_blob() {
    let (_folder, store) = store();
    let digest = BlobDigest::of(b"folder");
    fs::create_dir(blob_path(&store, &digest)).unwrap();
    assert!(!store.has(&digest));
    assert_eq!(store.read(&digest, LIMIT).unwrap(), None);
    let pipe = BlobDigest::of(b"pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let path = blob_path(&store, &pipe);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert_eq!(store.read(&pipe, LIMIT).unwrap(), None);
    assert!(store.blobs().unwrap().is_empty());
}

#[test]
fn names_are_given_moved_and_taken() {
    let (_folder, store) = store();
    let [one, other] = [b"one", b"two"].map(|bytes| store.put(bytes).unwrap());
    let name = |reference: &str, blob: super::Blob| {
        store.name(reference, &blob.digest, MediaType::ImageManifest, blob.size).unwrap();
    };
    name("docker.io/library/a:1", one);
    name("ghcr.io/b:2", one);
    name("docker.io/library/a:1", other);
    let digest =
        |reference: &str| store.named(reference).unwrap().map(|found| super::digest_of(&found).unwrap());
    assert_eq!(digest("docker.io/library/a:1"), Some(other.digest));
    assert_eq!(digest("ghcr.io/b:2"), Some(one.digest));
    assert_eq!(digest("ghcr.io/b"), None);
    assert_eq!(store.names().unwrap().len(), 2);
    store.unname(["ghcr.io/b:2", "never:there"]).unwrap();
    assert_eq!(store.names().unwrap().into_keys().collect::<Vec<_>>(), ["docker.io/library/a:1"]);
}

#[test]
fn the_bytes_of_the_index_do_not_depend_on_the_order_of_naming() {
    let bytes = |order: &[&str]| {
        let (_folder, store) = store();
        let blob = store.put(b"x").unwrap();
        for reference in order {
            store.name(reference, &blob.digest, MediaType::ImageManifest, blob.size).unwrap();
        }
        fs::read(store.folder().join("index.json")).unwrap()
    };
    assert_eq!(bytes(&["a", "b", "c"]), bytes(&["c", "a", "b", "a"]));
}

#[test]
fn what_another_program_wrote_into_a_layout_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let digest = BlobDigest::of(b"{}");
    fs::create_dir_all(root.join("blobs/sha256")).unwrap();
    fs::write(root.join("blobs/sha256").join(digest.hex()), "{}").unwrap();
    fs::write(root.join("oci-layout"), "{\n  \"imageLayoutVersion\": \"1.0.0\"\n}\n").unwrap();
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[
            {{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":2,
              "platform":{{"architecture":"arm64","os":"linux"}},"annotations":{{"z":"1","a":"2","m":"3"}}}},
            {{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":2,
              "annotations":{{"org.opencontainers.image.ref.name":"latest"}}}}],
            "annotations":{{"made.by":"somebody"}}}}"#
    );
    fs::write(root.join("index.json"), index).unwrap();
    let store = Store::open(root).unwrap();
    assert_eq!(store.names().unwrap().into_keys().collect::<Vec<_>>(), ["latest"]);
    assert_eq!(store.read(&digest, LIMIT).unwrap().as_deref(), Some(&b"{}"[..]));
    store.name("mine", &digest, MediaType::ImageManifest, 2).unwrap();
    let text = fs::read_to_string(root.join("index.json")).unwrap();
    for kept in [r#""annotations":{"a":"2","m":"3","z":"1"}"#, r#""arm64""#, "somebody", "latest", "mine"] {
        assert!(text.contains(kept), "{kept} is not in {text}");
    }
}

#[test]
fn layouts_that_are_none_are_refused_with_a_reason() {
    let check = |layout: &str, index: &str, expected: &str| {
        let (_folder, store) = store();
        fs::write(store.folder().join("oci-layout"), layout).unwrap();
        fs::write(store.folder().join("index.json"), index).unwrap();
        let error = Store::open(store.folder()).and_then(|store| store.names()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error} does not say {expected}");
        assert!(error.help().is_some());
    };
    let layout = r#"{"imageLayoutVersion":"1.0.0"}"#;
    let entry = |digest: &str, size: &str| {
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"a/b","digest":"{digest}","size":{size}}}]}}"#
        )
    };
    check(r#"{"imageLayoutVersion":"2.0.0"}"#, "{}", "version `2.0.0`");
    check("nothing", "{}", "damaged");
    check(&" ".repeat(5000), "{}", "more than 4096 bytes");
    check(layout, "", "index.json` is damaged");
    check(layout, "[]", "index.json` is damaged");
    check(layout, "{\"manifests\":3}", "index.json` is damaged");
    check(layout, &"[".repeat(100_000), "index.json` is damaged");
    check(layout, &entry("sha256:../../../etc/passwd", "1"), "index.json` is damaged");
    check(layout, &entry("../../../etc/passwd", "1"), "index.json` is damaged");
    check(layout, &entry(&BlobDigest::of(b"").to_string(), "-1"), "index.json` is damaged");
    check(layout, &entry(&BlobDigest::of(b"").to_string(), "99999999999999999999"), "index.json` is damaged");
}

#[test]
fn a_digest_of_another_kind_names_no_blob() {
    let (_folder, store) = store();
    let sha512 = format!("sha512:{}", "a".repeat(128));
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"a/b","digest":"{sha512}","size":1,
        "annotations":{{"org.opencontainers.image.ref.name":"x"}}}}]}}"#
    );
    fs::write(store.folder().join("index.json"), index).unwrap();
    let found = store.named("x").unwrap().unwrap();
    assert!(super::digest_of(&found).unwrap_err().contains("is not a digest"));
}

#[test]
fn a_store_that_may_only_be_read_is_read() {
    let (_folder, store) = store();
    let blob = store.put(b"abc").unwrap();
    store.name("a", &blob.digest, MediaType::ImageManifest, 3).unwrap();
    let paths = ["", "blobs/sha256", ".imgraph", ".imgraph/temporary"].map(|path| store.folder().join(path));
    let modes = |mode: u32| {
        paths.iter().for_each(|path| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap());
    };
    modes(0o555);
    let store = Store::open(store.folder()).unwrap();
    assert_eq!(store.read(&blob.digest, LIMIT).unwrap().as_deref(), Some(&b"abc"[..]));
    assert_eq!(store.names().unwrap().len(), 1);
    // Root may write all the same.
    if !rustix::process::geteuid().is_root() {
        fs::write(blob_path(&store, &blob.digest), "evil").unwrap();
        let error = store.read(&blob.digest, LIMIT).unwrap_err();
        assert!(matches!(error, StoreError::DamagedBlob { aside: None, .. }), "{error}");
        let error = store.put(b"other").unwrap_err();
        assert!(error.to_string().contains("cannot write"), "{error}");
    }
    modes(0o755);
}

#[test]
fn threads_that_write_the_same_and_name_much_lose_nothing() {
    let (_folder, store) = store();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = Store::open(store.folder()).unwrap();
            scope.spawn(move || {
                for number in 0..25 {
                    let blob = store.put(format!("blob {number}").as_bytes()).unwrap();
                    let reference = format!("name-{thread}-{number}");
                    store.name(&reference, &blob.digest, MediaType::ImageManifest, blob.size).unwrap();
                }
            });
        }
    });
    assert_eq!(store.blobs().unwrap().len(), 25);
    assert_eq!(store.names().unwrap().len(), 100);
    for digest in store.blobs().unwrap().into_keys() {
        assert!(store.read(&digest, LIMIT).unwrap().is_some());
    }
    assert_eq!(temporary_files(&store), 0);
}

#[test]
fn many_names_are_given_in_one_step() {
    let (_folder, store) = store();
    let blob = store.put(b"x").unwrap();
    let descriptor = super::descriptor(&blob.digest, MediaType::ImageManifest, 1);
    let names: BTreeMap<String, _> =
        (0..2000).map(|number| (format!("local/service-{number}:abc"), descriptor.clone())).collect();
    store.name_all(names.clone()).unwrap();
    assert_eq!(store.names().unwrap().into_keys().collect::<Vec<_>>(), names.into_keys().collect::<Vec<_>>());
    store.name("one/more:1", &blob.digest, MediaType::ImageManifest, 1).unwrap();
    assert_eq!(store.names().unwrap().len(), 2001);
}
