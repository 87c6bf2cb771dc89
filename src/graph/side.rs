//! One side of a comparison: the targets of a snapshot, and the graph of those that are wanted.
//!
//! Nothing is hashed yet: which views have to be looked at is known when both sides are there.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::dockerfiles::Dockerfiles;
use super::expand::{self, Materials, Wanted};
use super::load::{self, Loaded, Options};
use super::node::Graph;
use super::published::Published;
use crate::source::snapshot::Snapshot;
use crate::types::diagnostic::{Diagnostic, Severity};
use crate::types::ids::TargetId;
use crate::types::label::Label;
use crate::types::platform::Platform;
use crate::types::workspace_path::WorkspacePath;

/// What is wanted of both sides.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What the loads depend on besides the files.
    pub options: Options<'a>,
    /// The patterns, as typed.
    pub patterns: &'a [String],
    /// The folder in which they were typed.
    pub current: &'a Arc<WorkspacePath>,
    /// The platforms to look at; empty: what each target declares.
    pub platforms: &'a [Platform],
    /// What the builder runs on.
    pub build_platform: &'a Platform,
}

/// The targets of a snapshot.
#[derive(Debug)]
pub struct Side {
    /// All targets.
    pub loaded: Loaded,
    /// Those that are wanted.
    pub wanted: Vec<TargetId>,
    /// What is wanted, and what that needs; where [`Self::is_part`] says so, some of it.
    pub graph: Graph,
    /// What is to be known of either, and forbids nothing.
    pub warnings: Vec<Diagnostic>,
    /// What is wrong with those patterns that name nothing on this side.
    pub unknown: Vec<(String, Vec<Diagnostic>)>,
    /// Whether targets that are wanted, and the same on both sides, are left out of the graph.
    pub is_part: bool,
    /// What was read on the way. It is kept for as long as the rest, which is mostly the end of the program: to
    /// free it takes a while.
    pub read: Read,
}

/// What a graph is made with.
pub struct Read {
    pub(super) published: Published,
    dockerfiles: Dockerfiles,
}

impl Read {
    pub(super) fn new(snapshot: &Snapshot, loaded: &Loaded) -> Self {
        Self { published: Published::new(&loaded.targets), dockerfiles: Dockerfiles::new(snapshot) }
    }

    pub(super) fn materials<'m>(&'m self, loaded: &'m Loaded) -> Materials<'m> {
        Materials { loaded, published: &self.published, dockerfiles: &self.dockerfiles }
    }
}

impl fmt::Debug for Read {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Read").finish_non_exhaustive()
    }
}

/// A side without a graph: all targets, and those that are wanted of them.
#[derive(Clone)]
pub(super) struct Choice<'c> {
    asked: &'c Asked<'c>,
    pub(super) loaded: Loaded,
    pub(super) targets: Vec<TargetId>,
    pub(super) unknown: Vec<(String, Vec<Diagnostic>)>,
}

impl Side {
    /// Loads `snapshot` and makes the graph of what is wanted of it.
    ///
    /// # Errors
    /// Everything that is wrong with its files.
    pub fn of(snapshot: &Snapshot, asked: &Asked<'_>) -> Result<Self, Vec<Diagnostic>> {
        let choice = Choice::of(snapshot, asked)?;
        let read = Read::new(snapshot, &choice.loaded);
        choice.whole(read)
    }

    /// The labels of what is wanted.
    pub fn labels(&self) -> impl Iterator<Item = &Label> {
        self.wanted.iter().map(|id| &self.loaded.targets[*id].label)
    }

    /// The same without its graph, for another one.
    pub(super) fn without_graph<'c>(self, asked: &'c Asked<'c>) -> (Choice<'c>, Read) {
        let Self { loaded, wanted, unknown, read, .. } = self;
        (Choice { asked, loaded, targets: wanted, unknown }, read)
    }
}

impl<'c> Choice<'c> {
    /// Loads `snapshot`.
    ///
    /// # Errors
    /// Everything that is wrong with its files.
    pub(super) fn of(snapshot: &Snapshot, asked: &'c Asked<'c>) -> Result<Self, Vec<Diagnostic>> {
        let loaded = load::load(snapshot, &asked.options);
        if loaded.has_errors() {
            return Err(loaded.diagnostics);
        }
        let (targets, unknown) = selected(&loaded, asked);
        Ok(Self { asked, loaded, targets, unknown })
    }

    /// The labels of what is wanted.
    pub(super) fn labels(&self) -> HashSet<&Label> {
        self.targets.iter().map(|id| &self.loaded.targets[*id].label).collect()
    }

    fn graph(&self, read: &Read, targets: &[TargetId]) -> (Graph, Vec<Diagnostic>) {
        let Asked { platforms, build_platform, .. } = *self.asked;
        expand::expand_from(read.materials(&self.loaded), Wanted { targets, platforms, build_platform })
    }

    /// The side with the graph of everything that is wanted.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn whole(self, read: Read) -> Result<Side, Vec<Diagnostic>> {
        let graph = self.graph(&read, &self.targets);
        self.side(graph, read, false)
    }

    /// The side with the graph of some of what is wanted, and of what that needs.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn part(self, read: Read, targets: &[TargetId]) -> Result<Side, Vec<Diagnostic>> {
        let graph = self.graph(&read, targets);
        self.side(graph, read, true)
    }

    fn side(
        self,
        (graph, problems): (Graph, Vec<Diagnostic>),
        read: Read,
        is_part: bool,
    ) -> Result<Side, Vec<Diagnostic>> {
        let mut warnings = self.loaded.diagnostics.clone();
        warnings.extend(problems);
        if warnings.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(warnings);
        }
        Ok(Side {
            loaded: self.loaded,
            wanted: self.targets,
            graph,
            warnings,
            unknown: self.unknown,
            is_part,
            read,
        })
    }
}

/// What the patterns name on one side. A target that came or went is named by a pattern that means nothing
/// on the other side, so that each pattern counts by itself.
fn selected(loaded: &Loaded, asked: &Asked<'_>) -> (Vec<TargetId>, Vec<(String, Vec<Diagnostic>)>) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for pattern in asked.patterns {
        match loaded.select(&[pattern], asked.current) {
            Ok(targets) => known.push((pattern, targets)),
            Err(problems) => unknown.push((pattern.clone(), problems)),
        }
    }
    if known.len() == 1 {
        return (known.remove(0).1, unknown);
    }
    // Each of them names something.
    let known: Vec<&String> = known.into_iter().map(|(pattern, _)| pattern).collect();
    (loaded.select(&known, asked.current).unwrap_or_default(), unknown)
}
