//! The graph in layers, with a vertex in each layer that a line passes.
//!
//! The first vertices are the boxes, in the order in which they were given; those after them are places
//! through which lines go. Lines that lead to one box go through the same places.

use super::Size;
use super::layers::Layering;

/// How many places the lines may take in all, for each of them.
const PLACES_FOR_LINE: usize = 30;
/// How many places the lines may take in all, however few they are.
const PLACES: usize = 1_000;

/// Layers of vertices, and the pieces of lines between neighbouring layers.
pub(super) struct Lattice {
    /// The vertices of each layer, from the left, each from above.
    pub(super) layers: Vec<Vec<usize>>,
    /// The layer of each vertex.
    pub(super) layer_of: Vec<usize>,
    /// The height of each vertex; a place of a line has none.
    pub(super) heights: Vec<f64>,
    /// How many vertices are boxes.
    pub(super) boxes: usize,
    /// The vertices of the layer before to which each vertex is connected, each once.
    pub(super) left: Vec<Vec<usize>>,
    /// The vertices of the next layer to which each vertex is connected, each once.
    pub(super) right: Vec<Vec<usize>>,
    /// For each box, the places through which lines reach it, from the right.
    pub(super) trunks: Vec<Vec<usize>>,
    /// For each edge, the places between its ends; `None` for an edge that goes straight for its end.
    pub(super) ways: Vec<Option<Vec<usize>>>,
}

impl Lattice {
    pub(super) fn new(sizes: &[Size], edges: &[(usize, usize)], layering: &Layering) -> Self {
        let mut lattice = Self {
            layers: vec![Vec::new(); layering.count],
            layer_of: layering.layer_of.clone(),
            heights: sizes.iter().map(|size| size.height).collect(),
            boxes: sizes.len(),
            left: vec![Vec::new(); sizes.len()],
            right: vec![Vec::new(); sizes.len()],
            trunks: Vec::new(),
            ways: vec![None; edges.len()],
        };
        let longest = longest(edges, layering);
        let mut trunks: Vec<Vec<usize>> = vec![Vec::new(); sizes.len()];
        for (edge, (from, to)) in edges.iter().copied().enumerate() {
            if !layering.is_forward[edge] || lattice.span(from, to) > longest {
                continue;
            }
            let trunk = &mut trunks[to];
            let places = lattice.span(from, to) - 1;
            while trunk.len() < places {
                let (layer, next) = (lattice.layer_of[to] - trunk.len() - 1, trunk.last().copied());
                trunk.push(lattice.place(layer, next.unwrap_or(to)));
            }
            let way: Vec<usize> = trunk[..places].iter().rev().copied().collect();
            lattice.connect(from, way.first().copied().unwrap_or(to));
            lattice.ways[edge] = Some(way);
        }
        lattice.trunks = trunks;
        lattice.pieces_once();
        lattice.fill_layers();
        lattice
    }

    /// Whether a vertex is a box.
    pub(super) fn is_box(&self, vertex: usize) -> bool {
        vertex < self.boxes
    }

    fn span(&self, from: usize, to: usize) -> usize {
        self.layer_of[to] - self.layer_of[from]
    }

    /// A place in `layer` from which a line goes on to `next`.
    fn place(&mut self, layer: usize, next: usize) -> usize {
        let place = self.layer_of.len();
        self.layer_of.push(layer);
        self.heights.push(0.0);
        self.left.push(Vec::new());
        self.right.push(Vec::new());
        self.connect(place, next);
        place
    }

    fn connect(&mut self, from: usize, to: usize) {
        self.right[from].push(to);
        self.left[to].push(from);
    }

    /// What two edges share is one piece.
    fn pieces_once(&mut self) {
        for neighbours in self.left.iter_mut().chain(&mut self.right) {
            neighbours.sort_unstable();
            neighbours.dedup();
        }
    }

    /// Fills the layers in the order in which a walk along the lines comes by: what belongs together is near.
    fn fill_layers(&mut self) {
        let mut is_met = vec![false; self.layer_of.len()];
        let mut starts: Vec<usize> = (0..self.layer_of.len()).collect();
        starts.sort_by_key(|vertex| (!self.left[*vertex].is_empty(), self.layer_of[*vertex]));
        for start in starts {
            let mut open = vec![start];
            while let Some(vertex) = open.pop() {
                if !std::mem::replace(&mut is_met[vertex], true) {
                    self.layers[self.layer_of[vertex]].push(vertex);
                    open.extend(self.right[vertex].iter().rev());
                }
            }
        }
    }
}

/// How many layers an edge may span, so that all that span no more take few enough places.
fn longest(edges: &[(usize, usize)], layering: &Layering) -> usize {
    let forward = edges.iter().zip(&layering.is_forward).filter(|(_, is_forward)| **is_forward);
    let mut spans: Vec<usize> =
        forward.map(|((from, to), _)| layering.layer_of[*to] - layering.layer_of[*from]).collect();
    spans.sort_unstable();
    let mut left = PLACES + PLACES_FOR_LINE * edges.len();
    for span in &spans {
        match left.checked_sub(*span) {
            Some(rest) => left = rest,
            None => return span - 1,
        }
    }
    spans.last().copied().unwrap_or(0)
}
