//! What programs read: documents, their fields and their order.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::engine::Engine;
use crate::trial::{Outcome, Trial, said, unique};

const BUILD: &str = r#"
[workspace]
[stage.lib]
dockerfile = "lib.dockerfile"
[image.app]
args = { MODE = "fast" }
contexts = { lib = ":lib", assets = { dir = "assets" } }
tags = ["IMAGE"]
[group.both]
targets = [":app", ":lib"]
"#;

fn trial() -> (Trial, String) {
    let image = format!("e2e.test/{}:latest", unique("formats"));
    let app = "FROM busybox:1.36\nARG MODE\nCOPY b.txt a/ /\nCOPY --from=assets . /assets/\nCOPY --from=lib / /lib/\n";
    let files = [
        ("BUILD.toml", &*BUILD.replace("IMAGE", &image)),
        ("lib.dockerfile", "FROM scratch\nCOPY b.txt /\n"),
        ("Dockerfile", app),
        (".dockerignore", "a/ignored\n"),
        ("b.txt", "b"),
        ("a/z", "z"),
        ("a/ignored", "no"),
        ("assets/logo", "logo"),
    ];
    (Trial::of(&Engine::containerd(), &files), image)
}

/// The documents of one schema, and that each target has these fields.
#[track_caller]
fn check(outcome: &Outcome, fields: &[&str]) -> Vec<Value> {
    let document = outcome.json();
    assert_eq!(document["schema"], 1);
    let targets = document["targets"].as_array().unwrap().clone();
    for target in &targets {
        let found: BTreeSet<&str> = target.as_object().unwrap().keys().map(String::as_str).collect();
        let missing: Vec<_> = fields.iter().filter(|field| !found.contains(**field)).collect();
        assert!(missing.is_empty(), "{missing:?} are missing: {target:#}");
    }
    assert!(targets.is_sorted_by_key(|target| target["label"].as_str().unwrap().to_owned()));
    targets
}

#[test]
fn a_build_tells_what_it_made() {
    let (trial, image) = trial();
    let fields =
        ["label", "platform", "state", "source_key", "action_key", "digest", "tags", "refs", "seconds"];
    let mut last: Option<Vec<Value>> = None;
    for state in ["built", "cached"] {
        let targets = check(&trial.run("build :both --format json").succeeded(), &fields);
        assert_eq!(targets.len(), 2, "{targets:#?}");
        let app = &targets[0];
        assert_eq!((&app["label"], &app["state"]), (&"//:app".into(), &state.into()));
        assert!(app["digest"].as_str().unwrap().starts_with("sha256:"), "{app:#}");
        assert_eq!(app["tags"][0], image.as_str());
        if let Some(last) = last {
            for field in ["source_key", "action_key", "digest", "tags", "platform"] {
                assert_eq!(app[field], last[0][field], "{field}");
            }
        }
        last = Some(targets);
    }
}

#[test]
fn a_plan_tells_what_would_be_done() {
    let (trial, _image) = trial();
    let fields = ["label", "kind", "platform", "state", "source_key", "reasons", "dependencies"];
    let targets = check(&trial.run("plan :both --format json").succeeded(), &fields);
    assert_eq!(targets[0]["reasons"][0]["change"], "never-built");
    assert_eq!((&targets[0]["kind"], &targets[1]["kind"]), (&"image".into(), &"stage".into()));
    let dependencies = targets[0]["dependencies"].as_array().unwrap();
    assert!(dependencies.contains(&"//:lib".into()), "{dependencies:?}");
    let dry = trial.run("build :both --dry-run --format json").succeeded();
    assert_eq!(dry.json(), trial.run("plan :both --format json").json());
    trial.run("plan :both --detailed-exitcode").exits(10);
    let source_key = targets[0]["source_key"].clone();
    let built = check(&trial.run("build :both --format json").succeeded(), &[]);
    assert_eq!(built[0]["source_key"], source_key, "a source key is known before the build");
    trial.run("plan :both --detailed-exitcode").exits(0);
    trial.write("b.txt", "changed");
    let targets = check(&trial.run("plan :both --format json").succeeded(), &fields);
    let reason = targets[1]["reasons"][0].as_object().unwrap();
    for field in ["fact", "change", "old", "new"] {
        assert!(reason.contains_key(field), "{reason:?}");
    }
    assert!(reason["fact"].as_str().unwrap().contains("lib.dockerfile:2"), "{reason:?}");
}

#[test]
fn a_graph_with_states_tells_those_of_the_plan() {
    let (trial, _image) = trial();
    let check = |expected: [&str; 2]| {
        let document = trial.run("graph :both --state --format json").succeeded().json();
        let nodes = document["nodes"].as_array().unwrap().clone();
        let states = nodes.iter().filter(|node| node["label"].as_str().unwrap().starts_with("//:"));
        let states: Vec<&Value> = states.map(|node| &node["state"]).collect();
        assert_eq!(states, expected, "{document:#}");
        trial.run("graph :both --state --format svg").succeeded();
    };
    check(["dirty", "dirty"]);
    trial.run("build :both").succeeded();
    check(["cached", "cached"]);
    trial.write("lib.dockerfile", "FROM scratch\nCOPY b.txt /other\n");
    check(["waits", "dirty"]);
}

#[test]
fn a_plan_says_how_long_its_work_will_take() {
    let (trial, _image) = trial();
    let expected = || trial.run("plan :both --jobs 3 --format json").succeeded().json()["expected"].clone();
    assert!(expected().is_null(), "nothing was built before");
    trial.run("build :both").succeeded();
    assert_eq!(expected()["critical_path"], serde_json::json!([]), "there is nothing to do");
    trial.write("b.txt", "changed");
    let expected = expected();
    let names: Vec<&str> = expected["critical_path"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| link["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["//:lib", "//:app"]);
    assert!(expected["seconds"].as_f64().unwrap() > 0.0 && expected["jobs"] == 3, "{expected}");
    let shown = trial.run("plan :both").succeeded().stdout;
    for text in ["expected, judging by earlier builds: ", ": //:lib ", " -> //:app "] {
        assert!(shown.contains(text), "{shown}");
    }
}

#[test]
fn inputs_are_the_view_in_path_order() {
    let (trial, _image) = trial();
    let fields = ["label", "contexts", "arguments", "bases", "dependencies"];
    let targets = check(&trial.run("inputs :app --format json").succeeded(), &fields);
    let app = targets.iter().find(|target| target["label"] == "//:app").unwrap();
    let context = |name: &str| {
        app["contexts"].as_array().unwrap().iter().find(|context| context["name"] == name).unwrap().clone()
    };
    let paths = |context: &Value| -> Vec<String> {
        let files = context["files"].as_array().unwrap();
        files
            .iter()
            .map(|file| format!("{} {}", file["path"].as_str().unwrap(), file["kind"].as_str().unwrap()))
            .collect()
    };
    let main = context("");
    assert_eq!(paths(&main), ["a dir", "a/z file", "b.txt file"], "{main:#}");
    assert_eq!((&main["ignore_file"], &main["whole"]), (&".dockerignore".into(), &false.into()));
    let assets = context("assets");
    assert_eq!((paths(&assets), &assets["dir"]), (vec!["logo file".to_owned()], &"assets".into()));
    assert!(assets["ignore_file"].is_null() && assets["whole"] == true, "{assets:#}");
    assert_eq!(app["arguments"]["MODE"], "fast");
    assert!(app["bases"].to_string().contains("busybox:1.36"), "{app:#}");
    assert!(app["dependencies"].as_array().unwrap().contains(&"//:lib".into()), "{app:#}");
}

#[test]
fn a_graph_is_drawn_in_four_forms() {
    let (trial, _image) = trial();
    let text = trial.run("graph :both").succeeded().stdout;
    assert!(text.contains("//:app image") && text.contains("//:lib stage"), "{text}");
    let dot = trial.run("graph :both --format dot").succeeded().stdout;
    assert!(dot.starts_with("digraph") && dot.contains("//:lib"), "{dot}");
    let mermaid = trial.run("graph :both --format mermaid").succeeded().stdout;
    assert!(mermaid.starts_with("flowchart") && mermaid.contains("//:lib"), "{mermaid}");
    let json = trial.run("graph :both --format json").succeeded().json();
    assert_eq!(json["schema"], 1);
    assert!(json["nodes"].as_array().unwrap().iter().any(|node| node["label"] == "//:lib"), "{json:#}");
    let edge = |edge: &Value| edge["from"]["label"] == "//:app" && edge["to"]["label"] == "//:lib";
    assert!(json["edges"].as_array().unwrap().iter().any(edge), "{json:#}");
}

#[test]
fn events_are_lines_of_json() {
    let (trial, _image) = trial();
    let file = trial.beside("events");
    trial.run(&format!("build :both --events {}", file.display())).succeeded();
    let text = std::fs::read_to_string(&file).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().all(|event| event["schema"] == 1 && event["time"].is_string()), "{text}");
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"run_started"), Some(&"run_done")), "{names:?}");
    let count = |wanted: &str| names.iter().filter(|name| **name == wanted).count();
    assert_eq!((count("target_started"), count("target_done")), (2, 2), "{names:?}");
    assert!(count("step") >= 2, "{names:?}");
    let shown = trial.run("build :both --progress json").succeeded().stderr;
    assert!(shown.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{shown}");
}

#[test]
fn caches_are_counted() {
    let (trial, _image) = trial();
    trial.run("cache stats").succeeded();
    trial.build(":both");
    let stats = trial.run("cache stats --format json").succeeded().json();
    assert_eq!(stats["schema"], 1);
    assert!(stats.to_string().contains("actions"), "{stats:#}");
    assert!(trial.run("cache stats").succeeded().stdout.contains("actions"));
}

#[test]
fn a_shell_can_complete() {
    let (trial, _image) = trial();
    let script = trial.run("completions bash").succeeded().stdout;
    assert!(
        script.contains("complete") && script.contains("imgraph") && script.contains("--keep-going"),
        "{script}"
    );
}

#[test]
fn equal_facts_in_another_folder_have_equal_keys_and_outputs() {
    let (one, image) = trial();
    let (other, other_image) = trial();
    other.replace("BUILD.toml", &other_image, &image);
    let documents = [one, other].map(|trial| trial.run("build :both --format json").succeeded().json());
    for field in ["label", "source_key", "action_key", "digest"] {
        assert_eq!(documents[0]["targets"][0][field], documents[1]["targets"][0][field], "{field}");
    }
}

#[test]
fn no_cache_builds_what_is_named_again() {
    let (trial, _image) = trial();
    trial.build(":both");
    assert_eq!(said(&trial.build(":app --no-cache")), "//:app built, //:lib cached");
}
