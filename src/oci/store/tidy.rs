//! Taking imgraph's own folder out of a layout: what is left is what any program would have written.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::error::StoreError;
use super::layout::Store;
use crate::oci::file_lock::FileLock;
use crate::oci::temporary::absent_is_fine;

impl Store {
    /// Removes what is imgraph's own in the folder, when nobody else is using it: for layouts that are
    /// outputs. It is made again when it is needed.
    ///
    /// # Errors
    /// When the disk does not do it.
    pub fn tidy(&self) -> Result<(), StoreError> {
        let own = self.places.own();
        self.remove_own().map_err(|cause| StoreError::disk("remove", own, cause))
    }

    fn remove_own(&self) -> io::Result<()> {
        let (gate, names) = (self.places.gate_lock(), self.places.names_lock());
        // In the order in which everybody takes them.
        let _gate = FileLock::alone(&gate)?;
        let _names = FileLock::alone(&names)?;
        for folder in [self.places.temporary(), self.places.leases()] {
            if !remove_empty(&folder)? {
                return Ok(());
            }
        }
        absent_is_fine(fs::remove_file(&names))?;
        absent_is_fine(fs::remove_file(&gate))?;
        remove_empty(self.places.own()).map(drop)
    }
}

/// Whether the folder is gone; one that somebody uses is not empty.
fn remove_empty(folder: &Path) -> io::Result<bool> {
    match fs::remove_dir(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(error),
    }
}
