//! Queries: what an expression of `imgraph query` stands for.
//!
//! A query speaks of *vertices*: every declared target, groups among them, and every image from elsewhere
//! that no target declares, under its reference. Platforms are merged: a target that is built for two is
//! one vertex, which needs what either needs. A group needs its members. Files are no vertices: `inputs`
//! and `buildfiles` give them, sets hold them, and nothing needs them or is needed by them.
//!
//! The graph is expanded for no more than the query can speak of (`scope`): a Dockerfile that no wanted
//! target uses may be wrong. A function that asks the other way round, or from the side, asks for all.
//!
//! - `patterns`: a word, and the targets that it names. `//folder/...` and `:all` name groups too, for a
//!   group is a vertex as any other; a word may also be the reference of an image that no target declares.
//! - `scope`: which targets have to be expanded.
//! - `vertices`: the graph over vertices.
//! - `walk`: ways through it; each looks at an edge once.
//! - `fields`: what a `BUILD.toml` says of a target, as a text.
//! - `evaluate`: the functions and operators.
//! - `arrange`: the order of an answer, and the ranks in it.
//!
//! **Invariant:** an answer is a function of the workspace's files and variables, and of the folder that
//! relative words are relative to. Where a choice is free (`some`, `somepath`), the first by label is taken.

mod patterns;
pub mod scope;
pub mod vertices;
mod walk;
mod fields;
mod files;
pub mod evaluate;
pub mod arrange;
