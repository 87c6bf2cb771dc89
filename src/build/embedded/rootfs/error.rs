//! Why a layer cannot be unpacked, or a folder not be packed.

use std::io;

use crate::oci::disk_full;
use crate::oci::layers::error::LayerError;
use crate::oci::layers::writer::WriteError;

/// Why a layer cannot be unpacked, or a folder not be packed.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    /// The system refuses something.
    #[error("cannot {action} `{path}`")]
    System {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The layer itself.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The layer that is written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The overlay was mounted with an option under which its upper folder is not whole by itself.
    #[error("`{path}` in the upper folder of an overlay has the attribute `{attribute}`")]
    Overlay {
        /// Where.
        path: String,
        /// Which.
        attribute: String,
    },
}

impl RootfsError {
    /// That `action` with `path` gave `cause`.
    pub(super) fn system(action: &'static str, path: &[u8], cause: impl Into<io::Error>) -> Self {
        let path = String::from_utf8_lossy(path).into_owned();
        Self::System { action, path, cause: cause.into() }
    }

    /// What went wrong and why, in one line.
    pub fn whole(&self) -> String {
        match self {
            Self::System { cause, .. } => format!("{self}: {cause}"),
            Self::Write(WriteError::Io(cause)) => {
                format!("cannot keep what a command changed as a layer: {cause}")
            }
            other => other.to_string(),
        }
    }

    /// What helps, where something does.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Layer(error) => error.help(),
            Self::System { cause, .. } if disk_full::help(cause).is_some() => disk_full::help(cause),
            Self::System { action: "change" | "give away" | "copy", cause, .. }
                if cause.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) =>
            {
                Some(
                    "the user namespace may have no such id: give the user more of them in /etc/subuid and \
                     /etc/subgid, up to the largest in the image",
                )
            }
            Self::Write(error) => error.help(),
            Self::System { .. } | Self::Overlay { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_with_the_way_out() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let write = RootfsError::Write(WriteError::Io(full()));
        assert!(write.whole().contains("cannot keep what a command changed"), "{}", write.whole());
        let read = RootfsError::system("write", b"usr/a", full());
        assert!(read.whole().contains("`usr/a`"), "{}", read.whole());
        for error in [write, read] {
            assert!(error.help().is_some_and(|help| help.contains("cache gc")), "{error:?}");
        }
    }
}
