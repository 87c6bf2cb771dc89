//! What a build would do, known without doing it.
//!
//! Nodes are looked at in order, dependencies first. A node whose dependencies all have known outputs
//! has an action key: it is cached when a record of that key exists and the output is still there.
//! Otherwise it is dirty, for reasons that comparing manifests gives; or, when nothing of its own
//! has changed, it waits: whether it runs depends on what a dirty dependency turns out to be.
//!
//! **Invariant:** a plan starts nothing and fetches nothing.

use crate::build::builder::Inventory;
use crate::cache::action_record::ActionRecord;
use crate::cache::folder::CacheFolder;
use crate::cache::last_build::LastBuilds;
use crate::graph::key;
use crate::graph::manifest::{self, Change, Fact, Reason};
use crate::graph::node::{Build, External, Graph, Node, Work};
use crate::graph::views::Views;
use crate::syntax::image_reference::ImageReference;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::{ActionKey, OutputDigest};
use crate::types::ids::{DenseMap, NodeId};

/// What a plan is made from.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// What is wanted.
    pub graph: &'k Graph,
    /// What its nodes read.
    pub views: &'k Views,
    /// The family of the builder.
    pub family: &'k str,
    /// Which images the builder has.
    pub inventory: &'k Inventory,
    /// The action cache.
    pub cache: &'k CacheFolder,
    /// The last success of each target.
    pub last_builds: &'k LastBuilds<'k>,
    /// Nodes that are built even if they are cached.
    pub forced: &'k [NodeId],
}

/// What a build would do with a node.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Nothing: the output is known and there.
    Cached {
        /// The output.
        digest: OutputDigest,
        /// The record that knows it; `None` for an image from elsewhere.
        action: Option<ActionKey>,
    },
    /// It runs.
    Dirty,
    /// It runs if the output of a dirty dependency changes.
    Waits,
}

/// A node of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What a build would do with it.
    pub state: State,
    /// Why it is dirty or waits; empty when it is cached.
    pub reasons: Vec<Reason>,
    /// How long the last success took, in seconds.
    pub seconds: Option<f64>,
}

/// What a build would do, node by node, and what was odd about the cache.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// All nodes of the graph.
    pub nodes: DenseMap<NodeId, Planned>,
    /// Damaged records, which count as absent.
    pub warnings: Vec<Diagnostic>,
}

impl Plan {
    /// Whether a build would run anything.
    pub fn has_work(&self) -> bool {
        self.nodes.values().iter().any(|planned| !matches!(planned.state, State::Cached { .. }))
    }
}

/// The plan for all nodes of a graph.
pub fn plan(known: Known<'_>) -> Plan {
    let mut planner = Planner {
        known,
        states: DenseMap::filled(known.graph.nodes.len(), None),
        warnings: Vec::new(),
    };
    for id in &known.graph.order {
        let planned = planner.node(*id);
        planner.states[*id] = Some(planned);
    }
    let nodes = planner.states.values().iter().cloned();
    let nodes = nodes.map(|planned| planned.expect("the order of a graph holds all its nodes")).collect();
    Plan { nodes, warnings: planner.warnings }
}

struct Planner<'k> {
    known: Known<'k>,
    states: DenseMap<NodeId, Option<Planned>>,
    warnings: Vec<Diagnostic>,
}

impl Planner<'_> {
    fn node(&mut self, id: NodeId) -> Planned {
        let node = &self.known.graph.nodes[id];
        match &node.work {
            Work::External(external) => self.external(external),
            Work::Build(build) => self.build(id, node, build),
        }
    }

    fn external(&self, external: &External) -> Planned {
        match known_digest(&external.reference, self.known.inventory) {
            Some(digest) => cached(digest, None, None),
            None => {
                let reason = Reason {
                    fact: format!("image {}", external.reference),
                    change: Change::Added,
                    old: None,
                    new: Some("not in the builder's store".to_owned()),
                };
                Planned { state: State::Dirty, reasons: vec![reason], seconds: None }
            }
        }
    }

    fn build(&mut self, id: NodeId, node: &Node, build: &Build) -> Planned {
        let last = self.last_record(node);
        let seconds = last.as_ref().map(|last| last.seconds);
        if self.known.forced.contains(&id) || build.no_cache() {
            let reason = Reason {
                fact: "no-cache".to_owned(),
                change: Change::Changed,
                old: None,
                new: Some("built whether it is cached or not".to_owned()),
            };
            return Planned { state: State::Dirty, reasons: vec![reason], seconds };
        }
        let outputs: Option<Vec<(NodeId, OutputDigest)>> =
            node.dependencies.iter().map(|d| Some((d.node, self.output(d.node)?))).collect();
        match outputs {
            Some(outputs) => self.decided(node, build, &outputs, last.as_ref()),
            None => self.undecided(node, build, last.as_ref()),
        }
    }

    /// All dependencies have known outputs: the key decides.
    fn decided(
        &mut self,
        node: &Node,
        build: &Build,
        outputs: &[(NodeId, OutputDigest)],
        last: Option<&ActionRecord>,
    ) -> Planned {
        let output = |id: NodeId| output_of(outputs, id);
        let views = |_: &str, context: &crate::graph::node::Context| self.known.views.digest(context);
        let key = key::action_key(node, build, self.known.family, &views, &output);
        let record = ActionRecord::load(self.known.cache, &key).value(&mut self.warnings);
        let seconds = last.or(record.as_ref()).map(|record| record.seconds);
        if let Some(record) = record {
            if self.known.inventory.digests.contains(&record.digest) {
                return cached(record.digest, Some(key), seconds);
            }
            let reason = output_gone(&record.digest);
            return Planned { state: State::Dirty, reasons: vec![reason], seconds };
        }
        let facts = key::action_facts(node, build, self.known.family, &views, &output);
        let reasons = last.map_or_else(|| vec![Reason::never_built()], |last| differences(last, &facts, |_| true));
        Planned { state: State::Dirty, reasons, seconds }
    }

    /// Some dependency will run: only what is the node's own can be compared.
    fn undecided(&mut self, node: &Node, build: &Build, last: Option<&ActionRecord>) -> Planned {
        let views = |_: &str, context: &crate::graph::node::Context| self.known.views.digest(context);
        let facts = key::static_facts(node, build, self.known.family, &views);
        let Some(last) = last else {
            return Planned { state: State::Dirty, reasons: vec![Reason::never_built()], seconds: None };
        };
        let own = differences(last, &facts, |fact| !key::is_image_fact(fact));
        let seconds = Some(last.seconds);
        if !own.is_empty() {
            return Planned { state: State::Dirty, reasons: own, seconds };
        }
        let roles = node.dependencies.iter().filter(|dependency| self.output(dependency.node).is_none());
        let waits = |dependency: &crate::graph::node::Dependency| {
            let fact = key::image_fact_name(&dependency.role);
            let old = last.facts.iter().find(|(name, _)| *name == fact).map(|(_, value)| value.clone());
            let new = format!("the output of {}, which is built first", self.known.graph.nodes[dependency.node].name());
            Reason { fact, change: Change::Changed, old, new: Some(new) }
        };
        Planned { state: State::Waits, reasons: roles.map(waits).collect(), seconds }
    }

    fn output(&self, id: NodeId) -> Option<OutputDigest> {
        match self.states[id].as_ref().map(|planned| &planned.state) {
            Some(State::Cached { digest, .. }) => Some(digest.clone()),
            _ => None,
        }
    }

    /// The record of the last success of the node's target.
    fn last_record(&mut self, node: &Node) -> Option<ActionRecord> {
        let last = self.known.last_builds.load(&node.subject()?).value(&mut self.warnings)?;
        ActionRecord::load(self.known.cache, &last.action_key).value(&mut self.warnings)
    }
}

fn cached(digest: OutputDigest, action: Option<ActionKey>, seconds: Option<f64>) -> Planned {
    Planned { state: State::Cached { digest, action }, reasons: Vec::new(), seconds }
}

fn output_of(outputs: &[(NodeId, OutputDigest)], id: NodeId) -> OutputDigest {
    let found = outputs.iter().find(|(node, _)| *node == id);
    found.map(|(_, digest)| digest.clone()).expect("the outputs of all dependencies were collected")
}

fn output_gone(digest: &OutputDigest) -> Reason {
    Reason {
        fact: "output".to_owned(),
        change: Change::Removed,
        old: Some(digest.to_string()),
        new: Some("no longer in the builder's store".to_owned()),
    }
}

/// The facts in which `last` differs from `facts`, of those that `counts` lets in.
fn differences(last: &ActionRecord, facts: &[Fact], counts: impl Fn(&str) -> bool) -> Vec<Reason> {
    let old: Vec<Fact> = last
        .facts
        .iter()
        .filter(|(name, _)| counts(name))
        .map(|(name, value)| Fact { name: name.clone(), value: value.clone() })
        .collect();
    manifest::compare(&old, facts)
}

/// The digest that `reference` stands for, when it can be known without asking anybody: it is pinned,
/// or the builder has an image of that name.
pub fn known_digest(reference: &str, inventory: &Inventory) -> Option<OutputDigest> {
    let parsed = reference.parse::<ImageReference>().ok()?;
    match parsed.digest() {
        Some(digest) => digest.parse().ok(),
        None => inventory.references.get(&parsed.familiar()).cloned(),
    }
}
