//! Text to values and back: nothing here knows of files, targets or builds.
//!
//! **Invariant:** every parser is a pure function of its text, and no text makes one panic.

pub mod image_reference;
pub mod dockerfile;
pub mod interpolation;
pub mod build_toml;
pub mod path_text;
pub mod shell_pattern;
mod path_expression;
pub mod path_pattern;
pub mod path_patterns;
pub mod dockerignore;
pub mod query;
