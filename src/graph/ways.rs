//! Ways through a graph: how one node comes to need another.
//!
//! There may be very many, so they are counted by their lengths first, from the end backwards; then only
//! those are walked that are wanted, the shortest first, and no step is taken that does not lead on.
//!
//! **Invariant:** each way is found once, in the same order each time.

use std::collections::HashMap;

use super::node::{Dependency, Graph};
use crate::types::ids::{DenseMap, NodeId};

/// How many ways lead on from each node of which any does.
type Counts = HashMap<NodeId, u64>;

/// The ways from some nodes to others.
#[derive(Debug)]
pub struct Ways<'g> {
    graph: &'g Graph,
    from: Vec<NodeId>,
    /// By how many steps there are still to go.
    by_length: Vec<Counts>,
}

impl<'g> Ways<'g> {
    /// The ways of `graph` from one of `from` to one of `to`, of one step or more. No node is in both.
    pub fn new(graph: &'g Graph, from: &[NodeId], to: &[NodeId]) -> Self {
        let mut users: DenseMap<NodeId, Vec<NodeId>> = DenseMap::filled(graph.nodes.len(), Vec::new());
        for id in graph.nodes.ids() {
            needed(graph, id).into_iter().for_each(|needed| users[needed].push(id));
        }
        let mut by_length: Vec<Counts> = vec![to.iter().map(|id| (*id, 1)).collect()];
        // A graph has no cycle: no way is longer than there are nodes.
        while let Some(last) = by_length.last().filter(|last| !last.is_empty()) {
            let mut counts = Counts::new();
            for (id, ways) in last {
                for user in &users[*id] {
                    let count = counts.entry(*user).or_default();
                    *count = count.saturating_add(*ways);
                }
            }
            by_length.push(counts);
        }
        Self { graph, from: from.to_vec(), by_length }
    }

    /// How many ways there are; at most as many as the type can say.
    pub fn count(&self) -> u64 {
        let counts =
            self.by_length.iter().skip(1).flat_map(|counts| self.from.iter().map(|id| counts.get(id)));
        counts.flatten().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The first `most` ways as their nodes from one end to the other, the shortest first.
    pub fn first(&self, most: usize) -> Vec<Vec<NodeId>> {
        let mut found = Vec::new();
        for length in 1..self.by_length.len() {
            let starts = self.from.iter().rev().filter(|id| self.by_length[length].contains_key(id));
            let mut open: Vec<Vec<NodeId>> = starts.map(|id| vec![*id]).collect();
            while let Some(way) = open.pop() {
                let (Some(last), left) = (way.last(), length + 1 - way.len()) else { continue };
                if left == 0 {
                    found.push(way);
                    if found.len() == most {
                        return found;
                    }
                    continue;
                }
                let next = needed(self.graph, *last).into_iter().rev();
                let next = next.filter(|id| self.by_length[left - 1].contains_key(id));
                open.extend(next.map(|id| [way.as_slice(), &[id]].concat()));
            }
        }
        found
    }

    /// How `user` uses `needed`, in the order of the Dockerfile.
    pub fn uses(&self, user: NodeId, needed: NodeId) -> impl Iterator<Item = &'g Dependency> {
        self.graph.nodes[user].dependencies.iter().filter(move |dependency| dependency.node == needed)
    }
}

/// What `id` needs, each once, in the order of its uses.
fn needed(graph: &Graph, id: NodeId) -> Vec<NodeId> {
    let mut needed: Vec<NodeId> = Vec::new();
    for dependency in &graph.nodes[id].dependencies {
        if !needed.contains(&dependency.node) {
            needed.push(dependency.node);
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::node::{External, Node, Role, Work};
    use crate::types::span::{Location, SourceText, Span};
    use crate::types::workspace_path::WorkspacePath;
    use std::sync::Arc;

    /// A graph of the nodes `0..`, each with what it needs.
    fn graph(needs: &[&[u32]]) -> Graph {
        let source = Arc::new(SourceText { path: WorkspacePath::root(), text: String::new() });
        let ids: Vec<NodeId> = DenseMap::<NodeId, ()>::filled(needs.len(), ()).ids().collect();
        let dependency = |needed: &u32| Dependency {
            node: ids[*needed as usize],
            role: Role::Argument { name: String::new() },
            location: Location { source: Arc::clone(&source), span: Span::default() },
        };
        let node = |needs: &&[u32]| Node {
            platform: "linux/amd64".parse().unwrap(),
            work: Work::External(External { reference: String::new(), target: None, label: None }),
            dependencies: needs.iter().map(dependency).collect(),
        };
        Graph { nodes: needs.iter().map(node).collect(), roots: Vec::new(), order: Vec::new() }
    }

    fn check(needs: &[&[u32]], most: usize, count: u64, expected: &[&[usize]]) {
        let graph = graph(needs);
        let ids: Vec<NodeId> = graph.nodes.ids().collect();
        let ways = Ways::new(&graph, &[ids[0]], &ids[ids.len() - 1..]);
        let position = |id: &NodeId| ids.iter().position(|other| other == id).unwrap();
        let found: Vec<Vec<usize>> =
            ways.first(most).iter().map(|way| way.iter().map(position).collect()).collect();
        assert_eq!((ways.count(), found), (count, expected.iter().map(|way| way.to_vec()).collect()));
    }

    #[test]
    fn ways_come_the_shortest_first_and_each_once() {
        check(&[&[1], &[]], 9, 1, &[&[0, 1]]);
        check(&[&[], &[]], 9, 0, &[]);
        check(&[&[1, 1], &[]], 9, 1, &[&[0, 1]]);
        let needs: &[&[u32]] = &[&[1, 2, 3], &[2], &[3], &[]];
        check(needs, 9, 3, &[&[0, 3], &[0, 2, 3], &[0, 1, 2, 3]]);
        check(needs, 1, 3, &[&[0, 3]]);
        check(&[&[2, 1], &[3], &[3], &[]], 9, 2, &[&[0, 2, 3], &[0, 1, 3]]);
        // What leads nowhere is not walked.
        check(&[&[1, 2], &[], &[3], &[]], 9, 1, &[&[0, 2, 3]]);
    }

    #[test]
    fn very_many_ways_are_counted_and_a_few_are_walked() {
        // Eighty diamonds in a row: two to the power of eighty ways, of one length.
        let mut needs: Vec<Vec<u32>> = Vec::new();
        for diamond in 0..80 {
            let at = diamond * 3;
            needs.extend([vec![at + 1, at + 2], vec![at + 3], vec![at + 3]]);
        }
        needs.push(Vec::new());
        let needs: Vec<&[u32]> = needs.iter().map(Vec::as_slice).collect();
        let graph = graph(&needs);
        let ids: Vec<NodeId> = graph.nodes.ids().collect();
        let ways = Ways::new(&graph, &ids[..1], &ids[ids.len() - 1..]);
        assert_eq!(ways.count(), u64::MAX);
        let first = ways.first(3);
        assert!(first.len() == 3 && first.iter().all(|way| way.len() == 161));
    }
}
