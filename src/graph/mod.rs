//! From a snapshot to targets: loading, and everything that is pure over what was loaded.

pub mod target;
