//! Layers: what is in their tars, what a chain of them amounts to, and how one is written.
//!
//! A layer lies in the store as the tar that its *diff id* names. Nothing unpacks it to look into it: an *index*
//! says where each entry's bytes lie, and a *root view* is the tree that a chain of layers amounts to. So a file
//! of an image is read at its place in the tar, with the owner that the tar says, whoever runs this.
//!
//! A tar is written by anybody. What it says is checked when its index is made, and everything above the
//! index may lean on it: names are single names, links to files lead to files, sizes lie within the tar.
//!
//! **Invariant:** a path never leads out of the root, whatever links and dots are in it.
//! **Invariant:** equal entries give equal bytes: nothing of the machine, the user or the time enters a tar.

pub mod error;
mod check;
mod gzip;
pub mod compression;
pub mod read_ahead;
pub mod writer;
mod tar_reader;
pub mod index;
mod index_builder;
pub mod coming_index;
pub mod layer;
pub mod root_view;
pub mod root_paths;

#[cfg(test)]
mod tests;
