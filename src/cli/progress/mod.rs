//! What a person sees while targets are built: a stream on standard error, never an alternate screen.
//!
//! Each form is an event sink, so that what is shown and what `--events` writes cannot disagree.

mod duration;
mod plain;
mod terminal;

use crate::engine::event_log::EventLog;
use crate::types::event::{EventSink, Silence};

pub(crate) use duration::shown as shown_duration;

/// The forms of progress, chosen: `auto` is settled before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A line per running target, redrawn.
    Terminal,
    /// A line per event; `verbose` adds what the steps write.
    Plain {
        /// Whether the output of steps is shown.
        verbose: bool,
    },
    /// Nothing.
    Quiet,
    /// NDJSON.
    Json,
}

/// The sink that shows progress as `form`.
pub(crate) fn sink(form: Form, colour: bool) -> Box<dyn EventSink> {
    match form {
        Form::Terminal => Box::new(terminal::TerminalProgress::new(colour)),
        Form::Plain { verbose } => Box::new(plain::PlainProgress::new(verbose)),
        Form::Quiet => Box::new(Silence),
        Form::Json => Box::new(EventLog::new(std::io::stderr())),
    }
}
