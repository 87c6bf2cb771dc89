//! `/proc` and `/sys`, with the parts covered that a container does not see or may not write to.
//!
//! The lists are those of Docker and containerd. A part that this kernel does not have is passed over.

use std::fs;
use std::path::Path;

use nix::mount::MsFlags;

use super::mounting;
use super::outcome::Refusal;
use super::spec::{Network, Privileges};

/// Files and folders that are covered.
const MASKED: &[&str] = &[
    "proc/acpi",
    "proc/asound",
    "proc/interrupts",
    "proc/kcore",
    "proc/keys",
    "proc/latency_stats",
    "proc/sched_debug",
    "proc/scsi",
    "proc/timer_list",
    "proc/timer_stats",
    "sys/devices/virtual/powercap",
    "sys/firmware",
];

/// Folders and files that can be read only.
const READ_ONLY: &[&str] = &["proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"];

/// Mounts both in the root at `root`, in which their folders are.
pub(super) fn mount_system(root: &Path, network: Network, privileges: Privileges) -> Result<(), Refusal> {
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mounting::make("proc", &root.join("proc"), quiet, "").map_err(|refusal| {
        refusal.help(
            "a container that hides parts of /proc keeps others from mounting it: run it with \
             `--security-opt systempaths=unconfined`, or use a Docker Engine",
        )
    })?;
    mount_sys(&root.join("sys"), network, privileges)?;
    READ_ONLY.iter().try_for_each(|path| read_only(&root.join(path)))?;
    let null = root.join("dev/null");
    MASKED.iter().try_for_each(|path| mask(&root.join(path), &null))
}

/// Who is not root may mount `sysfs` only for a network of its own; otherwise the machine's is shown, without
/// the control groups, of which some may be the user's.
fn mount_sys(sys: &Path, network: Network, privileges: Privileges) -> Result<(), Refusal> {
    let restricted = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    if privileges == Privileges::Root || network == Network::None {
        return mounting::make("sysfs", sys, restricted, "");
    }
    mounting::bind(Path::new("/sys"), sys, true)?;
    mounting::restrict(sys, restricted)?;
    let groups = sys.join("fs/cgroup");
    if groups.is_dir() { mounting::make("tmpfs", &groups, restricted, "mode=755") } else { Ok(()) }
}

fn read_only(path: &Path) -> Result<(), Refusal> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    mounting::bind(path, path, true)?;
    mounting::restrict(path, MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC)
}

fn mask(path: &Path, null: &Path) -> Result<(), Refusal> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => {
            mounting::make("tmpfs", path, MsFlags::MS_RDONLY | MsFlags::MS_NODEV, "mode=755,size=0")
        }
        Ok(_file) => mounting::bind(null, path, false),
        Err(_absent) => Ok(()),
    }
}
