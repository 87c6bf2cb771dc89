//! Every Dockerfile of `fixtures/bad_dockerfiles`: what is said of it, and where.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use imgraph::cli::diagnostics::draw;
use imgraph::graph::slice::{SliceRequest, slice};
use imgraph::syntax::dockerfile::parse;
use imgraph::types::diagnostic::Diagnostic;
use imgraph::types::platform::Platform;
use imgraph::types::sorted_map::SortedMap;
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;

fn diagnostics(text: &str) -> Vec<Diagnostic> {
    let path = WorkspacePath::root().resolve(b"Dockerfile").unwrap();
    let source = Arc::new(SourceText { path, text: text.to_owned() });
    let platform: Platform = "linux/amd64".parse().unwrap();
    let request = SliceRequest {
        stage: None,
        args: &SortedMap::new(),
        platform: &platform,
        build_platform: &platform,
        contexts: &BTreeSet::new(),
    };
    parse(&source)
        .and_then(|dockerfile| slice(&dockerfile, &request))
        .map_or_else(|found| found, |_| Vec::new())
}

/// The names of all fixtures, without their ending, sorted.
fn names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad_dockerfiles");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let fixtures = paths.filter(|path| path.extension().is_some_and(|extension| extension == "dockerfile"));
    let mut names: Vec<String> =
        fixtures.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    assert!(names.len() >= 30);
    names
}

fn found(name: &str) -> Vec<Diagnostic> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad_dockerfiles").join(name);
    diagnostics(&std::fs::read_to_string(file.with_extension("dockerfile")).unwrap())
}

/// `line:column message [label] (help)`, a line each.
fn told(name: &str) -> String {
    let mut told = String::new();
    for diagnostic in found(name) {
        let primary = diagnostic.annotations.iter().find(|annotation| annotation.primary);
        let annotation = primary.expect("every refusal of a Dockerfile has a place");
        assert!(!diagnostic.help.is_empty(), "{name}: every refusal says how to put it right");
        let place = annotation.location.source.line_column(annotation.location.span.start());
        let help = diagnostic.help.join("; ");
        let (line, column, label) = (place.line, place.column, &annotation.message);
        writeln!(told, "{line}:{column} {} [{label}] ({help})", diagnostic.message).unwrap();
    }
    told
}

#[test]
fn every_bad_dockerfile_is_explained() {
    let found: String = names().iter().map(|name| format!("# {name}\n{}", told(name))).collect();
    let expected = include_str!("fixtures/bad_dockerfiles.txt");
    assert_eq!(found, expected, "\n{found}");
}

/// As people see them: one snapshot beside each fixture.
#[test]
fn every_explanation_is_drawn() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("fixtures/bad_dockerfiles");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        names().iter().for_each(|name| insta::assert_snapshot!(name.as_str(), draw(&found(name), false)));
    });
}
