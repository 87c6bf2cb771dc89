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

/// BuildKit's own cache does not tell a step that had a secret from one that had none.
#[test]
fn an_image_without_an_optional_secret_is_not_the_one_with_it() {
    let id = unique("optional-secret");
    let image = format!("e2e.test/{id}:1");
    let build = format!(
        "[workspace]\n[image.app]\ntags = [\"{image}\"]\n\
         secrets = [{{ id = \"t\", env = \"E2E_SPARE\", optional = true }}]\n"
    );
    let dockerfile = format!(
        "FROM busybox:1.36\n\
         RUN --mount=type=secret,id=t : {id}; if [ -e /run/secrets/t ]; then echo with; else echo without; fi >/out\n"
    );
    for is_given in [false, true, false, true] {
        // What imgraph remembers is another each time; what the engine remembers stays.
        let trial = Trial::of(&Engine::classic(), &[("BUILD.toml", &build), ("Dockerfile", &dockerfile)]);
        let trial = if is_given { trial.with("E2E_SPARE", "value") } else { trial };
        trial.build(":app");
        let expected = if is_given { "with\n" } else { "without\n" };
        assert_eq!(trial.inside(&image, &["cat", "/out"]), expected);
        if !is_given {
            assert_eq!(said(&trial.build(":app")), "//:app cached");
            let trial = trial.with("E2E_SPARE", "value");
            assert_eq!(said(&trial.build(":app")), "//:app built");
            assert_eq!(trial.inside(&image, &["cat", "/out"]), "with\n");
            let trial = trial.with("E2E_SPARE", "another");
            assert_eq!(said(&trial.build(":app")), "//:app cached");
        }
    }
}
