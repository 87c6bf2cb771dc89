//! What is drawn: boxes and arrows, whatever they stand for, and the order in which all formats write them.
//!
//! A picture is neutral: who draws need not know what a build is, and a query or a diff can be drawn by the
//! same hand. It writes no format itself.

use serde::Serialize;

use super::documents::StateWord;
use crate::types::ids::{DenseMap, NodeId};
use crate::types::platform::Platform;

/// A box.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PictureNode {
    /// Its name: a label, or the reference of an image that no target declares.
    pub label: String,
    /// What it is, in a word: `image`, `stage`, `base` …
    pub kind: &'static str,
    /// What it is built for, when that is said.
    pub platform: Option<Platform>,
    /// How it is drawn, where shapes can be drawn.
    #[serde(skip)]
    pub shape: Shape,
    /// What a build would do with it, when that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateWord>,
}

/// What tells one kind of box from another: the kind, and for a base where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// An image: a product.
    Image,
    /// A builder stage.
    Stage,
    /// A base that is built here.
    BuiltBase,
    /// A declared base that somebody else built.
    ExternalBase,
    /// An image from elsewhere that no target declares.
    Undeclared,
    /// A name for several targets.
    Group,
    /// A file of the workspace.
    File,
}

impl Shape {
    /// All of them, products first.
    pub const ALL: [Self; 7] = [
        Self::Image,
        Self::Stage,
        Self::BuiltBase,
        Self::ExternalBase,
        Self::Undeclared,
        Self::Group,
        Self::File,
    ];

    /// What it stands for, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Stage => "stage",
            Self::BuiltBase => "base, built here",
            Self::ExternalBase => "base from elsewhere",
            Self::Undeclared => "image from elsewhere, undeclared",
            Self::Group => "group",
            Self::File => "file",
        }
    }
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

/// An arrow between positions in [`Drawing::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DrawnEdge<'p> {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) why: &'p str,
}

/// A picture in order: nodes by label, edges by their ends.
pub(super) struct Drawing<'p> {
    pub(super) nodes: Vec<&'p PictureNode>,
    /// The arrows in order, each reason for itself and once.
    pub(super) edges: Vec<DrawnEdge<'p>>,
    /// Whether names must tell platforms apart.
    platforms_differ: bool,
}

impl<'p> Drawing<'p> {
    pub(super) fn new(picture: &'p Picture) -> Self {
        let mut order: Vec<NodeId> = picture.nodes.ids().collect();
        order.sort_by_key(|id| (&picture.nodes[*id], *id));
        let mut positions = DenseMap::filled(picture.nodes.len(), 0);
        for (position, id) in order.iter().enumerate() {
            positions[*id] = position;
        }
        let nodes: Vec<&PictureNode> = order.iter().map(|id| &picture.nodes[*id]).collect();
        let drawn = |edge: &'p PictureEdge| DrawnEdge {
            from: positions[edge.from],
            to: positions[edge.to],
            why: &edge.why,
        };
        let mut edges: Vec<DrawnEdge<'p>> = picture.edges.iter().map(drawn).collect();
        edges.sort_unstable();
        edges.dedup();
        let first = nodes.iter().find_map(|node| node.platform.as_ref());
        let differs = |node: &&PictureNode| node.platform.is_some() && node.platform.as_ref() != first;
        let platforms_differ = nodes.iter().any(differs);
        Self { nodes, edges, platforms_differ }
    }

    /// The label, with the platform when the picture shows several.
    pub(super) fn name(&self, position: usize) -> String {
        let node = self.nodes[position];
        match &node.platform {
            Some(platform) if self.platforms_differ => format!("{} ({platform})", node.label),
            _ => node.label.clone(),
        }
    }

    /// What the node is and, when that was asked, what a build would do with it.
    pub(super) fn kind(&self, position: usize) -> String {
        let node = self.nodes[position];
        match node.state {
            Some(state) => format!("{}, {}", node.kind, state.as_str()),
            None => node.kind.to_owned(),
        }
    }

    /// What the node at `from` needs, in order: for each all that is said of how.
    pub(super) fn needs(&self, from: usize) -> impl DoubleEndedIterator<Item = &[DrawnEdge<'p>]> {
        let start = self.edges.partition_point(|edge| edge.from < from);
        let length = self.edges[start..].partition_point(|edge| edge.from == from);
        self.edges[start..start + length].chunk_by(|edge, next| edge.to == next.to)
    }
}
