//! Progress on a terminal: a line per running target with its step and time, and a bar over all.
//!
//! Lines of targets that have ended scroll up and stay; lines of running ones are redrawn below
//! them. Cached targets are counted, not listed: a run that does nothing says so in one line.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{duration, plain};
use crate::types::event::{Event, EventSink, Outcome, Subject};

/// How often running times are redrawn.
const TICK: Duration = Duration::from_millis(120);

/// Draws on standard error.
pub(super) struct TerminalProgress {
    lines: MultiProgress,
    colour: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    overall: Option<ProgressBar>,
    running: HashMap<Subject, ProgressBar>,
    steps: usize,
    /// When the run is expected to end.
    end: Option<Instant>,
}

impl State {
    /// What stands behind the bar.
    fn show(&self) {
        let Some(overall) = &self.overall else { return };
        let left = self.end.map(|end| end.saturating_duration_since(Instant::now()).as_secs_f64());
        let left = left.filter(|left| *left >= 1.0);
        let left = left.map_or_else(String::new, |left| format!("about {} left  ", duration::shown(left)));
        overall.set_message(format!("{} steps  {left}", self.steps));
    }
}

impl TerminalProgress {
    /// Draws with or without colour.
    pub(super) fn new(colour: bool) -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        Self { lines, colour, state: Mutex::default() }
    }

    fn style(&self, coloured: &str, plain: &str) -> ProgressStyle {
        ProgressStyle::with_template(if self.colour { coloured } else { plain })
            .expect("the templates of this file are well-formed")
    }

    fn start_run(&self, state: &mut State, targets: usize) {
        let style = self.style(
            "{bar:24.cyan/dim} {pos}/{len} targets  {msg}{elapsed:.dim}",
            "{bar:24} {pos}/{len} targets  {msg}{elapsed}",
        );
        let bar = self.lines.add(ProgressBar::new(targets as u64).with_style(style.progress_chars("━━─")));
        bar.enable_steady_tick(TICK);
        state.overall = Some(bar);
    }

    fn start_target(&self, state: &mut State, subject: &Subject) {
        let style = self.style(
            "{spinner:.cyan} {prefix:.bold} {wide_msg} {elapsed:.dim}",
            "{spinner} {prefix} {wide_msg} {elapsed}",
        );
        let bar = ProgressBar::new_spinner().with_style(style).with_prefix(subject.label.to_string());
        let bar = match &state.overall {
            Some(overall) => self.lines.insert_before(overall, bar),
            None => self.lines.add(bar),
        };
        bar.enable_steady_tick(TICK);
        state.running.insert(subject.clone(), bar);
    }

    fn end_target(&self, state: &mut State, subject: &Subject, outcome: &Outcome, seconds: f64) {
        if let Some(bar) = state.running.remove(subject) {
            bar.finish_and_clear();
        }
        if let Some(overall) = &state.overall {
            overall.inc(1);
        }
        if !matches!(outcome, Outcome::Cached { .. }) {
            let ending = match outcome {
                // What failed is told at the end, where it is the last thing on the screen.
                Outcome::Failed { .. } => format!("failed after {}", duration::shown(seconds)),
                _ => plain::ending(outcome, seconds),
            };
            self.say(&format!("{} {}  {ending}", self.mark(outcome), subject.label));
        }
    }

    fn mark(&self, outcome: &Outcome) -> String {
        let (mark, colour) = match outcome {
            Outcome::Built { .. } | Outcome::Cached { .. } => ("✓", console_code::GREEN),
            Outcome::Failed { .. } => ("✗", console_code::RED),
            Outcome::Skipped { .. } => ("-", console_code::DIM),
        };
        if self.colour { format!("{colour}{mark}{}", console_code::RESET) } else { mark.to_owned() }
    }

    fn say(&self, line: &str) {
        // Nobody is left to tell when standard error is closed; the build goes on.
        let _closed = self.lines.println(line);
    }
}

/// The few ANSI sequences that the marks need.
mod console_code {
    pub(super) const GREEN: &str = "\u{1b}[32m";
    pub(super) const RED: &str = "\u{1b}[31m";
    pub(super) const DIM: &str = "\u{1b}[2m";
    pub(super) const RESET: &str = "\u{1b}[0m";
}

impl EventSink for TerminalProgress {
    fn take(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::RunStarted { targets, .. } => self.start_run(&mut state, *targets),
            Event::TargetStarted { subject, .. } => self.start_target(&mut state, subject),
            Event::Step { subject, name, .. } => {
                state.steps += 1;
                if let Some(bar) = state.running.get(subject) {
                    bar.set_message(name.clone());
                }
                state.show();
            }
            Event::Warning { subject, message } => {
                let of = subject.as_ref().map(|subject| format!("{}: ", subject.label)).unwrap_or_default();
                self.say(&format!("warning: {of}{message}"));
            }
            Event::TargetDone { subject, outcome, seconds, .. } => {
                self.end_target(&mut state, subject, outcome, *seconds);
            }
            Event::RunDone { .. } => {
                if let Some(overall) = state.overall.take() {
                    overall.finish_and_clear();
                }
            }
            Event::Expected { seconds } => {
                state.end = Some(Instant::now() + Duration::from_secs_f64(seconds.max(0.0)));
                state.show();
            }
            Event::StepDone { .. } | Event::Log { .. } => {}
        }
    }
}
