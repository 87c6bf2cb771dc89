//! Which layer each node stands in.
//!
//! A node stands right of all that need it: its layer is the length of the longest way to it. It is then
//! moved to the side where it has more neighbours, as far as they let it, so that lines are short. A layer of
//! more nodes than a picture of fair proportions is high becomes several, beside each other: nodes of one
//! layer do not need each other, so any of them may stand further left.

/// How many nodes a layer may have, whatever the size of the graph.
const HEIGHT: usize = 24;
/// How many nodes a layer may have for each of the square root of all nodes.
const HEIGHT_FOR_ROOT: f64 = 3.0;
/// How often nodes are moved nearer to their neighbours.
const ROUNDS: usize = 3;

/// The layers of a graph.
pub(super) struct Layering {
    /// The layer of each node, from the left.
    pub(super) layer_of: Vec<usize>,
    /// How many layers there are.
    pub(super) count: usize,
    /// For each edge, whether it leads to the right: not where it closes a circle.
    pub(super) is_forward: Vec<bool>,
}

impl Layering {
    pub(super) fn new(count: usize, edges: &[(usize, usize)]) -> Self {
        let (order, is_forward) = order(count, edges);
        let forward = edges.iter().zip(&is_forward).filter(|(_, is_forward)| **is_forward);
        let neighbours = Neighbours::new(count, forward.map(|(edge, _)| *edge));
        let mut layer_of = vec![0; count];
        for node in &order {
            layer_of[*node] = neighbours.first_free(*node, &layer_of);
        }
        for _ in 0..ROUNDS {
            order.iter().rev().for_each(|node| neighbours.pull(*node, &mut layer_of));
            order.iter().for_each(|node| neighbours.pull(*node, &mut layer_of));
        }
        let (layer_of, count) = split(&order, &layer_of);
        Self { layer_of, count, is_forward }
    }
}

/// All nodes, each before what it needs, and for each edge whether it fits into that order.
fn order(count: usize, edges: &[(usize, usize)]) -> (Vec<usize>, Vec<bool>) {
    let mut leaving = vec![Vec::new(); count];
    edges.iter().enumerate().for_each(|(edge, (from, _))| leaving[*from].push(edge));
    let (mut is_open, mut is_done) = (vec![false; count], vec![false; count]);
    let mut is_forward = vec![true; edges.len()];
    let mut done = Vec::with_capacity(count);
    for root in 0..count {
        let mut path: Vec<(usize, usize)> = Vec::new();
        if !is_done[root] {
            is_open[root] = true;
            path.push((root, 0));
        }
        while let Some((node, followed)) = path.last_mut() {
            let Some(edge) = leaving[*node].get(*followed).copied() else {
                is_done[*node] = true;
                done.push(*node);
                path.pop();
                continue;
            };
            *followed += 1;
            let next = edges[edge].1;
            if is_open[next] {
                is_forward[edge] = is_done[next];
            } else {
                is_open[next] = true;
                path.push((next, 0));
            }
        }
    }
    done.reverse();
    (done, is_forward)
}

struct Neighbours {
    users: Vec<Vec<usize>>,
    needed: Vec<Vec<usize>>,
}

impl Neighbours {
    fn new(count: usize, edges: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut neighbours = Self { users: vec![Vec::new(); count], needed: vec![Vec::new(); count] };
        for (from, to) in edges {
            neighbours.users[to].push(from);
            neighbours.needed[from].push(to);
        }
        neighbours
    }

    /// The first layer that is right of all users.
    fn first_free(&self, node: usize, layer_of: &[usize]) -> usize {
        self.users[node].iter().map(|user| layer_of[*user] + 1).max().unwrap_or(0)
    }

    /// Moves a node to the side where it has more neighbours.
    fn pull(&self, node: usize, layer_of: &mut [usize]) {
        let (users, needed) = (self.users[node].len(), self.needed[node].len());
        if users > needed {
            layer_of[node] = self.first_free(node, layer_of);
        } else if needed > users {
            let last = self.needed[node].iter().map(|needed| layer_of[*needed] - 1).min();
            layer_of[node] = last.unwrap_or(layer_of[node]);
        }
    }
}

/// Layers without gaps, none of them too high, and how many there are.
fn split(order: &[usize], layer_of: &[usize]) -> (Vec<usize>, usize) {
    let mut layers = vec![Vec::new(); layer_of.iter().max().map_or(0, |last| last + 1)];
    order.iter().for_each(|node| layers[layer_of[*node]].push(*node));
    let highest = HEIGHT.max((HEIGHT_FOR_ROOT * (layer_of.len() as f64).sqrt()) as usize);
    let mut split = vec![0; layer_of.len()];
    let mut count = 0;
    for layer in layers.iter().filter(|layer| !layer.is_empty()) {
        let parts = layer.len().div_ceil(highest);
        for part in layer.chunks(layer.len().div_ceil(parts)) {
            part.iter().for_each(|node| split[*node] = count);
            count += 1;
        }
    }
    (split, count)
}
