//! What BuildKit answered for 2,000 Dockerfiles, against the slice.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imgraph::graph::slice::{SliceRequest, Sources, slice};
use imgraph::syntax::dockerfile::parse;
use imgraph::types::platform::Platform;
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;

#[derive(serde::Deserialize)]
struct Case {
    dockerfile: String,
    target: String,
    args: BTreeMap<String, String>,
    #[serde(default)]
    invalid: bool,
    #[serde(default)]
    context: bool,
    #[serde(default)]
    follow: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Invalid,
    Reads { context: bool, follow: BTreeSet<String> },
}

fn recorded(case: &Case) -> Answer {
    if case.invalid {
        return Answer::Invalid;
    }
    Answer::Reads { context: case.context, follow: case.follow.iter().cloned().collect() }
}

fn found(case: &Case) -> Answer {
    let path = WorkspacePath::root().resolve(b"Dockerfile").unwrap();
    let source = Arc::new(SourceText { path, text: case.dockerfile.clone() });
    let platform: Platform = "linux/amd64".parse().unwrap();
    let request = SliceRequest {
        stage: Some(case.target.as_str()).filter(|target| !target.is_empty()),
        args: &case.args.clone().into_iter().collect(),
        platform: &platform,
        build_platform: &platform,
        contexts: &BTreeSet::new(),
    };
    let Ok(slice) = parse(&source).and_then(|dockerfile| slice(&dockerfile, &request)) else {
        return Answer::Invalid;
    };
    let (context, follow) = match slice.sources {
        Sources::Nothing => (false, BTreeSet::new()),
        Sources::Whole { .. } => (true, BTreeSet::new()),
        Sources::Paths(paths) => {
            (true, paths.into_iter().map(|path| String::from_utf8(path.pattern).unwrap()).collect())
        }
    };
    Answer::Reads { context, follow }
}

#[test]
fn every_recorded_case_agrees() {
    let cases = include_str!("data/dockerfile-input-cases.jsonl");
    let mut count = 0;
    let mut differences = Vec::new();
    for line in cases.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let (expected, found) = (recorded(&case), found(&case));
        if expected != found {
            differences.push(format!("{line}\n  expected {expected:?}\n  found    {found:?}"));
        }
        count += 1;
    }
    assert_eq!(count, 2000);
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
