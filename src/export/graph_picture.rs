//! The graph as text that others draw or read: Graphviz, JSON, Mermaid, SVG, and a tree for people.
//!
//! It takes a neutral picture, not the graph itself. Everything is sorted before it is written, and one
//! edge that is given twice is drawn once, so that the same graph is the same text. What is drawn as SVG is
//! laid out here; Graphviz and Mermaid find their own places.
//!
//! **Invariant:** whatever the names hold, the text is of the named format: each renderer escapes.

use std::fmt::Write;

use serde::Serialize;

use super::documents::StateWord;
use super::picture::{Drawing, DrawnEdge};
pub use super::picture::{Picture, PictureEdge, PictureNode, Shape};
use super::printable::printable;
use super::svg;
use crate::types::platform::Platform;

/// The version of the JSON form. Fields are only ever added.
const SCHEMA: u32 = 1;

/// A format of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureFormat {
    /// Graphviz.
    Dot,
    /// A document with `schema`, `nodes` and `edges`.
    Json,
    /// A flowchart as Markdown shows it.
    Mermaid,
    /// A drawing that browsers show.
    Svg,
    /// A tree from what nothing needs to what needs nothing.
    Text,
}

/// Draws `picture`. The text ends with a line end, unless it is empty.
///
/// # Panics
/// When an edge names a node that the picture does not have.
pub fn draw(picture: &Picture, format: PictureFormat) -> String {
    let drawing = Drawing::new(picture);
    match format {
        PictureFormat::Dot => drawing.dot(),
        PictureFormat::Json => drawing.json(),
        PictureFormat::Mermaid => drawing.mermaid(),
        PictureFormat::Svg => svg::draw(&drawing),
        PictureFormat::Text => drawing.text(),
    }
}

impl Drawing<'_> {
    fn dot(&self) -> String {
        let mut text = "digraph imgraph {\n  rankdir=LR;\n  node [fontname=\"Helvetica\"];\n  \
                        edge [fontname=\"Helvetica\", fontsize=10, color=\"#64748b\"];\n"
            .to_owned();
        for (position, node) in self.nodes.iter().enumerate() {
            let label = quote_dot(&format!("{}\n{}", self.name(position), self.kind(position)));
            let look = dot_look(node);
            line(&mut text, format_args!("  n{position} [label={label}, {look}];"));
        }
        for DrawnEdge { from, to, why } in &self.edges {
            match *why {
                "" => line(&mut text, format_args!("  n{from} -> n{to};")),
                why => line(&mut text, format_args!("  n{from} -> n{to} [label={}];", quote_dot(why))),
            }
        }
        text.push_str("}\n");
        text
    }

    fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for (position, node) in self.nodes.iter().enumerate() {
            let (name, kind) = (escape_mermaid(&self.name(position)), escape_mermaid(&self.kind(position)));
            let (open, close) = mermaid_shape(node.shape);
            let state = node.state.map(|state| format!(":::{}", state.as_str())).unwrap_or_default();
            line(&mut text, format_args!("  n{position}{open}\"{name}<br/>{kind}\"{close}{state}"));
        }
        for DrawnEdge { from, to, why } in &self.edges {
            match *why {
                "" => line(&mut text, format_args!("  n{from} --> n{to}")),
                why => line(&mut text, format_args!("  n{from} -->|\"{}\"| n{to}", escape_mermaid(why))),
            }
        }
        for state in StateWord::ALL {
            if self.nodes.iter().any(|node| node.state == Some(state)) {
                let (name, (fill, stroke)) = (state.as_str(), state_colours(state));
                let look = format!("fill:{fill},stroke:{stroke},color:#0f172a");
                line(&mut text, format_args!("  classDef {name} {look}"));
            }
        }
        text
    }

    fn json(&self) -> String {
        let end = |position: usize| {
            let PictureNode { label, platform, .. } = self.nodes[position];
            End { label, platform: platform.as_ref() }
        };
        let edges = self.edges.iter();
        let edges = edges.map(|edge| Edge { from: end(edge.from), to: end(edge.to), why: edge.why });
        let document = Document { schema: SCHEMA, nodes: &self.nodes, edges: edges.collect() };
        let mut text = serde_json::to_string_pretty(&document).expect("a picture has text keys only");
        text.push('\n');
        text
    }

    /// A tree for each node that nothing needs. What hangs below a node is shown once; further on
    /// the node is marked with `(*)`.
    fn text(&self) -> String {
        let mut text = String::new();
        let mut shown = vec![false; self.nodes.len()];
        let mut is_root = vec![true; self.nodes.len()];
        self.edges.iter().for_each(|edge| is_root[edge.to] = false);
        for (root, _) in is_root.iter().enumerate().filter(|(_, is_root)| **is_root) {
            self.tree(root, &mut shown, &mut text);
        }
        // A cycle has no root. Graphs have none, but a picture may be of anything.
        for position in 0..self.nodes.len() {
            if !shown[position] {
                self.tree(position, &mut shown, &mut text);
            }
        }
        text
    }

    /// Writes `root` and what hangs below it. A stack of its own: chains may be long.
    fn tree(&self, root: usize, shown: &mut [bool], text: &mut String) {
        let mut branches = vec![Branch { position: root, why: String::new(), places: Vec::new() }];
        while let Some(Branch { position, why, places }) = branches.pop() {
            let again =
                std::mem::replace(&mut shown[position], true) && self.needs(position).next().is_some();
            let (name, kind) = (printable(&self.name(position)), printable(&self.kind(position)));
            let mark = if again { " (*)" } else { "" };
            line(text, format_args!("{}{name} {kind}{why}{mark}", lead(&places)));
            if again {
                continue;
            }
            for (place, edges) in self.needs(position).rev().enumerate() {
                let reasons: Vec<&str> =
                    edges.iter().map(|edge| edge.why).filter(|why| !why.is_empty()).collect();
                let why = match reasons.as_slice() {
                    [] => String::new(),
                    reasons => format!(" [{}]", printable(&reasons.join(", "))),
                };
                let places = [places.as_slice(), &[place == 0]].concat();
                branches.push(Branch { position: edges[0].to, why, places });
            }
        }
    }
}

/// A node that the tree is still to show.
struct Branch {
    position: usize,
    why: String,
    /// For each level above, the own one included: whether it is the last of its siblings.
    places: Vec<bool>,
}

/// The lines that lead to a node of the tree.
fn lead(places: &[bool]) -> String {
    let Some((own, above)) = places.split_last() else { return String::new() };
    let passing = above.iter().map(|last| if *last { "    " } else { "│   " });
    passing.chain([if *own { "└── " } else { "├── " }]).collect()
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes every text");
}

/// What a box is filled and bordered with, where a build would do this with it.
fn state_colours(state: StateWord) -> (&'static str, &'static str) {
    match state {
        StateWord::Cached => ("#dcfce7", "#15803d"),
        StateWord::Dirty => ("#fee2e2", "#b91c1c"),
        StateWord::Waits => ("#fef3c7", "#b45309"),
    }
}

/// The attributes that give a node its shape and colour.
fn dot_look(node: &PictureNode) -> String {
    let (shape, mut styles) = match node.shape {
        Shape::Image => ("shape=box", vec!["rounded"]),
        Shape::Stage => ("shape=hexagon", vec![]),
        Shape::BuiltBase => ("shape=box, peripheries=2", vec![]),
        Shape::ExternalBase => ("shape=cylinder", vec![]),
        Shape::Undeclared => ("shape=cylinder", vec!["dashed"]),
        Shape::Group => ("shape=folder", vec![]),
        Shape::File => ("shape=note", vec![]),
    };
    let colours = node.state.map(state_colours);
    styles.extend(colours.map(|_| "filled"));
    let style = if styles.is_empty() { String::new() } else { format!(", style=\"{}\"", styles.join(",")) };
    let colours = colours.map(|(fill, stroke)| format!(", fillcolor=\"{fill}\", color=\"{stroke}\""));
    format!("{shape}{style}{}", colours.unwrap_or_default())
}

/// What stands before and after the text of a node.
fn mermaid_shape(shape: Shape) -> (&'static str, &'static str) {
    match shape {
        Shape::Image => ("(", ")"),
        Shape::Stage => ("{{", "}}"),
        Shape::BuiltBase => ("[[", "]]"),
        Shape::ExternalBase => ("[(", ")]"),
        Shape::Undeclared => ("([", "])"),
        Shape::Group => ("[", "]"),
        Shape::File => (">", "]"),
    }
}

/// A quoted string of the DOT language; a line end stays one.
fn quote_dot(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            letter if letter.is_control() => quoted.push(char::REPLACEMENT_CHARACTER),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Text between quotes of Mermaid, which knows character entities but no backslash.
fn escape_mermaid(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '"' | '#' | '&' | '<' | '>' | '`' | ';' | '|' | '\\' => {
                escaped.push_str(&format!("#{};", u32::from(letter)));
            }
            letter if letter.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[derive(Serialize)]
struct Document<'p> {
    schema: u32,
    nodes: &'p [&'p PictureNode],
    edges: Vec<Edge<'p>>,
}

#[derive(Serialize)]
struct Edge<'p> {
    from: End<'p>,
    to: End<'p>,
    why: &'p str,
}

#[derive(Serialize)]
struct End<'p> {
    label: &'p str,
    platform: Option<&'p Platform>,
}

#[cfg(test)]
mod tests;
