//! One build at work: what is asked for, where it is made, and whom it tells.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::context_tree::ContextTree;
use super::images::Images;
use super::rights::Rights;
use super::root::Layers;
use super::steps::Steps;
use super::variables::Arguments;
use crate::build::builder::{BuildError, BuildRequest};
use crate::oci::layers::compression::Compression;
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::allowance::Allowance;
use crate::types::cancellation::Cancellation;
use crate::types::diagnostic::Diagnostic;
use crate::types::event::{Event, EventSink};
use crate::types::span::Span;

/// What all builds of a builder share.
#[derive(Debug)]
pub struct Workshop {
    /// The layers.
    pub layers: Layers,
    /// The steps that were done before.
    pub steps: Steps,
    /// How commands are run.
    pub rights: Rights,
    /// Where the folders of cache mounts lie.
    pub caches: PathBuf,
}

/// One build.
pub struct Site<'s> {
    /// What all builds share.
    pub workshop: &'s Workshop,
    /// The images that stages begin with.
    pub images: &'s Images,
    /// What is asked for.
    pub request: &'s BuildRequest<'s>,
    /// The Dockerfile.
    pub dockerfile: &'s Dockerfile,
    /// The arguments.
    pub arguments: Arguments<'s>,
    /// What all its variables may hold: those of its base images count, which no slice knows.
    pub allowance: Allowance,
    /// The main context; `None` where nothing is read of it.
    pub context: Option<&'s ContextTree<'s>>,
    /// The named contexts that are folders.
    pub folders: &'s BTreeMap<&'s str, ContextTree<'s>>,
    /// The time of everything that is made, in seconds since 1970.
    pub time: i64,
    /// Whom to tell.
    pub events: &'s dyn EventSink,
    /// Whether to stop.
    pub cancellation: &'s Cancellation,
}

impl Site<'_> {
    /// An error of the Dockerfile at `span`.
    pub fn failed(&self, span: Span, message: impl Into<String>) -> BuildError {
        let line = self.dockerfile.source.line_column(span.start()).line;
        BuildError::Failed { message: message.into(), line: Some(line), log_tail: Vec::new() }
    }

    /// Notes that variables hold so many bytes more.
    ///
    /// # Errors
    /// When they hold too much.
    pub fn hold(&self, span: Span, bytes: usize) -> Result<(), BuildError> {
        self.allowance.take(bytes).map_err(|error| self.failed(span, error.to_string()))
    }

    /// How the layers are compressed that the image gets: those of an image for this machine alone are not.
    pub fn form(&self) -> Compression {
        if self.request.is_product { Compression::Gzip } else { Compression::None }
    }

    /// Says that the step `name` begins, or was done before.
    pub fn step_begins(&self, name: &str, cached: bool) {
        let subject = self.request.subject.clone();
        self.events.take(&Event::Step { subject, name: name.to_owned(), cached });
    }

    /// Says that the step `name` ended.
    pub fn step_ends(&self, name: &str, seconds: f64, error: Option<String>) {
        let subject = self.request.subject.clone();
        self.events.take(&Event::StepDone { subject, name: name.to_owned(), seconds, error });
    }

    /// Warns of something.
    pub fn warn(&self, message: String) {
        let subject = Some(self.request.subject.clone());
        self.events.take(&Event::Warning { subject, message });
    }

    /// Passes warnings of the cache on.
    pub fn pass_on(&self, warnings: Vec<Diagnostic>) {
        warnings.into_iter().for_each(|warning| self.warn(warning.message));
    }

    /// The time of everything that is made, as images write it.
    pub fn created(&self) -> String {
        jiff::Timestamp::from_second(self.time).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
    }
}
