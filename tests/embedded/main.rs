//! Hundreds of small Dockerfiles: what the Docker Engine makes of each, and the embedded builder.
//!
//! The cases are text (`case.rs` says how), the Engine's answers are recorded. One test builds all cases
//! with the Engine and compares with the record, so that the record is never stale.
//! `IMGRAPH_RECORD=1` writes the record anew; `IMGRAPH_CASES=TEXT` takes only cases whose label has it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod answer;
mod archive;
mod by_engine;
mod case;
#[path = "../support/engine.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod engine;
mod image;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use answer::{Answer, Recorded};
use case::Case;
use engine::Engine;

/// Calls for each case, several at a time.
fn answers(cases: &[Case], make: impl Fn(&Case) -> Answer + Sync) -> BTreeMap<String, Recorded> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<String, Recorded>::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = make(case);
                    let mut found = found.lock().unwrap();
                    found.entry(case.subject.clone()).or_default().insert(case.name.clone(), answer);
                }
            });
        }
    });
    found.into_inner().unwrap()
}

fn wanted_cases() -> Vec<Case> {
    let wanted = std::env::var("IMGRAPH_CASES").unwrap_or_default();
    case::all().into_iter().filter(|case| case.label().contains(&wanted)).collect()
}

fn record_file(subject: &str) -> std::path::PathBuf {
    case::folder().join("recorded").join(format!("{subject}.json"))
}

fn recorded(subject: &str) -> Recorded {
    let path = record_file(subject);
    fs::read(path).map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap_or_default()
}

#[test]
fn the_engine_answers_as_recorded() {
    let engine = Engine::containerd();
    let bases = by_engine::bases(&engine);
    let cases = wanted_cases();
    let found = answers(&cases, |case| by_engine::answer(&engine, case, &bases));
    if std::env::var_os("IMGRAPH_RECORD").is_some() {
        for (subject, answers) in found {
            let mut all = recorded(&subject);
            all.extend(answers);
            all.retain(|name, _| case::all().iter().any(|case| case.subject == subject && case.name == *name));
            fs::create_dir_all(record_file(&subject).parent().unwrap()).unwrap();
            fs::write(record_file(&subject), answer::write(&all)).unwrap();
        }
        return;
    }
    compare(&found);
}

/// Prints all differences from the record, and fails where there is one.
fn compare(found: &BTreeMap<String, Recorded>) {
    let (mut lines, mut count, mut differing) = (Vec::new(), 0, 0);
    for (subject, answers) in found {
        let recorded = recorded(subject);
        for (name, answer) in answers {
            count += 1;
            let differences = match recorded.get(name) {
                Some(expected) => expected.differences(answer),
                None => vec!["not recorded".to_owned()],
            };
            if !differences.is_empty() {
                differing += 1;
                lines.push(format!("{subject}/{name}\n    {}", differences.join("\n    ")));
            }
        }
    }
    assert!(lines.is_empty(), "{differing} of {count} cases differ:\n{}", lines.join("\n"));
}

#[test]
fn every_case_has_its_own_name_and_a_reason() {
    let mut labels = std::collections::BTreeSet::new();
    for case in case::all() {
        assert!(case.has_reason(), "{} does not say why it exists", case.label());
        assert!(labels.insert(case.label()), "{} is there twice", case.label());
    }
}
