//! Two outputs under one name: whichever is named last would be taken for the other.

use std::collections::HashMap;

use super::lookup::tags;
use crate::graph::node::{Build, Graph, Node};
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::SourceKey;
use crate::types::ids::{DenseMap, NodeId};

/// A diagnostic for each name that two nodes of `graph` are to have.
pub fn check(graph: &Graph, source_keys: &DenseMap<NodeId, SourceKey>) -> Vec<Diagnostic> {
    let mut first: HashMap<String, NodeId> = HashMap::new();
    let mut problems = Vec::new();
    for (id, node) in graph.nodes.iter() {
        let Some(build) = node.build() else { continue };
        for tag in tags(build, &source_keys[id]) {
            match first.get(&tag) {
                None => {
                    first.insert(tag, id);
                }
                Some(other) => problems.push(clash(&tag, &graph.nodes[*other], node, build)),
            }
        }
    }
    problems
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
        let problem = Diagnostic::error(message).at_location(place, "");
        return problem.help("build for one platform with --platform, or leave the tags out");
    }
    let message = format!("{} and {} are both to be called `{tag}`", one.name(), other.name());
    let problem = Diagnostic::error(message).at_location(place, format!("for {}", other.name()));
    let problem = match one.build().and_then(|build| build.definition().tags.first()) {
        Some(tag) => problem.see_location(&tag.location, format!("for {}", one.name())),
        None => problem,
    };
    problem.help("put ${name} or ${source-key} into the tag")
}
