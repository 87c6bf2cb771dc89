//! Ways through the graph of a query. Each looks at an edge once, however the graph is shaped.

use super::vertices::Edges;
use crate::types::ids::{DenseMap, VertexId};

/// A set of vertices: whether each is in it.
pub(super) type Mask = DenseMap<VertexId, bool>;

/// What can be reached from `start`, itself included, over no more than `depth` of the `edges`, and without
/// leaving `within`.
pub(super) fn reached(
    start: impl Iterator<Item = VertexId>,
    depth: Option<usize>,
    edges: &Edges,
    within: Option<&Mask>,
) -> Mask {
    let is_inside = |vertex: &VertexId| within.is_none_or(|within| within[*vertex]);
    let mut reached: Mask = DenseMap::filled(edges.len(), false);
    let mut level: Vec<VertexId> = start.filter(is_inside).collect();
    level.iter().for_each(|vertex| reached[*vertex] = true);
    let mut left = depth.unwrap_or(usize::MAX);
    while !level.is_empty() && left > 0 {
        left -= 1;
        let mut next = Vec::new();
        for vertex in level.iter().flat_map(|vertex| &edges[*vertex]).filter(|vertex| is_inside(vertex)) {
            if !std::mem::replace(&mut reached[*vertex], true) {
                next.push(*vertex);
            }
        }
        level = next;
    }
    reached
}

/// A shortest way from one of `from` to one of `to`, both ends included; empty when there is none.
pub(super) fn shortest(
    from: impl Iterator<Item = VertexId>,
    to: impl Iterator<Item = VertexId>,
    edges: &Edges,
) -> Vec<VertexId> {
    let mut is_goal: Mask = DenseMap::filled(edges.len(), false);
    to.for_each(|vertex| is_goal[vertex] = true);
    let mut before: DenseMap<VertexId, Option<VertexId>> = DenseMap::filled(edges.len(), None);
    let mut queue: Vec<VertexId> = from.collect();
    queue.iter().for_each(|vertex| before[*vertex] = Some(*vertex));
    let mut next = 0;
    while let Some(vertex) = queue.get(next).copied() {
        next += 1;
        if is_goal[vertex] {
            return way_to(vertex, &before);
        }
        for needed in &edges[vertex] {
            if before[*needed].is_none() {
                before[*needed] = Some(vertex);
                queue.push(*needed);
            }
        }
    }
    Vec::new()
}

/// The way to `end`, back over what came `before` each vertex. The first one comes after itself.
fn way_to(end: VertexId, before: &DenseMap<VertexId, Option<VertexId>>) -> Vec<VertexId> {
    let step = |vertex: &VertexId| before[*vertex].filter(|previous| previous != vertex);
    let mut way: Vec<VertexId> = std::iter::successors(Some(end), step).collect();
    way.reverse();
    way
}

/// All vertices, each before what it needs. Of those that do not need each other, the first by id comes
/// first as far as that goes.
pub(super) fn users_first(needs: &Edges) -> Vec<VertexId> {
    let mut opened: Mask = DenseMap::filled(needs.len(), false);
    let mut finished = Vec::with_capacity(needs.len());
    // From the last to the first, because what is finished last comes first.
    for start in needs.ids().rev() {
        if std::mem::replace(&mut opened[start], true) {
            continue;
        }
        let mut path = vec![(start, needs[start].iter().rev())];
        while let Some((vertex, rest)) = path.last_mut() {
            match rest.find(|needed| !opened[**needed]) {
                Some(needed) => {
                    opened[*needed] = true;
                    path.push((*needed, needs[*needed].iter().rev()));
                }
                None => {
                    finished.push(*vertex);
                    path.pop();
                }
            }
        }
    }
    finished.reverse();
    finished
}
