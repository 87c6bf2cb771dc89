//! A run that had nothing to do, to be told again while everything that it leaned on is as it was.
//!
//! A decision leans on files, on variables, on what git says, and on what the builder has. A run that
//! found all outputs cached writes down, beside what it told, which of these it asked for. A later run of
//! the same request asks whether they are all unchanged; then it tells the same, and need not load,
//! slice or hash anything. Whatever differs, however slightly, is a run of its own.
//!
//! Where files differ and nothing else does, a run looks again at the targets that they touch (see
//! [`parts`](super::parts)), and the rest of what was told still stands.
//!
//! **Invariant:** a recall decides only that nothing is to be done. It never says what is to be built.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lookup::{self, Known, link_name};
use super::secrets::SecretPlace;
use crate::build::builder::{Bases, Builder, Inventory};
use crate::build::late_builder::Expected;
use crate::source::git_facts::GitQuestion;
use crate::source::looks::Looks;
use crate::syntax::image_reference::ImageReference;
use crate::types::digest::{ContentHash, OutputDigest, SourceKey};
use crate::types::environment::EnvironmentHash;
use crate::types::ids::{DenseMap, NodeId};
use crate::types::platform::Platform;

/// What was told, and what it leaned on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recall<Told> {
    /// The files.
    pub looks: Looks,
    /// The names of the environment variables, and a hash of what they were.
    pub environment: (Vec<String>, EnvironmentHash),
    /// The places of optional secrets, and whether there was something in each.
    pub secrets: Vec<(SecretPlace, bool)>,
    /// What git was asked, and what it answered.
    pub git: Vec<(GitQuestion, String)>,
    /// What the builder has.
    pub store: Arc<StoreFacts>,
    /// The hash of the [`Parts`](super::parts::Parts) that were kept with it, where there are any.
    pub parts: Option<ContentHash>,
    /// When a last build was stored last: `explain` compares with last builds, and what is told again
    /// stores none.
    pub last_builds: Option<String>,
    /// What was told.
    pub told: Told,
}

/// Which images a builder had under the names that a run asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreFacts {
    family: String,
    description: String,
    platform: Platform,
    names: BTreeMap<String, OutputDigest>,
    bases: Vec<(String, Platform, OutputDigest)>,
}

impl StoreFacts {
    /// What the builder has, when it has all that the run of `known` with these outputs asked for and
    /// every output has all its names.
    pub fn of(
        known: Known<'_>,
        source_keys: &DenseMap<NodeId, SourceKey>,
        output: impl Fn(NodeId) -> Option<OutputDigest>,
    ) -> Option<Self> {
        let mut names = BTreeMap::new();
        for (id, node) in known.graph.nodes.iter() {
            let Some(build) = node.build() else { continue };
            let digest = output(id)?;
            let link = link_name(&build.target.label, &digest);
            for name in build.tags(&source_keys[id]).into_iter().chain([link]) {
                if known.inventory.references.get(&name) != Some(&digest) {
                    return None;
                }
                names.insert(name, digest.clone());
            }
        }
        let bases = lookup::unpinned_bases(known.graph);
        let base = |(reference, platform): (&str, &Platform)| {
            let base = (reference.to_owned(), platform.clone());
            let digest = known.bases.get(&base)?.clone();
            Some((base.0, base.1, digest))
        };
        Some(Self {
            family: known.builder.family().to_owned(),
            description: known.builder.description().to_owned(),
            platform: known.builder.platform().clone(),
            names,
            bases: bases.into_iter().map(base).collect::<Option<_>>()?,
        })
    }

    /// What the builder says of itself.
    pub fn builder(&self) -> Expected {
        let Self { family, description, platform, .. } = self;
        Expected { family: family.clone(), description: description.clone(), platform: platform.clone() }
    }

    /// The images that were asked for, under the names by which they were asked for.
    pub fn inventory(&self) -> Inventory {
        Inventory { digests: self.names.values().cloned().collect(), references: self.names.clone() }
    }

    /// The images without a pin that others are based on.
    pub fn bases(&self) -> Bases {
        let known = self.bases.iter().cloned();
        known.map(|(reference, platform, digest)| ((reference, platform), digest)).collect()
    }

    /// What the builder calls itself.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// How many names of images were asked for.
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// Every name that this leans on, as a builder lists it, and what it stands for. `None` where a base has
    /// no such name.
    pub fn every_name(&self) -> Option<BTreeMap<String, OutputDigest>> {
        let mut names = self.names.clone();
        for (reference, _, digest) in &self.bases {
            names.insert(reference.parse::<ImageReference>().ok()?.listed(), digest.clone());
        }
        Some(names)
    }

    /// Whether `builder` has all of this. One that cannot be asked has not. `listed` is all that it has,
    /// where that is known.
    pub fn hold_for(&self, builder: &dyn Builder, listed: Option<&Inventory>) -> bool {
        let is_same = (builder.family(), builder.description(), builder.platform())
            == (&self.family, &self.description, &self.platform);
        is_same && self.has_names(builder, listed) && self.has_bases(builder)
    }

    fn has_names(&self, builder: &dyn Builder, listed: Option<&Inventory>) -> bool {
        let has = |inventory: &Inventory| {
            self.names.iter().all(|(name, digest)| inventory.references.get(name) == Some(digest))
        };
        let names = || self.names.keys().map(String::as_str).collect::<BTreeSet<&str>>();
        listed.map_or_else(|| builder.inventory_of(&names()).is_ok_and(|found| has(&found)), has)
    }

    fn has_bases(&self, builder: &dyn Builder) -> bool {
        let wanted =
            self.bases.iter().map(|(reference, platform, _)| (reference.as_str(), platform)).collect();
        let known = self.bases();
        known.is_empty() || builder.bases(&wanted).is_ok_and(|bases| bases == known)
    }
}
