//! The check of a file's bytes in a layer: enough of a hash to see damage.
//!
//! It is noted in the index when the tar is read for the first time, so that whoever reads a file later sees whether it
//! still is what it was. Who means harm is kept off by the digest of the whole.

/// A check in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Check(Box<blake3::Hasher>);

impl Check {
    /// Adds bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The check of all that was added.
    pub(super) fn value(&self) -> u64 {
        let mut bytes = [0; 8];
        self.0.finalize_xof().fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
