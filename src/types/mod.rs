//! The nouns that every layer shares: labels, paths, digests, ids, diagnostics, events.
//!
//! They stand at the bottom because everything speaks of them and they speak of nothing.
//! **Invariant:** nothing here does I/O, reads the environment or the clock, or prints.

pub mod ids;
pub mod sorted_map;
pub mod workspace_path;
pub mod label;
pub mod target_pattern;
pub mod platform;
pub mod digest;
pub mod file_entry;
pub mod span;
pub mod diagnostic;
pub mod environment;
pub mod cancellation;
pub mod event;
