//! The commands, a file each: from what was typed to what is printed, and an exit.

pub(crate) mod affected;
mod cache_gc;
mod cache_load;
pub(crate) mod cache;
pub(crate) mod completions;
pub(crate) mod graph;
pub(crate) mod query;
mod explain_file;
mod explain_way;
mod explain_base;
pub(crate) mod explain;
pub(crate) mod check;
pub(crate) mod inputs;
pub(crate) mod refs;
pub(crate) mod plan;
pub(crate) mod build;
pub(crate) mod watch;
pub(crate) mod doctor;
