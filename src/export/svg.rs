//! The graph as a drawing: one SVG file that needs no script, no font and no other file.
//!
//! What needs stands left, what is needed right, as in the other pictures; arrows lead from the one to the
//! other. The outline of a box says what it is, its colour what a build would do with it, where that was
//! asked. A legend says so above the graph. How a target is needed is told when one points at the line
//! where it leaves its box: written beside every line it would hide the graph.
//!
//! Colours follow the viewer's scheme, dark or light. The same picture is the same file, byte for byte.
//!
//! **Invariant:** text is escaped and stays within its box; the file is well-formed whatever names hold.

mod outline;

use std::fmt::Write;

use super::documents::StateWord;
use super::layered_layout::{self, Layout, Line, Point, Rectangle, Size};
use super::picture::{Drawing, Shape};
use super::text_width::{shortened, text_width};
use outline::outline;

const STYLE: &str = include_str!("svg/style.css");

/// The size of the font for names, in user units.
const NAME: f64 = 13.0;
/// The size of the font for what stands below a name.
const KIND: f64 = 10.5;
/// How wide a text may be; what is longer loses its middle and is told in full when one points at it.
const WIDEST_TEXT: f64 = 380.0;
/// Between a text and the left or right side of its box.
const BESIDE_TEXT: f64 = 14.0;
const BOX_HEIGHT: f64 = 40.0;
/// Around everything.
const MARGIN: f64 = 28.0;
/// From the top of the legend to that of the graph.
const LEGEND_HEIGHT: f64 = 48.0;
/// The outlines in the legend.
const SAMPLE: Size = Size { width: 36.0, height: 20.0 };
/// How long an arrow's head is.
const TIP: f64 = 8.0;
/// In how many colours lines are drawn, by where they lead: those that join have one colour.
const HUES: usize = 6;
/// How far the tangents of a line reach that leads to the left.
const BOW: f64 = 60.0;

/// Draws the picture.
pub(super) fn draw(drawing: &Drawing<'_>) -> String {
    let sizes: Vec<Size> = (0..drawing.nodes.len()).map(|position| size(drawing, position)).collect();
    let mut edges: Vec<(usize, usize)> = drawing.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    edges.dedup();
    let layout = layered_layout::layout(&sizes, &edges);
    let (legend, legend_width) = legend(drawing);
    let width = layout.width.max(legend_width) + 2.0 * MARGIN;
    let height = layout.height + LEGEND_HEIGHT + 2.0 * MARGIN;
    let mut svg = Svg(String::new());
    svg.head(width, height, drawing.nodes.len(), edges.len());
    let states =
        if drawing.nodes.iter().any(|node| node.state.is_some()) { " class=\"with-states\"" } else { "" };
    svg.line(&format!("<g{states}>"));
    svg.line(&format!("<g transform=\"translate({} {})\">", number(MARGIN), number(MARGIN)));
    svg.0.push_str(&legend);
    svg.line("</g>");
    svg.line(&format!("<g transform=\"translate({} {})\">", number(MARGIN), number(MARGIN + LEGEND_HEIGHT)));
    svg.graph(drawing, &layout, &edges);
    svg.line("</g>\n</g>\n</svg>");
    svg.0
}

/// The size that a node's text asks for.
fn size(drawing: &Drawing<'_>, position: usize) -> Size {
    let name = text_width(&drawing.name(position), NAME).min(WIDEST_TEXT);
    let kind = text_width(&drawing.kind(position), KIND).min(WIDEST_TEXT);
    Size { width: (name.max(kind) + 2.0 * BESIDE_TEXT).ceil(), height: BOX_HEIGHT }
}

/// What outlines, colours and arrows mean, of those that are drawn, and how wide that is.
fn legend(drawing: &Drawing<'_>) -> (String, f64) {
    let mut svg = Svg(String::new());
    let mut left = 0.0;
    let middle = SAMPLE.height / 2.0;
    let mut entry = |class: &str, sample: &str, meaning: &str| {
        svg.line(&format!("<g class=\"{class}\">{sample}"));
        let text_left = left + SAMPLE.width + 8.0;
        svg.text("kind", Point { x: text_left, y: middle + KIND / 3.0 }, meaning);
        svg.line("</g>");
        left = (text_left + text_width(meaning, KIND) + 20.0).ceil();
        left
    };
    let sample = |shape: Shape, left: f64| {
        let rectangle = Rectangle { left, top: 0.0, width: SAMPLE.width, height: SAMPLE.height };
        format!("<path class=\"box\" d=\"{}\"/>", outline(shape, &rectangle))
    };
    let mut at = 0.0;
    for shape in Shape::ALL.into_iter().filter(|shape| drawing.nodes.iter().any(|node| node.shape == *shape))
    {
        at = entry(class_of(shape), &sample(shape, at), shape.meaning());
    }
    for state in StateWord::ALL {
        if drawing.nodes.iter().any(|node| node.state == Some(state)) {
            at = entry(state.as_str(), &sample(Shape::Group, at), meaning_of(state));
        }
    }
    let arrow = [Point { x: at, y: middle }, Point { x: at + SAMPLE.width, y: middle }];
    let arrow = format!("<path class=\"line\" d=\"{}\"/>{}", curve(&arrow), tip(arrow[1]));
    let right = entry("edge", &arrow, "needs; point at the start of a line to see how");
    (svg.0, right)
}

fn class_of(shape: Shape) -> &'static str {
    match shape {
        Shape::Image => "image",
        Shape::Stage => "stage",
        Shape::BuiltBase => "built-base",
        Shape::ExternalBase => "external-base",
        Shape::Undeclared => "undeclared",
        Shape::Group => "group",
        Shape::File => "file",
    }
}

fn meaning_of(state: StateWord) -> &'static str {
    match state {
        StateWord::Cached => "cached: nothing to do",
        StateWord::Dirty => "dirty: it runs",
        StateWord::Waits => "waits: it runs if what it needs changes",
    }
}

/// The text of the file.
struct Svg(String);

impl Svg {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn head(&mut self, width: f64, height: f64, nodes: usize, edges: usize) {
        let (width, height) = (number(width), number(height));
        self.line(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"imgraph\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"imgraph-title imgraph-description\">"
        ));
        let plural =
            |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let size = format!("{}, {}", plural(nodes, "node"), plural(edges, "edge"));
        self.line(&format!("<title id=\"imgraph-title\">Build graph: {size}</title>"));
        self.line(
            "<desc id=\"imgraph-description\">Images and what they need. What needs stands left of what is needed; \
             arrows lead to what is needed.</desc>",
        );
        self.line(&format!("<style>\n{STYLE}</style>"));
        self.line("<rect class=\"ground\" width=\"100%\" height=\"100%\"/>");
    }

    /// Lines, the heads of arrows, and boxes upon them.
    fn graph(&mut self, drawing: &Drawing<'_>, layout: &Layout, edges: &[(usize, usize)]) {
        let mut is_needed = vec![false; drawing.nodes.len()];
        for ((from, to), line) in edges.iter().zip(&layout.lines) {
            is_needed[*to] = true;
            self.edge(drawing, (*from, *to), line);
        }
        for (rectangle, _) in layout.boxes.iter().zip(is_needed).filter(|(_, is_needed)| *is_needed) {
            self.line(&tip(Point { x: rectangle.left, y: rectangle.middle() }));
        }
        for (position, rectangle) in layout.boxes.iter().enumerate() {
            self.node(drawing, position, rectangle);
        }
    }

    fn edge(&mut self, drawing: &Drawing<'_>, (from, to): (usize, usize), line: &Line) {
        let said = drawing.needs(from).flatten().filter(|edge| edge.to == to);
        let reasons: Vec<&str> = said.map(|edge| edge.why).filter(|why| !why.is_empty()).collect();
        let how = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
        let told = format!("{} needs {}{how}", drawing.name(from), drawing.name(to));
        self.line(&format!("<g class=\"edge hue-{}\"><title>{}</title>", to % HUES, escaped(&told)));
        // Further on the line may be that of others too.
        let own = &line.points[..2];
        self.line(&format!("<path class=\"reach\" d=\"{}\"/>", curve(own)));
        self.line(&format!("<path class=\"line\" d=\"{}\"/></g>", curve(&line.points)));
    }

    fn node(&mut self, drawing: &Drawing<'_>, position: usize, rectangle: &Rectangle) {
        let node = drawing.nodes[position];
        let state = node.state.map(|state| format!(" {}", state.as_str())).unwrap_or_default();
        let (name, kind) = (drawing.name(position), drawing.kind(position));
        self.line(&format!("<g class=\"{}{state}\">", class_of(node.shape)));
        self.line(&format!("<title>{}\n{}</title>", escaped(&name), escaped(&kind)));
        self.line(&format!("<path class=\"box\" d=\"{}\"/>", outline(node.shape, rectangle)));
        let left = rectangle.left + BESIDE_TEXT;
        let (first, second) = (rectangle.top + 20.0, rectangle.top + 33.0);
        self.text("name", Point { x: left, y: first }, &shortened(&name, NAME, WIDEST_TEXT));
        self.text("kind", Point { x: left, y: second }, &shortened(&kind, KIND, WIDEST_TEXT));
        self.line("</g>");
    }

    fn text(&mut self, class: &str, Point { x, y }: Point, text: &str) {
        let (x, y) = (number(x), number(y));
        self.line(&format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(text)));
    }
}

/// The head of an arrow that ends at `end`.
fn tip(end: Point) -> String {
    let (x, back) = (number(end.x), number(end.x - TIP));
    let (y, above, below) = (number(end.y), number(end.y - TIP / 2.0), number(end.y + TIP / 2.0));
    format!("<path class=\"tip\" d=\"M{back} {above}L{x} {y}L{back} {below}Z\"/>")
}

/// A path through points, level in each of them.
fn curve(points: &[Point]) -> String {
    let mut path = String::new();
    let mut before: Option<Point> = None;
    let mut level_until = None;
    for point in points.iter().copied() {
        let Some(from) = before.replace(point) else {
            write_path(&mut path, format_args!("M{} {}", number(point.x), number(point.y)));
            continue;
        };
        if number(from.y) == number(point.y) && from.x <= point.x {
            level_until = Some(point.x);
            continue;
        }
        if let Some(x) = level_until.take() {
            write_path(&mut path, format_args!("H{}", number(x)));
        }
        let tangent = if from.x < point.x { (point.x - from.x) / 2.0 } else { BOW };
        let (first, second) = (number(from.x + tangent), number(point.x - tangent));
        let (x, y) = (number(point.x), number(point.y));
        write_path(&mut path, format_args!("C{first} {} {second} {y} {x} {y}", number(from.y)));
    }
    if let Some(x) = level_until {
        write_path(&mut path, format_args!("H{}", number(x)));
    }
    path
}

fn write_path(path: &mut String, part: std::fmt::Arguments<'_>) {
    path.write_fmt(part).expect("a string takes every text");
}

/// A number to a tenth of a user unit.
fn number(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    // There is no negative zero in a file.
    format!("{}", if tenths == 0.0 { 0.0 } else { tenths })
}

/// Text between tags. What XML cannot hold is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            letter if letter.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
