//! Arguments to requests, commands, progress, what a person reads.
//!
//! **Invariant:** it is the only layer that prints, reads the environment, or exits.

mod arguments;
mod exit;
pub mod diagnostics;
mod terminal;
