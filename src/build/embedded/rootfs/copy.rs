//! A whole root as one folder, for a command where no overlay can be had.
//!
//! It is a copy that the command may change as it likes; the difference is found by comparing it with the
//! view afterwards. A mark beside the copy says when it was ready: the kernel notes of each file when it was
//! last changed, which no program can set, so what has a later time was touched by the command.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FileType;

use super::error::RootfsError;
use super::handle::Handle;
use super::ownership::Ownership;
use super::unpack::dress_root;
use super::unpacked_times::UnpackedTimes;
use crate::oci::blob_digest::DiffId;
use crate::oci::layer_entry::EntryKind;
use crate::oci::layers::root_view::{Found, RootView};

/// How long to wait before looking whether the kernel's clock went on. It ticks every few milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// The name of the mark beside a copy named `name`.
fn mark_of(folder: &Path) -> PathBuf {
    folder.with_extension("ready")
}

/// Copies all that `view` has into `folder`, which is empty, and marks beside it when that was done.
pub fn copy_root(
    view: &RootView,
    folder: &Path,
    ownership: Ownership,
    times: UnpackedTimes,
) -> Result<(), RootfsError> {
    let shown = std::os::unix::ffi::OsStrExt::as_bytes(folder.as_os_str());
    let root = Handle::open(folder).map_err(|cause| RootfsError::system("open", shown, cause))?;
    let mut first_names = HashMap::new();
    let mut folders = Vec::new();
    for (path, found) in view.walk(b"") {
        copy_one(&root, &path, &found, (ownership, times), &mut first_names)
            .map_err(|cause| RootfsError::system("copy", &path, cause))?;
        if found.is_folder() {
            folders.push((path, found));
        }
    }
    // The deepest first: a folder's mode may shut out whoever writes into it.
    for (path, found) in folders.iter().rev() {
        let dressed = root.folder(path).map_err(io::Error::from);
        let dressed = dressed.and_then(|folder| dress(&folder, b".", found, (ownership, times)));
        dressed.map_err(|cause| RootfsError::system("change", path, cause))?;
    }
    dress_root(view, folder, ownership)?;
    let marked = set_mark(&mark_of(folder));
    marked.map_err(|cause| RootfsError::system("mark", shown, cause))
}

/// When the copy in `folder` was ready: what has a later time was changed since.
pub(super) fn ready_at(folder: &Path) -> io::Result<(i64, i64)> {
    fs::metadata(mark_of(folder)).map(|mark| (mark.ctime(), mark.ctime_nsec()))
}

/// Makes the mark, and waits until the kernel's clock is past it.
fn set_mark(mark: &Path) -> io::Result<()> {
    let later = mark.with_extension("later");
    let time = |path: &Path| File::create(path)?.metadata().map(|made| (made.ctime(), made.ctime_nsec()));
    let ready = time(mark)?;
    while time(&later)? <= ready {
        std::thread::sleep(TICK);
        fs::remove_file(&later)?;
    }
    fs::remove_file(&later)
}

fn copy_one(
    root: &Handle,
    path: &[u8],
    found: &Found<'_>,
    (ownership, times): (Ownership, UnpackedTimes),
    first_names: &mut HashMap<(DiffId, u32), Vec<u8>>,
) -> io::Result<()> {
    let (parent, name) = split(path);
    let folder = root.folder(parent)?;
    if let Some(same) = found.same_file() {
        if let Some(first) = first_names.get(&same) {
            let (parent, first) = split(first);
            return Ok(folder.make_hard_link(name, &root.folder(parent)?, first)?);
        }
        first_names.insert(same, path.to_vec());
    }
    match found.kind() {
        EntryKind::Folder => return Ok(folder.make_folder(name).map(drop)?),
        EntryKind::File { .. } => {
            io::copy(&mut found.open()?, &mut folder.create(name)?)?;
        }
        EntryKind::Link { target } => folder.make_link(name, &target)?,
        EntryKind::Pipe => folder.make_node(name, FileType::Fifo, 0, 0)?,
        EntryKind::Device { .. } if ownership != Ownership::Root => return Ok(()),
        EntryKind::Device { is_character, major, minor } => {
            let kind = if is_character { FileType::CharacterDevice } else { FileType::BlockDevice };
            folder.make_node(name, kind, major, minor)?;
        }
        // A view shows none of these.
        EntryKind::HardLink { .. } | EntryKind::Whiteout | EntryKind::Opaque => return Ok(()),
    }
    dress(&folder, name, found, (ownership, times))
}

fn dress(
    folder: &Handle,
    name: &[u8],
    found: &Found<'_>,
    (ownership, times): (Ownership, UnpackedTimes),
) -> io::Result<()> {
    let (mode, uid, gid) = found.owner();
    let (seconds, nanoseconds) = times.of(found.changed_at());
    folder.give(name, (uid, gid), found.xattrs(), ownership)?;
    folder.set_time(name, seconds, nanoseconds)?;
    if found.link_target().is_none() {
        folder.set_mode(name, mode)?;
    }
    Ok(())
}

/// The folder that a path is in, and its last name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let at = path.iter().rposition(|byte| *byte == b'/');
    at.map_or((&b""[..], path), |at| (&path[..at], &path[at + 1..]))
}
