//! What a step of the embedded builder gave: its layer, by the key of everything that decides it.
//!
//! The record says nothing of whether the layer is still there: who reads it asks the store.

use super::folder::{CacheError, CacheFolder, Kind, Outlives};
use super::record_file::{self, Lookup};
use crate::oci::blob_digest::DiffId;
use crate::types::digest::StepKey;

/// What a step gave: a layer, or nothing that a layer could hold.
pub type StepResult = Option<DiffId>;

/// What stands in the record of a step that changed nothing.
const NOTHING: &str = "nothing";

/// The record of the step `key`.
pub fn read(folder: &CacheFolder, key: &StepKey) -> Lookup<StepResult> {
    record_file::read(folder, &Kind::Steps.place(&key.to_string()), |body| {
        let text = std::str::from_utf8(body).map_err(|error| format!("is no text: {error}"))?;
        if text == NOTHING {
            return Ok(None);
        }
        let digest = text.parse().map_err(|error| format!("holds no layer: {error}"))?;
        Ok(Some(DiffId(digest)))
    })
}

/// Keeps what the step `key` gave.
///
/// # Errors
/// When the cache cannot be written.
pub fn store(folder: &CacheFolder, key: &StepKey, result: &StepResult) -> Result<(), CacheError> {
    let text = result.as_ref().map_or_else(|| NOTHING.to_owned(), ToString::to_string);
    // The layer was synced; a record that is lost with the power is a step that runs again.
    record_file::write(folder, &Kind::Steps.place(&key.to_string()), text.as_bytes(), Outlives::Process)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_digest::BlobDigest;

    #[test]
    fn a_record_reads_what_it_writes() {
        let place = tempfile::tempdir().unwrap();
        let folder = CacheFolder::new(place.path());
        let (one, other) = (StepKey::from_bytes([1; 32]), StepKey::from_bytes([2; 32]));
        let layer = Some(DiffId(BlobDigest::of(b"layer")));
        store(&folder, &one, &layer).unwrap();
        store(&folder, &other, &None).unwrap();
        assert_eq!(read(&folder, &one), Lookup::Hit(layer));
        assert_eq!(read(&folder, &other), Lookup::Hit(None));
        assert_eq!(read(&folder, &StepKey::from_bytes([3; 32])), Lookup::Miss);
    }
}
