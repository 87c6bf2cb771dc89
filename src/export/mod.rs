//! What other programs read: documents, and pictures of the graph.
//!
//! **Invariant:** nothing here prints; each function gives a text.

pub mod graph_picture;
pub mod documents;
pub mod query_answer;
