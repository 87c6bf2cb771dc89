//! Hundreds of small Dockerfiles: what the Docker Engine makes of each, and the embedded builder.
//!
//! The cases are text (`case.rs` says how), the Engine's answers are recorded in `recorded/SUBJECT.json`. One
//! test builds all cases with the Engine and compares with the record, so that the record is never stale; the
//! other one builds them with the embedded builder and needs no engine. `differences.list` has the cases in which
//! the two differ on purpose. `IMGRAPH_RECORD=1` writes the record anew; `IMGRAPH_CASES=TEXT` takes only cases
//! whose label has the text.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod answer;
mod archive;
#[path = "../support/base_layout.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod base_layout;
mod bases;
mod by_embedded;
mod by_engine;
mod case;
#[path = "../support/engine.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod engine;
mod image;
mod loaded;
mod started;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use answer::{Answer, Recorded};
use case::Case;
use engine::Engine;
use loaded::Pair;
use started::Probe;

/// The subject whose flags the Engine does not know: its answers are written by hand.
const BY_HAND: &str = "labs";

/// How many cases are run in each engine, where nobody says.
const RUNS: usize = 20;

/// How many cases are in an engine's store at a time.
const RUN_AT_ONCE: usize = 48;

/// Whoever asks the engines for hundreds of builds: two at once wait longer than an engine's own patience.
static ENGINES: Mutex<()> = Mutex::new(());

/// Calls for each case, several at a time.
fn each<Found: Send>(cases: &[Case], make: impl Fn(&Case) -> Found + Sync) -> Vec<(&Case, Found)> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let made = make(case);
                    found.lock().unwrap().push((case, made));
                }
            });
        }
    });
    found.into_inner().unwrap()
}

fn answers(cases: &[Case], make: impl Fn(&Case) -> Answer + Sync) -> BTreeMap<String, Recorded> {
    let mut found = BTreeMap::<String, Recorded>::new();
    for (case, answer) in each(cases, make) {
        found.entry(case.subject.clone()).or_default().insert(case.name.clone(), answer);
    }
    found
}

fn wanted(label: &str) -> bool {
    label.contains(&std::env::var("IMGRAPH_CASES").unwrap_or_default())
}

fn wanted_cases() -> Vec<Case> {
    case::all().into_iter().filter(|case| wanted(&case.label())).collect()
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
    let _alone = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    let engine = Engine::containerd();
    let bases = bases::all();
    let mut cases = wanted_cases();
    cases.retain(|case| case.subject != BY_HAND);
    let found = answers(&cases, |case| by_engine::answer(&engine, case, &bases));
    if std::env::var_os("IMGRAPH_RECORD").is_some() {
        found.into_iter().for_each(|(subject, answers)| record(&subject, answers));
        return;
    }
    let differences = differences(&found);
    let lines: Vec<String> = differences.values().cloned().collect();
    assert!(lines.is_empty(), "{} of {} cases differ:\n{}", lines.len(), cases.len(), lines.join("\n"));
}

/// Replaces the recorded answers that were found anew, and forgets those of cases that are gone.
fn record(subject: &str, answers: Recorded) {
    let mut all = recorded(subject);
    all.extend(answers);
    let cases = case::all();
    all.retain(|name, _| cases.iter().any(|case| case.subject == subject && case.name == *name));
    fs::create_dir_all(record_file(subject).parent().unwrap()).unwrap();
    fs::write(record_file(subject), answer::write(&all)).unwrap();
}

/// Label → all differences from the record, as text.
fn differences(found: &BTreeMap<String, Recorded>) -> BTreeMap<String, String> {
    let mut differing = BTreeMap::new();
    for (subject, answers) in found {
        let recorded = recorded(subject);
        for (name, answer) in answers {
            let lines = match recorded.get(name) {
                Some(expected) => expected.differences(answer),
                None => vec!["not recorded".to_owned()],
            };
            if !lines.is_empty() {
                let label = format!("{subject}/{name}");
                differing.insert(label.clone(), format!("{label}\n    {}", lines.join("\n    ")));
            }
        }
    }
    differing
}

#[test]
fn the_embedded_builder_answers_as_the_engine() {
    let cache = tempfile::tempdir().unwrap();
    bases::write_layout(&cache.path().join("oci"));
    let bases = bases::all();
    let cases = wanted_cases();
    let found = answers(&cases, |case| by_embedded::answer(case, cache.path(), &bases));
    let (mut differing, mut lines) = (differences(&found), Vec::new());
    for (label, reason) in meant_differences().into_iter().filter(|(label, _)| wanted(label)) {
        if differing.remove(&label).is_none() {
            lines.push(format!("{label} does not differ, and is listed: {reason}"));
        }
    }
    let summary = summary(differing.values());
    lines.extend(differing.into_values());
    let text = lines.join("\n");
    assert!(lines.is_empty(), "{} of {} cases differ ({summary}):\n{text}", lines.len(), cases.len());
}

#[test]
fn images_run_as_those_of_the_engine() {
    let _alone = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    let cache = tempfile::tempdir().unwrap();
    bases::write_layout(&cache.path().join("oci"));
    let listed = meant_differences();
    let is_listed = |case: &Case| listed.contains_key(&case.label());
    let is_built = |case: &Case| recorded(&case.subject)[&case.name].fails.is_none();
    let mut cases = wanted_cases();
    cases.retain(|case| is_built(case) || is_listed(case));
    let runs = std::env::var("IMGRAPH_RUNS").map_or(RUNS, |text| text.parse().unwrap());
    let step = cases.len().div_ceil(runs.max(1)).max(1);
    let (mut count, mut differing) = (0, Vec::new());
    let of_classic = listed_in("classic.list");
    for (number, engine) in [Engine::containerd(), Engine::classic()].iter().enumerate() {
        let name = format!("corpus.test/{}", std::process::id());
        let probe = Probe::new(engine, &name.replace('/', "-"));
        let pair = Pair { engine, cache: cache.path(), name };
        // Each engine has its own part of the cases.
        let chosen = cases.iter().skip(number * step / 2).step_by(step).cloned();
        let (apart, together): (Vec<Case>, Vec<Case>) = chosen.partition(is_listed);
        // Those that the embedded builder may refuse are no part of a build of many.
        let batches = together.chunks(RUN_AT_ONCE).chain(apart.chunks(1));
        for found in batches.flat_map(|batch| compared(&pair, &probe, batch)) {
            count += usize::from(found.has_run);
            let label = found.case.label();
            let is_meant = number == 1 && of_classic.contains_key(&label);
            if !listed.contains_key(&label) && is_meant == found.lines.is_empty() {
                differing.push(format!("{label}\n    {}", found.lines.join("\n    ")));
                println!("{}: {}", engine.host, differing.last().unwrap());
            }
        }
    }
    println!("{count} images ran");
    assert!(differing.is_empty(), "{} of {count} differ:\n{}", differing.len(), differing.join("\n"));
}

/// A case with what is otherwise in the image of the embedded builder.
struct Compared<'c> {
    case: &'c Case,
    /// Whether both could be loaded and started.
    has_run: bool,
    lines: Vec<String>,
}

/// Loads the cases, all in one archive where the engine takes it, and compares each with the engine's own.
fn compared<'c>(pair: &Pair<'_>, probe: &Probe<'_>, batch: &'c [Case]) -> Vec<Compared<'c>> {
    let loaded = pair.load(batch);
    if loaded.is_ok() {
        let found = each(batch, |case| pair.differences(probe, case));
        pair.forget(batch);
        return found.into_iter().map(|(case, lines)| Compared { case, has_run: true, lines }).collect();
    }
    // An engine refuses an archive for one image in it.
    let (first, second) = batch.split_at(batch.len() / 2);
    if !first.is_empty() {
        return [first, second].into_iter().flat_map(|half| compared(pair, probe, half)).collect();
    }
    // What the engine cannot have, however it is made, is equal.
    let is_there = pair.keep(&batch[0]).is_ok();
    pair.forget(batch);
    let lines = loaded.err().filter(|_| is_there).into_iter().collect();
    vec![Compared { case: &batch[0], has_run: false, lines }]
}

/// In how many cases each field differs: `history 3, mode 1`.
fn summary<'a>(differences: impl Iterator<Item = &'a String>) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for text in differences {
        let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
        let fields = lines.filter(|line| !line.starts_with(' ')).map(|line| match line.strip_prefix('/') {
            Some(path) => path.rsplit(": ").next().unwrap_or_default(),
            None => line.split(':').next().unwrap_or_default(),
        });
        for field in fields.collect::<std::collections::BTreeSet<_>>() {
            *counts.entry(field).or_default() += 1;
        }
    }
    let counts: Vec<String> = counts.iter().map(|(field, count)| format!("{field} {count}")).collect();
    counts.join(", ")
}

/// Label → reason of the cases in which the builders differ on purpose.
fn meant_differences() -> BTreeMap<String, String> {
    listed_in("differences.list")
}

/// Label → reason of a list.
fn listed_in(list: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(case::folder().join(list)).unwrap();
    let line = |line: &str| {
        let (label, reason) = line.split_once(": ").unwrap_or_else(|| panic!("no reason: {line}"));
        (label.to_owned(), reason.to_owned())
    };
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(line).collect()
}

#[test]
fn the_lists_of_differences_name_cases() {
    let labels: Vec<String> = case::all().iter().map(Case::label).collect();
    for label in meant_differences().keys().chain(listed_in("classic.list").keys()) {
        assert!(labels.contains(label), "no case is called {label}");
    }
}

#[test]
fn a_difference_is_seen_in_every_part() {
    let answer = |text: &str| serde_json::from_str::<Answer>(text).unwrap();
    let base = r#"{"platform": "linux/amd64/", "config": {"User": "5"}, "history": ["RUN"],
        "tree": {"a": {"kind": "file", "mode": "644", "owner": "0:0", "content": "text 1"}, "b": null}}"#;
    for (old, new, expected) in [
        ("linux", "darwin", "platform"),
        (r#""User": "5""#, r#""User": "6""#, "User"),
        (r#""User": "5""#, "", "User"),
        ("RUN", "run", "history"),
        ("644", "4644", "/a: mode"),
        ("0:0", "0:1", "/a: owner"),
        ("text 1", "text 2", "/a: content"),
        ("\"content\"", "\"target\"", "/a: content"),
        (r#", "b": null"#, "", "/b: there"),
        (r#""a": {"#, r#""c": {"#, "/a: there"),
    ] {
        assert!(base.contains(old));
        let differences = answer(base).differences(&answer(&base.replace(old, new)));
        assert!(differences.iter().any(|line| line.starts_with(expected)), "{old} → {new}: {differences:?}");
    }
    assert_eq!(answer(base).differences(&answer(base)), Vec::<String>::new());
}

#[test]
fn every_case_has_its_own_name_and_a_reason() {
    let mut labels = std::collections::BTreeSet::new();
    for case in case::all() {
        assert!(case.has_reason(), "{} does not say why it exists", case.label());
        assert!(labels.insert(case.label()), "{} is there twice", case.label());
    }
}
