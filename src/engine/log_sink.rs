//! A target's events as the text of its log: for people, complete, in the order in which things
//! happened.
//!
//! ```text
//! ==> [build 2/5] RUN make
//! cc -c main.c
//! <== [build 2/5] RUN make: 1.2 s
//! ```
//!
//! Steps may run side by side. A heading stands wherever the text goes on with another step, so that
//! each line is under the name of the step that wrote it.
//!
//! **Invariant:** what a step wrote is written as it came; nothing is cut.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use crate::types::event::{Event, EventSink, Outcome, Subject};

/// Writes the events of one subject and ignores all others. An error of the writer ends the writing,
/// not the build: see [`LogSink::finish`].
#[derive(Debug)]
pub struct LogSink<Writer> {
    subject: Subject,
    page: Mutex<Page<Writer>>,
}

/// The text so far, as far as the next line depends on it.
#[derive(Debug)]
struct Page<Writer> {
    writer: Writer,
    /// The step under whose heading the text stands.
    step: Option<String>,
    at_line_start: bool,
    result: io::Result<()>,
}

impl<Writer: Write + Send> LogSink<Writer> {
    /// Writes the events of `subject` to `writer`, unbuffered.
    pub fn new(writer: Writer, subject: Subject) -> Self {
        let page = Page { writer, step: None, at_line_start: true, result: Ok(()) };
        Self { subject, page: Mutex::new(page) }
    }

    /// Gives the writer back when everything was written.
    ///
    /// # Errors
    /// The first error of the writer; nothing was written after it.
    pub fn finish(self) -> io::Result<Writer> {
        let page = self.page.into_inner().unwrap_or_else(PoisonError::into_inner);
        page.result.map(|()| page.writer)
    }
}

impl<Writer: Write + Send> EventSink for LogSink<Writer> {
    fn take(&self, event: &Event) {
        if subject_of(event) == Some(&self.subject) {
            self.page.lock().unwrap_or_else(PoisonError::into_inner).take(event);
        }
    }
}

fn subject_of(event: &Event) -> Option<&Subject> {
    match event {
        Event::RunStarted { .. } | Event::Expected { .. } | Event::RunDone { .. } => None,
        Event::Warning { subject, .. } => subject.as_ref(),
        Event::TargetStarted { subject, .. }
        | Event::Step { subject, .. }
        | Event::StepDone { subject, .. }
        | Event::Log { subject, .. }
        | Event::TargetDone { subject, .. } => Some(subject),
    }
}

impl<Writer: Write> Page<Writer> {
    fn take(&mut self, event: &Event) {
        match event {
            Event::RunStarted { .. } | Event::Expected { .. } | Event::RunDone { .. } => {}
            Event::TargetStarted { subject, action_key } => {
                self.line(&format!("target {} for {}", subject.label, subject.platform));
                self.line(&format!("action key {action_key}"));
            }
            Event::Step { name, cached: true, .. } => {
                self.step = None;
                self.line(&format!("==> {name} (cached)"));
            }
            Event::Step { name, cached: false, .. } => self.heading(name),
            Event::StepDone { name, seconds, error, .. } => {
                self.step = None;
                match error {
                    None => self.line(&format!("<== {name}: {seconds:.1} s")),
                    Some(error) => self.line(&format!("<== {name}: failed after {seconds:.1} s: {error}")),
                }
            }
            Event::Log { name, text, .. } => {
                if self.step.as_ref() != Some(name) {
                    self.heading(name);
                }
                self.text(text);
            }
            Event::Warning { message, .. } => {
                self.step = None;
                self.line(&format!("warning: {message}"));
            }
            Event::TargetDone { outcome, seconds, .. } => self.line(&ending(outcome, *seconds)),
        }
    }

    fn heading(&mut self, name: &str) {
        self.line(&format!("==> {name}"));
        self.step = Some(name.to_owned());
    }

    /// Writes a line of its own.
    fn line(&mut self, line: &str) {
        let start = if self.at_line_start { "" } else { "\n" };
        self.text(&format!("{start}{line}\n"));
    }

    fn text(&mut self, text: &str) {
        if self.result.is_ok() {
            self.result = self.writer.write_all(text.as_bytes());
        }
        self.at_line_start = text.ends_with('\n') || (text.is_empty() && self.at_line_start);
    }
}

fn ending(outcome: &Outcome, seconds: f64) -> String {
    match outcome {
        Outcome::Built { digest } => format!("built {digest} in {seconds:.1} s"),
        Outcome::Cached { digest } => format!("cached {digest}"),
        Outcome::Failed { message } => format!("failed after {seconds:.1} s: {message}"),
        Outcome::Skipped { reason } => format!("skipped: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::types::digest::ActionKey;
    use crate::types::event::Stream;
    use crate::types::label::Label;
    use crate::types::workspace_path::WorkspacePath;

    fn subject(label: &str) -> Subject {
        let label = Label::parse(label, &Arc::new(WorkspacePath::root())).unwrap();
        Subject { label, platform: "linux/amd64".parse().unwrap() }
    }

    fn step(name: &str, cached: bool) -> Event {
        Event::Step { subject: subject("//a:b"), name: name.to_owned(), cached }
    }

    fn log(name: &str, text: &str) -> Event {
        let (name, text) = (name.to_owned(), text.to_owned());
        Event::Log { subject: subject("//a:b"), name, stream: Stream::Stdout, text }
    }

    fn done(name: &str, error: Option<&str>) -> Event {
        let (name, error) = (name.to_owned(), error.map(str::to_owned));
        Event::StepDone { subject: subject("//a:b"), name, seconds: 1.25, error }
    }

    fn check(events: &[Event], expected: &[&str]) {
        let sink = LogSink::new(Vec::new(), subject("//a:b"));
        events.iter().for_each(|event| sink.take(event));
        let text = String::from_utf8(sink.finish().unwrap()).unwrap();
        assert_eq!(text.split('\n').collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_step_is_a_heading_its_text_and_its_end() {
        let events = [step("FROM", true), step("RUN", false), log("RUN", "x\ny\n"), done("RUN", None)];
        check(&events, &["==> FROM (cached)", "==> RUN", "x", "y", "<== RUN: 1.2 s", ""]);
    }

    #[test]
    fn text_of_another_step_has_another_heading() {
        let events = [step("A", false), step("B", false), log("A", "a\n"), log("A", "a\n"), log("B", "b\n")];
        check(&events, &["==> A", "==> B", "==> A", "a", "a", "==> B", "b", ""]);
    }

    #[test]
    fn parts_of_lines_stay_together_and_headings_on_lines_of_their_own() {
        let events = [log("A", "be"), log("A", "gun"), log("B", "b\n\n"), log("B", "")];
        check(&events, &["==> A", "begun", "==> B", "b", "", ""]);
        check(
            &[log("A", "x"), done("A", Some("exit code 1"))],
            &["==> A", "x", "<== A: failed after 1.2 s: exit code 1", ""],
        );
    }

    #[test]
    fn the_target_stands_at_both_ends_and_others_do_not_show() {
        let target = subject("//a:b");
        let digest = format!("sha256:{}", "0".repeat(64));
        let warning = |subject: Option<&str>, message: &str| Event::Warning {
            subject: subject.map(self::subject),
            message: message.to_owned(),
        };
        let events = [
            Event::RunStarted { targets: 1, builder: "docker".to_owned() },
            Event::TargetStarted { subject: target.clone(), action_key: ActionKey::from_bytes([0; 32]) },
            Event::Step { subject: subject("//a:c"), name: "other".to_owned(), cached: false },
            warning(Some("//a:b"), "old"),
            warning(None, "of the run"),
            Event::TargetDone {
                subject: target,
                outcome: Outcome::Built { digest: digest.parse().unwrap() },
                seconds: 2.0,
                log: None,
            },
        ];
        let key = format!("action key {}", "0".repeat(64));
        let built = format!("built {digest} in 2.0 s");
        check(&events, &["target //a:b for linux/amd64", &key, "warning: old", &built, ""]);
    }

    /// A writer that takes nothing.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("disk full"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_cannot_be_written_is_told_at_the_end() {
        let sink = LogSink::new(Full, subject("//a:b"));
        sink.take(&log("A", "x\n"));
        assert_eq!(sink.finish().err().map(|error| error.to_string()).as_deref(), Some("disk full"));
    }
}
