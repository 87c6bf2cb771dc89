//! From a snapshot to targets: loading, and everything that is pure over what was loaded.

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
