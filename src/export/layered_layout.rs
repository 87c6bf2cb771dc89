//! Where the boxes and lines of a graph go: in layers, from what needs on the left to what is needed on the right.
//!
//! It is Sugiyama's method in four steps, each a file of its own: nodes are put into layers (`layers`), long
//! lines get a place in each layer that they pass (`lattice`), layers are ordered so that few lines cross
//! (`crossings`), and rows are found in which most lines are straight (`rows`). Lines that lead to one node
//! join as soon as they can: a base that a hundred images need is reached by one line, not by a hundred.
//!
//! It is pure and knows nothing of targets: sizes and pairs of positions go in, rectangles and points come
//! out. The same input gives the same output, and the work grows with the input and not with its square.
//!
//! **Invariant:** boxes do not overlap, and a line crosses no box unless it is drawn [`Line::is_direct`].

mod layers;
mod lattice;
mod crossings;
mod rows;

use lattice::Lattice;

/// What stands between two layers at least, so that curves have room.
const NARROWEST_GAP: f64 = 56.0;
/// What stands between two layers at most.
const WIDEST_GAP: f64 = 180.0;
/// How much wider a gap is for each unit that the steepest of its lines rises.
const GAP_FOR_RISE: f64 = 0.18;
/// How much wider a gap is for each of its lines.
const GAP_FOR_LINE: f64 = 1.5;

/// How large a box has to be, in user units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

/// A point, in user units from the top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// A box with its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rectangle {
    /// The left side.
    pub left: f64,
    /// The upper side.
    pub top: f64,
    /// At least the width that was asked for; the boxes of a layer are equally wide.
    pub width: f64,
    /// The height that was asked for.
    pub height: f64,
}

impl Rectangle {
    /// The right side.
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// The lower side.
    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// The middle between the upper and the lower side.
    pub fn middle(&self) -> f64 {
        self.top + self.height / 2.0
    }
}

/// A line from the middle of a box's right side to the middle of another's left side.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Points through which it goes from left to right, level in each of them.
    pub points: Vec<Point>,
    /// Whether it goes straight for its end, whatever stands between: it closes a circle, or it is so long
    /// that a place in each layer would be too much.
    pub is_direct: bool,
}

/// Boxes, lines, and the room that they take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// One for each size that was given.
    pub boxes: Vec<Rectangle>,
    /// One for each edge that was given.
    pub lines: Vec<Line>,
    /// From the left side of the first layer to the right side of the last.
    pub width: f64,
    /// From the upper side of the highest box or line to the lower side of the lowest.
    pub height: f64,
}

/// Lays out boxes of the given sizes, of which the first of each edge needs the second.
///
/// # Panics
/// When an edge names a box that is not there.
pub fn layout(sizes: &[Size], edges: &[(usize, usize)]) -> Layout {
    let layering = layers::Layering::new(sizes.len(), edges);
    let mut lattice = Lattice::new(sizes, edges, &layering);
    crossings::reduce(&mut lattice);
    let rows = rows::find(&lattice);
    let columns = Column::all(&lattice, sizes, &rows);
    let rectangle = |(vertex, size): (usize, &Size)| {
        let column = &columns[lattice.layer_of[vertex]];
        let top = rows[vertex] - size.height / 2.0;
        Rectangle { left: column.left, top, width: column.right - column.left, height: size.height }
    };
    let boxes: Vec<Rectangle> = sizes.iter().enumerate().map(rectangle).collect();
    let line = |edge: usize| {
        let (from, to) = edges[edge];
        let point = |x, y| Point { x, y };
        let between = lattice.ways[edge].as_deref().unwrap_or_default().iter().flat_map(|vertex| {
            let (column, y) = (&columns[lattice.layer_of[*vertex]], rows[*vertex]);
            [point(column.left, y), point(column.right, y)]
        });
        let start = point(boxes[from].right(), boxes[from].middle());
        let end = point(boxes[to].left, boxes[to].middle());
        let points = std::iter::once(start).chain(between).chain([end]).collect();
        Line { points, is_direct: lattice.ways[edge].is_none() }
    };
    let lines = (0..edges.len()).map(line).collect();
    let width = columns.last().map_or(0.0, |column| column.right);
    let lowest = boxes.iter().map(Rectangle::bottom).chain(rows.iter().copied());
    Layout { lines, width, height: lowest.fold(0.0, f64::max), boxes }
}

/// Where a layer stands.
struct Column {
    left: f64,
    right: f64,
}

impl Column {
    fn all(lattice: &Lattice, sizes: &[Size], rows: &[f64]) -> Vec<Self> {
        let mut left = 0.0;
        let column = |layer: &Vec<usize>| {
            let widths = layer.iter().filter_map(|vertex| sizes.get(*vertex)).map(|size| size.width);
            let right = left + widths.fold(0.0, f64::max);
            let rises = layer.iter().flat_map(|vertex| {
                lattice.right[*vertex].iter().map(|next| (rows[*next] - rows[*vertex]).abs())
            });
            let (steepest, lines) =
                rises.fold((0.0, 0.0), |(steepest, lines), rise| (rise.max(steepest), lines + 1.0));
            let wanted: f64 = NARROWEST_GAP + steepest * GAP_FOR_RISE + lines * GAP_FOR_LINE;
            let gap = wanted.min(WIDEST_GAP);
            let column = Self { left, right };
            left = right + gap;
            column
        };
        lattice.layers.iter().map(column).collect()
    }
}

#[cfg(test)]
mod tests;
