//! Why a file or folder of the workspace could not be read.
//!
//! One type for the whole layer. It can be cloned because a snapshot remembers failures as it
//! remembers answers: everybody who asks is told the same.

use std::io;
use std::sync::Arc;

use crate::types::workspace_path::WorkspacePath;

/// What went wrong with which path.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("cannot read `{}`: {cause}", shown(path))]
    Io {
        /// What was to be read.
        path: WorkspacePath,
        /// What the operating system said.
        cause: Arc<io::Error>,
    },
    /// Nothing is there, or a link on the way points at nothing.
    #[error("`{}` does not exist", shown(path))]
    Missing {
        /// What was to be read.
        path: WorkspacePath,
    },
    /// Something is there, but not what was asked for.
    #[error("`{}` is not a {expected}", shown(path))]
    WrongKind {
        /// What was to be read.
        path: WorkspacePath,
        /// What was asked for, in a word: `file`, `folder`.
        expected: &'static str,
    },
    /// A link points out of the workspace.
    #[error("the link `{}` points out of the workspace, at `{target}`", shown(path))]
    LinkLeaves {
        /// The link.
        path: WorkspacePath,
        /// Where it points.
        target: String,
    },
    /// Links that point at each other.
    #[error("too many links on the way to `{}`", shown(path))]
    LinkLoop {
        /// What was to be read.
        path: WorkspacePath,
    },
    /// A socket, pipe or device that a build would have to read.
    #[error("`{}` is a {kind}, which cannot be an input of a build", shown(path))]
    Special {
        /// Where it lies.
        path: WorkspacePath,
        /// What it is, in words.
        kind: &'static str,
    },
    /// The file was replaced by something else while it was read.
    #[error("`{}` changed while it was read", shown(path))]
    Changed {
        /// What was to be read.
        path: WorkspacePath,
    },
}

impl ReadError {
    pub(super) fn io(path: &WorkspacePath, cause: impl Into<io::Error>) -> Self {
        Self::Io { path: path.clone(), cause: Arc::new(cause.into()) }
    }

    /// The path that could not be read.
    pub fn path(&self) -> &WorkspacePath {
        match self {
            Self::Io { path, .. }
            | Self::Missing { path }
            | Self::WrongKind { path, .. }
            | Self::LinkLeaves { path, .. }
            | Self::LinkLoop { path }
            | Self::Special { path, .. }
            | Self::Changed { path } => path,
        }
    }

    /// Whether the reader lacks the permission.
    pub fn is_permission_denied(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied)
    }
}

/// The root has an empty path: it is shown as a dot.
fn shown(path: &WorkspacePath) -> String {
    if path.is_root() { ".".to_owned() } else { path.to_string() }
}
