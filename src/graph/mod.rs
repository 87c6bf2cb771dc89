//! Pure over a snapshot: load, slice, view, graph, keys, comparison of manifests.

pub mod manifest;
pub mod target;
mod cycles;
mod defaults;
mod paths;
mod field_values;
pub mod variables;
pub mod names;
mod aliases;
mod resolve;
pub mod select;
mod package_files;
pub mod load;
pub mod slice;
pub mod followed_sources;
mod view_error;
mod view_filter;
mod view_digest;
pub mod view;
pub mod dockerfiles;
pub mod published;
pub mod node;
mod order;
pub mod edges;
pub mod expand;
pub mod node_views;
pub mod key;
