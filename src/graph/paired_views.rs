//! The views of the nodes of two graphs, of which most are the same: those that no difference can reach are
//! not made.
//!
//! A node of the one graph and a node of the other are a pair when they are of one target and one
//! platform. Where both read a context in the same way and nothing that differs can be in it, their views
//! are equal, and an empty one stands for both.
//!
//! **Invariant:** what stands for two equal views is compared with itself alone: where a node came to need
//! another target in the place of one, all views are made.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;

use super::node::{Context, Graph, Node, Role};
use super::node_views::NodeViews;
use super::reach::Reach;
use super::view::ViewSpec;
use crate::source::comparison::Differences;
use crate::source::snapshot::Snapshot;
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::{DenseMap, NodeId};
use crate::types::platform::Platform;

/// A graph and the files that it is of.
#[derive(Clone, Copy, Debug)]
pub struct Made<'m> {
    /// The nodes.
    pub graph: &'m Graph,
    /// The files.
    pub snapshot: &'m Snapshot,
}

/// Why there are no views of one of the two.
#[derive(Clone, Debug)]
pub enum Unviewable {
    /// What is wrong with the older one.
    Base(Vec<Diagnostic>),
    /// What is wrong with the newer one.
    Head(Vec<Diagnostic>),
}

/// The nodes of a graph by what they are.
pub type Names<'g> = HashMap<(String, &'g Platform), NodeId>;

/// The nodes of `graph` by name and platform.
pub fn names(graph: &Graph) -> Names<'_> {
    graph.nodes.iter().map(|(id, node)| ((node.name(), &node.platform), id)).collect()
}

/// For each node of `graph` the one of the other graph, whose nodes have these names.
pub fn partners(graph: &Graph, names: &Names<'_>) -> DenseMap<NodeId, Option<NodeId>> {
    let partner = |node: &Node| names.get(&(node.name(), &node.platform)).copied();
    graph.nodes.values().iter().map(partner).collect()
}

/// The views of both graphs.
///
/// # Errors
/// A diagnostic for each view that cannot be made, of the one or the other.
pub fn views(
    base: Made<'_>,
    head: Made<'_>,
    partners: &DenseMap<NodeId, Option<NodeId>>,
    differences: &Differences,
) -> Result<(NodeViews, NodeViews), Unviewable> {
    let same = same_views(base, head, partners, differences)?;
    let mut same_before: DenseMap<NodeId, Vec<&str>> = DenseMap::filled(base.graph.nodes.len(), Vec::new());
    for (id, names) in same.iter() {
        if let Some(partner) = partners[id] {
            same_before[partner].clone_from(names);
        }
    }
    let after = NodeViews::but(head.graph, head.snapshot, &same).map_err(Unviewable::Head)?;
    let before = NodeViews::but(base.graph, base.snapshot, &same_before).map_err(Unviewable::Base)?;
    Ok((before, after))
}

/// For each node of the newer graph the contexts whose views are as they were.
fn same_views<'g>(
    base: Made<'g>,
    head: Made<'g>,
    partners: &DenseMap<NodeId, Option<NodeId>>,
    differences: &Differences,
) -> Result<DenseMap<NodeId, Vec<&'g str>>, Unviewable> {
    let none = DenseMap::filled(head.graph.nodes.len(), Vec::new());
    if !differences.are_files || !needs_are_paired(base.graph, head.graph, partners) {
        return Ok(none);
    }
    let specs: HashSet<&ViewSpec> = contexts(head.graph).map(|context| &*context.spec).collect();
    let untouched = |spec: &'g ViewSpec| {
        let reach = Reach::of(spec, head.snapshot)
            .map_err(|error| Unviewable::Head(vec![Diagnostic::error(error.to_string())]))?;
        Ok((spec, !reach.may_hold_any(differences)))
    };
    let untouched: HashMap<&ViewSpec, bool> =
        specs.into_par_iter().map(untouched).collect::<Result<_, _>>()?;
    let mut same = none;
    for (id, node) in head.graph.nodes.iter() {
        let (Some(build), Some(partner)) = (node.build(), partners[id]) else { continue };
        let Some(before) = base.graph.nodes[partner].build() else { continue };
        let before: BTreeMap<&str, &Context> = before.contexts().collect();
        let is_same = |(name, context): &(&str, &Context)| {
            untouched[&*context.spec] && before.get(name).is_some_and(|before| before.spec == context.spec)
        };
        same[id] = build.contexts().filter(is_same).map(|(name, _)| name).collect();
    }
    Ok(same)
}

fn contexts(graph: &Graph) -> impl Iterator<Item = &Context> {
    let builds = graph.nodes.values().iter().filter_map(Node::build);
    builds.flat_map(|build| build.contexts().map(|(_, context)| context))
}

/// Whether each node that is in both graphs has, in each role that it has in both, the same target.
fn needs_are_paired(base: &Graph, head: &Graph, partners: &DenseMap<NodeId, Option<NodeId>>) -> bool {
    head.nodes.iter().all(|(id, node)| {
        let Some(partner) = partners[id] else { return true };
        let before: BTreeMap<&Role, NodeId> =
            base.nodes[partner].dependencies.iter().map(|needed| (&needed.role, needed.node)).collect();
        node.dependencies.iter().all(|needed| {
            before.get(&needed.role).is_none_or(|before| partners[needed.node] == Some(*before))
        })
    })
}
