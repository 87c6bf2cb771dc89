//! One question to the action cache: is the output of this node known and still there?
//!
//! The plan and the runner ask it in the same words, so that what a plan promises is what a run does.

use std::collections::BTreeSet;

use crate::build::builder::{Bases, Builder, Inventory};
use crate::cache::action_record::ActionRecord;
use crate::cache::folder::CacheFolder;
use crate::cache::last_build::LastBuilds;
use crate::graph::key::{Absent, Keyed, Outputs, Surroundings};
use crate::graph::manifest::Fact;
use crate::graph::node::{Build, External, Graph, Node, Work};
use crate::graph::node_views::NodeViews;
use crate::syntax::image_reference::ImageReference;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::{ActionKey, OutputDigest, SourceKey};
use crate::types::ids::{DenseMap, NodeId};
use crate::types::label::Label;
use crate::types::platform::Platform;

/// The names of all images that a run of `graph` may need to know of: the outputs of last builds, and
/// the names that outputs are to have. Asking a builder for these, and not for all that it has, is the
/// difference between milliseconds and seconds on a store that measures what it lists.
pub fn names(
    graph: &Graph,
    source_keys: &DenseMap<NodeId, SourceKey>,
    last_builds: &LastBuilds<'_>,
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (id, node) in graph.nodes.iter() {
        let Some(build) = node.build() else { continue };
        names.extend(build.tags(&source_keys[id]));
        let subject = node.subject();
        // Damage is told by who needs the record; here it is a question that is not asked.
        let last = subject.and_then(|subject| last_builds.load(&subject).value(&mut Vec::new()));
        names.extend(last.map(|last| link_name(&build.target.label, &last.digest)));
    }
    names
}

/// The images from elsewhere of which only the builder knows what they are: those without a pin.
pub fn unpinned_bases(graph: &Graph) -> BTreeSet<(&str, &Platform)> {
    let bases = graph.nodes.values().iter().filter_map(|node| match &node.work {
        Work::External(external) => Some((external.reference.as_str(), &node.platform)),
        Work::Build(_) => None,
    });
    bases.filter(|(reference, _)| pin(reference).is_none()).collect()
}

/// The digest that a reference pins.
fn pin(reference: &str) -> Option<OutputDigest> {
    reference.parse::<ImageReference>().ok()?.digest?.parse().ok()
}

/// The name by which the output `digest` of `label` is linked into other builds.
pub fn link_name(label: &Label, digest: &OutputDigest) -> String {
    format!("imgraph.local/{}:{}", label.slug(), digest.hex())
}

/// What is known before anything runs.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// What is wanted.
    pub graph: &'k Graph,
    /// What its nodes read.
    pub views: &'k NodeViews,
    /// Who builds: asked about outputs that the inventory does not speak of.
    pub builder: &'k dyn Builder,
    /// Which of the images that this run may need the builder has.
    pub inventory: &'k Inventory,
    /// Which images without a pin the builder would take for bases.
    pub bases: &'k Bases,
    /// What is optional and not there.
    pub absent: &'k Absent,
    /// The action cache.
    pub cache: &'k CacheFolder,
    /// The last success of each target.
    pub last_builds: &'k LastBuilds<'k>,
    /// Nodes that are built even if they are cached.
    pub forced: &'k [NodeId],
}

/// What the action cache knows of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The output, and it is there.
    Output(Box<ActionRecord>),
    /// The output was built, but the builder no longer has it.
    Gone(Box<ActionRecord>),
    /// Nothing.
    Nothing,
}

impl Known<'_> {
    fn keyed(&self) -> Keyed<'_> {
        Keyed { graph: self.graph, views: self.views }
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { family: self.builder.family(), absent: self.absent }
    }

    /// The action key of the build `id`, whose dependencies have the outputs `outputs`.
    pub fn key(&self, id: NodeId, build: &Build, outputs: Outputs<'_>) -> ActionKey {
        self.keyed().action_key(id, build, self.surroundings(), outputs)
    }

    /// The facts behind [`Known::key`].
    pub fn facts(&self, id: NodeId, build: &Build, outputs: Outputs<'_>) -> Vec<Fact> {
        self.keyed().action_facts(id, build, self.surroundings(), outputs)
    }

    /// The facts of the build `id` that no other output decides.
    pub fn static_facts(&self, id: NodeId, build: &Build) -> Vec<Fact> {
        self.keyed().static_facts(id, build, self.surroundings())
    }

    /// What the cache knows of `key`.
    pub fn look_up(&self, key: &ActionKey, warnings: &mut Vec<Diagnostic>) -> Found {
        match ActionRecord::load(self.cache, key).value(warnings) {
            None => Found::Nothing,
            Some(record) if self.is_there(&record.digest) => Found::Output(Box::new(record)),
            Some(record) => Found::Gone(Box::new(record)),
        }
    }

    /// The inventory speaks of last builds; a record of an older one is asked for by itself. A builder
    /// that cannot be asked has nothing.
    fn is_there(&self, digest: &OutputDigest) -> bool {
        self.inventory.digests.contains(digest) || self.builder.has(digest).unwrap_or(false)
    }

    /// Whether a node is built whatever the cache knows.
    pub fn is_forced(&self, id: NodeId) -> bool {
        let build = self.graph.nodes[id].build();
        let looks_each_time = |build: &Build| build.no_cache() || build.unpinned().is_some();
        self.forced.contains(&id) || build.is_some_and(looks_each_time)
    }

    /// The record of the last success of the node's target.
    pub fn last_record(&self, node: &Node, warnings: &mut Vec<Diagnostic>) -> Option<ActionRecord> {
        let last = self.last_builds.load(&node.subject()?).value(warnings)?;
        ActionRecord::load(self.cache, &last.action_key).value(warnings)
    }

    /// The digest of an image from elsewhere, when nobody has to be asked: it is pinned, or the builder
    /// has an image of that name for that platform.
    pub fn external_digest(&self, external: &External, platform: &Platform) -> Option<OutputDigest> {
        pin(&external.reference)
            .or_else(|| self.bases.get(&(external.reference.clone(), platform.clone())).cloned())
    }

    /// How a builder is to be asked for an image from elsewhere of which a run found that it is `digest`.
    /// One that the builder has keeps its name; one that was fetched since is pinned, for its name may
    /// stand for another image in the builder, or for one of another platform.
    pub fn exact_reference(&self, external: &External, platform: &Platform, digest: &OutputDigest) -> String {
        let parsed = external.reference.parse::<ImageReference>().ok();
        match parsed.filter(|_| self.external_digest(external, platform).is_none()) {
            Some(parsed) => ImageReference { digest: Some(digest.to_string()), ..parsed }.familiar(),
            None => external.reference.clone(),
        }
    }
}
