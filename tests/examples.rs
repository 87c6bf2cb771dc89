//! The examples are real: they load without a complaint, and what they build runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/engine.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod engine;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use engine::Engine;
use imgraph::graph::load::{Loaded, Options, load};
use imgraph::source::snapshot::Snapshot;
use imgraph::types::environment::Environment;

fn folder(example: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example)
}

fn loaded(example: &str) -> Loaded {
    let (set, environment) = (BTreeMap::new(), Environment::default());
    let options = Options { set: &set, environment: &environment, version: env!("CARGO_PKG_VERSION") };
    load(&Snapshot::of_disk(&folder(example)).unwrap(), &options)
}

fn check_targets(example: &str, expected: &[&str]) {
    let loaded = loaded(example);
    let said: Vec<_> = loaded.diagnostics.iter().map(|diagnostic| &diagnostic.message).collect();
    assert!(said.is_empty(), "{example}: {said:#?}");
    let labels: Vec<String> = loaded.targets.values().iter().map(|target| target.label.to_string()).collect();
    assert_eq!(labels, expected, "{example}");
}

#[test]
fn examples_load_without_a_complaint() {
    check_targets(
        "quickstart",
        &["//:services", "//docs:docs", "//site:site", "//status:status", "//theme:theme"],
    );
    check_targets(
        "market",
        &[
            "//:runtime",
            "//:services",
            "//distributor:distributor",
            "//docker:builder-base",
            "//docker:library",
            "//docker:networks",
            "//indexer:all-indexers",
            "//indexer:backfill",
            "//indexer:market",
            "//indexer:rewards",
            "//order-generator:order-generator",
            "//order-stream:order-stream",
            "//slasher:slasher",
        ],
    );
}

/// Dockerfile, stage and arguments of each target of the bake file, by the target's name there.
fn baked(engine: &Engine) -> serde_json::Map<String, serde_json::Value> {
    let mut command = engine.docker();
    let bake = command.args(["buildx", "bake", "--print"]).current_dir(folder("market"));
    let printed = bake.output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let mut plan: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    std::mem::take(plan["target"].as_object_mut().unwrap())
}

#[test]
fn the_bake_file_says_the_same_graph() {
    let loaded = loaded("market");
    let baked = baked(&Engine::classic());
    let mut seen = BTreeSet::new();
    for target in loaded.targets.values() {
        let Some(definition) = target.build() else { continue };
        let (package, name) = (target.label.package.to_string(), target.label.name.to_string());
        let name = if package == "indexer" { format!("indexer-{name}") } else { name };
        let other = &baked[&name];
        let path = Path::new(other["context"].as_str().unwrap()).join(other["dockerfile"].as_str().unwrap());
        let path = path.strip_prefix(".").unwrap_or(&path);
        assert_eq!(path.to_str().unwrap(), definition.dockerfile.value.to_string(), "{name}");
        let stage = definition.stage.as_ref().map(|stage| stage.value.as_str());
        assert_eq!(other["target"].as_str(), stage, "{name}");
        seen.insert(name);
    }
    assert_eq!(seen, baked.keys().cloned().collect());
}

fn answer(engine: &Engine, image: &str, arguments: &[&str], input: &str) -> String {
    let mut command = engine.docker();
    command.args(["run", "--rm", "--interactive", "--network=none"]);
    command.arg(format!("ghcr.io/acme/market/{image}:dev")).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{image} {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The programs as such; that imgraph builds the same images is for others to show.
#[test]
fn the_programs_of_the_market_work() {
    let engine = Engine::classic();
    let mut bake = engine.docker();
    let output = bake.args(["buildx", "bake", "--progress", "plain"]).current_dir(folder("market")).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for image in [
        "slasher",
        "distributor",
        "order-stream",
        "order-generator",
        "indexer-market",
        "indexer-rewards",
        "indexer-backfill",
    ] {
        assert_eq!(answer(&engine, image, &["--version"], ""), format!("{image} 0.4.2\n"));
    }
    let events = answer(&engine, "order-generator", &["--count", "6"], "");
    let tally = answer(&engine, "indexer-market", &[], &events);
    assert_eq!(tally, "submitted 6\nlocked 4\nfulfilled 3\nasked 10.310000\npaid 4.596000\n");
    assert_eq!(answer(&engine, "slasher", &["--block", "100"], &events), "order-0003 ada 32\n");
    let shares = answer(&engine, "distributor", &["--amount", "100"], "a 1\nb 1\nc 1\n");
    assert_eq!(shares, "a 34\nb 33\nc 33\n");
}
