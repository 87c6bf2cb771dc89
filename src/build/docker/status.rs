//! Turns BuildKit's progress into events, and keeps the last lines of each step.
//!
//! BuildKit sends vertices over and over as they change, and output in pieces that end anywhere. Here
//! a vertex becomes one step with one end, and output becomes whole lines, so that a secret cut in two
//! by a piece's edge is still seen whole by the redactor.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog, VertexWarning};

use super::redaction::Redactor;
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
        let message = self.redactor.clean(&message).into_owned();
        self.events.take(&Event::Warning { subject: Some(self.subject.clone()), message });
    }
}

fn nanoseconds(time: &Timestamp) -> i128 {
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)
}
