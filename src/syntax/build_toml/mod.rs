//! `BUILD.toml`: text into typed tables that know their places.
//!
//! A small reader by hand over the spans of the `toml` crate, not serde: serde stops at the first
//! mistake and forgets where things stand, and a user is to see every mistake of a file at once.
//!
//! **Invariant:** nothing here knows another file, a variable's value, or what exists on a disk.

mod table;
pub mod requirement;
pub mod workspace;
pub mod variables;
mod mounted_id;
pub mod agents;
pub mod build_fields;
pub mod targets;
pub mod file;
