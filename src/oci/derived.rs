//! What was made of layers and lies beside the store: indexes, unpacked folders, notes of compressed forms.
//!
//! ```text
//! <folder>/layers/<diff id>
//!         /compressed/<diff id>.<compression>
//!         /unpacked/<mode>/<diff id>/
//! ```
//!
//! A name is the 64 digits of the layer's diff id, alone or with something after a dot. Whatever is called
//! otherwise is left alone, but for files that were being written by a process that died.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, DirEntry, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::blob_digest::{BlobDigest, DiffId};
use super::temporary::sweep_beside;

/// Folders of files that are named by layers.
const OF_FILES: [&str; 2] = ["layers", "compressed"];
/// The folder of folders, one for each way of unpacking, of folders that are named by layers.
const UNPACKED: &str = "unpacked";

/// One thing that was made of a layer.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) path: PathBuf,
    /// In bytes, with all that is in it.
    pub(super) size: u64,
    /// When it was made.
    pub(super) made: SystemTime,
}

/// All that was made of layers in `folder`.
pub(super) fn list(folder: &Path) -> io::Result<BTreeMap<DiffId, Vec<Made>>> {
    let mut folders: Vec<PathBuf> = OF_FILES.iter().map(|name| folder.join(name)).collect();
    folders.extend(entries(&folder.join(UNPACKED))?.into_iter().map(|(entry, _)| entry.path()));
    let mut found: BTreeMap<DiffId, Vec<Made>> = BTreeMap::new();
    let mut counted = HashSet::new();
    for folder in folders {
        for (entry, metadata) in entries(&folder)? {
            let Some(diff_id) = entry.file_name().to_str().and_then(diff_id_of) else { continue };
            let path = entry.path();
            let size = if metadata.is_dir() { size_of(&path, &mut counted)? } else { metadata.len() };
            let made = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.entry(diff_id).or_default().push(Made { path, size, made });
        }
    }
    Ok(found)
}

fn diff_id_of(name: &str) -> Option<DiffId> {
    let hex = name.split('.').next()?;
    format!("sha256:{hex}").parse::<BlobDigest>().ok().map(DiffId)
}

/// What is in a folder; nothing where there is none. Links are not followed.
fn entries(folder: &Path) -> io::Result<Vec<(DirEntry, Metadata)>> {
    let found = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        found => found?,
    };
    let mut entries = Vec::new();
    for entry in found {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) => entries.push((entry, metadata)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

/// The bytes of all files below `folder`; of what cannot be looked into, none. A file of many names counts once,
/// where the first of them is met: `counted` has such files by device and number.
fn size_of(folder: &Path, counted: &mut HashSet<(u64, u64)>) -> io::Result<u64> {
    let (mut size, mut folders) = (0, vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        let found = match entries(&folder) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => continue,
            found => found?,
        };
        for (entry, metadata) in found {
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.nlink() == 1 || counted.insert((metadata.dev(), metadata.ino())) {
                size += metadata.len();
            }
        }
    }
    Ok(size)
}

/// Removes what processes that died had not finished writing.
pub(super) fn sweep(folder: &Path) -> io::Result<()> {
    OF_FILES.iter().try_for_each(|name| sweep_beside(&folder.join(name), remove))
}

/// Removes a file or a folder with all that is in it, folders that may not be written too.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path).or_else(|error| {
            if error.kind() != ErrorKind::PermissionDenied {
                return Err(error);
            }
            open_up(path)?;
            fs::remove_dir_all(path)
        }),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes all folders below `folder` such that their owner may remove what is in them.
fn open_up(folder: &Path) -> io::Result<()> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let found = entries(&folder)?;
        folders.extend(found.into_iter().filter(|(_, it)| it.is_dir()).map(|(entry, _)| entry.path()));
    }
    Ok(())
}
