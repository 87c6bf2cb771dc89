//! One side of a comparison: the targets of a snapshot, and the graph of those that are wanted.
//!
//! Nothing is hashed yet: which views have to be looked at is known when both sides are there.

use std::sync::Arc;

use super::expand::{self, Wanted};
use super::load::{self, Loaded, Options};
use super::node::Graph;
use crate::source::snapshot::Snapshot;
use crate::types::diagnostic::{Diagnostic, Severity};
use crate::types::ids::TargetId;
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
    /// Those that are wanted, and what they need.
    pub graph: Graph,
    /// What is to be known of either, and forbids nothing.
    pub warnings: Vec<Diagnostic>,
    /// What is wrong with those patterns that name nothing on this side.
    pub unknown: Vec<(String, Vec<Diagnostic>)>,
}

impl Side {
    /// Loads `snapshot` and makes the graph of what is wanted of it.
    ///
    /// # Errors
    /// Everything that is wrong with its files.
    pub fn of(snapshot: &Snapshot, asked: &Asked<'_>) -> Result<Self, Vec<Diagnostic>> {
        let loaded = load::load(snapshot, &asked.options);
        if loaded.has_errors() {
            return Err(loaded.diagnostics);
        }
        let (targets, unknown) = selected(&loaded, asked);
        let wanted =
            Wanted { targets: &targets, platforms: asked.platforms, build_platform: asked.build_platform };
        let (graph, problems) = expand::expand(snapshot, &loaded, wanted);
        let mut warnings = loaded.diagnostics.clone();
        warnings.extend(problems);
        if warnings.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(warnings);
        }
        Ok(Self { loaded, graph, warnings, unknown })
    }
}

/// What the patterns name on one side. A target that came or went is named by a pattern that means nothing
/// on the other side, so that each pattern counts by itself.
fn selected(loaded: &Loaded, asked: &Asked<'_>) -> (Vec<TargetId>, Vec<(String, Vec<Diagnostic>)>) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for pattern in asked.patterns {
        match loaded.select(&[pattern], asked.current) {
            Ok(_) => known.push(pattern),
            Err(problems) => unknown.push((pattern.clone(), problems)),
        }
    }
    // Each of them names something.
    (loaded.select(&known, asked.current).unwrap_or_default(), unknown)
}
