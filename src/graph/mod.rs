//! Pure over a snapshot: load, slice, view, graph, keys, comparison of manifests.

pub mod manifest;
pub mod target;
pub mod slice;
pub mod followed_sources;
mod view_error;
mod view_filter;
mod view_digest;
pub mod view;
