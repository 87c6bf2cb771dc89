//! What other programs read: documents, and pictures of the graph.
//!
//! **Invariant:** nothing here prints; each function gives a text.

pub mod documents;
pub mod query_answer;
pub mod explanations;
pub mod printable;
pub mod text_width;
pub mod layered_layout;
mod picture;
mod svg;
pub mod graph_picture;
pub mod affected_documents;
mod finding_place;
pub mod findings;
pub mod sarif;
