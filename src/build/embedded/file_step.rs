//! `COPY` and `ADD`, from the words of the instruction to the entries of a layer.
//!
//! What an instruction reads is selected first: its digest is part of the step's key, and a step that was done
//! before reads no file.

use std::path::Path;
use std::sync::Arc;

use super::archive_tree;
use super::context_tree::ContextTree;
use super::copying::Copying;
use super::file_error::FileStepError;
use super::mode::ModeChange;
use super::owner;
use super::pending::Pending;
use super::selection::{self, Selected, SelectionError};
use super::steps::StepKeyHasher;
use super::tree::{Node, Owner, Tree, cleaned, join};
use crate::syntax::path_patterns::PathPatterns;
use crate::syntax::shell_pattern;
use crate::types::file_entry::FileKind;

/// Where a source is looked for.
#[derive(Clone, Copy)]
pub enum FromTree<'t> {
    /// In a view: what is read of it has hashes.
    Context(&'t ContextTree<'t>),
    /// In the root of a stage or of an image, which its chain names.
    Root {
        /// The files.
        tree: &'t dyn Tree,
        /// The name of all of them together.
        chain: [u8; 32],
    },
}

impl<'t> FromTree<'t> {
    fn tree(self) -> &'t dyn Tree {
        match self {
            Self::Context(tree) => tree,
            Self::Root { tree, .. } => tree,
        }
    }
}

/// One source.
pub enum FileSource<'t> {
    /// Files of a tree: a path or a pattern, as it is written and expanded.
    Path(FromTree<'t>, String),
    /// A file that the Dockerfile itself holds.
    Inline {
        /// Its name.
        name: String,
        /// What it holds.
        content: Arc<[u8]>,
    },
    /// A file that was fetched.
    Fetched {
        /// The name of the file.
        name: String,
        /// Where it was fetched from.
        url: String,
        /// The digest of its bytes.
        identity: String,
        /// The file.
        node: Node,
    },
}

/// A `COPY` or an `ADD`, all words expanded.
pub struct FileStep<'t> {
    /// Whether archives are unpacked: `ADD`, where `--unpack=false` does not forbid it.
    pub unpacks: bool,
    /// Whether archives that were fetched are unpacked: `ADD --unpack`.
    pub unpacks_fetched: bool,
    /// The sources, in order.
    pub sources: Vec<FileSource<'t>>,
    /// Where to, absolute; a `/` at the end says that it is a folder.
    pub destination: String,
    /// The same as it is written, expanded.
    pub written: String,
    /// The value of `--chown`.
    pub owner: Option<String>,
    /// The value of `--chmod`.
    pub mode: Option<String>,
    /// The values of `--exclude`.
    pub exclude: Vec<String>,
    /// `--parents`.
    pub parents: bool,
    /// `--link`: what is there below does not count.
    pub link: bool,
}

/// A source with what it names.
pub struct Chosen<'s, 't> {
    source: &'s FileSource<'t>,
    selected: Vec<Selected>,
}

impl<'t> FileStep<'t> {
    /// Finds what the sources name.
    ///
    /// # Errors
    /// When a source is not there.
    pub fn choose(&self) -> Result<Vec<Chosen<'_, 't>>, FileStepError> {
        let mut chosen = Vec::new();
        for source in &self.sources {
            let selected = match source {
                FileSource::Path(from, path) if self.parents => folders_of_patterns(*from, path)?,
                FileSource::Path(from, path) => selection::select(from.tree(), &cleaned(path.as_bytes()))?,
                FileSource::Inline { .. } | FileSource::Fetched { .. } => Vec::new(),
            };
            chosen.push(Chosen { source, selected });
        }
        Ok(chosen)
    }

    fn goes_into_folder(&self) -> bool {
        self.destination.ends_with('/')
    }

    /// Adds everything that decides the layer, but for the files below it.
    pub fn key(&self, chosen: &[Chosen<'_, '_>], hasher: &mut StepKeyHasher) {
        hasher.field("unpacks", &[u8::from(self.unpacks), u8::from(self.unpacks_fetched)]);
        hasher.field("destination", self.destination.as_bytes());
        hasher.list("owner", &self.owner);
        hasher.list("mode", &self.mode);
        hasher.list("exclude", &self.exclude);
        hasher.field("parents and link", &[u8::from(self.parents), u8::from(self.link)]);
        for Chosen { source, selected } in chosen {
            match source {
                FileSource::Inline { name, content } => {
                    hasher.field("inline", name.as_bytes());
                    hasher.field("content", content);
                }
                FileSource::Fetched { name, identity, .. } => {
                    hasher.field("fetched", name.as_bytes());
                    hasher.field("identity", identity.as_bytes());
                }
                FileSource::Path(FromTree::Root { chain, .. }, path) => {
                    hasher.field("path of a root", path.as_bytes());
                    hasher.field("chain", chain);
                }
                FileSource::Path(FromTree::Context(tree), path) => {
                    hasher.field("path", path.as_bytes());
                    for one in selected {
                        hasher.field("written", &one.written);
                        hash_below(tree, &one.path, hasher);
                    }
                    hasher.field("count", &selected.len().to_le_bytes());
                }
            }
        }
    }

    /// Writes what was chosen into a layer over `below`. What archives hold waits in the folder `waiting`.
    ///
    /// # Errors
    /// See [`FileStepError`].
    pub fn write(
        &self,
        chosen: &[Chosen<'_, '_>],
        below: &dyn Tree,
        layer: &mut Pending<'_>,
        waiting: &Path,
    ) -> Result<(), FileStepError> {
        let listed = Some(below).filter(|below| !self.link && !below.names(b"").is_empty());
        let owner = self.owner.as_ref().map(|text| owner::owner(text, listed)).transpose()?;
        let copying = Copying {
            owner,
            mode: self.mode.as_deref().map(ModeChange::of),
            exclude: PathPatterns::new(&self.exclude)?,
            destination: cleaned(self.destination.as_bytes()),
            into_folder: self.goes_into_folder(),
        };
        for Chosen { source, selected } in chosen {
            match source {
                FileSource::Inline { name, content } => {
                    let node = Node::file(Arc::clone(content), 0o644, Owner::default());
                    copying.copy(&OneFile { name, node }, &whole(name), layer)?;
                }
                FileSource::Fetched { name, node, .. } => {
                    let (tree, one) = (OneFile { name, node: node.clone() }, whole(name));
                    if !(self.unpacks_fetched && archive_tree::unpack(&tree, &one, &copying, layer, waiting)?)
                    {
                        copying.copy(&tree, &one, layer)?;
                    }
                }
                FileSource::Path(from, path) if self.parents => {
                    let pattern = cleaned(split_pivot(path).1.as_bytes());
                    let patterns = PathPatterns::new([String::from_utf8_lossy(&pattern)])?;
                    for one in selected {
                        copying.copy_with_parents(from.tree(), &one.path, &patterns, layer)?;
                    }
                }
                FileSource::Path(from, _) => {
                    for one in selected {
                        if !(self.unpacks
                            && archive_tree::unpack(from.tree(), one, &copying, layer, waiting)?)
                        {
                            copying.copy(from.tree(), one, layer)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// The folders below which the pattern of a source with `--parents` is looked for.
fn folders_of_patterns(from: FromTree<'_>, path: &str) -> Result<Vec<Selected>, FileStepError> {
    let (folder, pattern) = split_pivot(path);
    let folders = selection::select(from.tree(), &cleaned(folder.as_bytes()))?;
    let pattern = cleaned(pattern.as_bytes());
    let is_plain = !pattern.split(|byte| *byte == b'/').any(shell_pattern::has_wildcards);
    let is_there = |folder: &Selected| from.tree().node(&join(&folder.path, &pattern)).is_some();
    if is_plain && !folders.iter().any(is_there) {
        return Err(SelectionError::NotFound(path.trim_start_matches('/').to_owned()).into());
    }
    Ok(folders)
}

/// A source with `--parents`: the folder, and the pattern below it. `/./` parts the two.
fn split_pivot(path: &str) -> (&str, &str) {
    path.split_once("/./").unwrap_or(("/", path))
}

/// The one file of [`OneFile`].
fn whole(name: &str) -> Selected {
    Selected { written: name.as_bytes().into(), path: name.as_bytes().into() }
}

/// Adds all that is below `path` in a view.
pub fn hash_below(tree: &ContextTree<'_>, path: &[u8], hasher: &mut StepKeyHasher) {
    hasher.field("at", path);
    if let Some(entry) = tree.entry(path) {
        hasher.field("permissions", &entry.permissions.to_le_bytes());
        match &entry.kind {
            FileKind::File { content, .. } => hasher.field("file", content.as_bytes()),
            FileKind::Link { target } => hasher.field("link", target),
            FileKind::Folder => hasher.field("folder", &[]),
        }
    }
    for name in tree.names(path) {
        hash_below(tree, &join(path, &name), hasher);
    }
    hasher.field("end", &[]);
}

/// A tree that holds one file.
struct OneFile<'f> {
    name: &'f str,
    node: Node,
}

impl Tree for OneFile<'_> {
    fn node(&self, path: &[u8]) -> Option<Node> {
        match path {
            [] => Some(Node::folder(0o755, Owner::default())),
            path => (path == self.name.as_bytes()).then(|| self.node.clone()),
        }
    }

    fn names(&self, path: &[u8]) -> Vec<Box<[u8]>> {
        if path.is_empty() { vec![self.name.as_bytes().into()] } else { Vec::new() }
    }
}
