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
//! is made again. A folder whose files somebody changed is set aside, and made again too (see `facts`).

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::RootfsError;
use super::facts::UnpackedLayer;
use super::handle::Handle;
use super::layer_files::LayerFiles;
use super::ownership::Ownership;
use super::surroundings::Surroundings;
use super::unpacked_times::UnpackedTimes;
use crate::oci::layers::layer::Layer;
use crate::oci::layers::root_view::RootView;

/// How the name of a folder begins that is not whole yet.
pub(super) const TEMPORARY_PREFIX: &str = ".tmp-";

/// Where layers are unpacked.
#[derive(Clone, Copy, Debug)]
pub struct Unpacked<'u> {
    /// It has a folder for each ownership, which nobody but its owner may enter: what is in layers may be owned by
    /// root and let everybody become root.
    pub folder: &'u Path,
    /// Who can own what in it.
    pub ownership: Ownership,
    /// Folders of files that were found to be whole, and need not be looked at again.
    pub trusted: &'u BTreeSet<PathBuf>,
}

/// The folder with what is in `layer`, which is above `below`: one of `unpacked`, made when it is not there, or is not
/// what it was; then it is added to `damaged`. Several processes may do this at once.
pub fn unpack(
    layer: &Arc<Layer>,
    below: &RootView,
    unpacked: Unpacked<'_>,
    times: UnpackedTimes,
    damaged: &mut Vec<PathBuf>,
) -> Result<PathBuf, RootfsError> {
    let Unpacked { folder, ownership, trusted } = unpacked;
    let surroundings = Surroundings::of(layer.index(), below);
    let parent = folder.join(ownership.name());
    let place = parent.join(format!("{}{}.{}", surroundings.name(layer), times.mark(), this_run()?));
    let known = UnpackedLayer { place: &place, index: layer.index() };
    if place.is_dir() {
        if trusted.contains(&known.files()) || !set_aside_damaged(&known)? {
            return Ok(known.files());
        }
        damaged.push(place.clone());
    }
    make_private(&parent)?;
    let temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempdir_in(&parent)
        .map_err(|cause| RootfsError::system("make a folder in", path_bytes(&parent), cause))?;
    let folder = temporary.path();
    let lock = File::open(folder).and_then(|lock| lock.lock().map(|()| lock));
    let lock = lock.map_err(|cause| RootfsError::system("lock", path_bytes(folder), cause))?;
    let made = UnpackedLayer { place: folder, index: layer.index() };
    let root = fs::create_dir(made.files()).and_then(|()| Ok(Handle::open(&made.files())?));
    let root = root.map_err(|cause| RootfsError::system("open", path_bytes(folder), cause))?;
    LayerFiles { layer, surroundings: &surroundings, root: &root, ownership, times }.write()?;
    made.write_down().map_err(|cause| RootfsError::system("write down", path_bytes(folder), cause))?;
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
    Ok(known.files())
}

/// Whether an unpacked layer is not what it was. Then it is renamed, to be swept like what a process left that died:
/// who uses it goes on with it.
pub(super) fn set_aside_damaged(layer: &UnpackedLayer<'_>) -> Result<bool, RootfsError> {
    if layer.is_whole() {
        return Ok(false);
    }
    let place = layer.place;
    let parent = place.parent().unwrap_or(place);
    let move_away = || {
        // Others find the same at the same time, and what one of them has unpacked again is to stay.
        let lock = File::open(parent)?;
        lock.lock()?;
        if !place.is_dir() || layer.is_whole() {
            return Ok(());
        }
        let aside = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(parent)?.keep();
        fs::rename(place, aside)
    };
    move_away().map_err(|cause| RootfsError::system("move away", path_bytes(place), cause))?;
    Ok(true)
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
