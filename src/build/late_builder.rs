//! A builder of which it is known what it is, and that is connected to when somebody asks it for more.
//!
//! A run that finds little to do often finds all that it must know of a builder in what an earlier run
//! wrote down. Connecting costs more than the rest of such a run.
//!
//! **Invariant:** a builder that turns out to be another one than was expected is refused.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::builder::{Bases, BuildError, BuildOutput, BuildRequest, Builder, Inventory};
use crate::types::cancellation::Cancellation;
use crate::types::digest::OutputDigest;
use crate::types::event::EventSink;
use crate::types::platform::Platform;

/// What a builder says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// As [`Builder::family`].
    pub family: String,
    /// As [`Builder::description`].
    pub description: String,
    /// As [`Builder::platform`].
    pub platform: Platform,
}

type Connected = Result<Arc<dyn Builder>, BuildError>;

/// A builder that may not be connected to yet.
pub struct LateBuilder {
    expected: Expected,
    connect: Box<dyn Fn() -> Connected + Send + Sync>,
    connected: OnceLock<Connected>,
}

impl LateBuilder {
    /// One that `connect` gives, and that says of itself what is `expected`.
    pub fn new(expected: Expected, connect: impl Fn() -> Connected + Send + Sync + 'static) -> Self {
        Self { expected, connect: Box::new(connect), connected: OnceLock::new() }
    }

    fn builder(&self) -> Result<&dyn Builder, BuildError> {
        let connected = self.connected.get_or_init(|| {
            let builder = (self.connect)()?;
            let Expected { family, description, platform } = &self.expected;
            let is_expected = (builder.family(), builder.description(), builder.platform())
                == (family.as_str(), description.as_str(), platform);
            is_expected.then_some(builder).ok_or_else(|| BuildError::Surroundings {
                message: format!("the builder is no longer {description}"),
                help: Some("run it again: everything is looked at then".to_owned()),
            })
        });
        connected.as_ref().map(|builder| &**builder).map_err(BuildError::clone)
    }
}

impl Builder for LateBuilder {
    fn family(&self) -> &str {
        &self.expected.family
    }

    fn description(&self) -> &str {
        &self.expected.description
    }

    fn platform(&self) -> &Platform {
        &self.expected.platform
    }

    fn inventory(&self) -> Result<Inventory, BuildError> {
        self.builder()?.inventory()
    }

    fn inventory_of(&self, references: &BTreeSet<&str>) -> Result<Inventory, BuildError> {
        self.builder()?.inventory_of(references)
    }

    fn has(&self, digest: &OutputDigest) -> Result<bool, BuildError> {
        self.builder()?.has(digest)
    }

    fn bases(&self, wanted: &BTreeSet<(&str, &Platform)>) -> Result<Bases, BuildError> {
        self.builder()?.bases(wanted)
    }

    fn resolve(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<OutputDigest, BuildError> {
        self.builder()?.resolve(reference, platform, cancellation)
    }

    fn triggers(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<Vec<String>, BuildError> {
        self.builder()?.triggers(reference, platform, cancellation)
    }

    fn build(
        &self,
        request: &BuildRequest<'_>,
        events: &dyn EventSink,
        cancellation: &Cancellation,
    ) -> Result<BuildOutput, BuildError> {
        self.builder()?.build(request, events, cancellation)
    }

    fn tag(&self, digest: &OutputDigest, name: &str) -> Result<(), BuildError> {
        self.builder()?.tag(digest, name)
    }
}
