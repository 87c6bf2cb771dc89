//! Text into values and back: every language that imgraph reads.
//!
//! **Invariant:** nothing here does I/O; a parser takes a text and gives a value and what is wrong.

pub mod interpolation;

pub mod build_toml;
