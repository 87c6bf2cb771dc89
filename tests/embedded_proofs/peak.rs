//! The most memory that a process had.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(3);

/// What a command did, and its largest resident set in KiB: of the process itself, not of those below it.
pub(crate) fn run(command: &mut Command) -> (Output, u64) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = 0;
            // One that ended has no memory.
            while let Some(seen) = peak_of(&status) {
                peak = seen;
                std::thread::sleep(LOOK_EVERY);
            }
            peak
        });
        let output = child.wait_with_output().unwrap();
        (output, watch.join().unwrap())
    })
}

fn peak_of(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
