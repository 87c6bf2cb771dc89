//! Who the sandbox's processes are: user namespaces, ids, capabilities.
//!
//! The capabilities are those that Docker gives to a container. They are a bound: a program of another user has
//! none of them, as in a container. Where there are none to give (a user namespace) they count inside it only.

use std::fs;
use std::io;
use std::process::Command;

use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, getegid, geteuid, setgroups, setresgid, setresuid};

use super::outcome::{Doing, Refusal};
use super::spec::{Privileges, User};

/// Docker's default capabilities.
const CAPABILITIES: [Capability; 14] = [
    Capability::CAP_AUDIT_WRITE,
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_MKNOD,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_SETFCAP,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_SETUID,
    Capability::CAP_SYS_CHROOT,
];

const NO_USER_NAMESPACES: &str = "users other than root may make none: set the sysctls \
    user.max_user_namespaces above 0, kernel.unprivileged_userns_clone to 1 (Debian) and \
    kernel.apparmor_restrict_unprivileged_userns to 0 (Ubuntu); run a container with \
    `--security-opt seccomp=unconfined` (Kubernetes: seccompProfile Unconfined); or run as root, or use a Docker Engine";

/// How a user gets more ids than one.
pub(super) const NO_RANGES: &str = "install newuidmap and newgidmap (Debian: uidmap), and give the user ranges: \
    `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME`";

/// Goes into a user namespace of its own. Its ids are yet to be mapped.
pub(super) fn leave_user_namespace() -> Result<(), Refusal> {
    match unshare(CloneFlags::CLONE_NEWUSER) {
        // The kernel says that there is no space, which is not the disk's.
        Err(Errno::ENOSPC) => Err(Refusal::new(
            "cannot make a user namespace: the limit of user.max_user_namespaces is reached",
        )),
        other => other.doing(|| "make a user namespace"),
    }
    .map_err(|refusal| refusal.help(NO_USER_NAMESPACES))
}

/// Maps root inside to `uid` and `gid`, and nobody else.
pub(super) fn map_one(uid: Uid, gid: Gid) -> Result<(), Refusal> {
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text).doing(|| format!("write /proc/self/{file}"))
    };
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("0 {uid} 1"))?;
    write("gid_map", format!("0 {gid} 1")).map_err(|refusal| refusal.help(NO_USER_NAMESPACES))
}

/// Maps root inside the namespace of process `pid` to this process's user, and the ids from 1 on to those that
/// `/etc/subuid` and `/etc/subgid` give the user. It has to be done from outside.
pub(super) fn map_many(pid: u32) -> Result<(), Refusal> {
    let uid = geteuid();
    let name = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
    for (program, file, own) in
        [("newuidmap", "/etc/subuid", uid.as_raw()), ("newgidmap", "/etc/subgid", getegid().as_raw())]
    {
        let ranges = ranges_of(file, name.as_deref(), uid).doing(|| format!("read {file}"))?;
        if ranges.is_empty() {
            return Err(Refusal::new(format!("{file} gives this user no ids")).help(NO_RANGES));
        }
        let mut words = vec![pid.to_string(), "0".to_owned(), own.to_string(), "1".to_owned()];
        let mut inside: u64 = 1;
        for (first, count) in ranges {
            words.extend([inside.to_string(), first.to_string(), count.to_string()]);
            inside = inside.saturating_add(count);
        }
        let output = Command::new(program).args(&words).output();
        let output = output.doing(|| format!("run {program}")).map_err(|refusal| refusal.help(NO_RANGES))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Refusal::new(format!("{program} refuses: {}", said.trim())).help(NO_RANGES));
        }
    }
    Ok(())
}

/// The ranges (first id, how many) that `file` gives to a user, by name or number.
pub(super) fn ranges_of(file: &str, name: Option<&str>, uid: Uid) -> io::Result<Vec<(u64, u64)>> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let number = uid.to_string();
    let range = |line: &str| {
        let mut words = line.trim().split(':');
        let whose = words.next()?;
        let first: u64 = words.next()?.parse().ok()?;
        let count: u64 = words.next()?.parse().ok()?;
        (whose == number || Some(whose) == name).then_some((first, count)).filter(|_| count > 0)
    };
    Ok(text.lines().filter_map(range).collect())
}

/// Becomes root of the namespace that this process is in.
pub(super) fn become_root() -> Result<(), Refusal> {
    let root = || {
        setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0))?;
        setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0))
    };
    root().doing(|| "become root in the user namespace")
}

/// Gives up everything but what a container's process has, and becomes `user`.
pub(super) fn become_user(user: &User, privileges: Privileges) -> Result<(), Refusal> {
    let kept: CapsHashSet = CAPABILITIES.into_iter().collect();
    for capability in caps::all().difference(&kept) {
        // A capability that this kernel does not know is not there to be dropped.
        if caps::has_cap(None, CapSet::Bounding, *capability).unwrap_or(false) {
            caps::drop(None, CapSet::Bounding, *capability)
                .map_err(io::Error::other)
                .doing(|| format!("drop {capability}"))?;
        }
    }
    change_ids(user, privileges)?;
    let reduce = || {
        caps::clear(None, CapSet::Ambient)?;
        caps::clear(None, CapSet::Inheritable)?;
        if user.uid == 0 {
            caps::set(None, CapSet::Effective, &kept)?;
            caps::set(None, CapSet::Permitted, &kept)?;
        }
        Ok::<_, caps::errors::CapsError>(())
    };
    reduce().map_err(io::Error::other).doing(|| "give up capabilities")
}

fn change_ids(user: &User, privileges: Privileges) -> Result<(), Refusal> {
    let change = || {
        // With one id there are no groups to choose from, and the kernel forbids to give them up.
        if privileges != Privileges::Single {
            let mut groups = vec![Gid::from_raw(user.gid)];
            groups
                .extend(user.groups.iter().filter(|group| **group != user.gid).map(|id| Gid::from_raw(*id)));
            setgroups(&groups)?;
        }
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)
    };
    change()
        .doing(|| format!("become user {}:{}", user.uid, user.gid))
        .map_err(|refusal| if privileges == Privileges::Root { refusal } else { refusal.help(NO_RANGES) })
}

/// Refuses before anything runs what one id cannot do.
///
/// # Errors
/// When there is one id, and the user is not root.
pub fn check_user(user: &User, privileges: Privileges) -> Result<(), Refusal> {
    if privileges == Privileges::Single && (user.uid, user.gid) != (0, 0) {
        let message = format!(
            "the command is to run as user {}:{}, but there is only one id here, which is root inside",
            user.uid, user.gid
        );
        return Err(Refusal::new(message).help(NO_RANGES));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_number() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("subuid");
        let text = "ann:100000:65536\nbob:1:2\n1000:300000:10\nann:bad:1\nann:5:0\n\nann:7\nannette:9:9\n";
        fs::write(&file, text).unwrap();
        let check = |name: Option<&str>, uid: u32, expected: &[(u64, u64)]| {
            let found = ranges_of(file.to_str().unwrap(), name, Uid::from_raw(uid)).unwrap();
            assert_eq!(found, expected, "{name:?} {uid}");
        };
        check(Some("ann"), 1000, &[(100_000, 65_536), (300_000, 10)]);
        check(Some("bob"), 1001, &[(1, 2)]);
        check(None, 1000, &[(300_000, 10)]);
        check(Some("carl"), 7, &[]);
        assert_eq!(ranges_of("/not/there", Some("ann"), Uid::from_raw(0)).unwrap(), []);
    }
}
