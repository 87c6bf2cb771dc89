//! `imgraph completions`: a completion script for a shell.

use clap::CommandFactory;

use crate::cli::arguments::{self, Arguments};
use crate::cli::exit::Exit;
use crate::cli::terminal;

/// Runs the command.
pub(crate) fn run(arguments: &arguments::Completions) -> Result<Exit, Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "imgraph", &mut script);
    terminal::result(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
