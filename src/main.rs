//! The `imgraph` program: hands over to the command line.

use std::process::ExitCode;

/// A run makes many small things on all threads at once; the system's allocator makes them wait for each
/// other (a fifth of a plan's processor time on 1,000 targets). It asks for no huge pages (`no_thp`): a run
/// touches little of each, and a machine that gives free memory back to its host (as virtual ones do) clears
/// them anew for every run (a third of a cold plan's time, where one comes seconds after the other).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    imgraph::cli::main()
}
