//! What hangs on some nodes: all that needs them, and through whom.

use super::node::{Dependency, Graph};
use crate::types::ids::{DenseMap, NodeId};

/// A node that hangs on others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependent<'g> {
    /// The node.
    pub node: NodeId,
    /// The first of its uses that leads there; `None` for one of the nodes themselves.
    pub through: Option<&'g Dependency>,
}

/// `nodes` and everything in `graph` that needs one of them, each after what it needs.
pub fn dependents<'g>(graph: &'g Graph, nodes: &[NodeId]) -> Vec<Dependent<'g>> {
    let mut hangs: DenseMap<NodeId, bool> = DenseMap::filled(graph.nodes.len(), false);
    nodes.iter().for_each(|node| hangs[*node] = true);
    let mut found = Vec::new();
    for id in &graph.order {
        let through = if hangs[*id] {
            None
        } else {
            let Some(through) = graph.nodes[*id].dependencies.iter().find(|needed| hangs[needed.node]) else {
                continue;
            };
            Some(through)
        };
        hangs[*id] = true;
        found.push(Dependent { node: *id, through });
    }
    found
}
