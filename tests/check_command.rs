//! `imgraph check` as people and programs see it: forms, exit codes, wrong usage.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::process::Command;

use imgraph::graph::lint;
use workspace::Workspace;

#[path = "support/workspace.rs"]
mod workspace;

/// A workspace with a few findings, of several targets and severities.
const SHOP: &str = "[workspace]
[image.api]
args = { API_TOKEN = 'x' }
contexts = { asets = { dir = 'assets' } }
[image.web]
tags = ['acme/web:1']
[image.worker]
[image.cron]
tags = ['acme/web:1']
[image.mail]
#--- assets/logo
#--- Dockerfile
FROM debian:12 as build
ARG API_TOKEN
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl git && rm -rf /var/lib/apt/lists/*
LABEL org.opencontainers.image.title=\"a title that goes on and on, so that it does not fit\" org.opencontainers.image.version=$API_TOKNE org.opencontainers.image.url=none
";

struct Shop(workspace::OnDisk, tempfile::TempDir);

impl Shop {
    fn new() -> Self {
        Self(Workspace::of(SHOP).on_disk(), tempfile::tempdir().unwrap())
    }

    /// The exit code, standard output and standard error of `imgraph check`.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_imgraph"))
            .args(["-C", self.0.path().to_str().unwrap(), "--no-index", "--color", "never", "check"])
            .args(arguments)
            .env_clear()
            .env("IMGRAPH_CACHE_DIR", self.1.path())
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

#[test]
fn people_are_shown_what_is_found() {
    let shop = Shop::new();
    for columns in ["80", "120"] {
        let (exit, out, err) = shop.run(&[], &[("COLUMNS", columns)]);
        assert_eq!((exit, err.as_str()), (1, ""));
        insta::assert_snapshot!(format!("text_{columns}"), out);
        insta::assert_snapshot!(
            format!("explain_{columns}"),
            shop.run(&["--explain", "broad-context"], &[("COLUMNS", columns)]).1
        );
    }
}

#[test]
fn programs_are_told_what_is_found() {
    let shop = Shop::new();
    for format in ["json", "sarif", "github"] {
        let (exit, out, err) = shop.run(&["--format", format], &[]);
        assert_eq!((exit, err.as_str()), (1, ""));
        let out =
            out.replace(&format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION")), "\"version\": \"…\"");
        insta::assert_snapshot!(format!("format_{format}"), without_rules(&out));
    }
    let (_, out, _) = shop.run(&["--list", "--format", "json"], &[]);
    let listed: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listed["lints"].as_array().unwrap().len(), lint::ALL.len());
}

/// The log with the first rule only: the table of the README has them all.
fn without_rules(text: &str) -> String {
    let Ok(mut log) = serde_json::from_str::<serde_json::Value>(text) else { return text.to_owned() };
    if let Some(rules) = log.pointer_mut("/runs/0/tool/driver/rules").and_then(|rules| rules.as_array_mut()) {
        rules.truncate(1);
    }
    serde_json::to_string_pretty(&log).unwrap()
}

#[test]
fn a_sarif_log_has_what_its_schema_requires() {
    let (_, out, _) = Shop::new().run(&["--format", "sarif"], &[]);
    let log: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "imgraph");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rules.len(), "rules are unique");
    let results = run["results"].as_array().unwrap();
    assert!(results.len() > 3);
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(["warning", "error"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let base = place["artifactLocation"]["uriBaseId"].as_str().unwrap();
        assert!(run["originalUriBaseIds"][base].is_object());
        assert!(!place["artifactLocation"]["uri"].as_str().unwrap().starts_with('/'));
        for number in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert!(place["region"][number].as_u64().unwrap() >= 1, "{number}");
        }
    }
}

#[test]
fn the_exit_says_whether_it_fails() {
    let shop = Shop::new();
    let exit = |arguments: &[&str]| shop.run(arguments, &[]).0;
    assert_eq!(exit(&[]), 1, "two targets have one tag");
    assert_eq!(exit(&["//:api"]), 0, "warnings");
    assert_eq!(exit(&["//:api", "--deny", "warnings"]), 1);
    assert_eq!(exit(&["//:api", "--deny", "as-casing"]), 1);
    assert_eq!(exit(&["//:api", "--deny", "shell-form"]), 0);
    assert_eq!(exit(&["//:api", "--deny", "warnings", "--allow", "shell-form"]), 1);
    let most = "secret-in-argument,unused-context,as-casing,unpinned-base,undefined-variable";
    assert_eq!(exit(&["//:api", "--deny", "warnings", "--allow", most]), 0);
    assert_eq!(shop.run(&["//:api", "--allow", most], &[]).1, "nothing found in 1 target\n");
}

#[test]
fn wrong_usage_is_told() {
    let shop = Shop::new();
    for (arguments, expected) in [
        (vec!["--deny", "as-cassing"], "`as-casing`"),
        (vec!["--allow", "FromAsCasing"], "`as-casing`"),
        (vec!["--explain", "unpined-base"], "`unpinned-base`"),
        (vec!["--allow", "tag-clash"], "cannot be allowed"),
        (vec!["--allow", "as-casing", "--deny", "as-casing"], "denied and allowed"),
        (vec!["--list", "--format", "sarif"], "`text` and `json`"),
        (vec!["//:apo"], "//:api"),
    ] {
        let (exit, out, err) = shop.run(&arguments, &[]);
        assert_eq!((exit, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}

#[test]
fn there_may_be_nothing_to_look_at() {
    let shop = Shop(Workspace::of("[workspace]\n").on_disk(), tempfile::tempdir().unwrap());
    let nothing = (0, "nothing found in 0 targets\n".to_owned(), String::new());
    assert_eq!(shop.run(&[], &[]), nothing);
}

#[test]
fn annotations_name_files_from_the_checkout() {
    let shop = Shop::new();
    let checkout = shop.0.path().parent().unwrap().to_str().unwrap().to_owned();
    let folder = shop.0.path().file_name().unwrap().to_str().unwrap().to_owned();
    let (_, out, _) = shop.run(&["--format", "github"], &[("GITHUB_WORKSPACE", &checkout)]);
    assert!(out.contains(&format!("file={folder}/Dockerfile,")), "{out}");
}
