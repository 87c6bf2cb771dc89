//! An order in which every node stands after what it needs, or the cycles that forbid one.
//!
//! petgraph finds the strongly connected components; one cycle of each is told, with every label on
//! it and the line through which each needs the next.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::node::{Dependency, Node, Role};
use super::published::claimed_at;
use crate::types::diagnostic::{CircleStep, Diagnostic};
use crate::types::ids::{DenseId, DenseMap, NodeId};

/// All nodes, dependencies first.
///
/// # Errors
/// A diagnostic for each group of nodes that need each other.
pub(super) fn order(nodes: &DenseMap<NodeId, Node>) -> Result<Vec<NodeId>, Vec<Diagnostic>> {
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(nodes.len(), nodes.len());
    for _ in nodes.ids() {
        graph.add_node(());
    }
    for (id, node) in nodes.iter() {
        for dependency in &node.dependencies {
            graph.update_edge(NodeIndex::new(dependency.node.index()), NodeIndex::new(id.index()), ());
        }
    }
    match toposort(&graph, None) {
        Ok(order) => Ok(order.into_iter().map(|index| NodeId::from_index(index.index())).collect()),
        Err(_one_of_them) => Err(tell(nodes, &graph)),
    }
}

fn tell(nodes: &DenseMap<NodeId, Node>, graph: &DiGraph<(), ()>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for component in tarjan_scc(graph) {
        let mut members: Vec<NodeId> =
            component.iter().map(|index| NodeId::from_index(index.index())).collect();
        members.sort_unstable();
        if let Some(cycle) = cycle_in(nodes, &members) {
            problems.push(diagnostic(nodes, &cycle));
        }
    }
    problems
}

/// The dependencies along one shortest cycle through the first of `members`; `None` when a single
/// member does not need itself.
fn cycle_in<'n>(
    nodes: &'n DenseMap<NodeId, Node>,
    members: &[NodeId],
) -> Option<Vec<(NodeId, &'n Dependency)>> {
    let start = *members.first()?;
    let mut reached_by: HashMap<NodeId, (NodeId, &Dependency)> = HashMap::new();
    let mut frontier = vec![start];
    while !frontier.is_empty() && !reached_by.contains_key(&start) {
        let mut next = Vec::new();
        for id in frontier {
            for dependency in nodes[id].dependencies.iter().filter(|d| members.binary_search(&d.node).is_ok())
            {
                if let Entry::Vacant(vacant) = reached_by.entry(dependency.node) {
                    vacant.insert((id, dependency));
                    next.push(dependency.node);
                }
            }
        }
        frontier = next;
    }
    let mut cycle = vec![*reached_by.get(&start)?];
    while cycle[cycle.len() - 1].0 != start {
        cycle.push(reached_by[&cycle[cycle.len() - 1].0]);
    }
    cycle.reverse();
    Some(cycle)
}

fn diagnostic(nodes: &DenseMap<NodeId, Node>, cycle: &[(NodeId, &Dependency)]) -> Diagnostic {
    let names: Vec<String> = cycle.iter().map(|(id, _)| nodes[*id].name()).collect();
    let mut problem = match names.as_slice() {
        [alone] => Diagnostic::error(format!("{alone} needs itself"))
            .help("name a stage of this file, another target, or an image from elsewhere"),
        [first, ..] => Diagnostic::error(format!("targets need each other: {} → {first}", names.join(" → ")))
            .help("break the circle: build what both need as a target of its own"),
        [] => Diagnostic::error("targets need each other"),
    };
    for (index, (id, dependency)) in cycle.iter().enumerate() {
        let message = format!("{} needs {} here", nodes[*id].name(), nodes[dependency.node].name());
        let place = &dependency.location;
        problem = if index == 0 {
            problem.at(&place.source, place.span, message)
        } else {
            problem.see(&place.source, place.span, message)
        };
    }
    let steps = names.into_iter().zip(cycle);
    let step = |(name, (_, dependency)): (String, &(NodeId, &Dependency))| CircleStep {
        name,
        location: dependency.location.clone(),
    };
    let problem = problem.circle(steps.map(step).collect());
    cycle.iter().fold(problem, |problem, (id, dependency)| {
        with_claim(problem, &nodes[*id], dependency, &nodes[dependency.node])
    })
}

/// Says why a reference means a target, where nothing but the target's own names tells it.
fn with_claim(problem: Diagnostic, user: &Node, dependency: &Dependency, needed: &Node) -> Diagnostic {
    let Role::Reference { name, .. } = &dependency.role else { return problem };
    let is_context = user.build().is_some_and(|build| build.definition().contexts.contains_key(name));
    let claim = needed.build().filter(|_| !is_context).and_then(|build| claimed_at(build.definition(), name));
    let Some(place) = claim else { return problem };
    let label = needed.name();
    problem
        .see_location(place, format!("`{name}` means {label} because of this name"))
        .help(format!("to build on an image from a registry, pin it: `{name}@sha256:…`"))
        .help(format!("or give {label} names in another repository only"))
}
