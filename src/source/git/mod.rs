//! The files of a commit, read from git's own objects: no checkout, and nothing is written.
//!
//! The `git` command answers, one long-lived process for objects and one that lists a tree: what
//! worktrees, partial clones, alternates, packs and hashes of either length need is its business. What the
//! index of a checkout tells of trees need not be asked for.
//!
//! **Invariant:** a blob is read only when its bytes are parsed, followed or asked for. Files are told
//! apart by the ids of their blobs.

pub mod command;
pub mod object_id;
mod objects;
pub(super) mod tree;
mod index_trees;
pub(super) mod changed_places;
mod blobs;
mod early_blobs;
pub(super) mod trees;
mod checkout_changes;
pub mod repository;
mod way;
pub(super) mod commit_files;
pub(super) mod checkout_files;
