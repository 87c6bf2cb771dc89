//! Why a layer is refused, and how much of one is read at most.
//!
//! The limits are far above what images hold, and low enough that a layer made to do harm is refused before it
//! takes 256 MiB of memory. A message names the layer and the entry: the way out is another image.

use std::io;

use crate::oci::blob_digest::DiffId;

/// Entries of a layer, folders that no entry makes included. The largest layers that people build, of machine
/// learning and of JavaScript, have some 400,000.
pub const ENTRIES_PER_LAYER: usize = 800_000;

/// Bytes of all names, targets of links and attributes of a layer. 400,000 entries have some 10 MiB.
pub const TEXT_PER_LAYER: usize = 64 << 20;

/// Bytes of a name, as Linux has it (`NAME_MAX`).
pub const NAME_LENGTH: usize = 255;

/// Bytes of a path or of a link's target, as Linux has it (`PATH_MAX`).
pub const PATH_LENGTH: usize = 4096;

/// Bytes of an extended header: one that holds a path and all attributes of an entry. The same as Go's reader
/// has, with which Docker reads.
pub const HEADER_LENGTH: u64 = 1 << 20;

/// Bytes of the value of an extended attribute, as Linux has it (`XATTR_SIZE_MAX`).
pub const ATTRIBUTE_LENGTH: usize = 64 << 10;

/// How much of a name is shown.
const SHOWN: usize = 200;

/// Why a layer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Its tar, its index or a folder cannot be read or written.
    #[error("cannot {action} layer {layer}")]
    Files {
        /// What was tried.
        action: &'static str,
        /// The layer.
        layer: DiffId,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// An entry is not what an entry of a layer may be.
    #[error("layer {layer}: the entry `{name}` {problem}")]
    Entry {
        /// The layer.
        layer: DiffId,
        /// The entry's name as the tar has it, made printable.
        name: String,
        /// What is wrong.
        problem: EntryProblem,
    },
    /// It has more entries than any image needs.
    #[error("layer {0} has more than {ENTRIES_PER_LAYER} entries")]
    TooManyEntries(DiffId),
    /// Its names and attributes are longer than those of any image.
    #[error("the names and attributes of layer {0} are longer than {TEXT_PER_LAYER} bytes")]
    TooMuchText(DiffId),
    /// It is no tar.
    #[error("layer {layer} is no tar: {reason} at byte {position}")]
    NoTar {
        /// The layer.
        layer: DiffId,
        /// What is not as in a tar.
        reason: &'static str,
        /// Where.
        position: u64,
    },
}

impl LayerError {
    /// What helps, where something does.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Files { .. } => None,
            Self::Entry { problem: EntryProblem::LinkToNothing, .. } => Some(
                "a hard link has to name a file of the same layer; build the image again with a tool that keeps to it",
            ),
            Self::Entry { problem: EntryProblem::Sparse, .. } => Some("write the archive without `--sparse`"),
            Self::Entry { .. } | Self::TooManyEntries(_) | Self::TooMuchText(_) | Self::NoTar { .. } => {
                Some("the image is damaged or made to do harm; use another one")
            }
        }
    }
}

/// What is wrong with an entry of a tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// `..` leads above the root.
    #[error("leads out of the root")]
    LeavesRoot,
    /// It has no name where it needs one, or a name with a zero byte.
    #[error("has no usable name")]
    BadName,
    /// See [`NAME_LENGTH`].
    #[error("has a name of more than {NAME_LENGTH} bytes")]
    LongName,
    /// See [`PATH_LENGTH`].
    #[error("has a path or a target of more than {PATH_LENGTH} bytes")]
    LongPath,
    /// See [`HEADER_LENGTH`].
    #[error("has a header of more than {HEADER_LENGTH} bytes")]
    LongHeader,
    /// See [`ATTRIBUTE_LENGTH`].
    #[error("has an attribute that is too long or has no usable name")]
    BadAttribute,
    /// A header that cannot be understood.
    #[error("has a header that is damaged")]
    BadHeader,
    /// It is longer than the tar.
    #[error("is longer than the tar")]
    Truncated,
    /// A file with holes, in one of the ways of GNU tar.
    #[error("is a sparse file, which a layer cannot hold")]
    Sparse,
    /// A kind of entry that a layer does not have.
    #[error("is of a kind that a layer cannot hold")]
    BadKind,
    /// A device that could give access to the machine.
    #[error("is a device node that no image needs")]
    Device,
    /// A hard link to nothing in this layer.
    #[error("is a hard link to nothing in its layer")]
    LinkToNothing,
    /// A hard link to a folder.
    #[error("is a hard link to a folder")]
    LinkToFolder,
    /// Something that is no folder is above it.
    #[error("is below something that is no folder")]
    BelowNoFolder,
    /// Links above it lead round in a circle.
    #[error("is below a symbolic link that leads round in a circle")]
    LinkLoop,
    /// The mark of a path that is gone, with a name that is none.
    #[error("begins like the mark of a removed path and is none")]
    BadWhiteout,
    /// The root is not a folder.
    #[error("takes the place of the root folder")]
    RootNoFolder,
}

/// A name from a tar, for a message: without control characters, and short.
pub(super) fn printable(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(&name[..name.len().min(SHOWN)]);
    let rest = if name.len() > SHOWN { "…" } else { "" };
    format!("{}{rest}", text.escape_debug())
}
