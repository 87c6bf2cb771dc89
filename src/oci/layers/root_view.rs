//! The tree that a chain of layers amounts to, without any of them being unpacked.
//!
//! A view is a tree of folders that several layers had a hand in; below a folder that is of one layer alone, the
//! layer's own index is the tree. So a view of one layer costs nothing, a clone costs nothing, and a layer of
//! a few files above a root of ten thousand makes anew only the folders on the way to them.
//!
//! Layers are put upon each other as overlayfs does it, which is as the image specification says it: a folder
//! above a folder joins it and has its own owner and mode; whatever else is above hides what is below; marks
//! hide what layers below have, wherever in their own layer they stand.

use std::io;
use std::sync::Arc;

use super::index::ROOT;
use super::layer::{FileBytes, Layer};
use crate::oci::blob_digest::DiffId;
use crate::oci::layer_entry::{Attribute, EntryKind, LayerEntry};

/// A record of one of a view's layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    layer: u32,
    record: u32,
}

/// Something in the tree.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where its name, owner and mode are from.
    place: Place,
    /// What is in it, sorted by name, for folders of several layers; otherwise the layer's index says it.
    merged: Option<Arc<[Node]>>,
}

/// The tree of a chain of layers.
#[derive(Clone, Debug)]
pub struct RootView {
    /// Lowest first. The first is one without entries.
    layers: Arc<Vec<Arc<Layer>>>,
    root: Node,
}

/// Something that a view has.
#[derive(Clone, Debug)]
pub struct Found<'v> {
    view: &'v RootView,
    node: Node,
}

impl Default for RootView {
    fn default() -> Self {
        let root = Node { place: Place { layer: 0, record: ROOT }, merged: None };
        Self { layers: Arc::new(vec![Layer::nothing()]), root }
    }
}

impl RootView {
    /// Puts `layer` above the others.
    pub fn apply(&mut self, layer: Arc<Layer>) {
        let place = Place { layer: self.layers.len() as u32, record: ROOT };
        Arc::make_mut(&mut self.layers).push(layer);
        self.root = self.merge(&self.root, place);
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[Arc<Layer>] {
        &self.layers[1..]
    }

    /// The layers of which anything can be seen, lowest first: those from the last on whose root hides all
    /// below it. An overlay does not hide below its root, so it must not be given the others.
    pub fn visible_layers(&self) -> &[Arc<Layer>] {
        let hides_all = |layer: &Arc<Layer>| layer.index().is_opaque(ROOT);
        let first = self.layers().iter().rposition(hides_all).unwrap_or(0);
        &self.layers()[first..]
    }

    /// The root folder.
    pub fn root(&self) -> Found<'_> {
        self.found(self.root.clone())
    }

    /// What is at `path`, which is clean and relative to the root. No link is followed.
    pub fn lookup(&self, path: &[u8]) -> Option<Found<'_>> {
        let mut found = self.root();
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            found = found.child(name)?;
        }
        Some(found)
    }

    /// What is in the folder at `path`, sorted by the bytes of the names; nothing where no folder is.
    pub fn children(&self, path: &[u8]) -> Vec<(Box<[u8]>, Found<'_>)> {
        let found = self.lookup(path);
        found.map(|folder| folder.children()).unwrap_or_default()
    }

    /// All that is below the folder at `path`, with paths relative to the root of the view, in the order of
    /// the paths' bytes. What is at `path` itself is not among it.
    pub fn walk(&self, path: &[u8]) -> Walk<'_> {
        let mut walk = Walk { pending: Vec::new() };
        if let Some(folder) = self.lookup(path) {
            walk.enter(path, &folder);
        }
        walk
    }

    fn found(&self, node: Node) -> Found<'_> {
        Found { view: self, node }
    }

    fn layer(&self, place: Place) -> &Arc<Layer> {
        &self.layers[place.layer as usize]
    }

    fn name(&self, node: &Node) -> &[u8] {
        self.layer(node.place).index().name(node.place.record)
    }

    fn is_folder(&self, node: &Node) -> bool {
        self.layer(node.place).index().is_folder(node.place.record)
    }

    fn children_of(&self, node: &Node) -> Arc<[Node]> {
        if let Some(merged) = &node.merged {
            return Arc::clone(merged);
        }
        let index = self.layer(node.place).index();
        let layer = node.place.layer;
        let shown = index.children(node.place.record).filter(|record| !index.is_whiteout(*record));
        shown.map(|record| Node { place: Place { layer, record }, merged: None }).collect()
    }

    fn child_of(&self, node: &Node, name: &[u8]) -> Option<Node> {
        if let Some(merged) = &node.merged {
            let at = merged.binary_search_by(|child| self.name(child).cmp(name)).ok()?;
            return Some(merged[at].clone());
        }
        let index = self.layer(node.place).index();
        let record = index.child(node.place.record, name).filter(|record| !index.is_whiteout(*record))?;
        Some(Node { place: Place { layer: node.place.layer, record }, merged: None })
    }

    /// What `above` and what is below it amount to. `above` is no whiteout.
    fn merge(&self, below: &Node, above: Place) -> Node {
        let index = self.layer(above).index();
        let alone = Node { place: above, merged: None };
        if !index.is_folder(above.record) || !self.is_folder(below) {
            return alone;
        }
        let place = if index.is_implied(above.record) { below.place } else { above };
        if index.is_opaque(above.record) {
            return Node { place, merged: Some(self.children_of(&alone)) };
        }
        let children = index.children(above.record);
        if children.is_empty() {
            return Node { place, merged: Some(self.children_of(below)) };
        }
        let lower = self.children_of(below);
        let mut lower = lower.iter().peekable();
        let mut merged = Vec::with_capacity(lower.len() + children.len());
        for record in children {
            let name = index.name(record);
            while let Some(before) = lower.next_if(|node| self.name(node) < name) {
                merged.push(before.clone());
            }
            let same = lower.next_if(|node| self.name(node) == name);
            if index.is_whiteout(record) {
                continue;
            }
            let place = Place { layer: above.layer, record };
            merged.push(match same {
                Some(below) => self.merge(below, place),
                None => Node { place, merged: None },
            });
        }
        merged.extend(lower.cloned());
        Node { place, merged: Some(merged.into()) }
    }
}

impl<'v> Found<'v> {
    /// What it is. A file is a [`EntryKind::File`] under each of its names.
    pub fn kind(&self) -> EntryKind {
        self.layer().index().kind(self.node.place.record)
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.view.is_folder(&self.node)
    }

    /// The target, when it is a symbolic link.
    pub fn link_target(&self) -> Option<&'v [u8]> {
        self.layer().index().link_target(self.node.place.record)
    }

    /// The lower twelve bits of `st_mode`, the owner and the group.
    pub fn owner(&self) -> (u32, u32, u32) {
        self.layer().index().owner(self.node.place.record)
    }

    /// Extended attributes by full name, sorted.
    pub fn xattrs(&self) -> &'v [Attribute] {
        self.layer().index().attributes(self.node.place.record)
    }

    /// When it was changed: seconds since 1970, and nanoseconds.
    pub fn changed_at(&self) -> (i64, u32) {
        self.layer().index().changed_at(self.node.place.record)
    }

    /// The same as the entry of a layer, at `path`.
    pub fn entry(&self, path: &[u8]) -> LayerEntry {
        self.layer().index().entry(self.node.place.record, path)
    }

    /// What names that are one file have in common, and nothing else has. `None` for a file with one name.
    pub fn same_file(&self) -> Option<(DiffId, u32)> {
        let group = self.layer().index().link_group(self.node.place.record)?;
        Some((self.layer().diff_id(), group))
    }

    /// A reader of a file's bytes; it gives nothing for what is no file.
    pub fn open(&self) -> io::Result<FileBytes> {
        self.layer().open(self.node.place.record)
    }

    /// As [`Self::open`], with nothing opened before the first byte is asked for.
    pub fn bytes(&self) -> FileBytes {
        self.layer().bytes(self.node.place.record)
    }

    /// What is in it under `name`; no link is followed.
    pub fn child(&self, name: &[u8]) -> Option<Self> {
        self.view.child_of(&self.node, name).map(|node| self.view.found(node))
    }

    /// What is in it, sorted by the bytes of the names.
    pub fn children(&self) -> Vec<(Box<[u8]>, Self)> {
        let children = self.view.children_of(&self.node);
        let named = |node: &Node| (self.view.name(node).into(), self.view.found(node.clone()));
        children.iter().map(named).collect()
    }

    fn layer(&self) -> &'v Arc<Layer> {
        self.view.layer(self.node.place)
    }
}

/// What is below a folder, in the order of the paths' bytes.
#[derive(Debug)]
pub struct Walk<'v> {
    /// The next last. Names of folders are there twice: for the folder, and with a `/` for what is in it.
    /// For in the order of bytes `a.b` comes before `a/b`.
    pending: Vec<(Vec<u8>, Found<'v>, Part)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Itself,
    Content,
}

impl<'v> Walk<'v> {
    fn enter(&mut self, path: &[u8], folder: &Found<'v>) {
        let first = self.pending.len();
        let start = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        for (name, child) in folder.children() {
            let path = [&*start, &*name].concat();
            if child.is_folder() {
                self.pending.push(([&*path, b"/"].concat(), child.clone(), Part::Content));
            }
            self.pending.push((path, child, Part::Itself));
        }
        self.pending[first..].sort_unstable_by(|a, b| b.0.cmp(&a.0));
    }
}

impl<'v> Iterator for Walk<'v> {
    type Item = (Box<[u8]>, Found<'v>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (path, found, part) = self.pending.pop()?;
            match part {
                Part::Itself => return Some((path.into(), found)),
                Part::Content => self.enter(&path[..path.len() - 1], &found),
            }
        }
    }
}
