//! Turns BuildKit's progress into events, and keeps the last lines of each step.
//!
//! BuildKit sends vertices over and over as they change, and output in pieces that end anywhere. Here
//! a vertex becomes one step with one end, and output becomes whole lines, so that a secret cut in two
//! by a piece's edge is still seen whole by the redactor.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog, VertexWarning};

use crate::build::redaction::Redactor;
use crate::types::event::{Event, EventSink, Stream, Subject};

/// How many lines of a failing step are told.
const TAIL: usize = 20;
/// A line is not held back beyond this many bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// What is known of the steps of one build.
pub(super) struct Progress<'r> {
    subject: &'r Subject,
    events: &'r dyn EventSink,
    redactor: &'r Redactor,
    steps: HashMap<String, Step>,
    /// The step that first told of an error, for failures that name none. Others follow when the
    /// first failure stops them.
    failed: Option<String>,
}

#[derive(Default)]
struct Step {
    name: String,
    is_running: bool,
    /// When it last ended, in nanoseconds: the same end is told many times.
    ended: Option<i128>,
    /// Unfinished lines of the two streams.
    unfinished: [Vec<u8>; 2],
    tail: VecDeque<String>,
}

impl<'r> Progress<'r> {
    pub(super) fn new(subject: &'r Subject, events: &'r dyn EventSink, redactor: &'r Redactor) -> Self {
        Self { subject, events, redactor, steps: HashMap::new(), failed: None }
    }

    /// Takes one message of BuildKit.
    pub(super) fn take(&mut self, response: StatusResponse) {
        for vertex in &response.vertexes {
            self.take_start(vertex);
        }
        for log in response.logs {
            self.take_log(&log);
        }
        for warning in &response.warnings {
            self.take_warning(warning);
        }
        for vertex in &response.vertexes {
            self.take_end(vertex);
        }
    }

    /// Tells what is left of unfinished lines: a build that was refused leaves steps open.
    pub(super) fn finish(&mut self) {
        let digests: Vec<String> = self.steps.keys().cloned().collect();
        for digest in digests {
            self.flush(&digest);
        }
    }

    /// The last lines that a step wrote: `vertex`, or the one that first told of an error.
    pub(super) fn tail(&self, vertex: Option<&str>) -> Vec<String> {
        let step = vertex.or(self.failed.as_deref()).and_then(|digest| self.steps.get(digest));
        step.map(|step| step.tail.iter().cloned().collect()).unwrap_or_default()
    }

    fn take_start(&mut self, vertex: &Vertex) {
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        if !vertex.name.is_empty() {
            step.name.clone_from(&vertex.name);
        }
        let Some(started) = vertex.started.as_ref().map(nanoseconds) else { return };
        if !step.is_running && step.ended.is_none_or(|ended| started > ended) {
            step.is_running = true;
            let name = self.redactor.clean(&step.name).into_owned();
            self.events.take(&Event::Step { subject: self.subject.clone(), name, cached: vertex.cached });
        }
    }

    fn take_end(&mut self, vertex: &Vertex) {
        let Some(completed) = vertex.completed.as_ref().map(nanoseconds) else { return };
        self.flush(&vertex.digest);
        let Some(step) = self.steps.get_mut(&vertex.digest).filter(|step| step.is_running) else { return };
        step.is_running = false;
        step.ended = Some(completed);
        let started = vertex.started.as_ref().map_or(completed, nanoseconds);
        let error = (!vertex.error.is_empty()).then(|| self.redactor.clean(&vertex.error).into_owned());
        if error.is_some() && self.failed.is_none() {
            self.failed = Some(vertex.digest.clone());
        }
        self.events.take(&Event::StepDone {
            subject: self.subject.clone(),
            name: self.redactor.clean(&step.name).into_owned(),
            seconds: (completed - started).max(0) as f64 / 1e9,
            error,
        });
    }

    fn take_log(&mut self, log: &VertexLog) {
        let stream = if log.stream == 2 { Stream::Stderr } else { Stream::Stdout };
        let step = self.steps.entry(log.vertex.clone()).or_default();
        let unfinished = &mut step.unfinished[stream as usize];
        unfinished.extend_from_slice(&log.msg);
        let whole = match unfinished.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => unfinished.drain(..=end).collect(),
            None if unfinished.len() > LONGEST_LINE => std::mem::take(unfinished),
            None => return,
        };
        self.tell(&log.vertex, stream, &whole);
    }

    /// Tells what is left of unfinished lines.
    fn flush(&mut self, digest: &str) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let Some(step) = self.steps.get_mut(digest) else { return };
            let rest = std::mem::take(&mut step.unfinished[stream as usize]);
            if !rest.is_empty() {
                self.tell(digest, stream, &rest);
            }
        }
    }

    fn tell(&mut self, digest: &str, stream: Stream, bytes: &[u8]) {
        let Some(step) = self.steps.get_mut(digest) else { return };
        let text: Cow<'_, str> = String::from_utf8_lossy(bytes);
        let text = self.redactor.clean(&text).into_owned();
        for line in text.lines() {
            if step.tail.len() == TAIL {
                step.tail.pop_front();
            }
            step.tail.push_back(line.to_owned());
        }
        let name = self.redactor.clean(&step.name).into_owned();
        self.events.take(&Event::Log { subject: self.subject.clone(), name, stream, text });
    }

    fn take_warning(&self, warning: &VertexWarning) {
        let mut message = String::from_utf8_lossy(&warning.short).into_owned();
        let line = warning.ranges.first().and_then(|range| range.start.as_ref()).map(|start| start.line);
        if let Some(line) = line.filter(|line| *line > 0) {
            message.push_str(&format!(" (line {line})"));
        }
        if !warning.url.is_empty() {
            message.push_str(&format!(", see {}", warning.url));
        }
        self.warn(&self.redactor.clean(&message));
    }

    /// Warns of something about the whole build.
    pub(super) fn warn(&self, message: &str) {
        let message = message.to_owned();
        self.events.take(&Event::Warning { subject: Some(self.subject.clone()), message });
    }
}

fn nanoseconds(time: &Timestamp) -> i128 {
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::build::builder::SecretValue;
    use crate::types::label::Label;
    use crate::types::platform::Platform;
    use crate::types::workspace_path::WorkspacePath;

    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl EventSink for Told {
        fn take(&self, event: &Event) {
            let told = match event {
                Event::Step { name, cached, .. } => format!("begin {name} {cached}"),
                Event::StepDone { name, seconds, error, .. } => format!("end {name} {seconds} {error:?}"),
                Event::Log { stream, text, .. } => format!("{stream:?} {text:?}"),
                Event::Warning { message, .. } => format!("warning {message}"),
                other => format!("{other:?}"),
            };
            self.0.lock().unwrap().push(told);
        }
    }

    /// What is told of these messages, and the tail of step `a`.
    fn check(responses: Vec<StatusResponse>, expected: &[&str], expected_tail: &[&str]) {
        let label = Label::parse("//a:b", &Arc::new(WorkspacePath::root())).unwrap();
        let subject = Subject { label, platform: Platform::local() };
        let secret = SecretValue { id: "id".to_owned(), value: b"hunter2".to_vec() };
        let (told, redactor) = (Told::default(), Redactor::new(&[secret]));
        let mut progress = Progress::new(&subject, &told, &redactor);
        responses.into_iter().for_each(|response| progress.take(response));
        progress.finish();
        assert_eq!(progress.tail(Some("a")), expected_tail);
        assert_eq!(told.0.into_inner().unwrap(), expected);
    }

    fn vertex(started: Option<i64>, completed: Option<i64>, error: &str) -> StatusResponse {
        let time = |seconds| Timestamp { seconds, nanos: 0 };
        let vertex = Vertex {
            digest: "a".to_owned(),
            name: "RUN a".to_owned(),
            started: started.map(time),
            completed: completed.map(time),
            error: error.to_owned(),
            ..Vertex::default()
        };
        StatusResponse { vertexes: vec![vertex], ..StatusResponse::default() }
    }

    fn log(stream: i64, text: &[u8]) -> StatusResponse {
        let log = VertexLog { vertex: "a".to_owned(), stream, msg: text.to_vec(), ..VertexLog::default() };
        StatusResponse { logs: vec![log], ..StatusResponse::default() }
    }

    #[test]
    fn a_step_that_is_told_many_times_begins_and_ends_once() {
        let (waiting, begun) = (vertex(None, None, ""), vertex(Some(1), None, ""));
        let ended = vertex(Some(1), Some(3), "");
        let messages = vec![waiting, begun.clone(), begun, ended.clone(), ended];
        check(messages, &["begin RUN a false", "end RUN a 2 None"], &[]);
        check(
            vec![vertex(Some(1), Some(1), "with hunter2")],
            &["begin RUN a false", "end RUN a 0 Some(\"with ***\")"],
            &[],
        );
    }

    #[test]
    fn output_is_told_by_whole_lines_without_secrets() {
        let messages = vec![
            vertex(Some(1), None, ""),
            log(1, b"one\ntw"),
            log(2, b"other\n"),
            log(1, b"o hun"),
            log(1, b"ter2\nnot \xff"),
            vertex(Some(1), Some(2), ""),
        ];
        let expected = [
            "begin RUN a false",
            "Stdout \"one\\n\"",
            "Stderr \"other\\n\"",
            "Stdout \"two ***\\n\"",
            "Stdout \"not \u{fffd}\"",
            "end RUN a 1 None",
        ];
        check(messages, &expected, &["one", "other", "two ***", "not \u{fffd}"]);
        check(
            vec![log(1, b"of a step without an end")],
            &["Stdout \"of a step without an end\""],
            &["of a step without an end"],
        );
    }

    #[test]
    fn warnings_say_where_and_where_to_read_on() {
        let warning = VertexWarning {
            short: b"something odd".to_vec(),
            url: "https://example.org/odd".to_owned(),
            ..VertexWarning::default()
        };
        let response = StatusResponse { warnings: vec![warning], ..StatusResponse::default() };
        check(vec![response], &["warning something odd, see https://example.org/odd"], &[]);
    }
}
