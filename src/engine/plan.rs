//! What a build would do, known without doing it.
//!
//! Nodes are looked at in order, dependencies first. A node whose dependencies all have known outputs
//! has an action key: it is cached when a record of that key exists and the output is still there.
//! Otherwise it is dirty, for reasons that comparing manifests gives; or, when nothing of its own
//! has changed, it waits: whether it runs depends on what a dirty dependency turns out to be.
//!
//! **Invariant:** a plan starts nothing and fetches nothing.

use std::convert::Infallible;

use super::estimate::{self, Estimate};
use super::lookup::{Found, Known};
use crate::cache::action_record::ActionRecord;
use crate::graph::key;
use crate::graph::manifest::{self, Change, Fact, Reason};
use crate::graph::node::{Build, Dependency, External, Graph, Node, Work};
use crate::source::parallel::each;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::{ActionKey, OutputDigest, TreeDigest};
use crate::types::ids::{DenseMap, NodeId};
use crate::types::platform::Platform;

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
    /// How long the build of its output or its last success took, in seconds.
    pub seconds: Option<f64>,
    /// The views at the last success, by context, when reasons were found by comparing with it.
    pub last_views: Vec<(String, TreeDigest)>,
}

impl Planned {
    /// The output, when it is known and there.
    pub fn output(&self) -> Option<OutputDigest> {
        match &self.state {
            State::Cached { digest, .. } => Some(digest.clone()),
            State::Dirty | State::Waits => None,
        }
    }
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

impl Plan {
    /// How long the work of the plan will take with `jobs` at once, judging by earlier runs. What waits
    /// is counted as if it ran. `None` when no target was built before.
    pub fn estimate(&self, graph: &Graph, jobs: usize) -> Option<Estimate> {
        let milliseconds = |planned: &Planned| Some((planned.seconds? * 1000.0) as u64);
        let known = self.nodes.iter().map(|(id, planned)| match graph.nodes[id].work {
            // Fetching an image is no build, and its time is not kept.
            Work::External(_) => Some(0),
            Work::Build(_) => milliseconds(planned),
        });
        let builds = |id: NodeId| graph.nodes[id].build().is_some();
        let known: DenseMap<NodeId, Option<u64>> = known.collect();
        let of_builds = known.iter().map(|(id, known)| known.filter(|_| builds(id))).collect();
        let durations = estimate::filled(&of_builds)?;
        let left = self.nodes.iter().map(|(id, planned)| match planned.state {
            State::Cached { .. } => None,
            State::Dirty | State::Waits => Some(known[id].unwrap_or(durations[id])),
        });
        Some(estimate::estimate(&graph.dependencies(), &left.collect(), jobs))
    }
}

/// The plan for all nodes of a graph.
pub fn plan(known: Known<'_>) -> Plan {
    let states = DenseMap::filled(known.graph.nodes.len(), None);
    let mut planner = Planner { known, states };
    let mut all_warnings = Vec::new();
    for level in known.graph.levels() {
        let plan = |id: NodeId| {
            let mut warnings = Vec::new();
            let planned = planner.node(id, &mut warnings);
            Ok::<_, Infallible>((id, planned, warnings))
        };
        let Ok(planned) = each(level, 0, |_| false, plan);
        for (id, planned, warnings) in planned {
            planner.states[id] = Some(planned);
            all_warnings.extend(warnings);
        }
    }
    let nodes = planner.states.values().iter().cloned();
    let nodes = nodes.map(|planned| planned.expect("the levels of a graph hold all its nodes")).collect();
    Plan { nodes, warnings: all_warnings }
}

struct Planner<'k> {
    known: Known<'k>,
    states: DenseMap<NodeId, Option<Planned>>,
}

impl Planner<'_> {
    fn node(&self, id: NodeId, warnings: &mut Vec<Diagnostic>) -> Planned {
        let node = &self.known.graph.nodes[id];
        match &node.work {
            Work::External(external) => self.external(external, &node.platform),
            Work::Build(build) if self.known.is_forced(id) => self.forced(node, build, warnings),
            Work::Build(build) => self.build(id, node, build, warnings),
        }
    }

    fn external(&self, external: &External, platform: &Platform) -> Planned {
        match self.known.external_digest(external, platform) {
            Some(digest) => cached(digest, None, None),
            None => {
                let fact = format!("image {}", external.reference);
                let is_own = platform == self.known.builder.platform();
                let platform = if is_own { String::new() } else { format!(" for {platform}") };
                let why = format!("not in the builder's store{platform}: it is fetched");
                dirty(vec![reason(&fact, Change::Changed, None, Some(&why))], None)
            }
        }
    }

    fn forced(&self, node: &Node, build: &Build, warnings: &mut Vec<Diagnostic>) -> Planned {
        let last = self.known.last_record(node, warnings);
        let reason = match build.unpinned() {
            _ if build.no_cache() => said("no-cache", "it is set on the target"),
            Some((what, why)) => said(&what, &format!("may have changed: {why}, so the builder looks")),
            None => said("no-cache", "asked for"),
        };
        dirty(vec![reason], last.as_ref())
    }

    fn build(&self, id: NodeId, node: &Node, build: &Build, warnings: &mut Vec<Diagnostic>) -> Planned {
        if node.dependencies.iter().any(|dependency| self.output(dependency.node).is_none()) {
            return self.undecided(id, node, build, warnings);
        }
        let output = |id: NodeId| self.output(id).expect("all dependencies were found to have outputs");
        let key = self.known.key(id, build, &output);
        let facts = || self.known.facts(id, build, &output);
        match self.known.look_up(&key, warnings) {
            Found::Output(record) => cached(record.digest, Some(key), Some(record.seconds)),
            Found::Gone(record) => {
                let old = record.digest.to_string();
                let gone = reason(
                    "output",
                    Change::Removed,
                    Some(&old),
                    Some("is no longer in the builder's store"),
                );
                dirty(vec![gone], Some(&record))
            }
            Found::Nothing => match self.known.last_record(node, warnings) {
                None => dirty(vec![Reason::never_built()], None),
                Some(last) => dirty(differences(&last, &facts(), |_| true), Some(&last)),
            },
        }
    }

    /// Some dependency will run: only what is the node's own can be compared.
    fn undecided(&self, id: NodeId, node: &Node, build: &Build, warnings: &mut Vec<Diagnostic>) -> Planned {
        let Some(last) = self.known.last_record(node, warnings) else {
            return dirty(vec![Reason::never_built()], None);
        };
        let mut own =
            differences(&last, &self.known.static_facts(id, build), |fact| !key::is_image_fact(fact));
        own.extend(node.dependencies.iter().filter_map(|dependency| self.moved(dependency, &last)));
        if !own.is_empty() {
            return dirty(own, Some(&last));
        }
        let waiting = node.dependencies.iter().filter(|dependency| self.output(dependency.node).is_none());
        let reasons = waiting.map(|dependency| self.waits_for(dependency, &last)).collect();
        Planned { state: State::Waits, ..dirty(reasons, Some(&last)) }
    }

    /// The reason that a dependency gives whose output is known and is not that of the last success.
    fn moved(&self, dependency: &Dependency, last: &ActionRecord) -> Option<Reason> {
        let new = self.output(dependency.node)?.to_string();
        let fact = key::image_fact_name(&dependency.role);
        let old = value_of(last, &fact);
        let change = if old.is_some() { Change::Changed } else { Change::Added };
        (old != Some(new.as_str())).then(|| reason(&fact, change, old, Some(&new)))
    }

    fn waits_for(&self, dependency: &Dependency, last: &ActionRecord) -> Reason {
        let fact = key::image_fact_name(&dependency.role);
        let old = value_of(last, &fact);
        let name = self.known.graph.nodes[dependency.node].name();
        reason(&fact, Change::Changed, old, Some(&format!("the output of {name}, which runs first")))
    }

    fn output(&self, id: NodeId) -> Option<OutputDigest> {
        self.states[id].as_ref().and_then(Planned::output)
    }
}

fn value_of<'r>(record: &'r ActionRecord, fact: &str) -> Option<&'r str> {
    record.facts.iter().find(|(name, _)| name == fact).map(|(_, value)| value.as_str())
}

fn said(fact: &str, what: &str) -> Reason {
    reason(fact, Change::Changed, None, Some(what))
}

fn reason(fact: &str, change: Change, old: Option<&str>, new: Option<&str>) -> Reason {
    Reason { fact: fact.to_owned(), change, old: old.map(str::to_owned), new: new.map(str::to_owned) }
}

fn cached(digest: OutputDigest, action: Option<ActionKey>, seconds: Option<f64>) -> Planned {
    Planned { state: State::Cached { digest, action }, reasons: Vec::new(), seconds, last_views: Vec::new() }
}

fn dirty(reasons: Vec<Reason>, last: Option<&ActionRecord>) -> Planned {
    let seconds = last.map(|last| last.seconds);
    let last_views = last.map(|last| last.views.clone()).unwrap_or_default();
    Planned { state: State::Dirty, reasons, seconds, last_views }
}

/// The facts in which `last` differs from `facts`, of those that `counts` lets in.
fn differences(last: &ActionRecord, facts: &[Fact], counts: impl Fn(&str) -> bool) -> Vec<Reason> {
    let counted = last.facts.iter().filter(|(name, _)| counts(name));
    let old: Vec<Fact> =
        counted.map(|(name, value)| Fact { name: name.clone(), value: value.clone() }).collect();
    manifest::compare(&old, facts)
}
