//! `imgraph doctor` as a person and as a program see it, without an engine.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/program.rs"]
mod program;

#[test]
fn it_says_what_builds_here() {
    let folder = tempfile::tempdir().unwrap();
    let run = program::run(folder.path(), 100, "doctor --format json");
    let document = run.json();
    assert_eq!(document["schema"], 1);
    let probe = |name: &str| -> serde_json::Value {
        let probes = document["probes"].as_array().unwrap();
        probes.iter().find(|probe| probe["name"] == name).unwrap_or_else(|| panic!("{document:#}")).clone()
    };
    assert_eq!(probe("docker")["ok"], false);
    assert!(probe("docker")["cure"].as_str().unwrap().contains("DOCKER_HOST"));
    assert_eq!(probe("git")["ok"], true);
    assert_eq!(probe("cache")["ok"], true);
    let works = probe("sandbox")["ok"] == true;
    assert_eq!((document["builder"] == "embedded", run.exit), (works, if works { 0 } else { 3 }));

    let text = program::run(folder.path(), 100, "doctor").shown();
    assert!(text.contains("no  docker") && text.contains("ok  git"), "{text}");
    // A finding that is no good comes with what to do.
    assert!(text.contains("cure: start Docker Engine, or set DOCKER_HOST"), "{text}");
}
