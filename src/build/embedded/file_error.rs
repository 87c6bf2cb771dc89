//! Why a `COPY` or an `ADD` fails.

use super::copying::CopyError;
use super::owner::UnknownName;
use super::selection::SelectionError;
use super::tree::TooManyLinks;
use crate::build::builder::BuildError;
use crate::syntax::path_patterns::PatternError;

/// Why a `COPY` or an `ADD` fails. It is the Dockerfile's fault, or that of the files that it names.
#[derive(Debug, thiserror::Error)]
pub enum FileStepError {
    /// A source cannot be found.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A destination cannot be written.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// `--chown` names somebody where no names are listed.
    #[error(transparent)]
    Owner(#[from] UnknownName),
    /// Links lead in a circle.
    #[error(transparent)]
    Links(#[from] TooManyLinks),
    /// A pattern of `--exclude` or `--parents` cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// An archive that cannot be unpacked.
    #[error("cannot unpack `{name}`: {reason}")]
    Archive {
        /// The archive.
        name: String,
        /// Why.
        reason: String,
    },
    /// What is no fault of the Dockerfile.
    #[error(transparent)]
    Build(#[from] BuildError),
}
