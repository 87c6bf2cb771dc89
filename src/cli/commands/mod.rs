//! The commands, a file each: from what was typed to what is printed, and an exit.

pub(crate) mod cache;
pub(crate) mod completions;
pub(crate) mod explain;
pub(crate) mod graph;
pub(crate) mod query;
pub(crate) mod inputs;
pub(crate) mod plan;
pub(crate) mod build;
pub(crate) mod watch;
