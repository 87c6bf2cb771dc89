//! The only reader of workspace bytes: the folder walk, content hashes, snapshots, packages.
//!
//! **Invariant:** nothing above this layer opens a file of the workspace. What was looked at once is
//! never looked at again: a snapshot gives the same answer for as long as it lives.

pub mod parallel;
pub mod read_error;
pub mod stat;
mod origin;
mod file_system;
mod disk;
pub mod git;
pub mod git_facts;
pub mod settled;
pub mod stat_index;
mod lookout;
mod cells;
mod folder;
mod index_keeping;
pub mod looks;
pub mod changes;
pub mod snapshot;
pub mod index_check;
pub mod file_events;
pub mod packages;
pub mod workspace_root;
pub mod comparison;
