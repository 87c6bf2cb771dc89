//! Secrets reach the step that mounts them, and nothing else.

use std::fs;

use crate::engine::Engine;
use crate::trial::{Trial, files_below, said, unique};

const BUILD: &str = r#"
[workspace]
[image.app]
tags = ["IMAGE"]
secrets = [
    { id = "token", env = "E2E_TOKEN" },
    { id = "key", file = "key.txt" },
    { id = "spare", env = "E2E_SPARE", optional = true },
]
"#;

/// Shows that the values are there, and writes them to its output as no step should.
const DOCKERFILE: &str = "FROM busybox:1.36
RUN --mount=type=secret,id=token --mount=type=secret,id=key --mount=type=secret,id=spare \\
    cat /run/secrets/token /run/secrets/key; sha256sum /run/secrets/token | cut -c 1-64 >/sum; test ! -e /run/secrets/spare
";

fn trial() -> (Trial, String) {
    let image = format!("e2e.test/{}:1", unique("secret"));
    let build = BUILD.replace("IMAGE", &image);
    let trial = Trial::of(&Engine::classic(), &[("BUILD.toml", &build), ("Dockerfile", DOCKERFILE)]);
    (trial, image)
}

#[test]
fn values_are_in_no_log_event_record_or_image() {
    let (trial, image) = trial();
    let (token, key) = (unique("the-token"), unique("the-key"));
    trial.write("key.txt", &format!("{key}\n"));
    let trial = trial.with("E2E_TOKEN", &token);
    let events = trial.beside("events.ndjson");
    let outcome =
        trial.run(&format!("build :app -v --events {} --format json", events.display())).succeeded();
    let sum = trial.inside(&image, &["cat", "/sum"]);
    assert_eq!(sum.trim().len(), 64, "the step had the token");
    let plan = trial.run("plan :app").succeeded();
    let explained = trial.run("explain :app --all --format json").succeeded();
    let inspected = trial.engine.run(["image", "inspect", &image]);
    let history = trial.engine.run(["image", "history", "--no-trunc", &image]);
    let mut texts = vec![outcome.stdout, outcome.stderr, plan.stdout, explained.stdout, explained.stderr];
    texts.push(String::from_utf8(inspected.stdout).unwrap());
    texts.push(String::from_utf8(history.stdout).unwrap());
    let files: Vec<_> = files_below(&trial.cache()).into_iter().chain([events]).collect();
    assert!(
        files.iter().any(|file| file.extension().is_some_and(|extension| extension == "log")),
        "{files:?}"
    );
    texts.extend(files.iter().map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()));
    for text in texts {
        assert!(!text.contains(&token) && !text.contains(&key), "{text}");
    }
}

#[test]
fn another_value_makes_nothing_dirty() {
    let (trial, _image) = trial();
    trial.write("key.txt", "key\n");
    let trial = trial.with("E2E_TOKEN", "one");
    trial.build(":app");
    trial.write("key.txt", "another\n");
    let trial = trial.with("E2E_TOKEN", "two");
    assert_eq!(said(&trial.plan(":app")), "");
}

#[test]
fn a_missing_value_fails_the_target_by_name() {
    let (trial, _image) = trial();
    trial.write("key.txt", "key\n");
    trial.run("build :app").exits(1).says(&["//:app", "token", "E2E_TOKEN"]);
    fs::remove_file(trial.path("key.txt")).unwrap();
    let trial = trial.with("E2E_TOKEN", "one");
    let outcome = trial.run("build :app");
    assert!(matches!(outcome.code, Some(1 | 2)), "{outcome:?}");
    outcome.says(&["key.txt"]);
}
