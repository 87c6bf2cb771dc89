//! An order of each layer in which few lines cross.
//!
//! Layers are swept to and fro: each is sorted by where its neighbours in the layer before stand in the mean,
//! and in graphs of fair size neighbours change places where that helps. The best order that was met is
//! kept. The number of sweeps falls with the size of the graph, so that the largest graph ends as well.

use super::lattice::Lattice;

/// How many sweeps are made at most.
const SWEEPS: usize = 24;
/// How much the sweeps may cost in all, in vertices and pieces of lines that are looked at.
const WORK: usize = 1_500_000;
/// After how many sweeps without a better order there is none to be hoped for.
const PATIENCE: usize = 5;
/// In graphs of more pieces of lines, neighbours do not change places.
const FEW_PIECES: usize = 6_000;

/// Orders the layers of `lattice`.
pub(super) fn reduce(lattice: &mut Lattice) {
    let pieces: usize = lattice.right.iter().map(Vec::len).sum();
    let sweeps = (WORK / (pieces + lattice.layer_of.len() + 1)).clamp(2, SWEEPS);
    let mut sweeper = Sweeper { positions: vec![0; lattice.layer_of.len()], lattice };
    (0..sweeper.lattice.layers.len()).for_each(|layer| sweeper.note(layer));
    let mut best = sweeper.lattice.layers.clone();
    let (mut fewest, mut in_vain) = (sweeper.crossings(), 0);
    for sweep in 0..sweeps {
        if fewest == 0 || in_vain == PATIENCE {
            break;
        }
        sweeper.sweep(sweep % 2 == 0);
        if pieces <= FEW_PIECES {
            sweeper.exchange();
        }
        let crossings = sweeper.crossings();
        in_vain += 1;
        if crossings < fewest {
            (fewest, in_vain) = (crossings, 0);
            best.clone_from(&sweeper.lattice.layers);
        }
    }
    sweeper.lattice.layers = best;
    (0..sweeper.lattice.layers.len()).for_each(|layer| sweeper.note(layer));
    (0..sweeper.lattice.layers.len()).for_each(|layer| sweeper.centre(layer));
}

struct Sweeper<'l> {
    lattice: &'l mut Lattice,
    /// Where each vertex stands in its layer.
    positions: Vec<usize>,
}

impl Sweeper<'_> {
    /// Notes where the vertices of a layer stand.
    fn note(&mut self, layer: usize) {
        for (position, vertex) in self.lattice.layers[layer].iter().enumerate() {
            self.positions[*vertex] = position;
        }
    }

    fn sweep(&mut self, to_the_right: bool) {
        let count = self.lattice.layers.len();
        for step in 1..count {
            self.sort(if to_the_right { step } else { count - 1 - step }, to_the_right);
        }
    }

    /// Sorts a layer by its neighbours on one side. Who has none there stays where he is.
    fn sort(&mut self, layer: usize, by_left: bool) {
        let neighbours = if by_left { &self.lattice.left } else { &self.lattice.right };
        let mean = |vertex: usize| {
            let near = &neighbours[vertex];
            let sum: usize = near.iter().map(|neighbour| self.positions[*neighbour]).sum();
            (!near.is_empty()).then(|| sum as f64 / near.len() as f64)
        };
        let vertices = &self.lattice.layers[layer];
        let mut sorted: Vec<(f64, usize)> =
            vertices.iter().filter_map(|vertex| Some((mean(*vertex)?, *vertex))).collect();
        sorted.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut sorted = sorted.into_iter().map(|(_, vertex)| vertex);
        for vertex in &mut self.lattice.layers[layer] {
            if !neighbours[*vertex].is_empty() {
                *vertex = sorted.next().unwrap_or(*vertex);
            }
        }
        self.note(layer);
    }

    /// Lets neighbours in a layer change places where fewer lines cross then.
    fn exchange(&mut self) {
        for layer in 0..self.lattice.layers.len() {
            for position in 1..self.lattice.layers[layer].len() {
                let vertices = &self.lattice.layers[layer];
                let (above, below) = (vertices[position - 1], vertices[position]);
                if self.crossings_of(below, above) < self.crossings_of(above, below) {
                    self.rise(layer, position);
                }
            }
        }
    }

    /// Moves each line that passes a layer into the middle of those beside it that lead to the same vertex, where
    /// no more lines cross then: a line that joins them from above would make the picture higher.
    fn centre(&mut self, layer: usize) {
        let mut places = self.lattice.layers[layer].clone();
        places.retain(|vertex| !self.lattice.is_box(*vertex));
        for place in places {
            let Some(next) = self.lattice.right[place].first().copied() else { continue };
            let leads_there = |vertex: &&usize| self.lattice.right[**vertex].contains(&next);
            let (above, below) = self.lattice.layers[layer].split_at(self.positions[place]);
            let above = above.iter().rev().take_while(leads_there).count();
            let below = below[1..].iter().take_while(leads_there).count();
            let middle = (self.positions[place] + below).saturating_sub((above + below) / 2);
            while self.positions[place] > middle && self.may_rise(layer, self.positions[place]) {
                self.rise(layer, self.positions[place]);
            }
            while self.positions[place] < middle && self.may_rise(layer, self.positions[place] + 1) {
                self.rise(layer, self.positions[place] + 1);
            }
        }
    }

    /// Whether no more lines cross when the vertex at `position` changes places with the one above it.
    fn may_rise(&self, layer: usize, position: usize) -> bool {
        let (above, below) = (self.lattice.layers[layer][position - 1], self.lattice.layers[layer][position]);
        self.crossings_of(below, above) <= self.crossings_of(above, below)
    }

    /// Lets the vertex at `position` change places with the one above it.
    fn rise(&mut self, layer: usize, position: usize) {
        let vertices = &mut self.lattice.layers[layer];
        vertices.swap(position - 1, position);
        (self.positions[vertices[position - 1]], self.positions[vertices[position]]) =
            (position - 1, position);
    }

    /// How many lines of two vertices cross when `above` stands above `below`.
    fn crossings_of(&self, above: usize, below: usize) -> usize {
        let places = |neighbours: &Vec<usize>| {
            let mut places: Vec<usize> =
                neighbours.iter().map(|neighbour| self.positions[*neighbour]).collect();
            places.sort_unstable();
            places
        };
        let on = |side: &[Vec<usize>]| {
            let (above, below) = (places(&side[above]), places(&side[below]));
            above.iter().map(|place| below.partition_point(|other| other < place)).sum::<usize>()
        };
        on(&self.lattice.left) + on(&self.lattice.right)
    }

    /// How many lines cross.
    fn crossings(&self) -> usize {
        self.lattice.layers.windows(2).map(|pair| self.crossings_between(&pair[0], pair[1].len())).sum()
    }

    /// Counts pairs in the wrong order, with a tree of sums over the positions in the next layer.
    fn crossings_between(&self, layer: &[usize], next: usize) -> usize {
        let mut sums = vec![0_usize; next + 1];
        let (mut met, mut crossings) = (0, 0);
        for vertex in layer {
            let ends: Vec<usize> =
                self.lattice.right[*vertex].iter().map(|next| self.positions[*next]).collect();
            for end in &ends {
                let (mut at, mut not_below) = (end + 1, 0);
                while at > 0 {
                    not_below += sums[at];
                    at &= at - 1;
                }
                crossings += met - not_below;
            }
            for end in &ends {
                let mut at = end + 1;
                while at <= next {
                    sums[at] += 1;
                    at += at & at.wrapping_neg();
                }
            }
            met += ends.len();
        }
        crossings
    }
}
