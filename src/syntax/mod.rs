//! Text and values, pure: BUILD.toml, Dockerfiles, ignore files, patterns.
//!
//! **Invariant:** nothing here reads a file or knows a graph. A parser returns spans, so that each
//! mistake can be shown where it is written.

pub mod dockerignore;
mod path_expression;
pub mod path_pattern;
pub mod path_patterns;
pub mod path_text;
pub mod shell_pattern;
