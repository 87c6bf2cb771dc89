//! Every Dockerfile of `fixtures/bad_dockerfiles`: what is said of it, and where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use imgraph::graph::slice::{SliceRequest, slice};
use imgraph::syntax::dockerfile::parse;
use imgraph::types::diagnostic::Diagnostic;
use imgraph::types::platform::Platform;
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;

fn diagnostics(text: &str) -> Vec<Diagnostic> {
    let path = WorkspacePath::root().resolve(b"Dockerfile").unwrap();
    let source = Arc::new(SourceText { path, text: text.to_owned() });
    let platform: Platform = "linux/amd64".parse().unwrap();
    let request = SliceRequest {
        stage: None,
        args: &BTreeMap::new(),
        platform: &platform,
        build_platform: &platform,
        contexts: &BTreeSet::new(),
    };
    parse(&source)
        .and_then(|dockerfile| slice(&dockerfile, &request))
        .map_or_else(|found| found, |_| Vec::new())
}

/// `line:column message [label] (help)`, a line each.
fn told(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad_dockerfiles").join(name);
    let text = std::fs::read_to_string(file.with_extension("dockerfile")).unwrap();
    let mut told = String::new();
    for diagnostic in diagnostics(&text) {
        let primary = diagnostic.annotations.iter().find(|annotation| annotation.primary);
        let annotation = primary.expect("every refusal of a Dockerfile has a place");
        let place = annotation.location.source.line_column(annotation.location.span.start);
        let help = diagnostic.help.join("; ");
        let (line, column, label) = (place.line, place.column, &annotation.message);
        writeln!(told, "{line}:{column} {} [{label}] ({help})", diagnostic.message).unwrap();
    }
    told
}

#[test]
fn every_bad_dockerfile_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad_dockerfiles");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 30);
    let found: String = names.iter().map(|name| format!("# {name}\n{}", told(name))).collect();
    let expected = include_str!("fixtures/bad_dockerfiles.txt");
    assert_eq!(found, expected, "\n{found}");
}
