//! A lease says that a build runs: what it uses from then on stays until it ends.
//!
//! A lease is a locked file; the time of its making is when the build began. Every blob that was written or
//! asked for since the oldest living lease began is kept by the collector.

use std::time::SystemTime;

use tempfile::NamedTempFile;

use super::error::StoreError;
use super::layout::Store;
use crate::oci::temporary;

/// A build that runs, until it is dropped or its process ends.
#[derive(Debug)]
pub struct Lease {
    _file: NamedTempFile,
}

impl Store {
    /// Begins a build.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn lease(&self) -> Result<Lease, StoreError> {
        let folder = self.places.leases();
        // The collector either sees this lease, or has removed what it removes before this returns.
        let _gate = self.places.gate()?;
        let file = temporary::create(&folder);
        Ok(Lease { _file: file.map_err(|cause| StoreError::disk("write into", &folder, cause))? })
    }

    /// When the oldest build that runs began; `None` when none runs. Leases of the dead are removed.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn oldest_lease(&self) -> Result<Option<SystemTime>, StoreError> {
        let folder = self.places.leases();
        let mut oldest: Option<SystemTime> = None;
        let mut unknown = false;
        let swept =
            temporary::sweep(&folder, |living| match living.metadata().and_then(|it| it.modified()) {
                Ok(began) => oldest = Some(oldest.map_or(began, |oldest| oldest.min(began))),
                Err(_) => unknown = true,
            });
        swept.map_err(|cause| StoreError::disk("read", &folder, cause))?;
        // A build whose beginning cannot be told may use everything.
        Ok(if unknown { Some(SystemTime::UNIX_EPOCH) } else { oldest })
    }
}
