//! What a step asks to have mounted: other layers, caches, memory, secrets, an agent's socket.
//!
//! It happens in two stages. `contain` makes the sources, so that it knows which are files and which are
//! folders and can make their places in the root. `launch` mounts them there, in its own namespace.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;

use nix::mount::MsFlags;
use serde::{Deserialize, Serialize};

use super::mount_points::{PlaceKind, ensure};
use super::mounting;
use super::outcome::{Doing, Refusal};
use super::root_folder::{Overlay, WorkFolders, make_folder};
use super::root_path::resolve;
use super::spec::{MountSpec, Privileges, SandboxSpec, SecretPlace};
use crate::build::agent_connection;

/// A mount whose source is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PreparedMount {
    /// Where it appears in the root.
    target: String,
    /// What is mounted; `None` is memory.
    source: Option<PathBuf>,
    /// How much memory.
    size: Option<u64>,
    read_only: bool,
    /// Whether programs in it can be run.
    runs_programs: bool,
    is_folder: bool,
}

impl PreparedMount {
    /// Where it appears in the root.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// What its place has to be.
    pub(super) fn place_kind(&self) -> PlaceKind {
        if self.is_folder { PlaceKind::Folder } else { PlaceKind::File }
    }

    /// Mounts it in the root at `root`.
    pub(super) fn mount(&self, root: &Path) -> Result<(), Refusal> {
        let place = ensure(root, &self.target, self.place_kind())?.place;
        let mut flags = MsFlags::MS_NODEV;
        flags.set(MsFlags::MS_RDONLY, self.read_only);
        if !self.runs_programs {
            flags |= MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        }
        match &self.source {
            Some(source) => {
                mounting::bind(source, &place, true)?;
                mounting::restrict(&place, flags)
            }
            None => {
                let size = self.size.map_or_else(String::new, |size| format!(",size={size}"));
                mounting::make("tmpfs", &place, flags | MsFlags::MS_NOSUID, &format!("mode=0755{size}"))
            }
        }
    }
}

/// Makes the sources of all mounts, in the order in which they are to be mounted: what lies in another one
/// comes after it.
pub(super) fn prepare(spec: &SandboxSpec, folders: &WorkFolders) -> Result<Vec<PreparedMount>, Refusal> {
    let numbered = spec.mounts.iter().enumerate();
    let prepared = numbered.map(|(number, mount)| prepare_one(mount, number, folders, spec.privileges));
    let mut prepared: Vec<PreparedMount> =
        prepared.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    prepared.sort_by_key(|mount| depth(&mount.target));
    Ok(prepared)
}

fn depth(target: &str) -> usize {
    target.split('/').filter(|part| !part.is_empty()).count()
}

fn prepare_one(
    mount: &MountSpec,
    number: usize,
    folders: &WorkFolders,
    privileges: Privileges,
) -> Result<Option<PreparedMount>, Refusal> {
    let Some(target) = mount.target() else { return Ok(None) };
    let own = folders.memory.join(format!("mount-{number}"));
    let plain = PreparedMount {
        target: target.to_owned(),
        source: None,
        size: None,
        read_only: false,
        runs_programs: true,
        is_folder: true,
    };
    Ok(Some(match mount {
        MountSpec::Tmpfs { size, .. } => PreparedMount { size: *size, ..plain },
        MountSpec::Cache { source, read_only, .. } => {
            PreparedMount { source: Some(source.clone()), read_only: *read_only, ..plain }
        }
        MountSpec::Bind { lower, source, read_only, .. } => {
            let place = bind_source(lower, source, *read_only, &own, folders, privileges)?;
            let is_folder = place.is_dir();
            PreparedMount { source: Some(place), read_only: *read_only, is_folder, ..plain }
        }
        MountSpec::Secret { content, place: SecretPlace::File { uid, gid, mode, .. } } => {
            fs::write(&own, content).doing(|| "write a secret into memory")?;
            own_by(&own, *uid, *gid, *mode)?;
            PreparedMount {
                source: Some(own),
                read_only: true,
                runs_programs: false,
                is_folder: false,
                ..plain
            }
        }
        MountSpec::Ssh { socket, uid, gid, mode, .. } => {
            forward(&own, socket.clone()).doing(|| "make a socket for the ssh agent")?;
            own_by(&own, *uid, *gid, *mode)?;
            PreparedMount { source: Some(own), runs_programs: false, is_folder: false, ..plain }
        }
        MountSpec::Secret { place: SecretPlace::Variable(_), .. } => return Ok(None),
    }))
}

/// The file or folder that a bind mount shows. One layer that is only read needs no overlay.
fn bind_source(
    lower: &[PathBuf],
    source: &str,
    read_only: bool,
    own: &Path,
    folders: &WorkFolders,
    privileges: Privileges,
) -> Result<PathBuf, Refusal> {
    let root = match lower {
        [only] if read_only => only.clone(),
        _ => {
            make_folder(own)?;
            let name = own.file_name().and_then(|name| name.to_str()).unwrap_or("mount");
            Overlay { folders, name, lower, privileges }.mount(None, own)?;
            own.to_path_buf()
        }
    };
    let resolved = resolve(&root, source).doing(|| format!("look for `{source}`, which is to be mounted"))?;
    match resolved.missing {
        None => Ok(resolved.place),
        Some(_) => Err(Refusal::new(format!("`{source}` is to be mounted, and is not there"))),
    }
}

fn own_by(path: &Path, uid: u32, gid: u32, mode: u32) -> Result<(), Refusal> {
    let change = || {
        chown(path, Some(uid), Some(gid))?;
        fs::set_permissions(path, Permissions::from_mode(mode & 0o7777))
    };
    change().map_err(|error: io::Error| {
        let refusal = Refusal::new(format!("cannot give a mount to {uid}:{gid}: {error}"));
        match error.raw_os_error() {
            Some(code) if code == nix::libc::EINVAL => refusal.help(
                "the user namespace has no such id: ids come from /etc/subuid and /etc/subgid, through \
                 newuidmap and newgidmap",
            ),
            _ => refusal,
        }
    })
}

/// Listens at `here`, and takes each connection on to the agent at `agent`. The threads end with the process.
fn forward(here: &Path, agent: PathBuf) -> io::Result<()> {
    let listener = UnixListener::bind(here)?;
    thread::Builder::new().name("ssh agent".to_owned()).spawn(move || -> io::Result<()> {
        for asking in listener.incoming().map_while(Result::ok) {
            let agent = agent.clone();
            thread::Builder::new().name("ssh connection".to_owned()).spawn(move || {
                // An agent that does not answer is an agent that hangs up: ssh says so itself.
                let _ = agent_connection::serve(asking, &agent);
            })?;
        }
        Ok(())
    })?;
    Ok(())
}
