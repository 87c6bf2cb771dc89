//! The JSON documents that other programs read.
//!
//! Each carries `"schema": 1`, names paths from the workspace's root, and lists in order of labels.
//! Fields are only ever added.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::estimate::Estimate;
use crate::engine::explain::Explained;
use crate::engine::plan::{Planned, State};
use crate::engine::report::{Ended, Ending, Report};
use crate::graph::manifest::Change;
use crate::graph::node::{Build, Graph, Node};
use crate::graph::node_views::NodeViews;
use crate::graph::slice::Sources;
use crate::types::digest::{ActionKey, OutputDigest, SourceKey};
use crate::types::event::{Event, Outcome, Subject};
use crate::types::file_entry::{FileEntry, FileKind};
use crate::types::ids::{DenseMap, NodeId};
use crate::types::label::Label;
use crate::types::platform::Platform;
use crate::types::sorted_map::SortedMap;
use crate::types::workspace_path::WorkspacePath;

/// The version of the documents.
pub(super) const SCHEMA: u32 = 1;

/// A document that lists targets.
#[derive(Debug, Serialize)]
pub struct Document<Target> {
    schema: u32,
    targets: Vec<Target>,
}

impl<Target> Document<Target> {
    /// The document of `targets`.
    pub fn new(targets: Vec<Target>) -> Self {
        Self { schema: SCHEMA, targets }
    }
}

impl<Target: Serialize> Document<Target> {
    /// The text, with a line end.
    pub fn text(&self) -> String {
        text(self)
    }
}

/// A plan.
#[derive(Debug, Serialize)]
pub struct PlanDocument {
    schema: u32,
    targets: Vec<PlanTarget>,
    expected: Option<ExpectedDocument>,
}

/// How long the work of a plan will take, judging by earlier runs.
#[derive(Debug, Serialize)]
pub struct ExpectedDocument {
    seconds: f64,
    jobs: usize,
    critical_path: Vec<ChainDocument>,
}

/// A node of a critical path: a label, or the reference of an undeclared image.
#[derive(Debug, Serialize)]
pub struct ChainDocument {
    name: String,
    seconds: f64,
}

impl PlanDocument {
    /// The document of `targets`, of which the work is expected to take `expected` with `jobs` at once.
    pub fn new(graph: &Graph, targets: Vec<PlanTarget>, expected: Option<&Estimate>, jobs: usize) -> Self {
        let link = |(id, milliseconds): &(NodeId, u64)| ChainDocument {
            name: graph.nodes[*id].name(),
            seconds: seconds(*milliseconds),
        };
        let expected = expected.map(|estimate| ExpectedDocument {
            seconds: seconds(estimate.milliseconds),
            jobs,
            critical_path: estimate.chain.iter().map(link).collect(),
        });
        Self { schema: SCHEMA, targets, expected }
    }

    /// The text, with a line end.
    pub fn text(&self) -> String {
        text(self)
    }
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// The text of a document, with a line end.
pub(super) fn text(document: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(document).expect("documents have text keys only");
    format!("{text}\n")
}

/// The nodes that are targets, in order of label and platform.
pub fn in_order(graph: &Graph) -> Vec<(NodeId, &Node, &Label)> {
    let labelled = graph.nodes.iter().filter_map(|(id, node)| Some((id, node, node.label()?)));
    let mut nodes: Vec<(NodeId, &Node, &Label)> = labelled.collect();
    nodes.sort_by(|(_, a, a_label), (_, b, b_label)| (a_label, &a.platform).cmp(&(b_label, &b.platform)));
    nodes
}

/// The labels of the targets that `node` needs, sorted, each once.
pub fn dependency_labels(graph: &Graph, node: &Node) -> Vec<Label> {
    let labels = node.dependencies.iter().filter_map(|dependency| graph.nodes[dependency.node].label());
    let mut labels: Vec<Label> = labels.cloned().collect();
    labels.sort();
    labels.dedup();
    labels
}

/// A target of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanTarget {
    label: String,
    kind: String,
    platform: Platform,
    state: StateWord,
    source_key: SourceKey,
    reasons: Vec<ReasonDocument>,
    dependencies: Vec<String>,
    /// How long its last build took.
    seconds: Option<f64>,
}

/// A reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReasonDocument {
    fact: String,
    change: Change,
    old: Option<String>,
    new: Option<String>,
    /// `path:line` of the line through which the fact comes in.
    place: Option<String>,
}

impl From<&Explained> for ReasonDocument {
    fn from(explained: &Explained) -> Self {
        let reason = &explained.reason;
        Self {
            fact: reason.fact.clone(),
            change: reason.change,
            old: reason.old.clone(),
            new: reason.new.clone(),
            place: explained.place.as_ref().map(|place| place.path_line()),
        }
    }
}

/// What a plan says of a target in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateWord {
    /// Nothing is to be done.
    Cached,
    /// It runs.
    Dirty,
    /// It runs if the output of a dirty dependency changes.
    Waits,
}

impl StateWord {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cached, Self::Dirty, Self::Waits];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Dirty => "dirty",
            Self::Waits => "waits",
        }
    }
}

impl From<&State> for StateWord {
    fn from(state: &State) -> Self {
        match state {
            State::Cached { .. } => Self::Cached,
            State::Dirty => Self::Dirty,
            State::Waits => Self::Waits,
        }
    }
}

impl PlanTarget {
    /// The target `label`, planned as `planned`.
    pub fn new(
        graph: &Graph,
        node: &Node,
        label: &Label,
        source_key: SourceKey,
        planned: &Planned,
        explained: &[Explained],
    ) -> Self {
        Self {
            label: label.to_string(),
            kind: node.kind().as_str().to_owned(),
            platform: node.platform.clone(),
            state: StateWord::from(&planned.state),
            source_key,
            reasons: explained.iter().map(ReasonDocument::from).collect(),
            dependencies: dependency_labels(graph, node).iter().map(Label::to_string).collect(),
            seconds: planned.seconds,
        }
    }

    /// Whether it is known how long its build took.
    pub fn was_timed(&self) -> bool {
        self.seconds.is_some()
    }

    /// The target.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What it is built for.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// What a build would do with it.
    pub fn state(&self) -> StateWord {
        self.state
    }
}

/// A target of `inputs`.
#[derive(Debug, Serialize)]
pub struct InputsTarget {
    label: Label,
    kind: &'static str,
    platform: Platform,
    dockerfile: String,
    stage: Option<String>,
    contexts: Vec<ContextDocument>,
    arguments: SortedMap<String, Option<String>>,
    bases: Vec<String>,
    dependencies: Vec<Label>,
}

/// A folder that a target reads.
#[derive(Debug, Serialize)]
pub struct ContextDocument {
    name: String,
    dir: String,
    ignore_file: Option<String>,
    whole: bool,
    sources: Vec<SourceDocument>,
    files: Vec<FileDocument>,
}

/// What the Dockerfile asks for, and where.
#[derive(Debug, Serialize)]
pub struct SourceDocument {
    pattern: String,
    place: String,
}

/// An entry of a view.
#[derive(Debug, Serialize)]
pub struct FileDocument {
    path: String,
    kind: &'static str,
    mode: String,
    digest: Option<String>,
    target: Option<String>,
}

impl From<&FileEntry> for FileDocument {
    fn from(entry: &FileEntry) -> Self {
        let (kind, digest, target) = match &entry.kind {
            FileKind::Folder => ("dir", None, None),
            FileKind::File { content, .. } => ("file", Some(content.to_string()), None),
            FileKind::Link { target } => ("link", None, Some(String::from_utf8_lossy(target).into_owned())),
        };
        let mode = format!("{:04o}", entry.permissions);
        Self { path: entry.path.to_string(), kind, mode, digest, target }
    }
}

impl InputsTarget {
    /// What the build `id` reads.
    pub fn new(graph: &Graph, views: &NodeViews, id: NodeId, node: &Node, build: &Build) -> Self {
        let definition = build.definition();
        let context = |(name, context): (&str, &crate::graph::node::Context)| ContextDocument {
            name: name.to_owned(),
            dir: context.spec.context.to_string(),
            ignore_file: context.ignore_file.as_ref().map(ToString::to_string),
            whole: context.spec.sources == crate::graph::view::ReadSources::Whole,
            sources: context
                .sources
                .iter()
                .map(|source| SourceDocument {
                    pattern: String::from_utf8_lossy(&source.pattern).into_owned(),
                    place: build.location(source.span).path_line(),
                })
                .collect(),
            files: views.view(id, name).entries.iter().map(FileDocument::from).collect(),
        };
        let bases =
            node.dependencies.iter().filter_map(|dependency| match &graph.nodes[dependency.node].work {
                crate::graph::node::Work::External(external) => Some(external.reference.clone()),
                crate::graph::node::Work::Build(_) => None,
            });
        let mut bases: Vec<String> = bases.collect();
        bases.sort();
        bases.dedup();
        Self {
            label: build.target.label.clone(),
            kind: node.kind().as_str(),
            platform: node.platform.clone(),
            dockerfile: definition.dockerfile.value.to_string(),
            stage: definition.stage.as_ref().map(|stage| stage.value.clone()),
            contexts: build.contexts().map(context).collect(),
            arguments: build.arguments.clone(),
            bases,
            dependencies: dependency_labels(graph, node),
        }
    }

    /// Whether the Dockerfile reads nothing of the main context.
    pub fn reads_nothing(build: &Build) -> bool {
        build.slice.sources == Sources::Nothing
    }
}

/// A target of a build that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildTarget {
    /// The target.
    pub label: String,
    kind: String,
    /// What it was built for.
    pub platform: Platform,
    /// `built`, `cached`, `failed` or `skipped`.
    pub state: String,
    source_key: SourceKey,
    action_key: Option<ActionKey>,
    /// The output.
    pub digest: Option<OutputDigest>,
    /// The local names of the image.
    pub tags: Vec<String>,
    /// References that a deploy may be given. Nothing is pushed by a build, so there are none.
    refs: Vec<String>,
    seconds: f64,
    message: Option<String>,
    log: Option<String>,
}

/// The word for an ending.
pub fn ending_word(ending: &Ending) -> &'static str {
    match ending {
        Ending::Built => "built",
        Ending::Cached => "cached",
        Ending::Failed(_) => "failed",
        Ending::Skipped { .. } => "skipped",
    }
}

impl BuildTarget {
    fn new(node: &Node, label: &Label, source_key: SourceKey, ended: &Ended) -> Self {
        let message = match &ended.ending {
            Ending::Failed(failure) => Some(failure.message.clone()),
            Ending::Skipped { reason } => Some(reason.clone()),
            Ending::Built | Ending::Cached => None,
        };
        Self {
            label: label.to_string(),
            kind: node.kind().as_str().to_owned(),
            platform: node.platform.clone(),
            state: ending_word(&ended.ending).to_owned(),
            source_key,
            action_key: ended.action_key,
            digest: ended.digest.clone(),
            tags: ended.tags.clone(),
            refs: Vec::new(),
            seconds: (ended.seconds * 1000.0).round() / 1000.0,
            message,
            log: ended.log.as_ref().map(|log| log.display().to_string()),
        }
    }
}

impl BuildTarget {
    /// The event that says so, for one that was cached.
    pub fn done(&self) -> Option<Event> {
        let label = Label::parse(&self.label, &Arc::new(WorkspacePath::root())).ok()?;
        let subject = Subject { label, platform: self.platform.clone() };
        let outcome = Outcome::Cached { digest: self.digest.clone()? };
        Some(Event::TargetDone { subject, outcome, seconds: 0.0, log: None })
    }
}

/// How a build ended: all its targets, and which of them were asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BuildResult {
    /// In order of label and platform.
    pub targets: Vec<BuildTarget>,
    /// Whether each of them was asked for.
    pub is_root: Vec<bool>,
}

impl BuildResult {
    /// How a run of `graph` ended.
    pub fn new(graph: &Graph, keys: &DenseMap<NodeId, SourceKey>, report: &Report) -> Self {
        let roots: HashSet<NodeId> = graph.roots.iter().copied().collect();
        let target = |(id, node, label)| {
            (BuildTarget::new(node, label, keys[id], &report.nodes[id]), roots.contains(&id))
        };
        let (targets, is_root) = in_order(graph).into_iter().map(target).unzip();
        Self { targets, is_root }
    }

    /// Counts what was cached as not asked for.
    pub fn forget_cached_roots(&mut self) {
        for (is_root, target) in self.is_root.iter_mut().zip(&self.targets) {
            *is_root &= target.state != "cached";
        }
    }

    /// The same with what `anew` says of the targets that are in both.
    #[must_use]
    pub fn renewed(mut self, anew: Self) -> Self {
        let key = |target: &BuildTarget| (target.label.clone(), target.platform.clone());
        let mut anew: HashMap<(String, Platform), BuildTarget> =
            anew.targets.into_iter().map(|target| (key(&target), target)).collect();
        for target in &mut self.targets {
            if let Some(other) = anew.remove(&key(target)) {
                *target = other;
            }
        }
        self
    }

    /// The events that say of the targets which are not in `graph` that they were cached.
    pub fn done_beside(&self, graph: &Graph) -> Vec<Event> {
        let looked_at: HashSet<(String, &Platform)> =
            in_order(graph).into_iter().map(|(_, node, label)| (label.to_string(), &node.platform)).collect();
        let others = self
            .targets
            .iter()
            .filter(|target| !looked_at.contains(&(target.label.clone(), &target.platform)));
        others.filter_map(BuildTarget::done).collect()
    }

    /// What was asked for.
    pub fn roots(&self) -> impl Iterator<Item = &BuildTarget> {
        self.targets.iter().zip(&self.is_root).filter_map(|(target, is_root)| is_root.then_some(target))
    }

    /// The document.
    pub fn text(&self) -> String {
        Document::new(self.targets.iter().collect()).text()
    }
}
