//! What an earlier run knew of the workspace's files: so that what is unchanged is not read again.
//!
//! An index says two kinds of things: "a folder with these facts holds these names", and "a file (or
//! link) with these facts holds these bytes". Facts are size, times, inode, device, permissions. Such
//! a sentence is written down only when any later change must show in the facts, see
//! [`Stat::settled_before`](super::stat::Stat); it then stays true for ever, wherever the index is
//! carried, and a run believes it when it finds the same facts. What is not known in that way is
//! written without facts: its name only, so that what is below it keeps its place.
//!
//! What a sentence leans on, and nobody can check: that the clock which writes the facts is not
//! behind this machine's by more than a tick (a network file system's may be), and that nobody sets
//! a clock back and then hits an earlier change to the nanosecond. An index from a later moment than
//! the present is not used at all.
//! A program that writes through a shared mapping of a file changes its times once, with the first write
//! to a page, and not with later ones until the system has written the page to the disk: an edit in that
//! time does not show. Only facts of the root's own device are believed, and only where the file system
//! writes down changes itself (`tells_of_changes` in `disk.rs`).
//!
//! **Invariant:** bytes that are not exactly what an index writer wrote are refused as a whole.

mod layout;
mod reader;
mod writer;

pub(super) use layout::Owner;
pub(super) use reader::{EntryNumber, FolderNumber, StatIndex};
pub(super) use writer::{FolderKnowledge, IndexPart, Knowledge, whole};

/// Why the bytes of an index cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexDamage {
    /// It is no index, or one of another version.
    #[error("is no index that this version can read")]
    Unknown,
    /// Bytes were changed, or are missing.
    #[error("is damaged: its checksum is wrong")]
    Checksum,
    /// It was written whole and makes no sense.
    #[error("is damaged: it contradicts itself")]
    Contradiction,
}

#[cfg(test)]
mod tests;
