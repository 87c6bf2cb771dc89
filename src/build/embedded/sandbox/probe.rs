//! What this machine and this user can do: tried, not guessed.
//!
//! A sandbox is started over an empty root. When it says that the command is not there, all before that worked:
//! namespaces, mounts, the filter. When it refuses, its refusal is the finding, with the way out.

use std::fs;
use std::path::Path;

use nix::unistd::geteuid;

use crate::types::cancellation::Cancellation;

use super::identity::{self, ranges_of};
use super::outcome::{Outcome, Refusal, SandboxError};
use super::running::Sandbox;
use super::running_folder::RunningFolder;
use super::spec::{Network, Privileges, Root, SandboxSpec, User};

/// The first kernel on which users other than root can use overlayfs.
const OVERLAY_FOR_USERS: (u32, u32) = (5, 11);

/// Below this much free space a build is likely to fail, in bytes.
const LITTLE_SPACE: u64 = 2 << 30;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What it is.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// How to put it right, when it is not.
    pub cure: Option<String>,
}

impl Probe {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, ok: true, detail: detail.into(), cure: None }
    }

    fn bad(name: &'static str, detail: impl Into<String>, cure: Option<String>) -> Self {
        Self { name, ok: false, detail: detail.into(), cure }
    }

    fn of(name: &'static str, detail: impl Into<String>, tried: &Result<(), Refusal>) -> Self {
        match tried {
            Ok(()) => Self::good(name, detail),
            Err(refusal) => Self::bad(name, refusal.message.clone(), refusal.help.clone()),
        }
    }
}

/// What sandboxes of this process can be.
#[derive(Clone, Debug)]
pub struct Abilities {
    /// How they get their rights.
    pub privileges: Privileges,
    /// Whether a command can be run at all, in a root that is one folder.
    pub sandbox: Result<(), Refusal>,
    /// Whether layers can be put over each other where they are kept. When not, a root has to be a copy.
    pub overlay: Result<(), Refusal>,
}

/// Finds out what sandboxes can be whose files lie in `folder`, by trying.
///
/// # Errors
/// When nothing can be written to `folder`.
pub fn abilities(sandbox: &Sandbox, folder: &Path) -> Result<Abilities, SandboxError> {
    let unwritable = |error| Refusal::new(format!("cannot write to `{}`: {error}", folder.display()));
    let place = RunningFolder::make(folder).map_err(unwritable)?;
    for name in ["root", "lower", "upper", "work"] {
        fs::create_dir(place.path().join(name)).map_err(unwritable)?;
    }
    let best = best_privileges();
    let path = |name: &str| place.path().join(name);
    let simple = |privileges| attempt(sandbox, &path("work"), Root::Folder(path("root")), privileges);
    let layered = |privileges| {
        let layers = Root::Layers { lower: vec![path("lower")], upper: path("upper") };
        attempt(sandbox, &path("work"), layers, privileges)
    };
    // Where this works, so does what is simpler: most machines are asked once.
    if layered(best).is_ok() {
        place.remove(sandbox, best)?;
        return Ok(Abilities { privileges: best, sandbox: Ok(()), overlay: Ok(()) });
    }
    let mut found = (best, simple(best));
    if found.1.is_err() && best != Privileges::Single {
        // Ids that are refused leave one that is not; root without rights may have those of a user.
        let single = simple(Privileges::Single);
        if single.is_ok() {
            found = (Privileges::Single, single);
        }
    }
    let (privileges, simple) = found;
    let overlay = simple.clone().and_then(|()| layered(privileges));
    place.remove(sandbox, privileges)?;
    Ok(Abilities { privileges, sandbox: simple, overlay })
}

/// The most rights that commands of this process may have, without trying. Root of a user namespace that somebody
/// else made is not [`Privileges::Root`], whatever he may do there.
pub fn best_privileges() -> Privileges {
    let may_mount = caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SYS_ADMIN);
    let is_root = geteuid().is_root() && identity::has_all_ids();
    match is_root && may_mount.unwrap_or(false) {
        true => Privileges::Root,
        false if ids().is_ok() => Privileges::Mapped,
        false => Privileges::Single,
    }
}

/// How many ids the user may map, or what is missing.
fn ids() -> Result<u64, Refusal> {
    let uid = geteuid();
    if let Some(count) = identity::enough_own_ids() {
        return Ok(count);
    }
    if uid.is_root() && !identity::has_all_ids() {
        // Those of /etc/subuid are ids of the namespace around this one, if they are any.
        let count = identity::own_ids().unwrap_or(1);
        let message = format!("root is in a user namespace that has too few ids ({count} from 0 on)");
        return Err(Refusal::new(message).help(identity::FEW_IDS));
    }
    let name = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
    let count = |file: &str| -> u64 {
        let ranges = ranges_of(file, name.as_deref(), uid).unwrap_or_default();
        ranges.iter().map(|(_, count)| *count).fold(0, u64::saturating_add)
    };
    let least = count("/etc/subuid").min(count("/etc/subgid"));
    if least == 0 {
        let message = "/etc/subuid and /etc/subgid give this user no ids";
        return Err(Refusal::new(message).help(identity::NO_RANGES));
    }
    let folders = ["/usr/bin", "/bin", "/usr/local/bin", "/run/wrappers/bin"];
    for program in ["newuidmap", "newgidmap"] {
        if !folders.iter().any(|folder| Path::new(folder).join(program).exists()) {
            return Err(Refusal::new(format!("{program} is not installed")).help(identity::NO_RANGES));
        }
    }
    Ok(least)
}

/// Starts a sandbox in which there is no command.
fn attempt(sandbox: &Sandbox, work: &Path, root: Root, privileges: Privileges) -> Result<(), Refusal> {
    let spec = SandboxSpec {
        root,
        work: work.to_path_buf(),
        args: vec!["/nothing".to_owned()],
        env: Vec::new(),
        cwd: "/".to_owned(),
        user: User::default(),
        hostname: "probe".to_owned(),
        network: Network::None,
        mounts: Vec::new(),
        extra_hosts: Vec::new(),
        privileges,
        read_only_root: false,
    };
    match sandbox.run(spec, &mut |_, _| {}, &Cancellation::default()) {
        Ok(Outcome::NotStarted { .. }) => Ok(()),
        Ok(other) => Err(Refusal::new(format!("a command that does not exist ended as {other:?}"))),
        Err(SandboxError::Refused(refusal)) => Err(refusal),
        Err(other) => Err(Refusal::new(other.to_string())),
    }
}

/// Everything that decides what the embedded builder can do with its files in `folder`, most important first.
pub fn probes(sandbox: &Sandbox, folder: &Path) -> Vec<Probe> {
    let mut probes = vec![kernel()];
    match abilities(sandbox, folder) {
        Ok(Abilities { privileges, sandbox, overlay }) => {
            let rights = match privileges {
                Privileges::Root => "as root",
                Privileges::Mapped => "in a user namespace with many ids",
                Privileges::Single => "in a user namespace with one id",
            };
            probes.push(Probe::of("sandbox", format!("RUN works, {rights}"), &sandbox));
            if sandbox.is_ok() {
                probes.push(Probe::of("overlay", "layers can be put over each other", &overlay));
            }
            if privileges != Privileges::Root {
                probes.push(many_ids());
            }
        }
        Err(error) => probes.push(Probe::bad("sandbox", error.to_string(), None)),
    }
    probes.extend([seccomp(), control_groups(), container(), space(folder)]);
    probes
}

fn kernel() -> Probe {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let detail = format!("Linux {release} on {}", std::env::consts::ARCH);
    if version >= OVERLAY_FOR_USERS || best_privileges() == Privileges::Root {
        return Probe::good("kernel", detail);
    }
    let cure = "users other than root need Linux 5.11 for overlayfs; root does not".to_owned();
    Probe::bad("kernel", detail, Some(cure))
}

fn many_ids() -> Probe {
    match ids() {
        Ok(count) => Probe::good("ids", format!("{count} ids can be mapped")),
        Err(refusal) => {
            let groups = if identity::has_further_groups() && !geteuid().is_root() {
                ", and commands see your further groups (`id`)"
            } else {
                ""
            };
            let message = refusal.message;
            let detail = format!("{message}: USER and chown to others than root cannot work{groups}");
            Probe::bad("ids", detail, refusal.help)
        }
    }
}

fn seccomp() -> Probe {
    let filters = fs::read_to_string("/proc/self/status").unwrap_or_default().contains("\nSeccomp:");
    let known = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    match (filters, known) {
        (true, true) => Probe::good("seccomp", "system calls are filtered as Docker does"),
        (true, false) => {
            let detail = "there is no filter for this architecture: namespaces and capabilities hold alone";
            Probe::bad("seccomp", detail, Some("build what you do not trust with a Docker Engine".to_owned()))
        }
        (false, _) => {
            let cure = "the kernel has to be built with CONFIG_SECCOMP_FILTER".to_owned();
            Probe::bad("seccomp", "the kernel filters no system calls", Some(cure))
        }
    }
}

fn control_groups() -> Probe {
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let detail = if unified { "version 2" } else { "version 1, or none" };
    Probe::good("cgroups", format!("{detail}; steps run in the one of imgraph, with its limits"))
}

fn container() -> Probe {
    let marks = [("/.dockerenv", "Docker"), ("/run/.containerenv", "Podman")];
    let found = marks.iter().find(|(mark, _)| Path::new(mark).exists());
    Probe::good(
        "container",
        found.map_or("not in a known one".to_owned(), |(_, name)| format!("in one of {name}")),
    )
}

fn space(folder: &Path) -> Probe {
    let existing = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    match nix::sys::statvfs::statvfs(existing) {
        Ok(found) => {
            let free = found.blocks_available() * found.fragment_size();
            let tenths = free / ((1 << 30) / 10);
            let detail = format!("{}.{} GiB free at {}", tenths / 10, tenths % 10, existing.display());
            let cure = || Some("make room, or name another folder with --cache-dir".to_owned());
            if free >= LITTLE_SPACE {
                Probe::good("space", detail)
            } else {
                Probe::bad("space", detail, cure())
            }
        }
        Err(errno) => Probe::bad("space", format!("{}: {}", existing.display(), errno.desc()), None),
    }
}
