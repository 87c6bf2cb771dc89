//! Signals: a run ends soon, and nothing goes on in the engine.

use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::engine::Engine;
use crate::trial::Trial;
use crate::waiting::{long_time, sleeps, wait_until};

/// A target whose build sleeps for `seconds`.
fn sleeper(engine: &Engine, seconds: &str) -> Trial {
    let dockerfile = format!("FROM busybox:1.36\nRUN sleep {seconds}\n");
    Trial::of(engine, &[("BUILD.toml", "[workspace]\n[image.app]\n"), ("Dockerfile", &dockerfile)])
}

fn start(trial: &Trial) -> Child {
    trial.program(&["build", ":app"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Starts a build, sends a signal when its step runs, and expects this end.
fn check(engine: &Engine, sent: Signal, code: i32) {
    let seconds = long_time();
    let trial = sleeper(engine, &seconds);
    let mut child = start(&trial);
    wait_until("the step runs", Duration::from_secs(30), || sleeps(&seconds));
    let asked = Instant::now();
    signal(&child, sent);
    let status = child.wait().unwrap();
    let took = asked.elapsed();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(code), "{said}");
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    wait_until("the step is gone", Duration::from_secs(2), || !sleeps(&seconds));
    let again = trial.run("plan :app --detailed-exitcode").exits(10);
    assert!(again.stdout.contains("//:app"), "{}", again.stdout);
}

pub(crate) fn an_interrupt_ends_the_run_and_the_step(engine: &Engine) {
    check(engine, Signal::INT, 130);
}

#[test]
fn a_request_to_end_is_obeyed() {
    check(&Engine::classic(), Signal::TERM, 143);
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let seconds = long_time();
    let trial = sleeper(&Engine::classic(), &seconds);
    let mut child = start(&trial);
    wait_until("the step runs", Duration::from_secs(30), || sleeps(&seconds));
    signal(&child, Signal::INT);
    // The first may have ended it already.
    let _gone = kill_process(Pid::from_child(&child), Signal::INT);
    let asked = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(2));
    wait_until("the step is gone", Duration::from_secs(2), || !sleeps(&seconds));
}
