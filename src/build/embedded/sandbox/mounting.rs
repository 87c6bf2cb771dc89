//! The few kinds of mounts that a sandbox makes, with words for what goes wrong.
//!
//! **Invariant:** no mount in a sandbox but those of the few known devices lets device nodes work. A command
//! may make nodes, as in a container, but opens none of them: no device of the machine is reached.

use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::outcome::{Doing, Refusal};

/// Mounts a file system that is made from nothing, such as `proc` or `tmpfs`.
pub(super) fn make(kind: &str, target: &Path, flags: MsFlags, options: &str) -> Result<(), Refusal> {
    mount(Some(kind), target, Some(kind), flags, Some(options))
        .doing(|| format!("mount {kind} at `{}`", target.display()))
}

/// Shows `source`, with what is mounted in it when `whole`, at `target`.
pub(super) fn bind(source: &Path, target: &Path, whole: bool) -> Result<(), Refusal> {
    let flags = if whole { MsFlags::MS_BIND | MsFlags::MS_REC } else { MsFlags::MS_BIND };
    mount(Some(source), target, None::<&str>, flags, None::<&str>)
        .doing(|| format!("mount `{}` at `{}`", source.display(), target.display()))
}

/// Gives the mount at `target` these flags, and leaves what it may not lose: in a user namespace the flags
/// that a mount came with are locked.
pub(super) fn restrict(target: &Path, flags: MsFlags) -> Result<(), Refusal> {
    let doing = || format!("restrict the mount at `{}`", target.display());
    let has = nix::sys::statvfs::statvfs(target).doing(doing)?.flags();
    let mut all = flags | MsFlags::MS_BIND | MsFlags::MS_REMOUNT;
    for (one, other) in [
        (nix::sys::statvfs::FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
        (nix::sys::statvfs::FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (nix::sys::statvfs::FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (nix::sys::statvfs::FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (nix::sys::statvfs::FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (nix::sys::statvfs::FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (nix::sys::statvfs::FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        all.set(other, flags.contains(other) || has.contains(one));
    }
    mount(None::<&str>, target, None::<&str>, all, None::<&str>).doing(doing)
}

/// Takes the mount at `target` away; what still uses it keeps it.
pub(super) fn detach(target: &Path) -> Result<(), Refusal> {
    umount2(target, MntFlags::MNT_DETACH).doing(|| format!("unmount `{}`", target.display()))
}
