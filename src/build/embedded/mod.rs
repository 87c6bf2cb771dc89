//! The builder in this program: images without a daemon.
//!
//! **Invariant:** nothing of a step outlives it but the folder that it wrote into: no process, no mount.

pub mod sandbox;
