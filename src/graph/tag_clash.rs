//! Two outputs under one name: whichever is named last would be taken for the other.

use std::collections::HashMap;

use super::lint;
use super::node::{Build, Graph, Node};
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::SourceKey;
use crate::types::ids::{DenseMap, NodeId};

/// Two nodes that are to have one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Clash {
    /// The nodes; of one target for two platforms, or of two targets.
    pub nodes: [NodeId; 2],
    /// What is to be said of it.
    pub diagnostic: Diagnostic,
}

/// A diagnostic for each name that two nodes of `graph` are to have.
pub fn check(graph: &Graph, source_keys: &DenseMap<NodeId, SourceKey>) -> Vec<Diagnostic> {
    clashes(graph, source_keys).into_iter().map(|clash| clash.diagnostic).collect()
}

/// All clashes of `graph`.
pub fn clashes(graph: &Graph, source_keys: &DenseMap<NodeId, SourceKey>) -> Vec<Clash> {
    let mut first: HashMap<String, NodeId> = HashMap::new();
    let mut clashes = Vec::new();
    for (id, node) in graph.nodes.iter() {
        let Some(build) = node.build() else { continue };
        for tag in build.tags(&source_keys[id]) {
            match first.get(&tag) {
                None => {
                    first.insert(tag, id);
                }
                Some(other) => {
                    let diagnostic = clash(&tag, &graph.nodes[*other], node, build);
                    clashes.push(Clash { nodes: [*other, id], diagnostic });
                }
            }
        }
    }
    clashes
}

fn clash(tag: &str, one: &Node, other: &Node, build: &Build) -> Diagnostic {
    let place = build.definition().tags.first().map_or(&build.target.location, |tag| &tag.location);
    if one.label() == other.label() {
        let message = format!(
            "{} is built for {} and for {}, and both are to be called `{tag}`",
            one.name(),
            one.platform,
            other.platform
        );
        let problem = lint::TAG_CLASH.says(message).at_location(place, "");
        return problem.help("build for one platform with --platform, or leave the tags out");
    }
    let message = format!("{} and {} are both to be called `{tag}`", one.name(), other.name());
    let problem = lint::TAG_CLASH.says(message).at_location(place, format!("for {}", other.name()));
    let problem = match one.build().and_then(|build| build.definition().tags.first()) {
        Some(tag) => problem.see_location(&tag.location, format!("for {}", one.name())),
        None => problem,
    };
    problem.help("put ${name} or ${source-key} into the tag")
}
