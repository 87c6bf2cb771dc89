//! Progress for logs: a line for each thing that happens, nothing redrawn, no colour.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use super::duration;
use crate::types::event::{Event, EventSink, Outcome};

/// What a builder calls the steps that are its own housekeeping.
const INTERNAL: &str = "[internal]";

/// Writes a line per event to standard error.
pub(super) struct PlainProgress {
    verbose: bool,
    /// The steps that were shown: a builder takes some up several times.
    shown: Mutex<HashSet<String>>,
}

impl PlainProgress {
    /// `verbose` shows what the steps write, too.
    pub(super) fn new(verbose: bool) -> Self {
        Self { verbose, shown: Mutex::default() }
    }

    /// Whether a line was shown before, or is of no use to who did not ask for everything.
    fn is_noise(&self, event: &Event, line: &str) -> bool {
        let Event::Step { name, .. } = event else { return false };
        if !self.verbose && name.starts_with(INTERNAL) {
            return true;
        }
        !self.shown.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned())
    }
}

impl EventSink for PlainProgress {
    fn take(&self, event: &Event) {
        let text = lines(event, self.verbose);
        if !text.is_empty() && !self.is_noise(event, &text) {
            // Nobody is left to tell when standard error is closed; the build goes on.
            let _closed = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// The lines for `event`, each with its end; empty when there is nothing to say.
fn lines(event: &Event, verbose: bool) -> String {
    match event {
        Event::TargetStarted { subject, .. } => format!("{}  started\n", subject.label),
        Event::Step { subject, name, cached } => {
            format!("{}  {}{name}\n", subject.label, if *cached { "CACHED " } else { "" })
        }
        Event::StepDone { subject, name, error: Some(error), .. } => {
            format!("{}  {name}: {error}\n", subject.label)
        }
        Event::Log { subject, text, .. } if verbose => {
            text.lines().map(|line| format!("{} | {line}\n", subject.label)).collect()
        }
        Event::Warning { subject: Some(subject), message } => {
            format!("{}  warning: {message}\n", subject.label)
        }
        Event::Warning { subject: None, message } => format!("warning: {message}\n"),
        Event::TargetDone { subject, outcome, seconds, .. } => {
            format!("{}  {}\n", subject.label, ending(outcome, *seconds))
        }
        Event::RunStarted { .. }
        | Event::StepDone { .. }
        | Event::Log { .. }
        | Event::Expected { .. }
        | Event::RunDone { .. } => String::new(),
    }
}

/// How a target ended, in a few words.
pub(super) fn ending(outcome: &Outcome, seconds: f64) -> String {
    match outcome {
        Outcome::Built { .. } => format!("built in {}", duration::shown(seconds)),
        Outcome::Cached { .. } => "cached".to_owned(),
        Outcome::Failed { message } => {
            let first = message.lines().next().unwrap_or_default();
            format!("failed after {}: {first}", duration::shown(seconds))
        }
        Outcome::Skipped { reason } => format!("skipped: {reason}"),
    }
}
