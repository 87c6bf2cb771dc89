//! Unpacks a layer into a folder that an overlay takes as one of its lower ones.
//!
//! A layer is unpacked by itself, once for all chains that it is in. Marks become what an overlay knows: a
//! character device 0/0 for a path that is gone, an attribute for a folder that hides what is below it. A
//! folder that the tar does not have, but only things in it, gets the owner and mode that it has in the layers
//! below: an overlay takes them from the uppermost. And a mark that hides nothing is left out: in a folder that
//! no layer below has, an overlay would show the device. So a layer with either is unpacked once for each
//! way in which the layers below can be.
//!
//! The folder is made under a temporary name and renamed. It is not synced, which would wait for all that other
//! programs write: instead its name says in which run of the system it was made, and after the next start it
//! is made again.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::RootfsError;
use super::handle::Handle;
use super::layer_files::LayerFiles;
use super::ownership::Ownership;
use super::surroundings::Surroundings;
use super::unpacked_times::UnpackedTimes;
use crate::oci::layers::layer::Layer;
use crate::oci::layers::root_view::RootView;

/// How the name of a folder begins that is not whole yet.
pub(super) const TEMPORARY_PREFIX: &str = ".tmp-";

/// The folder with what is in `layer`, which is above `below`: one of `unpacked`, made when it is not there.
/// Several processes may do this at once.
///
/// `unpacked` has a folder for each ownership, which nobody but its owner may enter: what is in layers may be
/// owned by root and let everybody become root.
pub fn unpack(
    layer: &Arc<Layer>,
    below: &RootView,
    unpacked: &Path,
    ownership: Ownership,
    times: UnpackedTimes,
) -> Result<PathBuf, RootfsError> {
    let surroundings = Surroundings::of(layer.index(), below);
    let parent = unpacked.join(ownership.name());
    let place = parent.join(format!("{}{}.{}", surroundings.name(layer), times.mark(), this_run()?));
    if place.is_dir() {
        return Ok(place);
    }
    make_private(&parent)?;
    let temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempdir_in(&parent)
        .map_err(|cause| RootfsError::system("make a folder in", path_bytes(&parent), cause))?;
    let folder = temporary.path();
    let lock = File::open(folder).and_then(|lock| lock.lock().map(|()| lock));
    let lock = lock.map_err(|cause| RootfsError::system("lock", path_bytes(folder), cause))?;
    let root =
        Handle::open(folder).map_err(|cause| RootfsError::system("open", path_bytes(folder), cause))?;
    LayerFiles { layer, surroundings: &surroundings, root: &root, ownership, times }.write()?;
    let renamed = fs::rename(folder, &place);
    drop(lock);
    match renamed {
        Ok(()) => {
            // Nothing is left to remove.
            let _path = temporary.keep();
        }
        // Another process was faster; its folder is the same.
        Err(_) if place.is_dir() => {}
        Err(cause) => return Err(RootfsError::system("make", path_bytes(&place), cause)),
    }
    Ok(place)
}

/// Gives the folder `upper` of an overlay the owner, mode and attributes of the root in `view`, and time 0: a mounted
/// overlay shows those of its upper folder.
pub fn dress_root(view: &RootView, upper: &Path, ownership: Ownership) -> Result<(), RootfsError> {
    let dress = || {
        let folder = Handle::open(upper)?;
        let (mode, uid, gid) = view.root().owner();
        folder.give(b".", (uid, gid), view.root().xattrs(), ownership)?;
        folder.set_mode(b".", mode)?;
        // Programs see it, and what they write is to be the same each time.
        folder.set_time(b".", 0, 0)
    };
    dress().map_err(|cause| RootfsError::system("change", path_bytes(upper), cause))
}

/// In which run of the system this is.
pub(super) fn this_run() -> Result<String, RootfsError> {
    let path = "/proc/sys/kernel/random/boot_id";
    let id = fs::read_to_string(path).map_err(|cause| RootfsError::system("read", path.as_bytes(), cause))?;
    Ok(id.chars().take(8).collect())
}

fn make_private(folder: &Path) -> Result<(), RootfsError> {
    let make = || {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))
    };
    make().map_err(|cause| RootfsError::system("make", path_bytes(folder), cause))
}

fn path_bytes(path: &Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}
