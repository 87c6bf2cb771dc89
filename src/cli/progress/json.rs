//! Progress for programs: each event as one line of JSON on standard error.

use std::io::Write;

use crate::engine::event_log;
use crate::types::event::{Event, EventSink};

/// Writes events as NDJSON, in the form of `--events`.
pub(super) struct JsonProgress;

impl EventSink for JsonProgress {
    fn take(&self, event: &Event) {
        let line = event_log::line(event);
        // Nobody is left to tell when standard error is closed; the build goes on.
        let _closed = writeln!(std::io::stderr().lock(), "{line}");
    }
}
