//! Files of the cache folder that are no longer what they were: an error or a miss, never another image.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::place::Place;

/// A stage, and an image that reads its one file.
fn two_targets(read: &str) -> Place {
    let place = Place::new(
        "[stage.low]\ndockerfile = \"low.Dockerfile\"\n\n\
         [image.up]\ndockerfile = \"up.Dockerfile\"\ncontexts = { low = \"//:low\" }\n",
    );
    place.dockerfile("low", "FROM tools\nRUN echo important >/data\n");
    place.write("up.Dockerfile", read);
    let low = place.build("//:low");
    assert_eq!(low.exit, 0, "{}", low.said());
    place
}

/// Changes a byte of all layers that hold the file.
fn damage(place: &Place) {
    for path in place.blobs_with("important\n") {
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(10).position(|window| window == b"important\n").unwrap();
        bytes[at + 2] = b'?';
        fs::write(&path, bytes).unwrap();
    }
}

fn check(read: &str) {
    let place = two_targets(read);
    damage(&place);
    let first = place.build("//:up");
    assert_eq!(first.exit, 3, "{}", first.said());
    assert!(place.blobs_with("im?ortant\n").is_empty(), "{}", first.said());
    // What is damaged is out of the way: the next run makes it again.
    let second = place.build("//:up");
    assert_eq!(second.exit, 0, "{}", second.said());
}

#[test]
fn a_command_read_a_layer_that_was_damaged() {
    check("FROM low\nRUN cat /data >/copied\n");
}

#[test]
fn a_copy_read_a_layer_that_was_damaged() {
    check("FROM scratch\nCOPY --from=low /data /copied\n");
}

#[test]
fn an_image_without_its_layer_was_taken_for_one_that_is_there() {
    let place = two_targets("FROM low\nRUN cat /data >/copied\n");
    for path in place.blobs_with("important\n") {
        fs::remove_file(path).unwrap();
    }
    let low = place.build("//:low");
    assert_eq!(low.first().0, "built", "{}", low.said());
    let up = place.build("//:up");
    assert_eq!(up.exit, 0, "{}", up.said());
}

#[test]
fn a_collection_between_two_builds_of_a_run_took_the_output_of_the_first() {
    let place = two_targets("FROM low\nRUN cat /data >/copied\n");
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let collected = place.command().args(["cache", "gc", "--keep", "0"]).output().unwrap();
                assert!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
            }
        });
        let failed = (0..6).map(|number| {
            place.dockerfile("low", &format!("FROM tools\nRUN echo {number} >/data\n"));
            place.build("//:up")
        });
        let failed = failed.filter(|outcome| outcome.exit != 0).map(|outcome| outcome.said()).next();
        ended.store(true, Ordering::Relaxed);
        assert_eq!(failed, None);
    });
}

/// The files `name` of unpacked layers.
fn unpacked(place: &Place, name: &str) -> Vec<std::path::PathBuf> {
    let below = |folder: std::path::PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let layers = below(place.cache().join("embedded/unpacked")).flat_map(below);
    layers.map(|layer| layer.join("files").join(name)).filter(|file| file.is_file()).collect()
}

#[test]
fn a_command_read_a_file_of_an_unpacked_layer_that_was_changed() {
    let place = two_targets("FROM low\nRUN cat /data >/copied\n");
    let first = place.build("//:up");
    assert_eq!(first.exit, 0, "{}", first.said());
    let [file] = &unpacked(&place, "data")[..] else { panic!("it is unpacked once") };
    fs::write(file, "im?ortant\n").unwrap();
    place.write("up.Dockerfile", "FROM low\nRUN cat /data >/copied && grep -q important /copied\n");
    let second = place.build("//:up");
    assert_eq!(second.exit, 0, "{}", second.said());
    assert!(
        second.stderr.contains("were changed from outside: the layer is unpacked again"),
        "{}",
        second.said()
    );
    assert!(place.blobs_with("im?ortant\n").is_empty());
}

#[test]
fn all_that_is_kept_can_be_verified() {
    let place = two_targets("FROM low\nRUN cat /data >/copied\n");
    assert_eq!(place.build("//:up").exit, 0);
    let verify = || {
        let output = place.command().args(["cache", "verify"]).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (exit, said) = verify();
    assert!(exit == 0 && said.contains("unpacked layers: 0 wrong"), "{said}");
    let kept: Vec<_> = place.blobs_with("important\n");
    damage(&place);
    fs::remove_file(&unpacked(&place, "data")[0]).unwrap();
    let (exit, said) = verify();
    assert!(exit == 1 && said.contains(&format!("unpacked layers: {} wrong", kept.len() + 1)), "{said}");
    for blob in kept {
        assert!(
            said.contains(&format!("sha256:{} is not what it was", blob.file_name().unwrap().display())),
            "{said}"
        );
    }
    assert!(said.contains("embedded/unpacked/"), "{said}");
    let (exit, said) = verify();
    assert!(exit == 0 && said.contains("unpacked layers: 0 wrong"), "{said}");
    let built = place.build("//:up");
    assert_eq!(built.exit, 0, "{}", built.said());
}
