//! What a command knows of the network: the loopback interface, names of hosts, who answers for names.
//!
//! `/etc/hosts` is BuildKit's, not the machine's: a build does not depend on what somebody wrote there.
//! `/etc/resolv.conf` is the machine's as it is: a command shares the machine's network or has none, so a
//! resolver on the loopback interface answers where it answers the machine.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use nix::mount::MsFlags;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

use super::mount_points::{PlaceKind, ensure};
use super::mounting;
use super::outcome::{Doing, Refusal};
use super::root_folder::WorkFolders;
use super::spec::SandboxSpec;

/// The files that are mounted, as paths in the root.
pub(super) const NETWORK_FILES: &[&str] = &["/etc/resolv.conf", "/etc/hosts"];

/// `RTM_NEWLINK`, with `NLM_F_REQUEST | NLM_F_ACK`.
const NEW_LINK: u16 = 16;
const REQUEST_WITH_ANSWER: u16 = 1 | 4;
/// The loopback interface is the first of every network.
const LOOPBACK: i32 = 1;
/// `IFF_UP`.
const UP: u32 = 1;

/// Turns the loopback interface on. Root in a container may have the right to make a network but not to change it;
/// then the command has none at all.
pub(super) fn loopback_up() -> Result<(), Refusal> {
    match ask_for_loopback() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        asked => asked.doing(|| "turn the loopback interface on"),
    }
}

fn ask_for_loopback() -> io::Result<()> {
    // NETLINK_ROUTE is 0, which is what no protocol stands for.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    // struct nlmsghdr: length, kind, flags, number, sender.
    let mut request = 32_u32.to_ne_bytes().to_vec();
    request.extend(NEW_LINK.to_ne_bytes());
    request.extend(REQUEST_WITH_ANSWER.to_ne_bytes());
    request.extend([0; 8]);
    // struct ifinfomsg: family and padding, kind, index, flags, which flags are meant.
    request.extend([0; 4]);
    request.extend(LOOPBACK.to_ne_bytes());
    request.extend(UP.to_ne_bytes());
    request.extend(UP.to_ne_bytes());
    sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0_u8; 256];
    let (length, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
    // The answer's header is followed by the negative number of the error, 0 when there is none.
    let error = answer.get(16..20).filter(|_| length >= 20).and_then(|bytes| bytes.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(error.saturating_neg())),
        None => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
    }
}

/// Mounts both files in the root at `root`.
pub(super) fn mount_files(root: &Path, folders: &WorkFolders, spec: &SandboxSpec) -> Result<(), Refusal> {
    let resolver = match fs::read("/etc/resolv.conf") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read.doing(|| "read `/etc/resolv.conf`")?,
    };
    let contents = [resolver, hosts(spec).into_bytes()];
    for (number, (target, content)) in NETWORK_FILES.iter().zip(contents).enumerate() {
        let file = folders.memory.join(format!("network-{number}"));
        write_with_fixed_time(&file, &content).doing(|| format!("write {target}"))?;
        let place = ensure(root, target, PlaceKind::File)?.place;
        mounting::bind(&file, &place, false)?;
        let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mounting::restrict(&place, quiet | MsFlags::MS_RDONLY)?;
    }
    Ok(())
}

/// Programs put the times of files into what they make: archives of `/etc`, for one.
fn write_with_fixed_time(file: &Path, content: &[u8]) -> io::Result<()> {
    fs::write(file, content)?;
    fs::File::options().write(true).open(file)?.set_modified(SystemTime::UNIX_EPOCH)
}

fn hosts(spec: &SandboxSpec) -> String {
    let mut text =
        format!("127.0.0.1\tlocalhost {}\n::1\tlocalhost ip6-localhost ip6-loopback\n", spec.hostname);
    for host in &spec.extra_hosts {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}\t{}", host.address, host.name);
    }
    text
}
