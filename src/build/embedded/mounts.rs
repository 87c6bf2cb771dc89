//! The mounts of a `RUN`, from their words to what the sandbox mounts.
//!
//! A bind mount of the context is given the files of the view and nothing else: they are laid out in a folder
//! of the step's own. What is written into a bind mount is thrown away; into a cache it stays.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use super::sandbox::{MountSpec, SecretPlace};
use super::tree::{Tree, join};
use super::trouble;
use crate::build::builder::{AgentSocket, BuildError, BuildRequest, SecretValue};
use crate::oci::layer_entry::EntryKind;
use crate::oci::temporary::TemporaryFolder;
use crate::syntax::dockerfile::mount::{Mount, MountKind, Sharing};
use crate::types::cancellation::Cancellation;

/// The mode of a cache's folder where the mount does not say.
const CACHE_MODE: u32 = 0o755;

/// The mode of a secret where the mount does not say.
const SECRET_MODE: u32 = 0o400;

/// How often somebody who waits for a cache looks again.
const PATIENCE: Duration = Duration::from_millis(10);

/// Where SSH agents have their sockets where the mounts do not say, each with its number after it.
const AGENT_TARGET: &str = "/run/buildkit/ssh_agent.";

/// The mode of the socket of an SSH agent where the mount does not say.
const AGENT_MODE: u32 = 0o600;

/// Whether somebody gives the secret or the SSH agent that `mount` names.
pub fn is_given(mount: &Mount, request: &BuildRequest<'_>) -> bool {
    match mount.kind {
        MountKind::Secret => request.secrets.iter().any(|secret| secret.id == mount.secret_id()),
        MountKind::Ssh => request.agents.iter().any(|agent| agent.id == mount.agent_id()),
        MountKind::Bind | MountKind::Cache | MountKind::Tmpfs => false,
    }
}

/// Where an SSH agent has its socket, of which `number` others are mounted before it.
pub fn agent_target(mount: &Mount, number: usize) -> String {
    if mount.target.is_empty() { format!("{AGENT_TARGET}{number}") } else { mount.target.clone() }
}

/// An SSH agent as the sandbox shows it, at `target`; `None` for one that is optional and not given.
///
/// # Errors
/// When it is required and not given.
pub fn agent(mount: &Mount, target: String, agents: &[AgentSocket]) -> Result<Option<MountSpec>, String> {
    let id = mount.agent_id();
    let Some(agent) = agents.iter().find(|agent| agent.id == id) else {
        let missing = format!("the SSH agent `{id}` is required, and nobody gives it");
        return if mount.is_required { Err(missing) } else { Ok(None) };
    };
    Ok(Some(MountSpec::Ssh {
        socket: agent.socket.clone(),
        target,
        uid: mount.uid.unwrap_or(0),
        gid: mount.gid.unwrap_or(0),
        mode: mount.mode.unwrap_or(AGENT_MODE),
    }))
}

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

/// Lays out what `path` of a tree holds in `folder`, under the same path. Owners are kept where `gives_away` says
/// that files can be given to others.
///
/// # Errors
/// When a file cannot be read or changed, or the folder cannot be written.
pub fn lay_out(tree: &dyn Tree, path: &[u8], folder: &Path, gives_away: bool) -> Result<(), BuildError> {
    let Some(node) = tree.node(path) else { return Ok(()) };
    let place = on_disk(folder, path);
    let disk = |cause: io::Error| trouble::of_disk("lay out the files of a mount", &cause);
    match &node.kind {
        EntryKind::Folder => {
            fs::create_dir_all(&place).map_err(disk)?;
            for name in tree.names(path) {
                lay_out(tree, &join(path, &name), folder, gives_away)?;
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
    if gives_away {
        std::os::unix::fs::lchown(&place, Some(node.uid), Some(node.gid)).map_err(disk)?;
    }
    if !matches!(node.kind, EntryKind::Link { .. }) {
        fs::set_permissions(&place, Permissions::from_mode(node.mode)).map_err(disk)?;
    }
    Ok(())
}

/// Gives everything below `folder` one time, in seconds since 1970: programs put times into what they make.
///
/// # Errors
/// When the folder cannot be read or changed.
pub fn fix_times(folder: &Path, time: i64) -> Result<(), BuildError> {
    let time = Timespec { tv_sec: time, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    let mut waiting = vec![folder.to_owned()];
    let mut fix = || -> io::Result<()> {
        while let Some(path) = waiting.pop() {
            if fs::symlink_metadata(&path)?.is_dir() {
                for entry in fs::read_dir(&path)? {
                    waiting.push(entry?.path());
                }
            }
            rustix::fs::utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    };
    fix().map_err(|cause| trouble::of_disk("lay out a mount of the context", &cause))
}

fn on_disk(folder: &Path, path: &[u8]) -> PathBuf {
    let path: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(path);
    folder.join(path)
}

/// The caches that a step has while it runs, by their names.
#[derive(Debug, Default)]
pub struct Caches(BTreeMap<String, CacheFolder>);

impl Caches {
    /// Takes the folders of the caches that `wanted` name, as [`cache`] does. One that is named twice is taken once,
    /// and all steps take them in one order: else a step would wait for itself, or two for each other.
    ///
    /// # Errors
    /// As [`cache`].
    pub fn take<'m, From: 'm>(
        wanted: impl Iterator<Item = &'m (Mount, From)>,
        place: &Path,
        fill: &dyn Fn(&Mount, &From, &Path) -> Result<(), BuildError>,
        cancellation: &Cancellation,
    ) -> Result<Self, BuildError> {
        let mut by_id: BTreeMap<String, &(Mount, From)> = BTreeMap::new();
        for named in wanted.filter(|(mount, _)| mount.kind == MountKind::Cache) {
            let known = by_id.entry(named.0.id.clone()).or_insert(named);
            if is_shared(&known.0) && !is_shared(&named.0) {
                *known = named;
            }
        }
        let take = |(id, (mount, from)): (String, &(Mount, From))| {
            Ok((id, cache(mount, place, &|folder| fill(mount, from, folder), cancellation)?))
        };
        by_id.into_iter().map(take).collect::<Result<_, _>>().map(Self)
    }

    /// All of them.
    pub fn folders(&self) -> impl Iterator<Item = &CacheFolder> {
        self.0.values()
    }

    /// The cache that `mount` names, when it is among those that were taken.
    pub fn of(&self, mount: &Mount) -> Option<&CacheFolder> {
        self.0.get(&mount.id)
    }
}

fn is_shared(mount: &Mount) -> bool {
    mount.sharing.unwrap_or(Sharing::Shared) == Sharing::Shared
}

/// The folder of a cache while a step has it.
#[derive(Debug)]
pub struct CacheFolder {
    /// The folder.
    pub folder: PathBuf,
    /// Holds others off, where the mount wants that.
    _lock: Option<File>,
}

/// Takes the folder of the cache that `mount` names by its id, below `caches`. One that is not there is made, and
/// what it begins with is put into it by `fill`; it gets its name when it is whole. A lock is waited for.
///
/// # Errors
/// When the folder cannot be made, or the wait is cancelled; those of `fill`.
pub fn cache(
    mount: &Mount,
    caches: &Path,
    fill: &dyn Fn(&Path) -> Result<(), BuildError>,
    cancellation: &Cancellation,
) -> Result<CacheFolder, BuildError> {
    let id = &mount.id;
    let name = blake3::hash(id.as_bytes()).to_hex();
    let name = &name.as_str()[..32];
    let disk = |cause: io::Error| trouble::of_disk(format!("make the cache `{id}`"), &cause);
    fs::create_dir_all(caches).map_err(disk)?;
    let mut number = 0_u32;
    let (folder, lock) = loop {
        let folder = caches.join(if number == 0 { name.to_owned() } else { format!("{name}-{number}") });
        if is_shared(mount) {
            break (folder, None);
        }
        match try_lock(&folder.with_extension("lock")).map_err(disk)? {
            Some(lock) => break (folder, Some(lock)),
            None if mount.sharing == Some(Sharing::Private) => number += 1,
            None => wait(cancellation)?,
        }
    };
    // Of several who share it, one makes it.
    while !folder.is_dir() {
        match try_lock(&folder.with_extension("making")).map_err(disk)? {
            Some(_making) if folder.is_dir() => {}
            Some(_making) => {
                let made = TemporaryFolder::create(caches).map_err(disk)?;
                fill(made.path())?;
                made.persist(&folder).map_err(disk)?;
            }
            None => wait(cancellation)?,
        }
    }
    Ok(CacheFolder { folder, _lock: lock })
}

/// The lock `path`, unless somebody else has it.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(cause)) => Err(cause),
    }
}

fn wait(cancellation: &Cancellation) -> Result<(), BuildError> {
    if cancellation.is_cancelled() {
        return Err(BuildError::Cancelled);
    }
    std::thread::sleep(PATIENCE);
    Ok(())
}

/// The mode of the folder of a cache, as the mount says.
pub fn cache_mode(mount: &Mount) -> u32 {
    mount.mode.unwrap_or(CACHE_MODE)
}

/// Whether what a mount shows can be written.
pub fn is_writable(mount: &Mount) -> bool {
    mount.is_writable.unwrap_or(mount.kind != MountKind::Bind)
}
