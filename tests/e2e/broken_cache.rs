//! A damaged cache costs work and is told; it never gives a wrong result.

use std::fs;
use std::path::Path;

use crate::engine::Engine;
use crate::trial::{Trial, files_below, said, unique};

fn built() -> (Trial, String) {
    let image = format!("e2e.test/{}:1", unique("damage"));
    let build = format!("[workspace]\n[image.app]\ntags = [\"{image}\"]\n");
    let dockerfile = "FROM busybox:1.36\nCOPY value /value\nRUN true\n";
    let trial = Trial::of(
        &Engine::classic(),
        &[("BUILD.toml", &build), ("Dockerfile", dockerfile), ("value", "one")],
    );
    trial.build(":app");
    (trial, image)
}

/// Damages every file of the cache, and expects the next runs to cope.
fn check(damage: impl Fn(&Path)) {
    let (trial, image) = built();
    let files = files_below(&trial.cache());
    assert!(files.len() >= 3, "{files:?}");
    files.iter().for_each(|file| damage(file));
    let plan = trial.run("plan :app --format json").succeeded().says(&["warning"]);
    assert_eq!(said(&plan.states()), "//:app dirty");
    trial.write("value", "two");
    trial.run("explain :app").succeeded();
    trial.run("build :app").succeeded();
    assert_eq!(trial.inside(&image, &["cat", "/value"]), "two");
    trial.write("value", "one");
    trial.run("build :app").succeeded().says(&["warning"]);
    assert_eq!(trial.inside(&image, &["cat", "/value"]), "one");
    let again = trial.run("build :app --format json").succeeded();
    assert_eq!(said(&again.states()), "//:app cached");
    assert!(!again.stderr.contains("warning"), "{}", again.stderr);
}

#[test]
fn a_flipped_byte_in_each_file() {
    check(|file| {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x11;
        fs::write(file, bytes).unwrap();
    });
}

#[test]
fn each_file_cut_in_half() {
    check(|file| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    });
}

#[test]
fn each_file_emptied() {
    check(|file| fs::write(file, "").unwrap());
}

#[test]
fn a_record_of_another_key_is_not_believed() {
    let (trial, image) = built();
    trial.write("value", "two");
    trial.build(":app");
    let actions = files_below(&trial.cache().join("v1/actions"));
    assert_eq!(actions.len(), 2, "{actions:?}");
    let [first, second] = [&actions[0], &actions[1]].map(|file| fs::read(file).unwrap());
    fs::write(&actions[0], second).unwrap();
    fs::write(&actions[1], first).unwrap();
    for value in ["one", "two"] {
        trial.write("value", value);
        trial.run("build :app").succeeded();
        assert_eq!(trial.inside(&image, &["cat", "/value"]), value);
    }
}

#[test]
fn a_cache_that_cannot_be_written_costs_nothing_but_itself() {
    let (trial, image) = built();
    let cache = trial.beside("file");
    fs::write(&cache, "not a folder").unwrap();
    trial.write("value", "two");
    let outcome = trial.run(&format!("build :app --cache-dir {}", cache.display()));
    outcome.succeeded().says(&["warning"]);
    assert_eq!(trial.inside(&image, &["cat", "/value"]), "two");
}
