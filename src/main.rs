//! The `imgraph` program: hands over to the command line.

use std::process::ExitCode;

/// A run makes many small things on all threads at once; the system's allocator makes them wait for each
/// other (a fifth of a plan's processor time on 1,000 targets).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    imgraph::cli::main()
}
