//! What a sandbox is asked to do.
//!
//! Paths of the machine are [`PathBuf`]; paths inside the root are text, begin with `/` or are taken as if
//! they did, and never lead out of the root, whatever links lie there.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::build::embedded::rootfs::ownership::Ownership;

/// One command and everything around it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// The files that the command sees as `/`.
    pub root: Root,
    /// An empty folder that is the sandbox's own while it runs; what is left in it means nothing. It lies on
    /// the file system of [`Root::Layers::upper`].
    pub work: PathBuf,
    /// The program and its arguments. A name without `/` is looked for in `PATH` of `env`.
    pub args: Vec<String>,
    /// The environment, `NAME=VALUE`, in the order in which the command sees it. `HOME` is added from the
    /// root's `/etc/passwd` when it is not there.
    pub env: Vec<String>,
    /// The folder to begin in; made, and given to the user, when it is not there.
    pub cwd: String,
    /// Whom the command runs as.
    pub user: User,
    /// The name of the machine that the command sees.
    pub hostname: String,
    /// What the command reaches.
    pub network: Network,
    /// What is mounted beside the root.
    pub mounts: Vec<MountSpec>,
    /// Further lines of `/etc/hosts`.
    pub extra_hosts: Vec<HostAddress>,
    /// How the sandbox gets the right to do all this.
    pub privileges: Privileges,
    /// Whether the root cannot be written to. Mounts can, as they say themselves.
    pub read_only_root: bool,
}

/// Where the root's files come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Root {
    /// Folders that lie over each other as overlayfs has it.
    Layers {
        /// The folders that are read, the uppermost first. They are never written to.
        lower: Vec<PathBuf>,
        /// The folder that takes what the command writes, in the form of overlayfs: whiteouts are devices
        /// 0/0, opaque folders have `trusted.overlay.opaque` (`user.overlay.opaque` when not root). Mode and
        /// owner of the folder itself are set to those of the uppermost lower folder.
        upper: PathBuf,
    },
    /// One folder that is written to directly.
    Folder(PathBuf),
}

/// Whom a command runs as: numbers, because names are the root's matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The number of the first group.
    pub gid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
}

/// What a command reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// What the machine reaches: its interfaces are the command's.
    Host,
    /// Itself alone, through the loopback interface.
    None,
}

/// How the sandbox gets the right to make namespaces and mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Privileges {
    /// It has it: the process is the machine's root and may mount.
    Root,
    /// From a user namespace with many ids: root's own, or those that `newuidmap` and `newgidmap` map.
    Mapped,
    /// From a user namespace with one id: the user is root inside, and there is nobody else.
    Single,
}

impl Privileges {
    /// Who can own what in the folders of such a sandbox.
    pub const fn ownership(self) -> Ownership {
        match self {
            Self::Root => Ownership::Root,
            Self::Mapped => Ownership::Mapped,
            Self::Single => Ownership::Single,
        }
    }
}

/// A name and the address that stands for it in `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostAddress {
    /// The address, as it is written.
    pub address: String,
    /// The name.
    pub name: String,
}

/// Something that is mounted beside the root. Targets that are not there are made, and removed afterwards
/// when they are empty, with the folders that were made for them: an image never shows them.
#[derive(Clone, Serialize, Deserialize)]
pub enum MountSpec {
    /// A file or folder of other layers. What is written into it is thrown away.
    Bind {
        /// Folders that lie over each other, the uppermost first.
        lower: Vec<PathBuf>,
        /// Which file or folder of them, links resolved inside them; `/` is all.
        source: String,
        /// Where it appears.
        target: String,
        /// Whether writing is refused.
        read_only: bool,
    },
    /// A folder of the machine that outlives the command.
    Cache {
        /// The folder.
        source: PathBuf,
        /// Where it appears.
        target: String,
        /// Whether writing is refused.
        read_only: bool,
    },
    /// An empty folder in memory.
    Tmpfs {
        /// Where it appears.
        target: String,
        /// How many bytes fit; `None` is half of the memory.
        size: Option<u64>,
    },
    /// A secret.
    Secret {
        /// Its value.
        content: Vec<u8>,
        /// Where it appears.
        place: SecretPlace,
    },
    /// The socket of an agent for ssh.
    Ssh {
        /// The socket on the machine.
        socket: PathBuf,
        /// Where it appears.
        target: String,
        /// Its owner inside; the socket itself is not touched, so only 0 has an effect when not root.
        uid: u32,
        /// Its group inside.
        gid: u32,
        /// Its permissions inside.
        mode: u32,
    },
}

/// Where a secret appears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretPlace {
    /// As a file.
    File {
        /// Its path.
        target: String,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
        /// Its permissions.
        mode: u32,
    },
    /// As a variable of the environment.
    Variable(String),
}

impl fmt::Debug for MountSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { lower, source, target, read_only } => {
                write!(formatter, "bind {lower:?} {source} at {target}, read-only {read_only}")
            }
            Self::Cache { source, target, read_only } => {
                write!(formatter, "cache {} at {target}, read-only {read_only}", source.display())
            }
            Self::Tmpfs { target, size } => write!(formatter, "tmpfs at {target}, size {size:?}"),
            Self::Secret { place, .. } => write!(formatter, "secret at {place:?}"),
            Self::Ssh { socket, target, .. } => write!(formatter, "ssh {} at {target}", socket.display()),
        }
    }
}

impl MountSpec {
    /// Where it appears in the root, when it is a file or folder there.
    pub(super) fn target(&self) -> Option<&str> {
        match self {
            Self::Bind { target, .. }
            | Self::Cache { target, .. }
            | Self::Tmpfs { target, .. }
            | Self::Ssh { target, .. }
            | Self::Secret { place: SecretPlace::File { target, .. }, .. } => Some(target),
            Self::Secret { place: SecretPlace::Variable(_), .. } => None,
        }
    }
}
