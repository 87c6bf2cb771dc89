//! Outputs: images of a store as a folder or a file that other programs read.
//!
//! The layers are copied as they are stored, or in the compressed form that is asked for. The same images under
//! the same names give the same bytes, whatever was exported before: no time, owner or order of the machine
//! shows.

pub mod output_spec;
pub mod exported;
pub mod archive;
pub mod folder;
pub mod destination;
pub mod output;

#[cfg(test)]
mod tests;
