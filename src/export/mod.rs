//! What other programs and people are given: pictures of the graph, documents.
//!
//! **Invariant:** nothing here decides or prints; each function turns values into text.

pub mod graph_picture;
