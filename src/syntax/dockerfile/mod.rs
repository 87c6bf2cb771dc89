//! The Dockerfile front end: text to stages and instructions, each with its place.
//!
//! It agrees with BuildKit's parser on everything that decides what a stage reads, what it is based
//! on, and what is refused. It expands nothing: that needs the arguments of a build, which
//! `graph/slice` has. The way of a text through the modules: `lines` joins physical lines, `words`
//! and `arguments` cut them, `commands` give them meaning, `parser` gathers stages. Who only wants to know
//! what a file may read has it skimmed.

pub mod keyword;
pub mod model;
pub mod go_numbers;
mod lines;
mod directives;
pub mod frontend;
mod pattern;
pub mod expansion_error;
pub mod expansion;
pub mod allowance;
pub mod heredoc;
mod words;
pub mod mount;
mod site;
mod flags;
mod arguments;
mod commands;
mod parser;
mod glance;
pub mod skim;

pub use model::Dockerfile;
pub use parser::{declared_arguments, parse, parse_trigger};
