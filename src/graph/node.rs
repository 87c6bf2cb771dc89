//! The graph: nodes, their dependencies, and an order in which each stands after what it needs.
//!
//! A node is a target for one platform, or an image from elsewhere that one of them is based on. The
//! graph is data: `graph/expand.rs` makes it, keys and plans read it.
//!
//! **Invariant:** a graph has no cycle; [`Graph::order`] is proof of it.

use std::sync::Arc;

use super::slice::Slice;
use super::target::{BuildDefinition, Tag, Target, TargetKind};
use super::view::ViewSpec;
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::path_text::lossy_text;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::{ContentHash, SourceKey};
use crate::types::event::Subject;
use crate::types::ids::{DenseMap, NodeId, TargetId};
use crate::types::label::Label;
use crate::types::platform::Platform;
use crate::types::sorted_map::SortedMap;
use crate::types::span::{Location, Span};
use crate::types::workspace_path::WorkspacePath;

/// What is wanted, with everything that it needs.
#[derive(Debug, Default)]
pub struct Graph {
    /// All nodes.
    pub nodes: DenseMap<NodeId, Node>,
    /// What was asked for, each once, in order of labels.
    pub roots: Vec<NodeId>,
    /// All nodes, each after its dependencies.
    pub order: Vec<NodeId>,
}

impl Graph {
    /// All nodes by how long the longest way to a node without dependencies is: those of a level need only
    /// nodes of levels before it, so that they can be worked on at once.
    pub fn levels(&self) -> Vec<Vec<NodeId>> {
        let mut level_of: DenseMap<NodeId, usize> = DenseMap::filled(self.nodes.len(), 0);
        let mut levels: Vec<Vec<NodeId>> = Vec::new();
        for id in &self.order {
            let needed = self.nodes[*id].dependencies.iter().map(|dependency| level_of[dependency.node] + 1);
            let level = needed.max().unwrap_or(0);
            level_of[*id] = level;
            if levels.len() <= level {
                levels.resize(level + 1, Vec::new());
            }
            levels[level].push(*id);
        }
        levels
    }

    /// What each node needs, without how.
    pub fn dependencies(&self) -> DenseMap<NodeId, Vec<NodeId>> {
        let nodes = self.nodes.values().iter();
        nodes.map(|node| node.dependencies.iter().map(|dependency| dependency.node).collect()).collect()
    }
}

/// A target for a platform, or an image from elsewhere.
#[derive(Debug)]
pub struct Node {
    /// What it is for.
    pub platform: Platform,
    /// What it takes to have it.
    pub work: Work,
    /// What must be there before, each use once, in the order of the Dockerfile.
    pub dependencies: Vec<Dependency>,
}

/// What it takes to have a node's output.
#[derive(Debug)]
pub enum Work {
    /// Somebody else built it: it has to be found.
    External(External),
    /// It is built from a Dockerfile.
    Build(Box<Build>),
}

/// An image from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// The reference, as it is written.
    pub reference: String,
    /// The target that declares it, when one does.
    pub target: Option<TargetId>,
    /// The label of that target.
    pub label: Option<Label>,
}

/// A build from a Dockerfile.
#[derive(Debug)]
pub struct Build {
    /// The target.
    pub target: Arc<Target>,
    /// The parsed Dockerfile.
    pub dockerfile: Arc<Dockerfile>,
    /// The hash of the Dockerfile's bytes, where the parsed text does not say all: the bytes are not
    /// UTF-8, or a foreign frontend reads them in its own way.
    pub dockerfile_bytes: Option<ContentHash>,
    /// What the wanted stage reaches of it.
    pub slice: Slice,
    /// Whether a base leaves it `ONBUILD` instructions, which can see all that it is given.
    pub is_triggered: bool,
    /// Arguments whose values are facts: as [`Slice::arguments`], without what stamps decide.
    pub arguments: SortedMap<String, Option<String>>,
    /// All arguments that the builder is given, with stand-ins where a dependency's reference goes.
    pub given: SortedMap<String, String>,
    /// What is read of the main context; `None` when nothing is.
    pub context: Option<Context>,
    /// What is read of folders that are named contexts, by name.
    pub folders: SortedMap<String, Context>,
    /// What lints say of it, errors among it: what the target allows, too.
    pub remarks: Vec<Diagnostic>,
}

/// A folder that a build reads.
#[derive(Clone, Debug)]
pub struct Context {
    /// What is read of it.
    pub spec: Arc<ViewSpec>,
    /// The ignore file that applies, when there is one.
    pub ignore_file: Option<WorkspacePath>,
    /// Where the Dockerfile asks for what is read, in the order of the patterns of the view.
    pub sources: Vec<ContextSource>,
    /// Paths, not patterns, without which the builder fails.
    pub required: Vec<ContextSource>,
}

/// A source of a `COPY`, an `ADD` or a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextSource {
    /// The pattern; empty for everything.
    pub pattern: Vec<u8>,
    /// Where it is written in the Dockerfile.
    pub span: Span,
}

/// A use of one node by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// What is used.
    pub node: NodeId,
    /// How.
    pub role: Role,
    /// The line that uses it.
    pub location: Location,
}

/// How a dependency is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A `FROM`, `COPY --from` or mount names it.
    Reference {
        /// The name, expanded.
        name: String,
        /// The platform that a `FROM --platform` asks for.
        platform: Option<Platform>,
    },
    /// An argument's value is the reference of its output.
    Argument {
        /// The argument.
        name: String,
    },
}

impl Node {
    /// The target's label, or `None` for an image that no target declares.
    pub fn label(&self) -> Option<&Label> {
        match &self.work {
            Work::External(external) => external.label.as_ref(),
            Work::Build(build) => Some(&build.target.label),
        }
    }

    /// The build, when the node is built here.
    pub fn build(&self) -> Option<&Build> {
        match &self.work {
            Work::External(_) => None,
            Work::Build(build) => Some(build),
        }
    }

    /// What the node is for.
    pub fn kind(&self) -> TargetKind {
        self.build().map_or(TargetKind::Base, |build| build.target.kind)
    }

    /// The label and the platform, as events name them; for an undeclared image there is none.
    pub fn subject(&self) -> Option<Subject> {
        Some(Subject { label: self.label()?.clone(), platform: self.platform.clone() })
    }

    /// What people call the node: its label, or the reference of an undeclared image.
    pub fn name(&self) -> String {
        match &self.work {
            Work::External(External { label: None, reference, .. }) => reference.clone(),
            Work::External(External { label: Some(label), .. }) => label.to_string(),
            Work::Build(build) => build.target.label.to_string(),
        }
    }
}

impl Build {
    /// What the `BUILD.toml` says of the target.
    ///
    /// # Panics
    /// Never: only targets with a definition become builds.
    pub fn definition(&self) -> &BuildDefinition {
        self.target.build().expect("a build is made from a target that is built")
    }

    /// The names that the image is to have, each once.
    pub fn tags(&self, source_key: &SourceKey) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in self.definition().tags.iter().map(|tag| filled(&tag.value, source_key)) {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags
    }

    /// The first of its names that tells what is in the image, for the source key is part of it; `None` when
    /// none does.
    pub fn content_tag(&self, source_key: &SourceKey) -> Option<String> {
        let tag = self.definition().tags.iter().find(|tag| tag.value.has_source_key())?;
        Some(filled(&tag.value, source_key))
    }

    /// Whether it is built each time, and the builder's own cache is left aside.
    pub fn no_cache(&self) -> bool {
        self.definition().no_cache.as_ref().is_some_and(|no_cache| no_cache.value)
    }

    /// What it reads that nothing pins, and how to pin it: the builder has to look each time.
    pub fn unpinned(&self) -> Option<(String, &'static str)> {
        let frontend = self.slice.frontend.as_ref().filter(|_| self.slice.is_foreign);
        if let Some(frontend) = frontend.filter(|frontend| !frontend.contains('@')) {
            return Some((format!("frontend {frontend}"), "no digest pins it"));
        }
        let remote = self.slice.remotes.first()?;
        Some((format!("remote {}", remote.value), "no `--checksum` pins it"))
    }

    /// A place in the Dockerfile.
    pub fn location(&self, span: Span) -> Location {
        Location { source: Arc::clone(&self.dockerfile.source), span }
    }

    /// The line through which what `source` leads to comes into the view of `context`; without a source, or
    /// where it is of no line, the first line that reads anything.
    pub fn source_place(&self, context: &Context, source: Option<&str>) -> Option<Location> {
        let mut sources = context.sources.iter();
        let named = source.and_then(|source| sources.find(|place| lossy_text(&place.pattern) == source));
        named.or(context.sources.first()).map(|place| self.location(place.span))
    }

    /// The main context and the named folders, by name; the main one has the empty name.
    pub fn contexts(&self) -> impl Iterator<Item = (&str, &Context)> {
        let main = self.context.iter().map(|context| ("", context));
        main.chain(self.folders.iter().map(|(name, context)| (name.as_str(), context)))
    }
}

/// The one way in which a source key is written into a tag.
fn filled(tag: &Tag, source_key: &SourceKey) -> String {
    tag.fill(&source_key.short())
}
