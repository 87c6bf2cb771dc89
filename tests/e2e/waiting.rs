//! Waiting for what another process does.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Waits until something is so; fails when it takes longer than `limit`.
#[track_caller]
pub(crate) fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < limit, "{what}: still not so after {limit:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process of this machine runs `sleep SECONDS`. The engines run on this machine, so their
/// steps are seen too.
pub(crate) fn sleeps(seconds: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    // A process that ends while it is looked at has no command line.
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let wanted = format!("sleep\0{seconds}\0");
    lines.into_iter().any(|line| line == wanted.as_bytes())
}

/// A number of seconds, about a day, that nobody else sleeps.
pub(crate) fn long_time() -> String {
    let nanoseconds = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    format!("8{:05}.{nanoseconds:09}", std::process::id() % 100_000)
}
