//! The copy of what was selected into a layer in the making (fsutil's `copy.Copy`, as BuildKit calls it).
//!
//! A folder is copied by what is in it. One that is there already keeps its mode and owner at the top; below,
//! folders get those of their source.

use std::collections::HashMap;

use super::mode::ModeChange;
use super::pending::Pending;
use super::selection::Selected;
use super::tree::{Node, Owner, TooManyLinks, Tree, join, last_name, parent, resolve};
use crate::oci::layer_entry::EntryKind;
use crate::syntax::path_patterns::{FolderMatches, PathPatterns, PatternError};

/// How to copy.
#[derive(Debug, Default)]
pub struct Copying {
    /// The owner of what is copied; `None` keeps that of the source, and gives folders that are made to whom
    /// [`Pending::make_folders`] says.
    pub owner: Option<Owner>,
    /// How modes are changed.
    pub mode: Option<ModeChange>,
    /// What is left out, relative to the source.
    pub exclude: PathPatterns,
    /// Where to: clean, relative to the root.
    pub destination: Box<[u8]>,
    /// Whether the destination is a folder even if it is not there: it was written with a `/` at the end.
    pub into_folder: bool,
}

/// Why something cannot be copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// A file or a link stands where a folder is needed.
    #[error("cannot make the folder `/{0}`: something else is there")]
    NoFolder(String),
    /// A folder stands where a file is to be.
    #[error("cannot replace the folder `/{0}` by a file")]
    IsFolder(String),
    /// Links lead in a circle.
    #[error(transparent)]
    Links(#[from] TooManyLinks),
    /// A pattern of `--exclude` cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl Copying {
    /// Copies `selected` of `source` into `layer`.
    ///
    /// # Errors
    /// See [`CopyError`].
    pub fn copy(
        &self,
        source: &dyn Tree,
        selected: &Selected,
        layer: &mut Pending<'_>,
    ) -> Result<(), CopyError> {
        let Some(node) = source.node(&selected.path) else { return Ok(()) };
        let target = self.target(&node, last_name(&selected.written), layer)?;
        let mut names = Names::default();
        if node.is_folder() {
            self.make_folders(&target, layer)?;
            return self.content(
                source,
                &selected.path,
                &target,
                &mut (Inside::default(), &mut names),
                layer,
            );
        }
        if self.exclude.matches_leaf(last_name(&selected.written), &FolderMatches::default())? {
            return Ok(());
        }
        self.leaf(node, &target, &mut names, layer)
    }

    /// Where a copy of `node` goes, with the folders around it made.
    fn target(&self, node: &Node, name: &[u8], layer: &mut Pending<'_>) -> Result<Box<[u8]>, CopyError> {
        let around = if self.into_folder { &self.destination[..] } else { parent(&self.destination) };
        let around = resolve(layer, around, true)?;
        self.make_folders(&around, layer)?;
        let target = resolve(layer, &self.destination, true)?;
        let is_folder = layer.node(&target).is_some_and(|there| there.is_folder());
        let target = if !node.is_folder() && is_folder { join(&target, name) } else { target };
        if !node.is_folder() {
            self.make_folders(parent(&target), layer)?;
        }
        Ok(target)
    }

    /// Makes a folder and those around it.
    pub fn make_folders(&self, path: &[u8], layer: &mut Pending<'_>) -> Result<(), CopyError> {
        let mut at = path;
        while !at.is_empty() {
            match layer.node(at) {
                Some(node) if node.is_folder() => break,
                Some(_) => return Err(CopyError::NoFolder(shown(at))),
                None => at = parent(at),
            }
        }
        layer.make_folders(path, 0o755, self.owner);
        Ok(())
    }

    /// Copies what is in the folder `from` into the folder `to`.
    fn content(
        &self,
        source: &dyn Tree,
        from: &[u8],
        to: &[u8],
        (inside, names): &mut (Inside, &mut Names),
        layer: &mut Pending<'_>,
    ) -> Result<(), CopyError> {
        for name in source.names(from) {
            let (path, target) = (join(from, &name), join(to, &name));
            let Some(node) = source.node(&path) else { continue };
            let relative = join(&inside.path, &name);
            let (is_excluded, said) = self.exclude.matches(&relative, &inside.said)?;
            if node.is_folder() {
                if is_excluded && self.exclude.all_below(&relative) {
                    continue;
                }
                if !is_excluded {
                    self.folder(&node, &target, layer)?;
                }
                let mut below = (Inside { path: relative, said }, &mut **names);
                self.content(source, &path, &target, &mut below, layer)?;
            } else if !is_excluded {
                self.make_folders(to, layer)?;
                self.leaf(node, &target, names, layer)?;
            }
        }
        Ok(())
    }

    /// Copies what `patterns` match below the folder `from` of `source`, with the folders between (`--parents`).
    ///
    /// # Errors
    /// See [`CopyError`].
    pub fn copy_with_parents(
        &self,
        source: &dyn Tree,
        from: &[u8],
        patterns: &PathPatterns,
        layer: &mut Pending<'_>,
    ) -> Result<(), CopyError> {
        let target = resolve(layer, &self.destination, true)?;
        self.make_folders(&target, layer)?;
        let mut names = Names::default();
        let mut walk = ParentsWalk { source, from, target: &target, patterns, names: &mut names };
        self.matched(&mut walk, &Inside::default(), &Inside::default(), layer)
    }

    fn matched(
        &self,
        walk: &mut ParentsWalk<'_>,
        included: &Inside,
        excluded: &Inside,
        layer: &mut Pending<'_>,
    ) -> Result<(), CopyError> {
        for name in walk.source.names(&join(walk.from, &included.path)) {
            let relative = join(&included.path, &name);
            let Some(node) = walk.source.node(&join(walk.from, &relative)) else { continue };
            let (is_included, said) = walk.patterns.matches(&relative, &included.said)?;
            let (is_excluded, said_out) = self.exclude.matches(&relative, &excluded.said)?;
            let takes = is_included && !is_excluded;
            if takes {
                self.folders_between(walk, &relative, layer)?;
            }
            let target = join(walk.target, &relative);
            match (node.is_folder(), takes) {
                (true, _) => {
                    if takes {
                        self.folder(&node, &target, layer)?;
                    }
                    let included = Inside { path: relative.clone(), said };
                    let excluded = Inside { path: relative, said: said_out };
                    self.matched(walk, &included, &excluded, layer)?;
                }
                (false, true) => self.leaf(node, &target, walk.names, layer)?,
                (false, false) => {}
            }
        }
        Ok(())
    }

    /// Makes the folders around what is copied as they are in the source.
    fn folders_between(
        &self,
        walk: &ParentsWalk<'_>,
        relative: &[u8],
        layer: &mut Pending<'_>,
    ) -> Result<(), CopyError> {
        let ends = relative.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        for end in ends {
            let target = join(walk.target, &relative[..end]);
            if layer.node(&target).is_some() {
                continue;
            }
            if let Some(node) = walk.source.node(&join(walk.from, &relative[..end])) {
                self.folder(&node, &target, layer)?;
            }
        }
        Ok(())
    }

    fn folder(&self, node: &Node, target: &[u8], layer: &mut Pending<'_>) -> Result<(), CopyError> {
        if layer.node(target).is_some_and(|there| !there.is_folder()) {
            return Err(CopyError::NoFolder(shown(target)));
        }
        layer.put(target, self.changed(node.clone()));
        Ok(())
    }

    fn leaf(
        &self,
        node: Node,
        target: &[u8],
        names: &mut Names,
        layer: &mut Pending<'_>,
    ) -> Result<(), CopyError> {
        if layer.node(target).is_some_and(|there| there.is_folder()) {
            return Err(CopyError::IsFolder(shown(target)));
        }
        match node.identity.and_then(|identity| names.0.get(&identity)) {
            Some(first) => layer.put_hard_link(target, first),
            None => {
                if let Some(identity) = node.identity {
                    names.0.insert(identity, target.into());
                }
                layer.put(target, self.changed(node));
            }
        }
        Ok(())
    }

    /// `node` with the owner and the mode that it gets here.
    fn changed(&self, node: Node) -> Node {
        let owner = self.owner.unwrap_or(Owner { uid: node.uid, gid: node.gid });
        let mode = match (&self.mode, &node.kind) {
            (Some(change), kind) if !matches!(kind, EntryKind::Link { .. }) => {
                change.apply(node.mode, node.is_folder())
            }
            _ => node.mode,
        };
        Node { mode, uid: owner.uid, gid: owner.gid, ..node }
    }
}

/// Where a walk stands in the folder that is copied.
#[derive(Default)]
struct Inside {
    path: Box<[u8]>,
    said: FolderMatches,
}

/// What a copy with parents walks through.
struct ParentsWalk<'w> {
    source: &'w dyn Tree,
    /// The folder that paths are relative to.
    from: &'w [u8],
    target: &'w [u8],
    patterns: &'w PathPatterns,
    names: &'w mut Names,
}

/// The first name of each file that has several in what is copied.
#[derive(Default)]
struct Names(HashMap<(u64, u64), Box<[u8]>>);

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
