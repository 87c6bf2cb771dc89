//! Layers as folders, for the overlay in which a command runs, and back.
//!
//! Folders are written by whoever runs the builder: by root, by root of a user namespace with many users, or
//! by one user who is everybody. What is possible differs, and so do the folders: each has its own.

pub mod error;
pub mod ownership;
mod handle;
pub mod unpacked_times;
mod surroundings;
mod layer_files;
mod facts;
pub mod unpack;
pub mod sweep;
pub mod copy;
pub mod difference;
pub mod chore;
