//! Why a view cannot be made.

use crate::source::read_error::ReadError;
use crate::syntax::path_patterns::PatternError;
use crate::types::workspace_path::WorkspacePath;

/// Whose pattern it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatternOrigin {
    /// A source of the Dockerfile.
    Sources,
    /// A line of the ignore file: `IgnoreRules::diagnostic` knows where.
    IgnoreFile,
    /// One of the target's own `inputs`.
    Inputs,
}

/// Why a view cannot be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ViewError {
    /// A file or folder cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A pattern is malformed. BuildKit would refuse it too.
    #[error("{error}")]
    Pattern {
        /// Which pattern, and what is wrong.
        error: PatternError,
        /// Whose it is.
        origin: PatternOrigin,
    },
    /// The context is not there.
    #[error("the context `{context}` does not exist")]
    NoContext {
        /// The folder that was asked for.
        context: WorkspacePath,
    },
}

impl PatternOrigin {
    /// Makes the error of a pattern of this origin.
    pub(super) fn error(self) -> impl Fn(PatternError) -> ViewError {
        move |error| ViewError::Pattern { error, origin: self }
    }
}
