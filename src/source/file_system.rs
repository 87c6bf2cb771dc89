//! Which file systems can be believed when they tell facts of their files.

use rustix::fd::BorrowedFd;

/// Whether a file system writes down when something on it changes, at once and with a clock of this
/// machine. A read-only one may be another image of the same build at the same place, with the same times
/// and numbers; one of the network, or of a program, tells what it remembers.
#[cfg(target_os = "linux")]
pub(super) fn tells_of_changes(opened: BorrowedFd<'_>) -> bool {
    /// ext2 to 4, XFS, Btrfs, F2FS, ZFS, tmpfs, overlayfs (`linux/magic.h`; ZFS has its own).
    const TELLING: [u64; 7] =
        [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x2FC1_2FC1, 0x0102_1994, 0x794C_7630];
    let is_known = rustix::fs::fstatfs(opened).is_ok_and(|found| TELLING.contains(&(found.f_type as u64)));
    let is_writable = rustix::fs::fstatvfs(opened)
        .is_ok_and(|found| !found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    is_known && is_writable
}

/// As on Linux; here the types of file systems have no numbers that stay the same.
#[cfg(not(target_os = "linux"))]
pub(super) fn tells_of_changes(opened: BorrowedFd<'_>) -> bool {
    rustix::fs::fstatvfs(opened)
        .is_ok_and(|found| !found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}
