//! What happens during a run, as one stream of values.
//!
//! One enum stands behind the progress lines, `--events FILE` (NDJSON), the log files and the
//! report, so that they cannot disagree. Events carry no secret and no host path but that of a log.

use serde::Serialize;

use super::digest::{ActionKey, OutputDigest};
use super::label::Label;
use super::platform::Platform;

/// The version of the NDJSON form. Fields are only ever added.
pub const EVENTS_SCHEMA: u32 = 1;

/// A target for a platform, as events name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Subject {
    /// The target.
    pub label: Label,
    /// What it is built for.
    pub platform: Platform,
}

/// Which of its two streams a step wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a target ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum Outcome {
    /// The builder ran and gave an output.
    Built {
        /// The output.
        digest: OutputDigest,
    },
    /// The action cache knew the output, and it is still there.
    Cached {
        /// The output.
        digest: OutputDigest,
    },
    /// The builder ran and failed.
    Failed {
        /// What it said.
        message: String,
    },
    /// Something that it needs failed, or the run was stopped.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// The run knows what it is going to do.
    RunStarted {
        /// How many targets are wanted, dependencies included.
        targets: usize,
        /// Which builder runs them.
        builder: String,
    },
    /// A target was given to the builder.
    TargetStarted {
        /// The target.
        subject: Subject,
        /// Its key.
        action_key: ActionKey,
    },
    /// The builder began a step of a target, or found it in its own cache.
    Step {
        /// The target.
        subject: Subject,
        /// The builder's name for the step, such as `[build 2/5] RUN make`.
        name: String,
        /// Whether the builder took it from its own cache.
        cached: bool,
    },
    /// A step ended.
    StepDone {
        /// The target.
        subject: Subject,
        /// The step's name.
        name: String,
        /// How long it took.
        seconds: f64,
        /// What went wrong, when something did.
        error: Option<String>,
    },
    /// A step wrote something. The text is whole lines, or the last part of one.
    Log {
        /// The target.
        subject: Subject,
        /// The step's name.
        name: String,
        /// Where it wrote.
        stream: Stream,
        /// What it wrote; bytes that are not UTF-8 are replaced.
        text: String,
    },
    /// The builder or the run warns of something.
    Warning {
        /// The target, when it is about one.
        subject: Option<Subject>,
        /// What is wrong.
        message: String,
    },
    /// How long the run will still take, judging by earlier ones. Told about once a second.
    Expected {
        /// What is left.
        seconds: f64,
    },
    /// A target ended.
    TargetDone {
        /// The target.
        subject: Subject,
        /// How.
        outcome: Outcome,
        /// How long the builder had it; 0 when it did not run.
        seconds: f64,
        /// Where its whole log lies, when it ran.
        log: Option<String>,
    },
    /// The run is over.
    RunDone {
        /// How long it took.
        seconds: f64,
    },
}

/// Takes events. Called from several threads at once.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn take(&self, event: &Event);
}

/// Takes events and forgets them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl EventSink for Silence {
    fn take(&self, _event: &Event) {}
}
