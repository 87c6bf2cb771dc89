//! What a build depends on: pure functions over parsed files.

pub mod slice;
