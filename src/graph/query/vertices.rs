//! The graph that queries speak of: the expanded graph with platforms merged, and groups in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::scope::Scope;
use crate::graph::load::Loaded;
use crate::graph::node::{Graph, Node};
use crate::graph::target::{Definition, Target};
use crate::types::ids::{DenseId, DenseMap, NodeId, TargetId, VertexId};
use crate::types::span::Location;
use crate::types::workspace_path::WorkspacePath;

/// A member of an answer. In order: targets by label, images that no target declares by reference, files by
/// path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A target, or an image from elsewhere.
    Vertex(VertexId),
    /// A file of the workspace.
    File(Arc<WorkspacePath>),
}

/// For each vertex some others: sorted, each once.
pub(super) type Edges = DenseMap<VertexId, Vec<VertexId>>;

/// Vertices and what they need. The first vertices are the targets of the workspace, in their order; the
/// others are the images that no target declares, by reference.
pub struct Vertices<'v> {
    loaded: &'v Loaded,
    graph: &'v Graph,
    /// The images that no target declares, each with the first place that names it.
    undeclared: Vec<(String, Option<Location>)>,
    vertex_of: DenseMap<NodeId, VertexId>,
    nodes_of: DenseMap<VertexId, Vec<NodeId>>,
    needs: Edges,
    needed_by: Edges,
}

impl<'v> Vertices<'v> {
    /// The vertices of `loaded`, with the edges of `graph`, which is that of `scope`'s targets.
    pub fn new(loaded: &'v Loaded, graph: &'v Graph, scope: &Scope) -> Self {
        let undeclared = undeclared(graph);
        let positions: BTreeMap<&str, usize> =
            undeclared.iter().enumerate().map(|(at, (name, _))| (name.as_str(), at)).collect();
        let targets = loaded.targets.len();
        let vertex_of: DenseMap<NodeId, VertexId> = graph
            .nodes
            .values()
            .iter()
            .map(|node| match node.label().and_then(|label| loaded.names.target(label)) {
                Some(target) => of_target(target),
                None => VertexId::from_index(targets + positions[node.name().as_str()]),
            })
            .collect();
        let count = targets + undeclared.len();
        let mut nodes_of: DenseMap<VertexId, Vec<NodeId>> = DenseMap::filled(count, Vec::new());
        let mut needs: Edges = DenseMap::filled(count, Vec::new());
        for (id, node) in graph.nodes.iter() {
            nodes_of[vertex_of[id]].push(id);
            let needed = node.dependencies.iter().map(|dependency| vertex_of[dependency.node]);
            // What is needed for another platform is the same vertex: it does not need itself.
            needs[vertex_of[id]].extend(needed.filter(|needed| *needed != vertex_of[id]));
        }
        for (group, members) in &scope.groups {
            needs[of_target(*group)].extend(members.iter().map(|member| of_target(*member)));
        }
        let mut needed_by: Edges = DenseMap::filled(count, Vec::new());
        for vertex in needs.ids() {
            needs[vertex].sort_unstable();
            needs[vertex].dedup();
            for needed in &needs[vertex] {
                needed_by[*needed].push(vertex);
            }
        }
        Self { loaded, graph, undeclared, vertex_of, nodes_of, needs, needed_by }
    }

    /// The expanded graph.
    pub(super) fn graph(&self) -> &'v Graph {
        self.graph
    }

    /// What each vertex needs directly.
    pub(super) fn needs(&self) -> &Edges {
        &self.needs
    }

    /// What needs each vertex directly.
    pub(super) fn needed_by(&self) -> &Edges {
        &self.needed_by
    }

    /// What `item` needs directly, in order.
    pub fn needs_of(&self, item: &Item) -> impl Iterator<Item = Item> {
        let needs = match item {
            Item::Vertex(vertex) => self.needs[*vertex].as_slice(),
            Item::File(_) => &[],
        };
        needs.iter().copied().map(Item::Vertex)
    }

    /// What needs `item` directly, in order.
    pub(super) fn users_of(&self, item: &Item) -> impl Iterator<Item = Item> {
        let users = match item {
            Item::Vertex(vertex) => self.needed_by[*vertex].as_slice(),
            Item::File(_) => &[],
        };
        users.iter().copied().map(Item::Vertex)
    }

    /// The nodes of the expanded graph that `item` stands for.
    pub fn nodes_of(&self, item: &Item) -> impl Iterator<Item = (NodeId, &'v Node)> {
        let nodes = match item {
            Item::Vertex(vertex) => self.nodes_of[*vertex].as_slice(),
            Item::File(_) => &[],
        };
        nodes.iter().map(|id| (*id, &self.graph.nodes[*id]))
    }

    /// The item that stands for a node of the expanded graph.
    pub fn item_of(&self, node: NodeId) -> Item {
        Item::Vertex(self.vertex_of[node])
    }

    /// The image from elsewhere whose reference is `reference`, whether a target declares it or not. Of
    /// several that declare it, the first.
    pub(super) fn image(&self, reference: &str) -> Option<VertexId> {
        let found = self.undeclared.binary_search_by(|(name, _)| name.as_str().cmp(reference));
        let undeclared = found.ok().map(|at| VertexId::from_index(self.loaded.targets.len() + at));
        undeclared.or_else(|| {
            let mut targets = self.loaded.targets.iter();
            targets
                .find(|(_, target)| declared_reference(target) == Some(reference))
                .map(|(id, _)| of_target(id))
        })
    }

    /// The references of the images from elsewhere.
    pub(super) fn references(&self) -> impl Iterator<Item = &str> {
        let declared = self.loaded.targets.values().iter().filter_map(|target| declared_reference(target));
        self.undeclared.iter().map(|(name, _)| name.as_str()).chain(declared)
    }

    /// The target that `item` is.
    pub fn target(&self, item: &Item) -> Option<&'v Arc<Target>> {
        match item {
            Item::Vertex(vertex) => self.loaded.targets.get(TargetId::from_index(vertex.index())),
            Item::File(_) => None,
        }
    }

    /// What people call `item`: its label, its reference, or its path from the workspace's root.
    pub fn name(&self, item: &Item) -> String {
        match (item, self.target(item)) {
            (_, Some(target)) => target.label.to_string(),
            (Item::Vertex(vertex), None) => {
                self.undeclared[vertex.index() - self.loaded.targets.len()].0.clone()
            }
            (Item::File(path), None) => path.to_string(),
        }
    }

    /// The word of a target's table, `base` for every image from elsewhere, or `file`.
    pub fn kind(&self, item: &Item) -> &'static str {
        match (item, self.target(item)) {
            (_, Some(target)) => target.kind.as_str(),
            (Item::Vertex(_), None) => "base",
            (Item::File(_), None) => "file",
        }
    }

    /// The package of a target, or the nearest one around a file. An image that nobody declares has none.
    pub fn package(&self, item: &Item) -> Option<Arc<WorkspacePath>> {
        match (item, self.target(item)) {
            (_, Some(target)) => Some(Arc::clone(&target.label.package)),
            (Item::Vertex(_), None) => None,
            (Item::File(path), None) => {
                let mut folders = std::iter::successors(path.parent(), WorkspacePath::parent);
                folders.find(|folder| self.loaded.names.is_package(folder)).map(Arc::new)
            }
        }
    }

    /// Where a target is declared, or an image from elsewhere is first named: `path:line:column`. For a file
    /// its first letter.
    pub fn place(&self, item: &Item) -> Option<String> {
        let location = match (item, self.target(item)) {
            (_, Some(target)) => &target.location,
            (Item::Vertex(vertex), None) => {
                self.undeclared[vertex.index() - self.loaded.targets.len()].1.as_ref()?
            }
            (Item::File(path), None) => return Some(format!("{path}:1:1")),
        };
        let place = location.source.line_column(location.span.start());
        Some(format!("{}:{}:{}", location.source.path, place.line, place.column))
    }
}

fn declared_reference(target: &Target) -> Option<&str> {
    match &target.definition {
        Definition::External(image) => Some(&image.value),
        Definition::Built(_) | Definition::Group(_) => None,
    }
}

/// The vertex of a target.
pub(super) fn of_target(target: TargetId) -> VertexId {
    VertexId::from_index(target.index())
}

/// The vertices among `items`.
pub(super) fn vertices_of(items: &BTreeSet<Item>) -> impl Iterator<Item = VertexId> {
    items.iter().filter_map(|item| match item {
        Item::Vertex(vertex) => Some(*vertex),
        Item::File(_) => None,
    })
}

/// The images that no target declares, sorted by reference, and the first place that names each.
fn undeclared(graph: &Graph) -> Vec<(String, Option<Location>)> {
    let mut found: BTreeMap<String, Option<Location>> = BTreeMap::new();
    for node in graph.nodes.values() {
        if node.label().is_none() {
            found.entry(node.name()).or_default();
        }
        for dependency in &node.dependencies {
            let needed = &graph.nodes[dependency.node];
            if needed.label().is_some() {
                continue;
            }
            let first = found.entry(needed.name()).or_default();
            let order = |location: &Location| (location.source.path.clone(), location.span);
            if first.as_ref().is_none_or(|first| order(&dependency.location) < order(first)) {
                *first = Some(dependency.location.clone());
            }
        }
    }
    found.into_iter().collect()
}
