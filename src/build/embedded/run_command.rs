//! What a `RUN` runs (BuildKit's `dispatchRun`).

use super::configuration::Configuration;
use crate::syntax::dockerfile::heredoc;
use crate::syntax::dockerfile::model::{CommandLine, Instruction};

/// Where a heredoc with a `#!` line appears.
pub const SCRIPTS: &str = "/dev/pipes/";

/// A command as it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunCommand {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// A file that has to be at [`SCRIPTS`]: its name, and what it holds.
    pub script: Option<(String, String)>,
}

/// The command of `instruction`.
pub fn command(instruction: &Instruction, configuration: &Configuration) -> RunCommand {
    let line = CommandLine::of(&instruction.arguments);
    let CommandLine::Shell(text) = line else {
        return RunCommand { words: configuration.command(line), script: None };
    };
    let Some(first) = instruction.heredocs.first() else {
        return RunCommand { words: configuration.command(CommandLine::Shell(text)), script: None };
    };
    if !heredoc::is_one(&text) {
        // The shell reads the heredocs itself.
        let bodies = instruction.heredocs.iter().map(|doc| format!("\n{}{}", doc.content, doc.name));
        let whole = format!("{text}{}", bodies.collect::<String>());
        return RunCommand { words: configuration.command(CommandLine::Shell(whole)), script: None };
    }
    let content =
        if first.chomp { heredoc::without_leading_tabs(&first.content) } else { first.content.clone() };
    if first.content.starts_with("#!") {
        let words = configuration.command(CommandLine::Shell(format!("{SCRIPTS}{}", first.name)));
        return RunCommand { words, script: Some((first.name.clone(), content)) };
    }
    RunCommand { words: configuration.command(CommandLine::Shell(content)), script: None }
}
