//! The nouns that every layer shares: labels, paths, digests, ids, diagnostics, events.
//!
//! They stand at the bottom because everything speaks of them and they speak of nothing.
//! **Invariant:** nothing here does I/O, reads the environment or the clock, or prints.

pub mod cancellation;
pub mod diagnostic;
pub mod digest;
pub mod environment;
pub mod event;
pub mod file_entry;
pub mod ids;
pub mod label;
pub mod platform;
pub mod span;
pub mod target_pattern;
pub mod workspace_path;
