//! A layer in the making: what was written over a tree.
//!
//! Each write sees the ones before it. What comes out is sorted and holds the folders around everything that
//! changed, as containerd's archives do: whoever unpacks the layer alone then gives them the right owners.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Node, Owner, Tree, join, parent};
use crate::oci::layer_entry::{EntryKind, LayerEntry};

/// The bit of a folder's mode that says that what is made in it gets its group (`S_ISGID`).
const SET_GROUP_ID: u32 = 0o2000;

/// What was written over `base`.
pub struct Pending<'b> {
    base: &'b dyn Tree,
    changes: BTreeMap<Box<[u8]>, Node>,
    /// Folders and files of the base that were replaced: nothing below them shines through.
    hidden: BTreeSet<Box<[u8]>>,
    /// Names of files that have several: those with one number are one file. A name that is written again
    /// leaves the others, whichever of them came first.
    files: BTreeMap<Box<[u8]>, usize>,
    /// How many files were given a number.
    numbers: usize,
}

impl<'b> Pending<'b> {
    /// Nothing written over `base`.
    pub fn over(base: &'b dyn Tree) -> Self {
        let (changes, hidden) = (BTreeMap::new(), BTreeSet::new());
        Self { base, changes, hidden, files: BTreeMap::new(), numbers: 0 }
    }

    /// Puts `node` at `path`, in the place of whatever is there. A folder over a folder keeps what is in it. The
    /// folder around it must be there.
    pub fn put(&mut self, path: &[u8], node: Node) {
        let keeps_content = node.is_folder() && self.node(path).is_none_or(|old| old.is_folder());
        if !keeps_content {
            self.remove_below(path);
        }
        self.files.remove(path);
        self.changes.insert(path.into(), node);
    }

    /// Gives the file at `first`, which was written here, the further name `path`.
    pub fn put_hard_link(&mut self, path: &[u8], first: &[u8]) {
        let Some(node) = self.changes.get(first).filter(|_| path != first).cloned() else { return };
        let number = self.files.get(first).copied().unwrap_or_else(|| {
            self.numbers += 1;
            self.files.insert(first.into(), self.numbers);
            self.numbers
        });
        self.put(path, node);
        self.files.insert(path.into(), number);
    }

    /// Gives the file at `path`, which was written here, this mode and owner, under all its names.
    pub fn set_owner(&mut self, path: &[u8], mode: u32, owner: Owner) {
        let number = self.files.get(path);
        let same = |own: &usize| Some(own) == number;
        let others = self.files.iter().filter(|(_, own)| same(own)).map(|(name, _)| name.clone());
        let names: Vec<Box<[u8]>> = others.chain([path.into()]).collect();
        for name in names {
            if let Some(node) = self.changes.get_mut(&name) {
                (node.mode, node.uid, node.gid) = (mode, owner.uid, owner.gid);
            }
        }
    }

    /// Makes the folder `path` and those around it where they are not there. `owner` gets them; else they are root's.
    ///
    /// As the kernel has it, a folder in one with the setgid bit gets the bit, and the group where nobody else gets it.
    pub fn make_folders(&mut self, path: &[u8], mode: u32, owner: Option<Owner>) {
        let mut made: Box<[u8]> = Box::default();
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            let path = join(&made, name);
            let around = std::mem::replace(&mut made, path);
            if self.node(&made).is_none() {
                let around = self.node(&around).filter(|around| around.mode & SET_GROUP_ID != 0);
                let (bit, gid) = around.map_or((0, 0), |around| (SET_GROUP_ID, around.gid));
                self.put(&made, Node::folder(mode | bit, owner.unwrap_or(Owner { uid: 0, gid })));
            }
        }
    }

    /// Whether something was put at `path`.
    pub fn was_written(&self, path: &[u8]) -> bool {
        self.changes.contains_key(path)
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn remove_below(&mut self, path: &[u8]) {
        let below = below(path);
        let gone: Vec<Box<[u8]>> = self
            .changes
            .range(below.clone()..)
            .map(|(path, _)| path.clone())
            .take_while(|path| path.starts_with(&below))
            .collect();
        for path in gone {
            self.changes.remove(&path);
            self.files.remove(&path);
        }
        self.hidden.insert(path.into());
    }

    fn is_hidden(&self, path: &[u8]) -> bool {
        let mut at = path;
        while !at.is_empty() {
            if self.hidden.contains(at) {
                return true;
            }
            at = parent(at);
        }
        false
    }

    /// The entries of the layer with their nodes, sorted by path.
    pub fn entries(self) -> Vec<(LayerEntry, Node)> {
        let mut nodes: BTreeMap<Box<[u8]>, Node> = BTreeMap::new();
        for path in self.changes.keys() {
            let mut around = parent(path);
            while !nodes.contains_key(around) {
                if let Some(node) = self.node(around) {
                    nodes.insert(around.into(), node);
                }
                if around.is_empty() {
                    break;
                }
                around = parent(around);
            }
        }
        // The root's own folder belongs to no copy.
        nodes.remove(&b""[..]);
        let opaque = self.opaque();
        nodes.extend(self.changes);
        let mut entries: Vec<(LayerEntry, Node)> = Vec::with_capacity(nodes.len() + opaque.len());
        // Of several names of one file, the first in order is the file and the others link to it.
        let mut first_names: BTreeMap<usize, Box<[u8]>> = BTreeMap::new();
        for (path, node) in nodes {
            let mut entry = entry(path, &node);
            if let Some(number) = self.files.get(&entry.path) {
                match first_names.get(number) {
                    Some(first) => entry.kind = EntryKind::HardLink { target: first.clone() },
                    None => drop(first_names.insert(*number, entry.path.clone())),
                }
            }
            let mark =
                opaque.contains(&entry.path).then(|| LayerEntry { kind: EntryKind::Opaque, ..entry.clone() });
            entries.push((entry, node.clone()));
            entries.extend(mark.map(|mark| (mark, node)));
        }
        entries
    }

    /// Folders that replace something under which the base has files.
    fn opaque(&self) -> BTreeSet<Box<[u8]>> {
        let is_opaque = |path: &[u8]| {
            let base = self.base.node(path).is_some_and(|node| node.is_folder());
            base && self.changes.get(path).is_some_and(Node::is_folder)
        };
        self.hidden.iter().filter(|path| is_opaque(path)).cloned().collect()
    }
}

/// What the paths below `path` begin with.
fn below(path: &[u8]) -> Box<[u8]> {
    if path.is_empty() { Box::default() } else { [path, b"/"].concat().into() }
}

fn entry(path: Box<[u8]>, node: &Node) -> LayerEntry {
    LayerEntry {
        path,
        kind: node.kind.clone(),
        mode: node.mode,
        uid: node.uid,
        gid: node.gid,
        xattrs: node.xattrs.clone(),
    }
}

impl Tree for Pending<'_> {
    fn node(&self, path: &[u8]) -> Option<Node> {
        if let Some(node) = self.changes.get(path) {
            return Some(node.clone());
        }
        if self.is_hidden(path) { None } else { self.base.node(path) }
    }

    fn names(&self, path: &[u8]) -> Vec<Box<[u8]>> {
        let mut names: BTreeSet<Box<[u8]>> = BTreeSet::new();
        if !self.is_hidden(path) {
            names.extend(self.base.names(path).into_iter().filter(|name| !self.is_hidden(&join(path, name))));
        }
        let below = below(path);
        let changed = self.changes.range(below.clone()..).take_while(|(at, _)| at.starts_with(&below));
        let inside = changed.map(|(at, _)| &at[below.len()..]).filter(|rest| !rest.is_empty());
        names.extend(inside.filter(|rest| !rest.contains(&b'/')).map(Box::from));
        names.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::embedded::tree::Content;
    use crate::oci::layers::root_view::RootView;

    /// What a layer holds after `writes`: each is `NAME=TEXT`, `NAME->NAME` for one more name of a file, or
    /// `NAME/` for a folder.
    fn check(writes: &[&str], expected: &[&str]) {
        let nothing = RootView::default();
        let mut pending = Pending::over(&nothing);
        for write in writes {
            let path = |text: &str| text.as_bytes().to_vec();
            if let Some((name, text)) = write.split_once('=') {
                let node = Node::file(text.as_bytes().into(), 0o644, Owner::default());
                pending.put(&path(name), node);
            } else if let Some((name, first)) = write.split_once("->") {
                pending.put_hard_link(&path(name), &path(first));
            } else {
                pending.put(&path(write.trim_end_matches('/')), Node::folder(0o755, Owner::default()));
            }
        }
        let shown = |(entry, node): &(LayerEntry, Node)| {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            match (&entry.kind, &node.content) {
                (EntryKind::HardLink { target }, _) => format!("{path}->{}", String::from_utf8_lossy(target)),
                (EntryKind::File { .. }, Content::Bytes(text)) => {
                    format!("{path}={}", String::from_utf8_lossy(text))
                }
                _ => format!("{path}/"),
            }
        };
        let found: Vec<String> = pending.entries().iter().map(shown).collect();
        assert_eq!(found, expected, "{writes:?}");
    }

    #[test]
    fn a_name_that_is_written_again_leaves_the_other_names_of_its_file() {
        check(&["a=one", "b->a"], &["a=one", "b->a"]);
        check(&["b=one", "a->b"], &["a=one", "b->a"]);
        check(&["a=one", "b->a", "a=two"], &["a=two", "b=one"]);
        check(&["a=one", "b->a", "c->a", "a=two"], &["a=two", "b=one", "c->b"]);
        check(&["a=one", "b->a", "c->b", "b=two"], &["a=one", "b=two", "c->a"]);
        check(&["a=one", "b->a", "a=two", "a->b"], &["a=one", "b->a"]);
        check(&["d/", "d/a=one", "e->d/a", "d=file"], &["d=file", "e=one"]);
        check(&["a=one", "a->a"], &["a=one"]);
    }
}
