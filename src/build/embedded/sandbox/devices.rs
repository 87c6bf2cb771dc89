//! `/dev` as a container has it: the few harmless devices, and a terminal file system.
//!
//! A command has the right to make device nodes, as in a container, where a control group keeps it from opening
//! them. Here mounts do: `/dev` itself lets no node work, and each known device is mounted alone from a tmpfs
//! that nobody sees any more. Who is not root cannot make nodes; then the machine's own are mounted.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::mounting;
use super::outcome::{Doing, Refusal};
use super::root_folder::{WorkFolders, make_folder};
use super::spec::Privileges;

/// Name, major and minor number of each device.
const DEVICES: &[(&str, u64, u64)] =
    &[("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Mounts everything at `dev`, a folder of the root.
pub(super) fn mount_devices(
    dev: &Path,
    folders: &WorkFolders,
    privileges: Privileges,
) -> Result<(), Refusal> {
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let nodes = nodes(folders, privileges)?;
    mounting::make("tmpfs", dev, MsFlags::MS_NOSUID | MsFlags::MS_NODEV, "mode=755,size=65536k")?;
    for (name, ..) in DEVICES {
        let place = dev.join(name);
        File::create(&place).doing(|| format!("make `{}`", place.display()))?;
        mounting::bind(&nodes.join(name), &place, false)?;
    }
    if privileges == Privileges::Root {
        mounting::detach(&nodes)?;
    }
    for (name, leads) in LINKS {
        symlink(leads, dev.join(name)).doing(|| format!("make the link /dev/{name}"))?;
    }
    mount_terminals(&dev.join("pts"), privileges)?;
    for (name, kind, options) in [("shm", "tmpfs", "mode=1777,size=65536k"), ("mqueue", "mqueue", "")] {
        let place = dev.join(name);
        make_folder(&place)?;
        mounting::make(kind, &place, quiet, options)?;
    }
    Ok(())
}

/// A folder with the device nodes in it.
fn nodes(folders: &WorkFolders, privileges: Privileges) -> Result<PathBuf, Refusal> {
    if privileges != Privileges::Root {
        return Ok(PathBuf::from("/dev"));
    }
    let nodes = folders.memory.join("nodes");
    make_folder(&nodes)?;
    mounting::make("tmpfs", &nodes, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, "mode=700")?;
    for (name, major, minor) in DEVICES {
        let node = nodes.join(name);
        mknod(&node, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(*major, *minor))
            .doing(|| format!("make the device {name}"))?;
        fs::set_permissions(&node, Permissions::from_mode(0o666))
            .doing(|| format!("set the permissions of the device {name}"))?;
    }
    Ok(nodes)
}

/// With one id there is no group 5 for terminals.
fn mount_terminals(place: &Path, privileges: Privileges) -> Result<(), Refusal> {
    make_folder(place)?;
    let group = if privileges == Privileges::Single { "" } else { ",gid=5" };
    let options = format!("newinstance,ptmxmode=0666,mode=0620{group}");
    mounting::make("devpts", place, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, &options)
}
