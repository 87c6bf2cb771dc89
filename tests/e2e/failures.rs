//! Targets that fail: what is said, what goes on, and what is remembered.

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::engine::Engine;
use crate::trial::{Outcome, Trial, said, unique};
use crate::waiting::{sleeps, wait_until};

const BUILD: &str = r#"
[workspace]
[image.bad]
dockerfile = "bad.dockerfile"
[image.good]
dockerfile = "good.dockerfile"
[image.after]
dockerfile = "after.dockerfile"
contexts = { bad = ":bad" }
[image.late]
dockerfile = "late.dockerfile"
contexts = { good = ":good" }
"#;

const BAD: &str = "# Fails.\nFROM busybox:1.36\nRUN for i in 1 2 3; do echo says $i; done; echo why it is bad >&2; exit 7\n";

fn trial() -> Trial {
    let good = format!("FROM busybox:1.36\nRUN : {}\n", unique("good"));
    Trial::of(
        &Engine::classic(),
        &[
            ("BUILD.toml", BUILD),
            ("bad.dockerfile", BAD),
            ("good.dockerfile", &good),
            ("after.dockerfile", "FROM bad\nRUN true\n"),
            ("late.dockerfile", "FROM good\nRUN true\n"),
        ],
    )
}

/// The last thing on the screen: all that follows the last line of progress.
fn ending(outcome: &Outcome) -> String {
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[test]
fn the_last_thing_said_is_the_failure() {
    let trial = trial();
    let outcome = trial.run("build :bad").exits(1);
    let ending = ending(&outcome);
    let expected = [
        "//:bad",
        "bad.dockerfile:3",
        "says 1",
        "says 3",
        "why it is bad",
        "exit code: 7",
        "imgraph build //:bad",
    ];
    for text in expected {
        assert!(ending.contains(text), "`{text}` is not in:\n{}", outcome.stderr);
    }
    assert_eq!(outcome.stdout, "//:bad  failed  -\n", "only results are on standard output");
    let log = ending.split_whitespace().find(|word| word.ends_with(".log")).expect("the log is named");
    let log = std::fs::read_to_string(Path::new(log)).unwrap();
    // The two streams of a command may come in any order between each other.
    let said: Vec<&str> = log.lines().filter(|line| line.starts_with("says ")).collect();
    assert_eq!(said, ["says 1", "says 2", "says 3"], "{log}");
    assert!(log.lines().any(|line| line == "why it is bad"), "{log}");
}

#[test]
fn a_failure_is_in_the_result_and_is_not_remembered() {
    let trial = trial();
    for _ in 0..2 {
        let outcome = trial.run("build :bad --format json").exits(1);
        assert_eq!(said(&outcome.states()), "//:bad failed");
    }
    assert_eq!(said(&trial.plan(":bad")), "//:bad dirty");
}

#[test]
fn without_a_word_a_failure_starts_nothing_new() {
    let trial = trial();
    let outcome = trial.run("build //... --jobs 1 --format json").exits(1);
    let states = said(&outcome.states());
    assert!(states.contains("//:after skipped, //:bad failed"), "{states}");
    trial.replace("bad.dockerfile", "exit 7", "exit 0");
    trial.build("//...");
    assert_eq!(said(&trial.plan("//...")), "");
}

#[test]
fn with_keep_going_only_dependents_are_left_out() {
    let outcome = trial().run("build //... --keep-going --jobs 1 --format json").exits(1);
    assert_eq!(said(&outcome.states()), "//:after skipped, //:bad failed, //:good built, //:late built");
    let ending = ending(&outcome);
    assert!(ending.contains("why it is bad"), "{ending}");
}

#[test]
fn several_failures_are_all_told() {
    let trial = trial();
    trial.write("late.dockerfile", "FROM good\nRUN echo a second reason; exit 9\n");
    let outcome = trial.run("build //... --keep-going").exits(1);
    outcome.says(&["why it is bad", "a second reason", "//:late", "late.dockerfile:2"]);
}

#[test]
fn a_wrong_dockerfile_is_told_by_its_line() {
    let trial = trial();
    trial.write("bad.dockerfile", "FROM busybox:1.36\n\nCOPPY a b\n");
    trial.run("build :bad").exits(2).says(&["bad.dockerfile:3", "COPPY"]);
    trial.write("bad.dockerfile", "FROM busybox:1.36\nCOPY missing /\n");
    trial.run("build :bad").exits(2).says(&["bad.dockerfile:2", "missing"]);
}

/// All at once, whatever else is cached or would build, and not by the engine's words.
#[test]
fn what_a_dockerfile_reads_and_nobody_gives_is_told_before_anything_is_built() {
    let files = [
        (
            "BUILD.toml",
            "[workspace]\n[image.one]\n[image.two]\ndockerfile = \"two.dockerfile\"\n[image.fine]\ndockerfile = \"fine.dockerfile\"\n",
        ),
        ("Dockerfile", "FROM scratch\nCOPY nofile /\n"),
        ("two.dockerfile", "FROM scratch\nCOPY ignored /\n"),
        ("fine.dockerfile", "FROM scratch\nCOPY nof* here /\n"),
        (".dockerignore", "ignored\n"),
        ("ignored", ""),
        ("here", ""),
    ];
    let trial = Trial::of(&Engine::classic(), &files);
    let told = [
        "the source `nofile` does not exist",
        "`ignored` exists, but `.dockerignore` leaves it out",
        "2 errors",
    ];
    let outcome = trial.run("build //...").exits(2).says(&told);
    assert!(!outcome.stderr.contains("started"), "{outcome:?}");
    trial.run("build :fine").succeeded();
}

#[test]
fn a_target_that_is_not_there_is_told_with_the_nearest() {
    trial().run("build :goood").exits(2).says(&["goood", "//:good"]);
}

#[test]
fn a_file_that_changes_while_it_is_built_is_recorded_nowhere() {
    // A number that no other step sleeps.
    let seconds = format!("2.{:09}", std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos());
    let dockerfile = format!("FROM busybox:1.36\nCOPY value /value\nRUN sleep {seconds}\n");
    let build = "[workspace]\n[image.app]\n";
    let trial = Trial::of(
        &Engine::classic(),
        &[("BUILD.toml", build), ("Dockerfile", &dockerfile), ("value", "one")],
    );
    let outcome = thread::scope(|scope| {
        let run = scope.spawn(|| trial.run("build :app --format json"));
        wait_until("the step runs", Duration::from_secs(30), || sleeps(&seconds));
        trial.write("value", "two");
        run.join().unwrap()
    });
    let outcome = outcome.exits(5).says(&["value", "changed while"]);
    assert_eq!(said(&outcome.states()), "//:app failed");
    for value in ["two", "one"] {
        trial.write("value", value);
        assert_eq!(said(&trial.plan(":app")), "//:app dirty", "with {value}");
    }
    assert_eq!(said(&trial.build(":app")), "//:app built");
}
