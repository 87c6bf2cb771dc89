//! Pure over a snapshot: load, slice, view, graph, keys, comparison of manifests.

pub mod manifest;
pub mod target;
pub mod slice;

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
