//! What a command writes, on its way to the log: whole lines, without the values of secrets.

use std::collections::VecDeque;

use super::sandbox;
use crate::build::redaction::Redactor;
use crate::types::event::{Event, EventSink, Stream, Subject};

/// How many lines a failure shows.
const TAIL: usize = 20;

/// A line that is longer than this is passed on in pieces, in bytes.
const LONGEST: usize = 1 << 16;

/// The log of one step.
pub struct StepLog<'l> {
    events: &'l dyn EventSink,
    subject: &'l Subject,
    name: &'l str,
    redactor: &'l Redactor,
    waiting: [Vec<u8>; 2],
    tail: VecDeque<String>,
}

impl<'l> StepLog<'l> {
    /// An empty one.
    pub(in crate::build) fn new(
        events: &'l dyn EventSink,
        subject: &'l Subject,
        name: &'l str,
        redactor: &'l Redactor,
    ) -> Self {
        Self { events, subject, name, redactor, waiting: [Vec::new(), Vec::new()], tail: VecDeque::new() }
    }

    /// Takes what the command wrote.
    pub fn take(&mut self, stream: sandbox::Stream, bytes: &[u8]) {
        let (index, stream) = match stream {
            sandbox::Stream::Output => (0, Stream::Stdout),
            sandbox::Stream::Error => (1, Stream::Stderr),
        };
        self.waiting[index].extend_from_slice(bytes);
        let end = self.waiting[index].iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let end = end.or((self.waiting[index].len() > LONGEST).then_some(self.waiting[index].len()));
        if let Some(end) = end {
            let rest = self.waiting[index].split_off(end);
            let lines = std::mem::replace(&mut self.waiting[index], rest);
            self.tell(stream, &lines);
        }
    }

    /// Passes on what waits, and gives the last lines.
    pub fn finish(mut self) -> Vec<String> {
        for (index, stream) in [(0, Stream::Stdout), (1, Stream::Stderr)] {
            let rest = std::mem::take(&mut self.waiting[index]);
            if !rest.is_empty() {
                self.tell(stream, &rest);
            }
        }
        self.tail.into()
    }

    fn tell(&mut self, stream: Stream, lines: &[u8]) {
        let text = self.redactor.clean(&String::from_utf8_lossy(lines)).into_owned();
        for line in text.lines() {
            if self.tail.len() == TAIL {
                self.tail.pop_front();
            }
            self.tail.push_back(line.to_owned());
        }
        let (subject, name) = (self.subject.clone(), self.name.to_owned());
        self.events.take(&Event::Log { subject, name, stream, text });
    }
}
