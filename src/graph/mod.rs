//! Pure over a snapshot: load, slice, view, graph, keys, comparison of manifests.

pub mod manifest;
pub mod target;
pub mod slice;
