//! Events as NDJSON, for `--events FILE`: one JSON document a line.
//!
//! ```text
//! {"schema":1,"time":"2026-11-21T08:30:00.125Z","event":"run_done","seconds":1.5}
//! ```
//!
//! Each line reaches the system in one write, at once: a reader may follow the file, and a run that
//! is killed leaves whole lines.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::types::event::{EVENTS_SCHEMA, Event, EventSink};

/// A line of the file.
#[derive(Serialize)]
struct Line<'e> {
    schema: u32,
    /// RFC 3339, UTC, milliseconds.
    time: String,
    #[serde(flatten)]
    event: &'e Event,
}

/// Writes events. An error of the writer ends the writing, not the run: see [`EventLog::finish`].
#[derive(Debug)]
pub struct EventLog<Writer> {
    state: Mutex<(Writer, io::Result<()>)>,
}

impl EventLog<File> {
    /// Writes to the file `path`, which is made, or emptied.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub fn create(path: &Path) -> io::Result<Self> {
        File::create(path).map(Self::new)
    }
}

impl<Writer: Write + Send> EventLog<Writer> {
    /// Writes to `writer`, unbuffered.
    pub fn new(writer: Writer) -> Self {
        Self { state: Mutex::new((writer, Ok(()))) }
    }

    /// Gives the writer back when every event was written.
    ///
    /// # Errors
    /// The first error of the writer; nothing was written after it.
    pub fn finish(self) -> io::Result<Writer> {
        let (writer, result) = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        result.map(|()| writer)
    }
}

impl<Writer: Write + Send> EventSink for EventLog<Writer> {
    fn take(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (writer, result) = &mut *state;
        if result.is_ok() {
            *result = writer.write_all(&line(event, Timestamp::now()));
        }
    }
}

fn line(event: &Event, time: Timestamp) -> Vec<u8> {
    let line = Line { schema: EVENTS_SCHEMA, time: format!("{time:.3}"), event };
    let mut bytes = serde_json::to_vec(&line).expect("events have text keys only");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::types::digest::ActionKey;
    use crate::types::event::{Outcome, Stream, Subject};
    use crate::types::label::Label;
    use crate::types::workspace_path::WorkspacePath;

    fn subject() -> Subject {
        let label = Label::parse("//a:b", &Arc::new(WorkspacePath::root())).unwrap();
        Subject { label, platform: "linux/amd64".parse().unwrap() }
    }

    fn check(event: &Event, expected: &str) {
        let time = "2026-11-21T08:30:00.125999Z".parse().unwrap();
        let found = String::from_utf8(line(event, time)).unwrap();
        let start = r#"{"schema":1,"time":"2026-11-21T08:30:00.125Z","event":"#;
        assert_eq!(found, format!("{start}{expected}}}\n"));
    }

    #[test]
    fn an_event_is_a_line() {
        let subject = subject();
        let named = r#""subject":{"label":"//a:b","platform":"linux/amd64"}"#;
        check(&Event::RunDone { seconds: 1.5 }, r#""run_done","seconds":1.5"#);
        let log = Event::Log {
            subject: subject.clone(),
            name: "RUN".to_owned(),
            stream: Stream::Stderr,
            text: "a\nb\u{1b}".to_owned(),
        };
        let text = r#""name":"RUN","stream":"stderr","text":"a\nb\u001b""#;
        check(&log, &format!(r#""log",{named},{text}"#));
        let started =
            Event::TargetStarted { subject: subject.clone(), action_key: ActionKey::from_bytes([0xab; 32]) };
        check(&started, &format!(r#""target_started",{named},"action_key":"{}""#, "ab".repeat(32)));
        let outcome = Outcome::Failed { message: "no".to_owned() };
        let done = Event::TargetDone { subject, outcome, seconds: 0.0, log: None };
        let rest = r#""outcome":{"state":"failed","message":"no"},"seconds":0.0,"log":null"#;
        check(&done, &format!(r#""target_done",{named},{rest}"#));
    }

    #[test]
    fn lines_of_several_threads_stay_whole() {
        let log = EventLog::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| log.take(&Event::RunDone { seconds: 1.0 })));
            }
        });
        let bytes = log.finish().unwrap();
        let lines: Vec<serde_json::Value> = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect();
        assert_eq!(lines.len(), 2_000);
        assert!(lines.iter().all(|line| line["schema"] == 1 && line["event"] == "run_done"));
    }

    #[test]
    fn a_file_is_emptied_and_written_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.ndjson");
        std::fs::write(&path, "what was there\n").unwrap();
        let log = EventLog::create(&path).unwrap();
        log.take(&Event::RunDone { seconds: 1.0 });
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(r#"{"schema":1,"time":"20"#) && text.ends_with("}\n"), "{text}");
        assert!(EventLog::create(folder.path()).is_err());
    }

    /// Takes one line, then fails, then would take more.
    struct Full(Vec<io::Result<usize>>);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.pop().expect("nothing is written after an error").map(|_| bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_first_error_ends_the_writing_and_is_told_at_the_end() {
        let log = EventLog::new(Full(vec![Err(io::Error::other("disk full")), Ok(0)]));
        (0..5).for_each(|_| log.take(&Event::RunDone { seconds: 1.0 }));
        assert_eq!(log.finish().err().map(|error| error.to_string()).as_deref(), Some("disk full"));
    }
}
