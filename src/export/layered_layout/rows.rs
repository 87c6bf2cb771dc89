//! How high each vertex stands, so that lines are short and mostly straight.
//!
//! A vertex wants to stand where its neighbours do in the mean, and the order of its layer and the distances
//! to those beside it bind it. Of all rows that keep those, the ones nearest to what is wanted are found
//! exactly and in one pass: vertices that would come too near are merged into a block that takes the mean of
//! their wishes (pooling of adjacent violators). Layers are looked at to and fro. At the end each line that
//! passes several layers is levelled as far as there is room.

use super::lattice::Lattice;

/// Between two boxes.
const BETWEEN_BOXES: f64 = 14.0;
/// Between a box and a line that passes it.
const BESIDE_A_BOX: f64 = 12.0;
/// Between two lines.
const BETWEEN_LINES: f64 = 9.0;
/// How often all layers are looked at, first with an eye to one side, then to both.
const ROUNDS: (usize, usize) = (6, 10);
/// How much a vertex without neighbours holds on to its place.
const IDLE: f64 = 0.001;

/// The middle of each vertex, from above; what is highest touches 0.
pub(super) fn find(lattice: &Lattice) -> Vec<f64> {
    let mut rows = Rows { lattice, middles: vec![0.0; lattice.layer_of.len()] };
    rows.stack();
    let last = lattice.layers.len();
    for _ in 0..ROUNDS.0 {
        (0..last).for_each(|layer| rows.settle(layer, &[&lattice.left]));
        (0..last).rev().for_each(|layer| rows.settle(layer, &[&lattice.right]));
    }
    for _ in 0..ROUNDS.1 {
        (0..last).for_each(|layer| rows.settle(layer, &[&lattice.left, &lattice.right]));
        (0..last).rev().for_each(|layer| rows.settle(layer, &[&lattice.left, &lattice.right]));
    }
    rows.level_lines();
    rows.counted_from_above()
}

struct Rows<'l> {
    lattice: &'l Lattice,
    middles: Vec<f64>,
}

/// Vertices that stand as near to each other as they may.
struct Block {
    weight: f64,
    /// Where the first of them would stand if nothing were above, times the weight.
    wish: f64,
    length: usize,
}

impl Block {
    fn place(&self) -> f64 {
        self.wish / self.weight
    }
}

impl Rows<'_> {
    /// How far apart the middles of two neighbours have to be.
    fn distance(&self, above: usize, below: usize) -> f64 {
        let gap = match (self.lattice.is_box(above), self.lattice.is_box(below)) {
            (true, true) => BETWEEN_BOXES,
            (false, false) => BETWEEN_LINES,
            _ => BESIDE_A_BOX,
        };
        gap + (self.lattice.heights[above] + self.lattice.heights[below]) / 2.0
    }

    /// Puts the vertices of each layer below each other, around one middle.
    fn stack(&mut self) {
        for layer in &self.lattice.layers {
            let offsets = self.offsets(layer);
            let half = offsets.last().copied().unwrap_or(0.0) / 2.0;
            layer.iter().zip(offsets).for_each(|(vertex, offset)| self.middles[*vertex] = offset - half);
        }
    }

    /// Where the vertices of a layer stand when each is as near to the one above as it may be.
    fn offsets(&self, layer: &[usize]) -> Vec<f64> {
        let mut offset = 0.0;
        let below = layer.windows(2).map(|pair| {
            offset += self.distance(pair[0], pair[1]);
            offset
        });
        layer.first().map(|_| 0.0).into_iter().chain(below).collect()
    }

    /// Moves the vertices of a layer as near to their neighbours on the given sides as they may be.
    fn settle(&mut self, layer: usize, sides: &[&[Vec<usize>]]) {
        let vertices = &self.lattice.layers[layer];
        let offsets = self.offsets(vertices);
        let mut blocks: Vec<Block> = Vec::new();
        for (vertex, offset) in vertices.iter().zip(&offsets) {
            let (row, weight) = self.wish(*vertex, sides);
            let mut block = Block { weight, wish: (row - offset) * weight, length: 1 };
            while let Some(above) = blocks.pop_if(|above| above.place() > block.place()) {
                block.weight += above.weight;
                block.wish += above.wish;
                block.length += above.length;
            }
            blocks.push(block);
        }
        let places = blocks.iter().flat_map(|block| std::iter::repeat_n(block.place(), block.length));
        for ((vertex, offset), place) in vertices.iter().zip(&offsets).zip(places) {
            self.middles[*vertex] = place + offset;
        }
    }

    /// Where a vertex wants to stand, and how much.
    fn wish(&self, vertex: usize, sides: &[&[Vec<usize>]]) -> (f64, f64) {
        let (mut sum, mut weight) = (0.0, 0.0);
        for neighbour in sides.iter().flat_map(|side| &side[vertex]) {
            let pull = match (self.lattice.is_box(vertex), self.lattice.is_box(*neighbour)) {
                (true, true) => 1.0,
                (false, false) => 8.0,
                _ => 2.0,
            };
            sum += pull * self.middles[*neighbour];
            weight += pull;
        }
        if weight == 0.0 { (self.middles[vertex], IDLE) } else { (sum / weight, weight) }
    }

    /// Levels each line that passes several layers, in as few runs as there is room for.
    fn level_lines(&mut self) {
        let mut positions = vec![0; self.middles.len()];
        for layer in &self.lattice.layers {
            layer.iter().enumerate().for_each(|(position, vertex)| positions[*vertex] = position);
        }
        for (end, trunk) in self.lattice.trunks.iter().enumerate() {
            let (mut next, mut rest) = (end, trunk.as_slice());
            while let Some(first) = rest.first() {
                let mut room = self.room(*first, positions[*first]);
                let fits = |place: &&usize| {
                    let other = self.room(**place, positions[**place]);
                    let both = (room.0.max(other.0), room.1.min(other.1));
                    let fits = both.0 <= both.1;
                    room = if fits { both } else { room };
                    fits
                };
                let (run, others) = rest.split_at(1 + rest[1..].iter().take_while(fits).count());
                let row = self.row_of_run(run, next, room);
                run.iter().for_each(|place| self.middles[*place] = row);
                next = run[run.len() - 1];
                rest = others;
            }
        }
    }

    /// Between which rows a vertex may stand where its neighbours in the layer are.
    fn room(&self, vertex: usize, position: usize) -> (f64, f64) {
        let layer = &self.lattice.layers[self.lattice.layer_of[vertex]];
        let above = position.checked_sub(1).map(|above| layer[above]);
        let below = layer.get(position + 1).copied();
        let from = above.map(|above| self.middles[above] + self.distance(above, vertex));
        let to = below.map(|below| self.middles[below] - self.distance(vertex, below));
        let own = self.middles[vertex];
        (from.unwrap_or(f64::NEG_INFINITY).min(own), to.unwrap_or(f64::INFINITY).max(own))
    }

    /// The row of a run of places: that of what comes next to the right, else the mean of their rows.
    fn row_of_run(&self, run: &[usize], next: usize, (from, to): (f64, f64)) -> f64 {
        let next = self.middles[next];
        if from <= next && next <= to {
            return next;
        }
        let sum: f64 = run.iter().map(|place| self.middles[*place]).sum();
        (sum / run.len() as f64).max(from).min(to)
    }

    /// The middles, counted from what is highest.
    fn counted_from_above(self) -> Vec<f64> {
        let tops =
            self.middles.iter().zip(&self.lattice.heights).map(|(middle, height)| middle - height / 2.0);
        let highest = tops.fold(f64::INFINITY, f64::min);
        self.middles.iter().map(|middle| middle - highest).collect()
    }
}
