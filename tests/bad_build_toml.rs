//! What is said of `BUILD.toml` files that are wrong: one snapshot beside each fixture.
//!
//! A fixture is the root's `BUILD.toml`, and after a line `#--- path` another file of the workspace.
//! Lines `#--- set NAME=VALUE` and `#--- env NAME=VALUE` give what no file holds. An empty
//! `Dockerfile` is in every workspace.

use std::collections::BTreeMap;
use std::path::Path;

use imgraph::cli::diagnostics::draw;
use imgraph::graph::load::{Options, load};
use imgraph::source::snapshot::Snapshot;
use imgraph::types::environment::Environment;

/// A fixture, taken apart.
#[derive(Default)]
struct Fixture {
    files: BTreeMap<String, String>,
    set: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

fn take_apart(text: &str) -> Fixture {
    let mut current = "BUILD.toml".to_owned();
    let files = BTreeMap::from([(current.clone(), String::new())]);
    let mut fixture = Fixture { files, ..Fixture::default() };
    for line in text.split_inclusive('\n') {
        let Some(directive) = line.strip_prefix("#--- ").map(str::trim) else {
            fixture.files.entry(current.clone()).or_default().push_str(line);
            continue;
        };
        let pair = |rest: &str| rest.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        if let Some((name, value)) = directive.strip_prefix("set ").and_then(pair) {
            fixture.set.insert(name, value);
        } else if let Some((name, value)) = directive.strip_prefix("env ").and_then(pair) {
            fixture.environment.insert(name, value);
        } else {
            current = directive.to_owned();
            fixture.files.entry(current.clone()).or_default();
        }
    }
    fixture
}

fn said_of(fixture: Fixture) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    for (path, text) in &fixture.files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let environment: Environment = fixture.environment.into_iter().collect();
    let options = Options { set: &fixture.set, environment: &environment, version: "0.1.0" };
    let loaded = load(&Snapshot::of_disk(folder.path()).unwrap(), &options);
    draw(&loaded.diagnostics, false)
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad_build_toml");
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    assert!(paths.len() >= 30, "only {} fixtures", paths.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("fixtures/bad_build_toml");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            let said = said_of(take_apart(&text));
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(said.contains("error") || said.contains("warning"), "{name}: nothing is said");
            insta::assert_snapshot!(name, said);
        }
    });
}
