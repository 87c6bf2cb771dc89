//! What decides an output: the one writer of manifests.
//!
//! | enters | as the fact | why |
//! |---|---|---|
//! | version of this table | `format` | a new rule must not meet an old key |
//! | kind of the target | `kind` | a stage and an image of equal facts are told apart in reports |
//! | platform | `platform` | decides `TARGETARCH`, bases, what runs |
//! | builder's family (action key only) | `builder` | families do not give the same bytes |
//! | frontend of `# syntax=` | `frontend` | it may read the file in its own way |
//! | escape character, when it is not `\` | `escape` | it decides what the values are |
//! | reached instructions, normalised | `instruction N` | they are the recipe |
//! | bytes of the Dockerfile, when they are not UTF-8 or the frontend is foreign | `dockerfile bytes` | the parsed text does not say all |
//! | arguments that reached stages, or triggers of a base, can see, with values | `argument NAME` | a `RUN` can read them |
//! | names of stamps that reached stages, or triggers of a base, can see, and the target | `stamp NAME` | with or without it, the output differs; two targets have each their own |
//! | where mounted secrets come from | `secret ID` | two sources are two values |
//! | that an optional one is not there (action key only) | `secret ID` | a `RUN` can see it; it is no fact of the workspace |
//! | mounted SSH agents that are given, and that an optional one is not there (action key only) | `agent ID` | as secrets |
//! | reference of an external base that an argument carries | `reference NAME` | a `RUN` can read it |
//! | digest of the view, per context | `files`, `files NAME` | what is copied |
//! | each dependency's key or output digest | `image NAME`, `image argument NAME` | what it is based on |
//! | labels, network, `no-cache` | `label NAME`, `network`, `no-cache` | the output shows them |
//!
//! | never enters | why |
//! |---|---|
//! | tags, export names, cache locations | they say where an output goes, not what it is |
//! | `allow` | it is about what is told |
//! | values of stamps | that is their purpose |
//! | values of secrets, paths of agents' sockets | a key is public |
//! | arguments and contexts that no reached stage sees | the output cannot show them |
//! | comments, unreached stages, spacing | the builder does not see them |
//! | times, owners, host paths, order of a directory | two checkouts of one commit are the same |
//!
//! **Invariant:** a source key is a function of the workspace's files, its pinned bases and its
//! variables. **Invariant:** an action key exists only when every dependency's output is known.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write;

use rayon::prelude::*;

use super::manifest::{Fact, FactSink, HashSink, INSTRUCTION, ListSink};
use super::node::{Build, Dependency, External, Graph, Node, Role, Work};
use super::node_views::NodeViews;
use super::slice::{Demand, Mounted};
use super::target::{Agent, AgentSource, Secret, SecretSource};
use crate::source::parallel::AT_ONCE;
use crate::types::digest::{ActionKey, OutputDigest, SourceKey};
use crate::types::ids::{DenseMap, NodeId};
use crate::types::sorted_map::SortedMap;

/// The version of the table above.
const FORMAT: &str = "1";

/// What decides an output beside the workspace and the dependencies.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'s> {
    /// The family of the builder.
    pub family: &'s str,
    /// What is optional and not there. A `RUN` can see whether a secret or an agent is mounted, and often does something
    /// else without it: an output that was made without one is not the one with it. What a secret holds stays out.
    pub absent: &'s Absent,
}

/// What is optional and not there.
#[derive(Clone, Debug, Default)]
pub struct Absent {
    /// Secrets.
    pub secrets: HashSet<SecretSource>,
    /// SSH agents.
    pub agents: HashSet<AgentSource>,
}

/// The outputs of the nodes that a node depends on.
pub type Outputs<'o> = &'o dyn Fn(NodeId) -> OutputDigest;

/// What a manifest is written from.
#[derive(Clone, Copy, Debug)]
pub struct Keyed<'k> {
    /// The nodes.
    pub graph: &'k Graph,
    /// What they read.
    pub views: &'k NodeViews,
}

impl Keyed<'_> {
    /// The source keys of all nodes.
    pub fn source_keys(&self) -> DenseMap<NodeId, SourceKey> {
        let mut keys: DenseMap<NodeId, Option<SourceKey>> = DenseMap::filled(self.graph.nodes.len(), None);
        for level in self.graph.levels() {
            let key = |dependency: NodeId| keys[dependency].expect("levels have dependencies first");
            let ids = level.par_iter().with_max_len(AT_ONCE);
            let found: Vec<SourceKey> = ids.map(|id| self.source_key(*id, key)).collect();
            for (id, key) in level.into_iter().zip(found) {
                keys[id] = Some(key);
            }
        }
        keys.values().iter().map(|key| key.expect("the order of a graph holds all its nodes")).collect()
    }

    /// The source key of the node `id`, whose dependencies have the keys that `key` gives.
    pub(super) fn source_key(&self, id: NodeId, key: impl Fn(NodeId) -> SourceKey) -> SourceKey {
        let mut sink = HashSink::new("imgraph 2026-11 source key");
        self.write_source(id, key, &mut sink);
        SourceKey::from_bytes(sink.finish())
    }

    fn write_source(&self, id: NodeId, key: impl Fn(NodeId) -> SourceKey, sink: &mut impl FactSink) {
        let node = &self.graph.nodes[id];
        match &node.work {
            Work::External(external) => external_facts(node, external, sink),
            Work::Build(build) => {
                self.own_facts(id, build, None, sink);
                dependency_facts(node, sink, |dependency| key(dependency.node).to_string());
            }
        }
    }

    /// The facts behind the source key of the node `id`, whose dependencies have the keys in `keys`.
    pub fn source_facts(&self, id: NodeId, keys: &DenseMap<NodeId, SourceKey>) -> Vec<Fact> {
        let mut sink = ListSink::default();
        self.write_source(id, |dependency| keys[dependency], &mut sink);
        sink.0
    }

    /// The action key of the build `id`, whose dependencies have the outputs that `outputs` gives.
    pub fn action_key(
        &self,
        id: NodeId,
        build: &Build,
        around: Surroundings<'_>,
        outputs: Outputs<'_>,
    ) -> ActionKey {
        let mut sink = HashSink::new("imgraph 2026-11 action key");
        self.write_action(id, build, around, outputs, &mut sink);
        ActionKey::from_bytes(sink.finish())
    }

    /// The facts behind [`Keyed::action_key`].
    pub fn action_facts(
        &self,
        id: NodeId,
        build: &Build,
        around: Surroundings<'_>,
        outputs: Outputs<'_>,
    ) -> Vec<Fact> {
        let mut sink = ListSink::default();
        self.write_action(id, build, around, outputs, &mut sink);
        sink.0
    }

    /// The facts of a build that no other output decides: all of [`Keyed::action_facts`] but the images.
    pub fn static_facts(&self, id: NodeId, build: &Build, around: Surroundings<'_>) -> Vec<Fact> {
        let mut sink = ListSink::default();
        sink.fact("builder", around.family);
        self.own_facts(id, build, Some(around), &mut sink);
        sink.0
    }

    fn write_action(
        &self,
        id: NodeId,
        build: &Build,
        around: Surroundings<'_>,
        outputs: Outputs<'_>,
        sink: &mut impl FactSink,
    ) {
        sink.fact("builder", around.family);
        self.own_facts(id, build, Some(around), sink);
        let node = &self.graph.nodes[id];
        dependency_facts(node, sink, |dependency| outputs(dependency.node).to_string());
    }

    /// An argument carries the reference of an external base as it is written, so that a `RUN` sees it.
    fn reference_facts(&self, id: NodeId, sink: &mut impl FactSink) {
        for dependency in &self.graph.nodes[id].dependencies {
            if let (Role::Argument { name }, Work::External(external)) =
                (&dependency.role, &self.graph.nodes[dependency.node].work)
            {
                sink.fact(&format!("reference {name}"), &external.reference);
            }
        }
    }

    fn own_facts(
        &self,
        id: NodeId,
        build: &Build,
        around: Option<Surroundings<'_>>,
        sink: &mut impl FactSink,
    ) {
        recipe_facts(&self.graph.nodes[id], build, sink);
        argument_facts(build, sink);
        secret_facts(build, around, sink);
        agent_facts(build, around, sink);
        self.reference_facts(id, sink);
        for (name, label) in &build.definition().labels {
            sink.fact(&format!("label {name}"), &label.value);
        }
        for (name, _) in build.contexts() {
            let fact = if name.is_empty() { FILES.to_owned() } else { format!("{FILES} {name}") };
            sink.fact(&fact, &self.views.view(id, name).digest.to_string());
        }
    }
}

/// The name of the fact about the view of the main context; a named one's name follows it.
pub const FILES: &str = "files";

/// Whether `fact` speaks of the output of a dependency.
pub fn is_image_fact(fact: &str) -> bool {
    fact.starts_with("image ")
}

/// The name of the fact about a dependency.
pub fn image_fact_name(role: &Role) -> String {
    match role {
        Role::Argument { name } => format!("image argument {name}"),
        Role::Reference { name, platform: None } => format!("image {name}"),
        Role::Reference { name, platform: Some(platform) } => format!("image {name} {platform}"),
    }
}

fn dependency_facts(node: &Node, sink: &mut impl FactSink, value: impl Fn(&Dependency) -> String) {
    let mut dependencies: Vec<&Dependency> = node.dependencies.iter().collect();
    dependencies.sort_by(|a, b| a.role.cmp(&b.role));
    for dependency in dependencies {
        sink.fact(&image_fact_name(&dependency.role), &value(dependency));
    }
}

/// An image from elsewhere is its reference, which a pin makes exact.
fn external_facts(node: &Node, external: &External, sink: &mut impl FactSink) {
    sink.fact("format", FORMAT);
    sink.fact("external", &external.reference);
    sink.fact("platform", &node.platform.to_string());
}

fn recipe_facts(node: &Node, build: &Build, sink: &mut impl FactSink) {
    sink.fact("format", FORMAT);
    sink.fact("kind", build.target.kind.as_str());
    sink.fact("platform", &node.platform.to_string());
    if let Some(frontend) = &build.slice.frontend {
        sink.fact("frontend", frontend);
    }
    if build.dockerfile.escape != '\\' {
        sink.fact("escape", &build.dockerfile.escape.to_string());
    }
    if let Some(bytes) = build.dockerfile_bytes {
        sink.fact("dockerfile bytes", &bytes.to_string());
    }
    if let Some(network) = &build.definition().network {
        sink.fact("network", network.value.as_str());
    }
    if build.no_cache() {
        sink.fact("no-cache", "true");
    }
    let (mut name, mut value) = (String::new(), String::new());
    for (number, instruction) in build.slice.instructions.iter().enumerate() {
        name.clear();
        value.clear();
        // Writing to a String cannot fail.
        let _ = write!(name, "{INSTRUCTION} {number}");
        let _ = write!(value, "{} {}", instruction.stage, instruction.text);
        sink.fact(&name, &value);
    }
}

fn argument_facts(build: &Build, sink: &mut impl FactSink) {
    for (name, value) in &build.arguments {
        match value {
            Some(value) => sink.fact(&format!("argument {name}"), value),
            None => sink.fact(&format!("argument {name} without a value"), ""),
        }
    }
    let definition = build.definition();
    let is_seen = |name: &&String| build.is_triggered || build.slice.arguments.contains_key(*name);
    for name in definition.stamp.keys().filter(is_seen) {
        // Two targets that differ in their stamps alone do not share an output.
        sink.fact(&format!("stamp {name}"), &format!("of {}", build.target.label));
    }
}

/// Where a secret's value comes from, and whether an optional one is there; never the value.
fn secret_facts(build: &Build, around: Option<Surroundings<'_>>, sink: &mut impl FactSink) {
    let declared = build.definition().secrets.keys().filter(|_| may_mount_any(build, &build.slice.secrets));
    let ids: BTreeSet<&String> = build.slice.secrets.keys().chain(declared).collect();
    for id in ids {
        let secret = build.definition().secrets.get(id).map(|secret| &secret.value);
        let mut source = match secret.map(|secret| &secret.source) {
            None => "none".to_owned(),
            Some(SecretSource::Environment(name)) => format!("environment {name}"),
            Some(SecretSource::WorkspaceFile(path)) => format!("file {path}"),
            Some(SecretSource::HostFile(_)) => "file of the host".to_owned(),
        };
        let is_absent = |secret: &Secret| {
            secret.optional && around.is_some_and(|around| around.absent.secrets.contains(&secret.source))
        };
        if secret.is_some_and(is_absent) {
            source.push_str(", not there");
        }
        sink.fact(&format!("secret {id}"), &source);
    }
}

/// Where an agent that is given is looked for, and whether an optional one is there; never the path of its socket. One
/// that nobody declares is no fact.
fn agent_facts(build: &Build, around: Option<Surroundings<'_>>, sink: &mut impl FactSink) {
    let mounted = &build.slice.ssh;
    let may_be_any = may_mount_any(build, mounted);
    let agents = build.definition().agents.iter();
    for (id, agent) in agents.filter(|(id, _)| may_be_any || mounted.contains_key(*id)) {
        let Agent { source, optional } = &agent.value;
        let mut fact = match source {
            AgentSource::Environment(name) => format!("environment {name}"),
            AgentSource::Socket(_) => "socket of the host".to_owned(),
        };
        if *optional && around.is_some_and(|around| around.absent.agents.contains(source)) {
            fact.push_str(", not there");
        }
        sink.fact(&format!("agent {id}"), &fact);
    }
}

/// Whether the build may mount what is not among `mounted`: the Dockerfile does not say all.
fn may_mount_any(build: &Build, mounted: &SortedMap<String, Mounted>) -> bool {
    let is_unknown = |mounted: &Mounted| mounted.demand == Demand::Unknown;
    build.slice.is_foreign || build.is_triggered || mounted.values().any(is_unknown)
}
