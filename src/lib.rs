//! imgraph: a declarative build-graph engine for container images.

pub mod build;
pub mod cache;
pub mod cli;
pub mod engine;
pub mod export;
pub mod graph;
pub mod source;
pub mod syntax;
pub mod types;
