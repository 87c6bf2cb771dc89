//! Who the sandbox's processes are: user namespaces, ids, capabilities.
//!
//! The capabilities are those that Docker gives to a container. They are a bound: a program of another user has
//! none of them, as in a container. Where there are none to give (a user namespace) they count inside it only.
//!
//! Whoever is root need not be the machine's: in a user namespace that somebody else made (a rootless container,
//! `unshare -Ur`) there are only the ids that are mapped into it, and no device can be made. Such a root makes a
//! namespace of his own in it, to which he gives his ids; so can root of a container who may not mount.

use std::fs;
use std::io;
use std::process::Command;

use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, getegid, geteuid, getgroups, setgroups, setresgid, setresuid};

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

/// How root in a user namespace gets more ids.
pub(super) const FEW_IDS: &str = "give the user namespace 65536 ids: rootless Podman takes them from /etc/subuid and \
    /etc/subgid of the user on the machine, `unshare` with --map-auto, Kubernetes with hostUsers: false";

/// Images have owners up to 65534, `nobody`. With fewer ids many of them cannot be unpacked.
const ENOUGH: u64 = 65_535;

/// Whether this user namespace has all ids, as that of the machine has.
pub(super) fn has_all_ids() -> bool {
    const ALL: u64 = u32::MAX as u64;
    id_maps().is_some_and(|maps| maps.iter().all(|ranges| *ranges == [(0, ALL)]))
}

/// How many ids from 0 on this root can give to a user namespace by himself; `None` for who is not root, or may not
/// do so.
pub(super) fn own_ids() -> Option<u64> {
    let needed = [Capability::CAP_SETUID, Capability::CAP_SETGID, Capability::CAP_SETFCAP];
    let has = |capability: &Capability| caps::has_cap(None, CapSet::Effective, *capability).unwrap_or(false);
    if !geteuid().is_root() || !needed.iter().all(has) {
        return None;
    }
    id_maps().map(|[uids, gids]| from_zero(&uids).min(from_zero(&gids)))
}

/// As [`own_ids`], when they are enough for the owners that images have.
pub(super) fn enough_own_ids() -> Option<u64> {
    own_ids().filter(|count| *count >= ENOUGH)
}

/// The ranges (first id, how many) of this user namespace, of users and of groups.
fn id_maps() -> Option<[Vec<(u64, u64)>; 2]> {
    let read = |file: &str| fs::read_to_string(file).ok().map(|text| ranges_of_map(&text));
    Some([read("/proc/self/uid_map")?, read("/proc/self/gid_map")?])
}

fn ranges_of_map(text: &str) -> Vec<(u64, u64)> {
    let range = |line: &str| {
        let mut words = line.split_whitespace();
        let (first, _outside, count) = (words.next()?, words.next()?, words.next()?);
        Some((first.parse().ok()?, count.parse().ok()?))
    };
    let mut ranges: Vec<_> = text.lines().filter_map(range).collect();
    ranges.sort_unstable();
    ranges
}

/// How many ids there are from 0 on without a gap.
fn from_zero(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().fold(0, |end, (first, count)| if *first == end { end.saturating_add(*count) } else { end })
}

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

/// Gives up the further groups of this process where it may: in a namespace with one id nobody may do it any more, and
/// commands see them as groups of nobody. Only whoever is root of some kind may; `newgidmap` forbids it as the kernel
/// does, unless ranges of ids are given.
pub(super) fn give_up_groups(gid: Gid) {
    let _ = setgroups(&[gid]);
}

/// Whether this process has groups besides its first.
pub(super) fn has_further_groups() -> bool {
    getgroups().is_ok_and(|groups| groups.iter().any(|group| *group != getegid()))
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

/// Maps the ids inside the namespace of process `pid`, which has to be done from outside. Root gives all that he has.
/// For others root inside is this process's user, and the ids from 1 on are those that `/etc/subuid` and
/// `/etc/subgid` give the user.
pub(super) fn map_many(pid: u32) -> Result<(), Refusal> {
    if let Some(count) = enough_own_ids() {
        return ["uid_map", "gid_map"].iter().try_for_each(|file| {
            let file = format!("/proc/{pid}/{file}");
            fs::write(&file, format!("0 0 {count}")).doing(|| format!("write {file}"))
        });
    }
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
        let is_root_inside = geteuid().is_root() && !has_all_ids();
        return Err(Refusal::new(message).help(if is_root_inside { FEW_IDS } else { NO_RANGES }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_namespace_are_counted_from_zero() {
        let check =
            |text: &str, expected: u64| assert_eq!(from_zero(&ranges_of_map(text)), expected, "{text}");
        check("         0          0 4294967295\n", 4_294_967_295);
        check("0 1000 1\n1 100000 65536\n", 65_537);
        check("1 100000 65536\n0 1000 1\n", 65_537);
        check("0 0 1\n", 1);
        check("0 1000 1\n1000 1 64536\n", 1);
        check("1 0 10\n", 0);
        check("", 0);
        check("nonsense\n0 0\n", 0);
    }

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
