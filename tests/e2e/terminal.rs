//! What people see, on a terminal and elsewhere.

use std::process::Command;

use crate::engine::Engine;
use crate::trial::{Trial, unique};

const ESCAPE: char = '\u{1b}';

fn trial() -> Trial {
    let dockerfile = format!("FROM busybox:1.36\nRUN : {}\n", unique("terminal"));
    Trial::of(
        &Engine::classic(),
        &[("BUILD.toml", "[workspace]\n[image.app]\n"), ("Dockerfile", &dockerfile)],
    )
}

#[test]
fn without_a_terminal_there_are_plain_lines() {
    let trial = trial();
    for state in ["built", "cached"] {
        let outcome = trial.run("build :app").succeeded().says(&["//:app", state]);
        assert!(!outcome.stderr.contains(ESCAPE) && !outcome.stdout.contains(ESCAPE), "{outcome:?}");
    }
    for command in ["plan :app", "explain :app", "inputs :app", "graph :app", "build :appp"] {
        let outcome = trial.run(command);
        assert!(!outcome.stderr.contains(ESCAPE) && !outcome.stdout.contains(ESCAPE), "{outcome:?}");
    }
}

#[test]
fn quiet_says_nothing_but_results_and_errors() {
    let trial = trial();
    assert_eq!(trial.run("build :app --quiet").succeeded().stderr, "");
    trial.run("build :appp --quiet").exits(2).says(&["appp"]);
}

#[test]
fn colour_is_a_choice() {
    let trial = trial();
    assert!(trial.run("build :appp --color always").exits(2).stderr.contains(ESCAPE));
    assert!(on_terminal(&trial, "build :appp", &[]).contains(ESCAPE));
    assert!(!on_terminal(&trial, "build :appp --color never", &[]).contains(ESCAPE));
    assert!(!on_terminal(&trial, "build :appp", &[("NO_COLOR", "1")]).contains(ESCAPE));
}

#[test]
fn a_terminal_shows_what_runs_and_no_other_screen() {
    let trial = trial();
    let shown = on_terminal(&trial, "build :app", &[("TERM", "xterm")]);
    assert!(shown.contains("//:app") && shown.contains("RUN"), "{shown}");
    assert!(!shown.contains("\u{1b}[?1049h"), "{shown}");
    let result = shown.lines().rfind(|line| line.contains("  sha256:")).expect(&shown);
    let digest = result.split_whitespace().last().unwrap();
    assert_eq!(digest.len(), "sha256:".len() + 12, "a whole digest fills a line: {result}");
}

/// What a terminal shows of a command.
fn on_terminal(trial: &Trial, arguments: &str, environment: &[(&str, &str)]) -> String {
    let words: Vec<&str> = arguments.split(' ').collect();
    let program = trial.program(&words);
    let line = format!("{} {arguments}", env!("CARGO_BIN_EXE_imgraph"));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env_clear();
    script.current_dir(program.get_current_dir().unwrap());
    script.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.envs(environment.iter().copied()).stdin(std::process::Stdio::null());
    String::from_utf8(script.output().unwrap().stdout).unwrap()
}
