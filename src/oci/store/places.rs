//! Where the parts of a store lie, and what is done to a blob's file.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};

use super::error::StoreError;
use crate::oci::blob_digest::BlobDigest;
use crate::oci::file_lock::{FileLock, is_at};

/// The parts of a store.
#[derive(Debug)]
pub(super) struct Places {
    /// The layout's folder.
    pub(super) root: PathBuf,
    blobs: PathBuf,
    own: PathBuf,
}

impl Places {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), blobs: root.join("blobs/sha256"), own: root.join(".imgraph") }
    }

    pub(super) fn layout(&self) -> PathBuf {
        self.root.join("oci-layout")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.root.join("index.json")
    }

    pub(super) fn blobs(&self) -> &Path {
        &self.blobs
    }

    pub(super) fn blob(&self, digest: &BlobDigest) -> PathBuf {
        self.blobs.join(digest.hex())
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.own.join("temporary")
    }

    pub(super) fn leases(&self) -> PathBuf {
        self.own.join("leases")
    }

    pub(super) fn names_lock(&self) -> PathBuf {
        self.own.join("names")
    }

    pub(super) fn damaged(&self) -> PathBuf {
        self.own.join("damaged")
    }

    pub(super) fn trash(&self) -> PathBuf {
        self.own.join("trash")
    }

    /// What is imgraph's own in the layout.
    pub(super) fn own(&self) -> &Path {
        &self.own
    }

    pub(super) fn gate_lock(&self) -> PathBuf {
        self.own.join("gate")
    }

    /// While this is held, no blob is removed. A store that cannot be written has no such lock and needs
    /// none.
    pub(super) fn gate(&self) -> Result<Option<FileLock>, StoreError> {
        match FileLock::shared(&self.gate_lock()) {
            Ok(lock) => Ok(Some(lock)),
            Err(cause) if cannot_be_written(&cause) => Ok(None),
            Err(cause) => Err(StoreError::disk("lock", &self.gate_lock(), cause)),
        }
    }

    /// Says that the blob is being used; whether it is there. Of `size` only, where one is given.
    /// The gate must be held where the answer is relied on.
    pub(super) fn touch(&self, digest: &BlobDigest, size: Option<u64>) -> bool {
        let path = self.blob(digest);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() && size.is_none_or(|size| size == metadata.len()) => {}
            _ => return false,
        }
        let at = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: at, last_modification: at };
        // A file of somebody else cannot be touched, and need not be: it is not collected by us either.
        !matches!(rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty()), Err(rustix::io::Errno::NOENT))
    }

    /// Takes the blob that `file` was opened from out of the store. Returns where it lies.
    pub(super) fn set_aside(&self, file: &File, digest: &BlobDigest) -> Result<PathBuf, StoreError> {
        let folder = self.damaged();
        let (path, aside) = (self.blob(digest), folder.join(digest.hex()));
        let lock = self.gate_lock();
        let _gate = FileLock::alone(&lock).map_err(|cause| StoreError::disk("lock", &lock, cause))?;
        let moved = || -> io::Result<()> {
            fs::create_dir_all(&folder)?;
            // Somebody may have put the right one there meanwhile.
            if is_at(file, &path)? { fs::rename(&path, &aside) } else { Ok(()) }
        };
        moved().map_err(|cause| StoreError::disk("move away the damaged", &path, cause))?;
        Ok(aside)
    }
}

/// Whether `error` says that the place is one for reading only.
pub(super) fn cannot_be_written(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// Makes what was renamed in `folder` outlive a loss of power.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
