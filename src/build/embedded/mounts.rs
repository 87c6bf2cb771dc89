//! The mounts of a `RUN`, from their words to what the sandbox mounts.
//!
//! A bind mount of the context is given the files of the view and nothing else: they are laid out in a folder
//! of the step's own. What is written into a bind mount is thrown away; into a cache it stays.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::context_tree::ContextTree;
use super::sandbox::{MountSpec, SecretPlace};
use super::tree::{Tree, cleaned, join};
use super::trouble;
use crate::build::builder::{BuildError, SecretValue};
use crate::oci::layer_entry::EntryKind;
use crate::syntax::dockerfile::mount::{Mount, MountKind, Sharing};
use crate::types::cancellation::Cancellation;

/// The mode of a cache's folder where the mount does not say.
const CACHE_MODE: u32 = 0o755;

/// The mode of a secret where the mount does not say.
const SECRET_MODE: u32 = 0o400;

/// How often somebody who waits for a cache looks again.
const PATIENCE: Duration = Duration::from_millis(10);

/// A secret as the sandbox shows it; `None` for one that is optional and not given.
///
/// # Errors
/// When it is required and not given.
pub fn secret(mount: &Mount, secrets: &[SecretValue]) -> Result<Option<MountSpec>, String> {
    let id = mount.secret_id();
    let Some(secret) = secrets.iter().find(|secret| secret.id == id) else {
        let missing = format!("the secret `{id}` is required, and nobody gives it");
        return if mount.is_required { Err(missing) } else { Ok(None) };
    };
    let place = match &mount.variable {
        Some(name) if mount.target.is_empty() => SecretPlace::Variable(name.clone()),
        _ => SecretPlace::File {
            target: if mount.target.is_empty() { format!("/run/secrets/{id}") } else { mount.target.clone() },
            uid: mount.uid.unwrap_or(0),
            gid: mount.gid.unwrap_or(0),
            mode: mount.mode.unwrap_or(SECRET_MODE),
        },
    };
    Ok(Some(MountSpec::Secret { content: secret.value.clone(), place }))
}

/// Lays out what `path` of a view holds in `folder`.
///
/// # Errors
/// When a file cannot be read or changed, or the folder cannot be written.
pub fn lay_out(tree: &ContextTree<'_>, path: &[u8], folder: &Path) -> Result<(), BuildError> {
    let Some(node) = tree.node(path) else { return Ok(()) };
    let place = on_disk(folder, path);
    let disk = |cause: io::Error| trouble::of_disk("lay out a mount of the context", &cause);
    match &node.kind {
        EntryKind::Folder => {
            fs::create_dir_all(&place).map_err(disk)?;
            for name in tree.names(path) {
                lay_out(tree, &join(path, &name), folder)?;
            }
        }
        EntryKind::Link { target } => {
            let target: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(target);
            std::os::unix::fs::symlink(target, &place).map_err(disk)?;
        }
        _ => {
            let mut content = node.content.open()?;
            let mut file = File::create(&place).map_err(disk)?;
            io::copy(&mut content, &mut file).map_err(|cause| match cause.downcast::<BuildError>() {
                Ok(error) => error,
                Err(cause) => disk(cause),
            })?;
        }
    }
    if !matches!(node.kind, EntryKind::Link { .. }) {
        fs::set_permissions(&place, Permissions::from_mode(node.mode)).map_err(disk)?;
    }
    Ok(())
}

fn on_disk(folder: &Path, path: &[u8]) -> PathBuf {
    let path: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(path);
    folder.join(path)
}

/// The folder of a cache while a step has it.
#[derive(Debug)]
pub struct CacheFolder {
    /// The folder.
    pub folder: PathBuf,
    /// Whether it was made just now, and is empty.
    pub is_new: bool,
    /// Holds others off, where the mount wants that.
    _lock: Option<File>,
}

/// Takes the folder of the cache that `mount` names, below `caches`; one that is made is given away with `give`, where the
/// mount says to whom. A lock is waited for.
///
/// # Errors
/// When the folder cannot be made, or the wait is cancelled.
pub fn cache(
    mount: &Mount,
    caches: &Path,
    give: &dyn Fn(&Path, u32, u32) -> Result<(), BuildError>,
    cancellation: &Cancellation,
) -> Result<CacheFolder, BuildError> {
    let id = if mount.id.is_empty() {
        String::from_utf8_lossy(&cleaned(mount.target.as_bytes())).into_owned()
    } else {
        mount.id.clone()
    };
    let name = blake3::hash(id.as_bytes()).to_hex();
    let name = &name.as_str()[..32];
    let disk = |cause: io::Error| trouble::of_disk(format!("make the cache `{id}`"), &cause);
    fs::create_dir_all(caches).map_err(disk)?;
    let sharing = mount.sharing.unwrap_or(Sharing::Shared);
    let mut number = 0_u32;
    let (folder, lock) = loop {
        let folder = caches.join(if number == 0 { name.to_owned() } else { format!("{name}-{number}") });
        if sharing == Sharing::Shared {
            break (folder, None);
        }
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(folder.with_extension("lock"));
        let lock = lock.map_err(disk)?;
        match lock.try_lock() {
            Ok(()) => break (folder, Some(lock)),
            Err(TryLockError::Error(cause)) => return Err(disk(cause)),
            Err(TryLockError::WouldBlock) if sharing == Sharing::Private => number += 1,
            Err(TryLockError::WouldBlock) if cancellation.is_cancelled() => {
                return Err(BuildError::Cancelled);
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PATIENCE),
        }
    };
    let is_new = match fs::create_dir(&folder) {
        Ok(()) => true,
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => false,
        Err(cause) => return Err(disk(cause)),
    };
    if is_new {
        fs::set_permissions(&folder, Permissions::from_mode(mount.mode.unwrap_or(CACHE_MODE)))
            .map_err(disk)?;
        if mount.uid.is_some() || mount.gid.is_some() {
            give(&folder, mount.uid.unwrap_or(0), mount.gid.unwrap_or(0))?;
        }
    }
    Ok(CacheFolder { folder, is_new, _lock: lock })
}

/// Whether what a mount shows can be written.
pub fn is_writable(mount: &Mount) -> bool {
    mount.is_writable.unwrap_or(mount.kind != MountKind::Bind)
}
