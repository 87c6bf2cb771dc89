//! What decides an output: the one writer of manifests.
//!
//! | enters | as the fact | why |
//! |---|---|---|
//! | version of this table | `format` | a new rule must not meet an old key |
//! | kind of the target | `kind` | a stage and an image of equal facts are told apart in reports |
//! | platform | `platform` | decides `TARGETARCH`, bases, what runs |
//! | builder's own platform, when a reached line can see it | `build platform` | `BUILDPLATFORM` |
//! | builder's family (action key only) | `builder` | families do not give the same bytes |
//! | foreign frontend | `frontend` | it may read the file in its own way |
//! | reached instructions, normalised | `instruction N` | they are the recipe |
//! | bytes of the Dockerfile, when they are not UTF-8 or the frontend is foreign | `dockerfile bytes` | the parsed text does not say all |
//! | arguments that reached stages can see, with values | `argument NAME` | a `RUN` can read them |
//! | names of stamps that reached stages can see | `stamp NAME` | with or without it, the output differs |
//! | digest of the view, per context | `files`, `files NAME` | what is copied |
//! | each dependency's key or output digest | `image NAME`, `image argument NAME` | what it is based on |
//! | labels, network, `no-cache` | `label NAME`, `network`, `no-cache` | the output shows them |
//!
//! | never enters | why |
//! |---|---|
//! | tags, cache locations | they say where an output goes, not what it is |
//! | values of stamps | that is their purpose |
//! | values of secrets | a key is public |
//! | arguments and contexts that no reached stage sees | the output cannot show them |
//! | comments, unreached stages, spacing | the builder does not see them |
//! | times, owners, host paths, order of a directory | two checkouts of one commit are the same |
//!
//! **Invariant:** a source key is a function of the workspace's files, its pinned bases and its
//! variables. **Invariant:** an action key exists only when every dependency's output is known.

use super::manifest::{Fact, FactSink, HashSink, INSTRUCTION, ListSink};
use super::node::{Build, Context, Dependency, External, Graph, Node, Role, Work};
use crate::types::digest::{ActionKey, OutputDigest, SourceKey, TreeDigest};
use crate::types::ids::{DenseMap, NodeId};

/// The version of the table above.
const FORMAT: &str = "1";

/// The digests of a build's views: of the main context, whose name is empty, and of named folders.
pub type ViewDigests<'v> = &'v dyn Fn(&str, &Context) -> TreeDigest;

/// The source key of an image from elsewhere: its reference and platform, which a pin makes exact.
fn external_source_key(node: &Node, external: &External) -> SourceKey {
    let mut sink = HashSink::new("imgraph 2026-11 external source key");
    sink.fact("format", FORMAT);
    sink.fact("reference", &external.reference);
    sink.fact("platform", &node.platform.to_string());
    SourceKey::from_bytes(sink.finish())
}

/// The source keys of all nodes.
pub fn source_keys(
    graph: &Graph,
    views: &(dyn Fn(&Build, &str, &Context) -> TreeDigest + Sync),
) -> DenseMap<NodeId, SourceKey> {
    let mut keys: DenseMap<NodeId, Option<SourceKey>> = DenseMap::filled(graph.nodes.len(), None);
    for id in &graph.order {
        let node = &graph.nodes[*id];
        keys[*id] = Some(match &node.work {
            Work::External(external) => external_source_key(node, external),
            Work::Build(build) => {
                let mut sink = HashSink::new("imgraph 2026-11 source key");
                own_facts(node, build, &|name, context| views(build, name, context), &mut sink);
                dependency_facts(node, &mut sink, |dependency| {
                    keys[dependency.node].map(|key| key.to_string()).unwrap_or_default()
                });
                SourceKey::from_bytes(sink.finish())
            }
        });
    }
    keys.values().iter().map(|key| key.expect("the order holds every node after its dependencies")).collect()
}

/// The action key of a build whose dependencies have the outputs that `output` gives.
pub fn action_key(
    node: &Node,
    build: &Build,
    family: &str,
    views: ViewDigests<'_>,
    output: &dyn Fn(NodeId) -> OutputDigest,
) -> ActionKey {
    let mut sink = HashSink::new("imgraph 2026-11 action key");
    write_action(node, build, family, views, output, &mut sink);
    ActionKey::from_bytes(sink.finish())
}

/// The facts behind [`action_key`].
pub fn action_facts(
    node: &Node,
    build: &Build,
    family: &str,
    views: ViewDigests<'_>,
    output: &dyn Fn(NodeId) -> OutputDigest,
) -> Vec<Fact> {
    let mut sink = ListSink::default();
    write_action(node, build, family, views, output, &mut sink);
    sink.0
}

/// The facts of a build that do not depend on other outputs: all of [`action_facts`] but the images.
pub fn static_facts(node: &Node, build: &Build, family: &str, views: ViewDigests<'_>) -> Vec<Fact> {
    let mut sink = ListSink::default();
    sink.fact("builder", family);
    own_facts(node, build, views, &mut sink);
    sink.0
}

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

fn write_action(
    node: &Node,
    build: &Build,
    family: &str,
    views: ViewDigests<'_>,
    output: &dyn Fn(NodeId) -> OutputDigest,
    sink: &mut impl FactSink,
) {
    sink.fact("builder", family);
    own_facts(node, build, views, sink);
    dependency_facts(node, sink, |dependency| output(dependency.node).to_string());
}

fn dependency_facts(node: &Node, sink: &mut impl FactSink, value: impl Fn(&Dependency) -> String) {
    let mut dependencies: Vec<&Dependency> = node.dependencies.iter().collect();
    dependencies.sort_by(|a, b| a.role.cmp(&b.role));
    for dependency in dependencies {
        sink.fact(&image_fact_name(&dependency.role), &value(dependency));
    }
}

fn own_facts(node: &Node, build: &Build, views: ViewDigests<'_>, sink: &mut impl FactSink) {
    let definition = build.definition();
    sink.fact("format", FORMAT);
    sink.fact("kind", build.target.kind.as_str());
    sink.fact("platform", &node.platform.to_string());
    if let Some(frontend) = &build.slice.frontend {
        sink.fact("frontend", frontend);
    }
    if let Some(bytes) = build.dockerfile_bytes {
        sink.fact("dockerfile bytes", &bytes.to_string());
    }
    if let Some(network) = &definition.network {
        sink.fact("network", network.value.as_str());
    }
    if build.no_cache() {
        sink.fact("no-cache", "true");
    }
    for (number, instruction) in build.slice.instructions.iter().enumerate() {
        sink.fact(&format!("{INSTRUCTION} {number}"), &format!("{} {}", instruction.stage, instruction.text));
    }
    for (name, value) in &build.arguments {
        match value {
            Some(value) => sink.fact(&format!("argument {name}"), value),
            None => sink.fact(&format!("argument {name} without a value"), ""),
        }
    }
    for name in definition.stamp.keys().filter(|name| build.slice.arguments.contains_key(*name)) {
        sink.fact(&format!("stamp {name}"), "");
    }
    for (name, label) in &definition.labels {
        sink.fact(&format!("label {name}"), &label.value);
    }
    for (name, context) in build.contexts() {
        let fact = if name.is_empty() { "files".to_owned() } else { format!("files {name}") };
        sink.fact(&fact, &views(name, context).to_string());
    }
}
