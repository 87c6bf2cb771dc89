//! Standard output and standard error: what is a terminal, how wide it is, whether to colour.
//!
//! stdout carries results, stderr everything else. Writing to a closed pipe ends the program quietly,
//! as `head` expects.

use std::io::{IsTerminal, Write};

use super::arguments::When;
use super::exit::Exit;
use crate::types::environment::Environment;

/// How to show things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Whether messages may be coloured.
    pub(crate) colour_err: bool,
    /// Whether results may be coloured.
    pub(crate) colour_out: bool,
    /// Whether standard error can be redrawn.
    pub(crate) redraw: bool,
    /// Whether a person looks at results as they come.
    pub(crate) shows_results: bool,
    /// How many columns a line of a result may take: without a limit where no terminal shows it.
    pub(crate) columns: usize,
}

impl Terminal {
    /// What this process was started with. `NO_COLOR` (https://no-color.org) and `TERM=dumb` are honoured.
    pub(crate) fn of_process(colour: When, environment: &Environment) -> Self {
        let plain = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = environment.get("TERM").is_some_and(|term| term == "dumb");
        let allowed = |is_terminal: bool| match colour {
            When::Always => true,
            When::Never => false,
            When::Auto => is_terminal && !plain && !dumb,
        };
        let error_is_terminal = std::io::stderr().is_terminal();
        let columns = environment.get("COLUMNS").and_then(|columns| columns.parse().ok());
        Self {
            colour_err: allowed(error_is_terminal),
            colour_out: allowed(std::io::stdout().is_terminal()),
            redraw: error_is_terminal && !dumb,
            shows_results: std::io::stdout().is_terminal(),
            columns: columns.or_else(measured_columns).map_or(usize::MAX, |columns: usize| columns.max(40)),
        }
    }
}

fn measured_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Writes a result to standard output.
///
/// # Errors
/// The exit code when standard output is closed or full.
pub(crate) fn result(text: &str) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Exit::Done;
        }
        message(&format!("error: cannot write the result: {error}\n"));
        Exit::Surroundings
    })
}

/// Writes a message to standard error.
pub(crate) fn message(text: &str) {
    // There is nowhere to tell that standard error is closed.
    let _closed = std::io::stderr().lock().write_all(text.as_bytes());
}
