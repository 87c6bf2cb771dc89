//! The three stages of a sandbox: what this program does when it was started to be one.
//!
//! Each stage first asks to be killed when its parent dies, and then looks whether the parent is still there: the
//! parent holds the other end of the socket, so a parent that died before is a socket that is cut. The wish is
//! lost when a process changes its ids, so it is said again after that.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, dup2_stdin, getegid, geteuid, pivot_root, sethostname};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::devices::mount_devices;
use super::filter;
use super::given_mounts::{self, PreparedMount};
use super::identity;
use super::limits;
use super::messages::{Line, Message};
use super::mount_points::{
    MadePlaces, PlaceKind, SYSTEM_FOLDERS, ensure_keeping_times, make_place, problem, problem_of_system,
    within,
};
use super::mounting;
use super::network;
use super::outcome::{Doing, Outcome, Refusal};
use super::program;
use super::root_folder::{WorkFolders, mount_root};
use super::root_path::resolve;
use super::spec::{MountSpec, Network, Privileges, SandboxSpec, SecretPlace};
use super::system_files::mount_system;
use crate::build::embedded::rootfs::chore::{Chain, Chore, ChoreReport};

/// The first argument of a process that is a stage of a sandbox.
pub const FIRST_ARGUMENT: &str = "imgraph-sandbox";

/// As much as a pipe holds.
const WRITTEN_AT_ONCE: usize = 64 << 10;

/// The most bytes of `/etc/passwd` that are looked at, for the home of a user.
const LARGEST_USERS: u64 = 1 << 20;

/// Does the work of a stage when `arguments` (the program's name among them) are those of one. It has to be
/// called before the process has a second thread. The stage that becomes the command does not return.
pub fn stage(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    arguments.next();
    if arguments.next()? != FIRST_ARGUMENT {
        return None;
    }
    let work = match arguments.next().as_ref().and_then(|name| name.to_str()) {
        Some("supervise") => supervise,
        Some("contain") => contain,
        Some("launch") => launch,
        _ => return Some(ExitCode::FAILURE),
    };
    let line = close_inherited().and_then(|()| Line::of_standard_input());
    let Ok(mut line) = line else { return Some(ExitCode::FAILURE) };
    let message = work(&mut line).unwrap_or_else(|refusal| Some(Message::Refused(refusal)));
    let sent = message.map_or(Ok(()), |message| line.send(&message));
    Some(if sent.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks to be killed with the parent, and fails when it is gone already.
fn die_with_parent(line: &Line) -> Result<(), Refusal> {
    set_parent_process_death_signal(Some(Signal::KILL)).doing(|| "ask to be killed with the parent")?;
    if line.is_cut() { Err(Refusal::new("the parent is gone")) } else { Ok(()) }
}

fn receive_spec(line: &mut Line) -> Result<(Box<SandboxSpec>, Vec<PreparedMount>), Refusal> {
    match line.receive().doing(|| "read what to do")? {
        Some(Message::Run(spec, mounts)) => Ok((spec, mounts)),
        _ => Err(Refusal::new("the parent did not say what to do")),
    }
}

/// The first stage: in the machine's namespaces but for that of users.
fn supervise(line: &mut Line) -> Result<Option<Message>, Refusal> {
    die_with_parent(line)?;
    match line.receive().doing(|| "read what to do")? {
        Some(Message::Run(spec, mounts)) => {
            if !enter(line, spec.privileges)? {
                return Ok(None);
            }
            unshare(CloneFlags::CLONE_NEWPID)
                .doing(|| "make a namespace for processes")
                .map_err(needs_rights)?;
            Stage::start("contain", spec, mounts)?.finish()
        }
        Some(Message::Remove(folder, privileges)) => {
            if !enter(line, privileges)? {
                return Ok(None);
            }
            fs::remove_dir_all(&folder).doing(|| format!("remove `{}`", folder.display()))?;
            Ok(Some(Message::Done(ChoreReport::default())))
        }
        Some(Message::Do(chore, chain, privileges)) => {
            if !enter(line, privileges)? {
                return Ok(None);
            }
            do_chore(&chore, &chain, privileges).map(|report| Some(Message::Done(report)))
        }
        _ => Err(Refusal::new("the parent did not say what to do")),
    }
}

/// Does a chore; a layer goes to standard output.
fn do_chore(chore: &Chore, chain: &Chain, privileges: Privileges) -> Result<ChoreReport, Refusal> {
    let output = io::stdout().as_fd().try_clone_to_owned().doing(|| "write to standard output")?;
    let mut output = BufWriter::with_capacity(WRITTEN_AT_ONCE, fs::File::from(output));
    let done = chain.view().and_then(|view| chore.run((&view, chain), privileges.ownership(), &mut output));
    done.map_err(|error| Refusal { message: error.whole(), help: error.help().map(str::to_owned) })
}

/// Gets the rights that `privileges` names; false when the parent has given up meanwhile.
fn enter(line: &mut Line, privileges: Privileges) -> Result<bool, Refusal> {
    if privileges == Privileges::Root {
        return Ok(true);
    }
    let (uid, gid) = (geteuid(), getegid());
    if privileges == Privileges::Single {
        identity::give_up_groups(gid);
    }
    identity::leave_user_namespace()?;
    if privileges == Privileges::Single {
        identity::map_one(uid, gid)?;
    } else {
        line.send(&Message::WaitsForIds).doing(|| "ask for ids")?;
        let Some(Message::Mapped) = line.receive().doing(|| "wait for ids")? else { return Ok(false) };
    }
    identity::become_root()?;
    die_with_parent(line)?;
    Ok(true)
}

fn needs_rights(refusal: Refusal) -> Refusal {
    refusal.help(
        "root in a container needs the right to mount (`--privileged`); without it, use a Docker Engine",
    )
}

/// Whoever started the program may have left files open in it, which the command must not see.
fn close_inherited() -> io::Result<()> {
    let names = fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let open: Vec<i32> = names.filter_map(|name| name.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        // The folder that was just read is closed already.
        let _ = nix::unistd::close(descriptor);
    }
    Ok(())
}

/// The second stage: process 1 of all that the sandbox is, and owner of its mounts.
fn contain(line: &mut Line) -> Result<Option<Message>, Refusal> {
    die_with_parent(line)?;
    let (spec, _) = receive_spec(line)?;
    let mut own = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    own.set(CloneFlags::CLONE_NEWNET, spec.network == Network::None);
    unshare(own).doing(|| "make namespaces").map_err(needs_rights)?;
    keep_mounts_private()?;
    umask(Mode::empty());
    sethostname(&spec.hostname).doing(|| "set the host name")?;
    if spec.network == Network::None {
        network::loopback_up()?;
    }
    let folders = WorkFolders::of(&spec.work);
    folders.make()?;
    mount_root(&spec.root, &folders, spec.privileges)?;
    let mounts = given_mounts::prepare(&spec, &folders)?;
    if let Some(message) = problem_of_places(&folders.root, &mounts) {
        folders.remove();
        let help =
            Some("it is to be mounted on, which container engines refuse, too; mend the image".to_owned());
        return Ok(Some(Message::Ended(Outcome::NotStarted { message, help, exit_code: 126 })));
    }
    let made = make_places(&folders.root, &mounts)?;
    // Last, as the kernel lets nobody make threads whose children are to be in another namespace.
    unshare(CloneFlags::CLONE_NEWPID).doing(|| "make a namespace for processes").map_err(needs_rights)?;
    let ended = Stage::start("launch", spec, mounts)?.finish();
    made.remove(&folders.root);
    folders.remove();
    ended
}

fn keep_mounts_private() -> Result<(), Refusal> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .doing(|| "keep mounts to this sandbox")
}

/// Says why one of the places of mounts in the root cannot be one. What lies in another mount is not known yet.
fn problem_of_places(root: &Path, mounts: &[PreparedMount]) -> Option<String> {
    let of_file = |file: &&str| problem(root, file, PlaceKind::File, &SYSTEM_FOLDERS);
    let mut covered = ["/dev", "/sys"].map(|folder| within(root, folder)).to_vec();
    let of_mount = |mount: &PreparedMount| {
        let place = resolve(root, mount.target()).ok().map(|resolved| resolved.place);
        let is_inside = |place: &PathBuf| covered.iter().any(|above| place.starts_with(above));
        let is_covered = place.as_ref().is_some_and(is_inside);
        covered.extend(place);
        if is_covered { None } else { problem(root, mount.target(), mount.place_kind(), &["/proc"]) }
    };
    problem_of_system(root)
        .or_else(|| network::NETWORK_FILES.iter().find_map(of_file))
        .or_else(|| mounts.iter().find_map(of_mount))
}

/// Makes the places of mounts in the root. A place in another mount is made in that one, when it is there.
fn make_places(root: &Path, mounts: &[PreparedMount]) -> Result<MadePlaces, Refusal> {
    for folder in SYSTEM_FOLDERS {
        ensure_keeping_times(root, folder, PlaceKind::Folder)?;
    }
    let mut made = MadePlaces::default();
    for file in network::NETWORK_FILES {
        made.ensure(root, file, PlaceKind::File)?;
    }
    let mut covered: Vec<_> = SYSTEM_FOLDERS.iter().map(|folder| within(root, folder)).collect();
    for mount in mounts {
        let place = resolve(root, mount.target()).doing(|| format!("look for `{}`", mount.target()))?.place;
        if !covered.iter().any(|above| place.starts_with(above)) {
            made.ensure(root, mount.target(), mount.place_kind())?;
            covered.push(place);
        }
    }
    Ok(made)
}

/// The third stage: becomes the command.
fn launch(line: &mut Line) -> Result<Option<Message>, Refusal> {
    die_with_parent(line)?;
    let (spec, mounts) = receive_spec(line)?;
    unshare(CloneFlags::CLONE_NEWNS).doing(|| "make a namespace for mounts")?;
    keep_mounts_private()?;
    umask(Mode::empty());
    let folders = WorkFolders::of(&spec.work);
    let root = &folders.root;
    mount_devices(&within(root, "/dev"), &folders, spec.privileges)?;
    mount_system(root, spec.network, spec.privileges)?;
    network::mount_files(root, &folders, &spec)?;
    mounts.iter().try_for_each(|mount| mount.mount(root))?;
    if let Err(outcome) = make_current(root, &spec) {
        return Ok(Some(Message::Ended(outcome)));
    }
    if spec.read_only_root {
        mounting::restrict(root, MsFlags::MS_RDONLY | MsFlags::MS_NODEV)?;
    }
    change_root(root)?;
    let env = environment(&spec);
    let quiet = fs::File::open("/dev/null").doing(|| "open /dev/null")?;
    limits::set()?;
    identity::become_user(&spec.user, spec.privileges)?;
    die_with_parent(line)?;
    if let Err(errno) = chdir(spec.cwd.as_str()) {
        let message = format!("the working folder `{}` cannot be entered: {}", spec.cwd, errno.desc());
        return Ok(Some(Message::Ended(Outcome::NotStarted { message, help: None, exit_code: 126 })));
    }
    umask(Mode::from_bits_truncate(0o022));
    reset_signals().doing(|| "reset signals")?;
    dup2_stdin(quiet).doing(|| "close standard input")?;
    filter::apply()?;
    Ok(Some(Message::Ended(program::run(&spec.args, &env))))
}

/// Makes the working folder where it is not there, as container engines do.
fn make_current(root: &Path, spec: &SandboxSpec) -> Result<(), Outcome> {
    let cannot = |error: io::Error| Outcome::NotStarted {
        message: format!("the working folder `{}` cannot be made: {error}", spec.cwd),
        help: Some("is a part of its path a file in the image?".to_owned()),
        exit_code: 126,
    };
    let resolved = resolve(root, &spec.cwd).map_err(cannot)?;
    if resolved.missing.is_none() && !resolved.place.is_dir() {
        return Err(cannot(nix::errno::Errno::ENOTDIR.into()));
    }
    let owner = Some((spec.user.uid, spec.user.gid));
    make_place(root, &resolved, PlaceKind::Folder, owner).map_err(cannot)
}

/// Makes `root` the root of this mount namespace, and takes the old one away.
fn change_root(root: &Path) -> Result<(), Refusal> {
    let change = || {
        chdir(root)?;
        pivot_root(".", ".")?;
        umount2(".", MntFlags::MNT_DETACH)?;
        chdir("/")
    };
    change().doing(|| "change the root")
}

/// The variables of the command: those that are given, secrets, and `HOME`.
fn environment(spec: &SandboxSpec) -> Vec<String> {
    let mut env = spec.env.clone();
    for mount in &spec.mounts {
        if let MountSpec::Secret { content, place: SecretPlace::Variable(name) } = mount {
            env.push(format!("{name}={}", String::from_utf8_lossy(content)));
        }
    }
    if !env.iter().any(|variable| variable.starts_with("HOME=")) {
        env.push(format!("HOME={}", home_of(&String::from_utf8_lossy(&users()), spec.user.uid)));
    }
    env
}

/// The users of the image, as far as they can be read: it may be a pipe, or without end.
fn users() -> Vec<u8> {
    let mut users = Vec::new();
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
    let file = fs::File::options().read(true).custom_flags(flags).open("/etc/passwd").ok();
    if let Some(file) = file.filter(|file| file.metadata().is_ok_and(|found| found.is_file())) {
        // What cannot be read names nobody.
        let _ = file.take(LARGEST_USERS).read_to_end(&mut users);
    }
    users
}

/// The home folder of a user by number; `/` when the file does not know the user.
fn home_of(users: &str, uid: u32) -> String {
    let home = |line: &str| {
        let words: Vec<&str> = line.split(':').collect();
        let found = words.get(2)?.parse() == Ok(uid);
        words.get(5).filter(|home| found && !home.is_empty()).map(|home| (*home).to_owned())
    };
    users.lines().find_map(home).unwrap_or_else(|| "/".to_owned())
}

/// A signal that is ignored stays ignored in the command; one that is handled gets its default back.
fn reset_signals() -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    let heard = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] {
        signal_hook::flag::register(signal, Arc::clone(&heard))?;
    }
    Ok(())
}

/// A stage below this one.
struct Stage {
    child: Child,
    line: Line,
}

impl Stage {
    fn start(name: &str, spec: Box<SandboxSpec>, mounts: Vec<PreparedMount>) -> Result<Self, Refusal> {
        let (mut line, theirs) = Line::pair().doing(|| "make a socket")?;
        let child = Command::new("/proc/self/exe")
            .arg0("imgraph")
            .args([FIRST_ARGUMENT, name])
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .doing(|| "start this program again")?;
        // A stage that is gone already is noticed when it says nothing.
        let _ = line.send(&Message::Run(spec, mounts));
        Ok(Self { child, line })
    }

    /// Waits for its end. A stage that became the command says nothing: then its end is the command's.
    fn finish(mut self) -> Result<Option<Message>, Refusal> {
        let said = self.line.receive().doing(|| "listen to the next stage")?;
        let status = self.child.wait().doing(|| "wait for the next stage")?;
        Ok(Some(said.unwrap_or_else(|| {
            let signalled = || Outcome::Signalled(status.signal().unwrap_or_default());
            Message::Ended(status.code().map_or_else(signalled, Outcome::Exited))
        })))
    }
}
