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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::types::ids::DenseId;

    type Vertices = BTreeSet<VertexId>;

    /// How many vertices the graphs have.
    const COUNT: usize = 12;

    /// Graphs without circles, and two sets of their vertices.
    fn graphs() -> impl Strategy<Value = (Edges, Vertices, Vertices)> {
        let pairs = proptest::collection::vec((0..COUNT, 0..COUNT), 0..40);
        let some = || proptest::collection::btree_set((0..COUNT).prop_map(VertexId::from_index), 0..4);
        (pairs, some(), some()).prop_map(|(pairs, one, other)| {
            let mut edges = DenseMap::filled(COUNT, Vec::new());
            for (from, to) in pairs {
                // Upwards and downwards in the order of ids, by turns.
                let (from, to) = ((from * 5) % COUNT, (to * 5) % COUNT);
                if (from * 7) % COUNT < (to * 7) % COUNT {
                    edges[VertexId::from_index(from)].push(VertexId::from_index(to));
                }
            }
            edges.ids().for_each(|vertex| edges[vertex].sort_unstable());
            edges.ids().for_each(|vertex| edges[vertex].dedup());
            (edges, one, other)
        })
    }

    fn members(mask: &Mask) -> Vertices {
        mask.iter().filter(|(_, is_in)| **is_in).map(|(vertex, _)| vertex).collect()
    }

    /// What is reached, by the words of the definition.
    fn expected(start: &Vertices, depth: usize, edges: &Edges, within: &Vertices) -> Vertices {
        let mut reached: Vertices = start.intersection(within).copied().collect();
        for _ in 0..depth {
            let next: Vec<VertexId> = reached.iter().flat_map(|vertex| edges[*vertex].clone()).collect();
            reached.extend(next.into_iter().filter(|vertex| within.contains(vertex)));
        }
        reached
    }

    proptest! {
        #[test]
        fn what_is_reached_is_what_the_definition_says(
            (edges, start, within) in graphs(),
            depth in 0..COUNT,
        ) {
            let all: Vertices = edges.ids().collect();
            let found = reached(start.iter().copied(), Some(depth), &edges, None);
            prop_assert_eq!(members(&found), expected(&start, depth, &edges, &all));
            let found = reached(start.iter().copied(), None, &edges, None);
            prop_assert_eq!(members(&found), expected(&start, COUNT, &edges, &all));
            let mut mask: Mask = DenseMap::filled(COUNT, false);
            within.iter().for_each(|vertex| mask[*vertex] = true);
            let found = reached(start.iter().copied(), Some(depth), &edges, Some(&mask));
            prop_assert_eq!(members(&found), expected(&start, depth, &edges, &within));
        }

        #[test]
        fn the_shortest_way_is_a_way_and_none_is_shorter((edges, from, to) in graphs()) {
            let all: Vertices = edges.ids().collect();
            let way = shortest(from.iter().copied(), to.iter().copied(), &edges);
            let is_near = |depth: &usize| !expected(&from, *depth, &edges, &all).is_disjoint(&to);
            prop_assert_eq!(way.len().checked_sub(1), (0..COUNT).find(is_near));
            prop_assert!(way.first().is_none_or(|first| from.contains(first)));
            prop_assert!(way.last().is_none_or(|last| to.contains(last)));
            prop_assert!(way.windows(2).all(|step| edges[step[0]].contains(&step[1])));
        }

        #[test]
        fn what_needs_stands_before_what_it_needs((edges, _, _) in graphs()) {
            let order = users_first(&edges);
            prop_assert_eq!(order.iter().copied().collect::<Vertices>(), edges.ids().collect());
            prop_assert_eq!(order.len(), COUNT);
            let place = |vertex: VertexId| order.iter().position(|other| *other == vertex);
            for (vertex, needed) in edges.iter() {
                prop_assert!(needed.iter().all(|needed| place(vertex) < place(*needed)));
            }
        }
    }
}
