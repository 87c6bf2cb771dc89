//! Text to values and back: nothing here knows of files, targets or builds.
//!
//! **Invariant:** every parser is a pure function of its text, and no text makes one panic.

pub mod dockerfile;
pub mod image_reference;
pub mod interpolation;
pub mod build_toml;
