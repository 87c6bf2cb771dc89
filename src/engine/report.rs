//! How a run ended, target by target.

use std::path::PathBuf;

use crate::types::diagnostic::Diagnostic;
use crate::types::digest::{ActionKey, OutputDigest};
use crate::types::ids::{DenseMap, NodeId};
use crate::types::workspace_path::WorkspacePath;

/// How a node ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It was built.
    Built,
    /// Its output was known.
    Cached,
    /// It could not be had.
    Failed(Failure),
    /// It was not tried, or given up.
    Skipped {
        /// Why, in a few words.
        reason: String,
    },
}

/// Why a node failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Whose fault it is.
    pub blame: Blame,
    /// What happened, in one or a few lines.
    pub message: String,
    /// The line of the Dockerfile, counted from 1.
    pub line: Option<usize>,
    /// The last lines that the failing step wrote.
    pub log_tail: Vec<String>,
    /// How to put it right.
    pub help: Option<String>,
}

/// Whose fault a failure is: it decides the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The target's own: its Dockerfile, its programs, its secrets.
    Target,
    /// The daemon, the network, the disk.
    Surroundings,
    /// Somebody changed these files while they were built.
    InputsChanged(Vec<WorkspacePath>),
}

/// A node after a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// Its key, when all its dependencies had outputs.
    pub action_key: Option<ActionKey>,
    /// Its output, when it has one.
    pub digest: Option<OutputDigest>,
    /// The names that its image was given or had.
    pub tags: Vec<String>,
    /// How long the builder had it.
    pub seconds: f64,
    /// Where its log lies, when it ran.
    pub log: Option<PathBuf>,
}

impl Ended {
    /// A node that was not tried.
    pub fn skipped(reason: impl Into<String>) -> Self {
        let ending = Ending::Skipped { reason: reason.into() };
        Self { ending, action_key: None, digest: None, tags: Vec::new(), seconds: 0.0, log: None }
    }
}

impl Report {
    /// Whether every output was known.
    pub fn did_nothing(&self) -> bool {
        self.nodes.values().iter().all(|ended| ended.ending == Ending::Cached)
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// All nodes of the graph.
    pub nodes: DenseMap<NodeId, Ended>,
    /// Whether somebody asked to stop.
    pub cancelled: bool,
    /// What was odd about the cache.
    pub warnings: Vec<Diagnostic>,
    /// How long it took, in seconds.
    pub seconds: f64,
}
