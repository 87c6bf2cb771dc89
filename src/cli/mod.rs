//! Arguments to requests, commands, progress, what a person reads.
//!
//! **Invariant:** it is the only layer that prints, reads the environment, or exits.

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::FromArgMatches;

use crate::types::environment::Environment;

mod amounts;
mod query_arguments;
mod builder_choice;
mod cache_arguments;
mod arguments;
mod exit;
mod circle;
pub mod diagnostics;
mod terminal;
mod listing;
mod progress;
mod session;
mod revisions;
mod prepared;
mod readable;
mod recall;
mod reasons;
mod table;
mod typed_path;
mod outputs;
mod summary;
mod failures;
mod signals;
mod commands;

use arguments::{Arguments, Command};
use session::Session;
use terminal::Terminal;

/// Runs the program with the process's arguments and environment.
pub fn main() -> ExitCode {
    // A process that is a stage of a sandbox is nothing else, and has one thread until it is through.
    #[cfg(target_os = "linux")]
    if let Some(exit) = crate::build::embedded::sandbox::stage(std::env::args_os()) {
        return exit;
    }
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let mut grammar = arguments::grammar(is_empty);
    let typed = Arguments::from_arg_matches(&grammar.clone().get_matches());
    let Arguments { everywhere, command } = typed.unwrap_or_else(|error| error.format(&mut grammar).exit());
    // A variable that is not UTF-8 cannot be asked for by name in a BUILD.toml.
    let variables = std::env::vars_os();
    let variables =
        variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment: Environment = variables.collect();
    let terminal = Terminal::of_process(everywhere.color, &environment);
    let session = Session::new(everywhere, environment, terminal);
    let exit = run(&session, &command).unwrap_or_else(|exit| exit);
    exit::leave(session);
    ExitCode::from(exit.code())
}

fn run(session: &Session, command: &Command) -> Result<exit::Exit, exit::Exit> {
    match command {
        Command::Build(arguments) => commands::build::run(session, arguments),
        Command::Watch(arguments) => commands::watch::run(session, arguments),
        Command::Plan(arguments) => commands::plan::run(session, arguments),
        Command::Affected(arguments) => commands::affected::run(session, arguments),
        Command::Inputs(arguments) => commands::inputs::run(session, arguments),
        Command::Explain(arguments) => commands::explain::run(session, arguments),
        Command::Graph(arguments) => commands::graph::run(session, arguments),
        Command::Query(arguments) => commands::query::run(session, arguments),
        Command::Refs(arguments) => commands::refs::run(session, arguments),
        Command::Check(arguments) => commands::check::run(session, arguments),
        Command::Cache(arguments) => commands::cache::run(session, arguments),
        Command::Doctor(arguments) => commands::doctor::run(session, arguments),
        Command::Completions(arguments) => commands::completions::run(arguments),
    }
}
