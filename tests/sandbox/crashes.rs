//! What is left when something is killed: nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use imgraph::build::embedded::sandbox::{Outcome, SandboxError, Stream};
use imgraph::types::cancellation::Cancellation;

use crate::process_tree::below;
use crate::support::{Place, output, run, sandbox};

const PLACE: &str = "IMGRAPH_TEST_KILLED_PLACE";

/// Not a test of its own: what the tests below start, and kill.
#[test]
fn a_run_to_be_killed() {
    let Some(folder) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    let spec = Place::of(folder.clone()).spec("sleep 1000 & sleep 1000 & echo ready; sleep 1000");
    let ready = folder.join("ready");
    let mut hear = |_: Stream, _: &[u8]| fs::write(&ready, "").unwrap();
    sandbox().run(spec, &mut hear, &Cancellation::default()).unwrap();
}

fn start(place: &Place) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::a_run_to_be_killed"])
        .env(PLACE, place.path(""))
        .stdout(Stdio::null())
        .stderr(fs::File::create(place.path("said")).unwrap())
        .spawn()
        .unwrap()
}

/// All processes that have a mount of the place, in whatever namespace.
fn users_of(folder: &Path) -> Vec<String> {
    let name = folder.display().to_string();
    let name = name.trim_end_matches('/');
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let uses = |process: &PathBuf| {
        fs::read_to_string(process.join("mountinfo")).is_ok_and(|mounts| mounts.contains(name))
    };
    processes.filter(uses).map(|process| process.display().to_string()).collect()
}

fn alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn all_gone_within(limit: Duration, pids: &BTreeSet<u32>, folder: &Path) {
    let began = Instant::now();
    loop {
        let left: Vec<u32> = pids.iter().copied().filter(|pid| alive(*pid)).collect();
        let users = users_of(folder);
        if left.is_empty() && users.is_empty() {
            return;
        }
        assert!(began.elapsed() < limit, "{left:?} live, {users:?} use {}", folder.display());
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn whoever_is_killed_takes_everything_along() {
    let rounds: u64 = if rustix::process::geteuid().is_root() { 50 } else { 10 };
    for round in 0..rounds {
        let place = Place::new();
        let mut runner = start(&place);
        // A moment while it is made, or when it is at work.
        if round % 2 == 0 {
            thread::sleep(Duration::from_micros(3_000 + 1_500 * round));
        } else {
            while !place.path("ready").exists() {
                let said = || fs::read_to_string(place.path("said")).unwrap();
                assert_eq!(runner.try_wait().unwrap(), None, "it ended before it was ready: {}", said());
                thread::sleep(Duration::from_millis(1));
            }
        }
        let pids: BTreeSet<u32> = below(runner.id()).into_iter().collect();
        // The runner itself, or one of the stages.
        let all: Vec<u32> = std::iter::once(runner.id()).chain(pids.iter().copied()).collect();
        let victim = all[usize::try_from(round / 2).unwrap() % all.len().min(3)];
        let victim = rustix::process::Pid::from_raw(i32::try_from(victim).unwrap()).unwrap();
        let _ = rustix::process::kill_process(victim, rustix::process::Signal::KILL);
        if victim.as_raw_nonzero().get().cast_unsigned() != runner.id() && round % 2 == 0 {
            // A stage that was killed before there was a command makes the runner fail by itself.
            let _ = runner.kill();
        }
        let _ = runner.wait();
        all_gone_within(Duration::from_secs(5), &pids, &place.path(""));
    }
}

#[test]
fn a_killed_sandbox_is_told_from_a_killed_command() {
    let place = Place::new();
    let mut victim = None;
    let mut hear = |_: Stream, _: &[u8]| {
        let mine: Vec<u32> = below(std::process::id());
        let stage = |pid: &&u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("imgraph-sandbox\0supervise")
                && below(**pid).iter().any(|below| {
                    fs::read(format!("/proc/{below}/cmdline")).is_ok_and(|line| line.ends_with(b"4711.25\0"))
                })
        };
        victim = mine.iter().find(stage).copied();
        let pid = rustix::process::Pid::from_raw(i32::try_from(victim.unwrap()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    };
    let spec = place.spec("sleep 4711.25 & sleep 0.1; echo ready; wait");
    let ended = sandbox().run(spec, &mut hear, &Cancellation::default());
    assert!(matches!(ended, Err(SandboxError::Vanished)), "{ended:?}");
}

#[test]
fn cancelling_ends_everything_at_once() {
    let place = Place::new();
    let cancellation = Cancellation::default();
    let mut asked = None;
    let mut hear = |_: Stream, _: &[u8]| {
        cancellation.cancel();
        asked = Some(Instant::now());
    };
    // It neither hears signals nor reads anything, and has children of its own.
    let spec = place.spec(
        "trap '' TERM INT HUP; sleep 1000 & (setsid sleep 1000 &) ; echo ready; sleep 1000; sleep 1000",
    );
    let ended = sandbox().run(spec, &mut hear, &cancellation);
    assert!(matches!(ended, Err(SandboxError::Cancelled)), "{ended:?}");
    let took = asked.unwrap().elapsed();
    assert!(took < Duration::from_millis(100), "{took:?}");
    all_gone_within(Duration::ZERO, &BTreeSet::new(), &place.path(""));
}

#[test]
fn what_a_command_leaves_running_ends_with_it() {
    let place = Place::new();
    let began = Instant::now();
    output(place.spec("(setsid sleep 1000 &); sleep 1000 & exit 0"));
    assert!(began.elapsed() < Duration::from_secs(20));
    all_gone_within(Duration::ZERO, &BTreeSet::new(), &place.path(""));
    assert_eq!(run(place.spec("sleep 1000 & exit 3")).outcome, Outcome::Exited(3));
}
