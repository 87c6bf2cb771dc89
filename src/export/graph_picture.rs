//! The graph as text that others draw or read: Graphviz, JSON, Mermaid, and a tree for people.
//!
//! It takes a neutral picture, not the graph itself: who draws need not know what a build is, and a
//! query or a diff can be drawn by the same hand. Everything is sorted before it is written, and one
//! edge that is given twice is drawn once, so that the same graph is the same text.
//!
//! **Invariant:** whatever the names hold, the text is of the named format: each renderer escapes.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::types::ids::{DenseMap, NodeId};
use crate::types::platform::Platform;

/// The version of the JSON form. Fields are only ever added.
const SCHEMA: u32 = 1;

/// A box.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PictureNode {
    /// Its name: a label, or the reference of an image that no target declares.
    pub label: String,
    /// What it is, in a word: `image`, `stage`, `base` …
    pub kind: String,
    /// What it is built for, when that is said.
    pub platform: Option<Platform>,
}

/// An arrow, from what needs to what is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PictureEdge {
    /// What needs.
    pub from: NodeId,
    /// What is needed.
    pub to: NodeId,
    /// How, in a few words; may be empty.
    pub why: String,
}

/// What is to be drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// The boxes, in any order.
    pub nodes: DenseMap<NodeId, PictureNode>,
    /// The arrows between them, in any order.
    pub edges: Vec<PictureEdge>,
}

/// A format of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureFormat {
    /// Graphviz.
    Dot,
    /// A document with `schema`, `nodes` and `edges`.
    Json,
    /// A flowchart as Markdown shows it.
    Mermaid,
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
        PictureFormat::Text => drawing.text(),
    }
}

/// A picture in order: nodes by label, edges by their ends.
struct Drawing<'p> {
    nodes: Vec<&'p PictureNode>,
    /// For each node, what it needs and how, by position in `nodes`.
    needs: Vec<BTreeMap<usize, Vec<&'p str>>>,
    /// Whether names must tell platforms apart.
    platforms_differ: bool,
}

impl<'p> Drawing<'p> {
    fn new(picture: &'p Picture) -> Self {
        let mut order: Vec<NodeId> = picture.nodes.ids().collect();
        order.sort_by_key(|id| (&picture.nodes[*id], *id));
        let mut positions = DenseMap::filled(picture.nodes.len(), 0);
        for (position, id) in order.iter().enumerate() {
            positions[*id] = position;
        }
        let nodes: Vec<&PictureNode> = order.iter().map(|id| &picture.nodes[*id]).collect();
        let mut needs: Vec<BTreeMap<usize, Vec<&str>>> = vec![BTreeMap::new(); nodes.len()];
        for edge in &picture.edges {
            needs[positions[edge.from]].entry(positions[edge.to]).or_default().push(&edge.why);
        }
        for reasons in needs.iter_mut().flat_map(BTreeMap::values_mut) {
            reasons.sort_unstable();
            reasons.dedup();
        }
        let first = nodes.iter().find_map(|node| node.platform.as_ref());
        let differs = |node: &&PictureNode| node.platform.is_some() && node.platform.as_ref() != first;
        let platforms_differ = nodes.iter().any(differs);
        Self { nodes, needs, platforms_differ }
    }

    /// The label, with the platform when the picture shows several.
    fn name(&self, position: usize) -> String {
        let node = self.nodes[position];
        match &node.platform {
            Some(platform) if self.platforms_differ => format!("{} ({platform})", node.label),
            _ => node.label.clone(),
        }
    }

    /// All edges in order, each reason for itself.
    fn edges(&self) -> impl Iterator<Item = (usize, usize, &'p str)> {
        self.needs.iter().enumerate().flat_map(|(from, needs)| {
            needs.iter().flat_map(move |(to, reasons)| reasons.iter().map(move |why| (from, *to, *why)))
        })
    }

    fn dot(&self) -> String {
        let mut text = "digraph imgraph {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
        for (position, node) in self.nodes.iter().enumerate() {
            let label = quote_dot(&format!("{}\n{}", self.name(position), node.kind));
            line(&mut text, format_args!("  n{position} [label={label}];"));
        }
        for (from, to, why) in self.edges() {
            match why {
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
            let (name, kind) = (escape_mermaid(&self.name(position)), escape_mermaid(&node.kind));
            line(&mut text, format_args!("  n{position}[\"{name}<br/>{kind}\"]"));
        }
        for (from, to, why) in self.edges() {
            match why {
                "" => line(&mut text, format_args!("  n{from} --> n{to}")),
                why => line(&mut text, format_args!("  n{from} -->|\"{}\"| n{to}", escape_mermaid(why))),
            }
        }
        text
    }

    fn json(&self) -> String {
        let end = |position: usize| {
            let PictureNode { label, platform, .. } = self.nodes[position];
            End { label, platform: platform.as_ref() }
        };
        let edges = self.edges().map(|(from, to, why)| Edge { from: end(from), to: end(to), why });
        let document = Document { schema: SCHEMA, nodes: &self.nodes, edges: edges.collect() };
        let text = serde_json::to_string_pretty(&document).expect("a picture has text keys only");
        format!("{text}\n")
    }

    /// A tree for each node that nothing needs. What hangs below a node is shown once; further on
    /// the node is marked with `(*)`.
    fn text(&self) -> String {
        let mut text = String::new();
        let mut shown = vec![false; self.nodes.len()];
        let needed: Vec<usize> = self.needs.iter().flat_map(BTreeMap::keys).copied().collect();
        let mut is_root = vec![true; self.nodes.len()];
        needed.into_iter().for_each(|position| is_root[position] = false);
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
            let again = std::mem::replace(&mut shown[position], true) && !self.needs[position].is_empty();
            let (name, kind) = (escape_text(&self.name(position)), escape_text(&self.nodes[position].kind));
            let mark = if again { " (*)" } else { "" };
            line(text, format_args!("{}{name} {kind}{why}{mark}", lead(&places)));
            if again {
                continue;
            }
            for (place, (below, reasons)) in self.needs[position].iter().rev().enumerate() {
                let reasons: Vec<&str> = reasons.iter().copied().filter(|why| !why.is_empty()).collect();
                let why = match reasons.as_slice() {
                    [] => String::new(),
                    reasons => format!(" [{}]", escape_text(&reasons.join(", "))),
                };
                let places = [places.as_slice(), &[place == 0]].concat();
                branches.push(Branch { position: *below, why, places });
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

/// Text for a terminal: control characters are shown, not sent.
fn escape_text(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if letter.is_control() { escaped.extend(letter.escape_default()) } else { escaped.push(letter) }
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
