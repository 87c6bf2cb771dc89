//! Whether all blobs of a store are what their names say.
//!
//! It uses none of them: what is old stays old for the collector. What is damaged is moved out of the way, so that
//! whoever needs it makes or fetches it again.

use super::store::{Store, StoreError};

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreCheck {
    /// How many blobs.
    pub blobs: usize,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many folders of unpacked layers.
    pub unpacked: usize,
    /// What is not what it was: digests of blobs, and paths of folders in the cache.
    pub wrong: Vec<String>,
}

/// Reads all blobs of `store`.
///
/// # Errors
/// When one cannot be read.
pub fn check_blobs(store: &Store) -> Result<StoreCheck, StoreError> {
    let mut found = StoreCheck::default();
    for (digest, size) in store.blobs()? {
        found.blobs += 1;
        found.bytes += size;
        if !store.check(&digest)? {
            found.wrong.push(digest.to_string());
        }
    }
    Ok(found)
}
