//! Why a store cannot do what was asked, and how to put it right.

use std::io;
use std::path::{Path, PathBuf};

use crate::oci::blob_digest::BlobDigest;
use crate::oci::disk_full;

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk.
    #[error("cannot {action} `{}`: {cause}", path.display())]
    Disk {
        /// What was tried: `write`, `read` …
        action: &'static str,
        /// Of which file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The folder is a layout of another version.
    #[error("`{}` is an OCI image layout of version `{version}`; only 1.0.0 is understood", folder.display())]
    Version {
        /// The folder.
        folder: PathBuf,
        /// What it says of itself.
        version: String,
    },
    /// `oci-layout` or `index.json` is not what the specification says.
    #[error("`{}` is damaged: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A blob has other bytes than its name says. Where the store can be written it was set aside, and counts as
    /// missing.
    #[error("the blob {digest} is damaged: its bytes are those of {found}{}", moved(aside.as_deref()))]
    DamagedBlob {
        /// Its name.
        digest: BlobDigest,
        /// What its bytes have for a digest.
        found: BlobDigest,
        /// Where it lies, to be looked at.
        aside: Option<PathBuf>,
    },
    /// What was written is not what was to be written.
    #[error("the bytes of {wanted} were expected, and came out as {found}")]
    OtherBytes {
        /// What was expected.
        wanted: BlobDigest,
        /// What came.
        found: BlobDigest,
    },
    /// A blob is larger than what it is taken for may be.
    #[error("the blob {digest} has {size} bytes, where at most {limit} were expected")]
    TooLarge {
        /// Its name.
        digest: BlobDigest,
        /// In bytes.
        size: u64,
        /// In bytes.
        limit: u64,
    },
    /// A blob is not there, though something refers to it.
    #[error("the blob {0} is missing")]
    Missing(BlobDigest),
    /// A manifest, an index or a configuration is not what the specification says.
    #[error("the blob {digest} is no {what}: {reason}")]
    Document {
        /// Its name.
        digest: BlobDigest,
        /// What it was taken for.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

fn moved(aside: Option<&Path>) -> String {
    aside.map_or_else(String::new, |aside| format!("; it was moved to `{}`", aside.display()))
}

impl StoreError {
    /// An error of the disk at `path`.
    pub(in crate::oci) fn disk(action: &'static str, path: &Path, cause: io::Error) -> Self {
        Self::Disk { action, path: path.to_path_buf(), cause }
    }

    /// How to put it right, where that can be said.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Disk { cause, .. } => disk_full::help(cause),
            Self::Version { .. } => Some("name another folder, or use the program that made this one"),
            Self::File { .. } => {
                Some("delete the file: images lose their names, and are named again when they are built")
            }
            Self::DamagedBlob { aside: None, .. } => {
                Some("remove it from the store, which cannot be written here")
            }
            Self::DamagedBlob { .. } => {
                Some("run the command again: the blob counts as missing, and is made or fetched again")
            }
            Self::OtherBytes { .. } | Self::TooLarge { .. } => None,
            Self::Missing(_) | Self::Document { .. } => Some("build or fetch the image again"),
        }
    }
}
