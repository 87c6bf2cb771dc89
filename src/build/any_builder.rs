//! The builder that a run was given, whichever it is.
//!
//! What only an engine can do (marks of its names, what listing costs) is asked here too, and has an answer for
//! every builder.

use std::collections::{BTreeMap, BTreeSet};

use super::builder::{Bases, BuildError, BuildOutput, BuildRequest, Builder, Inventory};
use super::docker::{DockerBuilder, NamesMark};
#[cfg(target_os = "linux")]
use super::embedded::builder::EmbeddedBuilder;
use crate::oci::compressed_layers::CompressedLayers;
use crate::oci::store::Store;
use crate::types::cancellation::Cancellation;
use crate::types::digest::OutputDigest;
use crate::types::event::EventSink;
use crate::types::platform::Platform;

/// A builder.
pub enum AnyBuilder {
    /// A Docker Engine.
    Docker(Box<DockerBuilder>),
    /// The one in this program.
    #[cfg(target_os = "linux")]
    Embedded(Box<EmbeddedBuilder>),
}

/// Whether `builder` is, or stands for, the one in this program.
pub fn is_embedded(builder: &dyn Builder) -> bool {
    #[cfg(target_os = "linux")]
    let family = Some(super::embedded::builder::FAMILY);
    #[cfg(not(target_os = "linux"))]
    let family = None;
    Some(builder.family()) == family
}

impl AnyBuilder {
    fn inner(&self) -> &dyn Builder {
        match self {
            Self::Docker(builder) => &**builder,
            #[cfg(target_os = "linux")]
            Self::Embedded(builder) => &**builder,
        }
    }

    /// Where images lie that can be taken out, and the forms of their layers; `None` for an engine.
    pub fn store(&self) -> Option<(&Store, &CompressedLayers)> {
        match self {
            Self::Docker(_) => None,
            #[cfg(target_os = "linux")]
            Self::Embedded(builder) => Some((builder.store(), builder.compressed())),
        }
    }

    /// The Docker Engine, if it is that.
    pub fn docker(&self) -> Option<&DockerBuilder> {
        match self {
            Self::Docker(builder) => Some(builder),
            #[cfg(target_os = "linux")]
            Self::Embedded(_) => None,
        }
    }

    /// Whether an inventory of many images costs as much as one of all.
    pub fn lists_all(&self) -> bool {
        self.docker().is_none_or(DockerBuilder::lists_all)
    }

    /// Whether an inventory of so many images costs as much as one of all.
    pub fn lists_all_for(&self, images: usize) -> bool {
        self.docker().is_none_or(|docker| docker.lists_all_for(images))
    }

    /// As [`DockerBuilder::mark`]; others have none, for they are asked in no time.
    pub fn mark(&self, names: &BTreeMap<String, OutputDigest>) -> Option<Box<NamesMark>> {
        self.docker()?.mark(names)
    }
}

impl Builder for AnyBuilder {
    fn family(&self) -> &str {
        self.inner().family()
    }

    fn description(&self) -> &str {
        self.inner().description()
    }

    fn platform(&self) -> &Platform {
        self.inner().platform()
    }

    fn inventory(&self) -> Result<Inventory, BuildError> {
        self.inner().inventory()
    }

    fn inventory_of(&self, references: &BTreeSet<&str>) -> Result<Inventory, BuildError> {
        self.inner().inventory_of(references)
    }

    fn has(&self, digest: &OutputDigest) -> Result<bool, BuildError> {
        self.inner().has(digest)
    }

    fn bases(&self, wanted: &BTreeSet<(&str, &Platform)>) -> Result<Bases, BuildError> {
        self.inner().bases(wanted)
    }

    fn resolve(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<OutputDigest, BuildError> {
        self.inner().resolve(reference, platform, cancellation)
    }

    fn triggers(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<Vec<String>, BuildError> {
        self.inner().triggers(reference, platform, cancellation)
    }

    fn build(
        &self,
        request: &BuildRequest<'_>,
        events: &dyn EventSink,
        cancellation: &Cancellation,
    ) -> Result<BuildOutput, BuildError> {
        self.inner().build(request, events, cancellation)
    }

    fn tag(&self, digest: &OutputDigest, name: &str) -> Result<(), BuildError> {
        self.inner().tag(digest, name)
    }
}
