//! The process that answers at an engine's socket, where it is a Docker Engine of this machine.
//!
//! An engine tells its id, but not whether it was started anew since; a process is one life of an engine.
//! Who listens is not enough: systemd listens for an engine that it starts, and a proxy for any. The kernel
//! says of each message which process wrote it, so one is asked for, the smallest.
//!
//! **Invariant:** equal answerers are one process: an engine keeps its data root, its storage driver, its
//! version and what it has in memory for as long as its process lives.

use rustix::fd::OwnedFd;
use serde::{Deserialize, Serialize};

use super::address::EngineAddress;

/// One life of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answerer {
    /// The system's own name of the time since it was started: processes are counted anew after that.
    boot: String,
    process: i32,
    /// In ticks since the system was started: with the number this names a process for good.
    began: u64,
}

impl Answerer {
    /// Who answers at `address`. `None` where that is not clear: it is on another machine, not seen from
    /// here, or no engine.
    #[cfg(target_os = "linux")]
    pub(super) async fn at(address: &EngineAddress) -> Option<Self> {
        let EngineAddress::Unix(path) = address else { return None };
        let process = linux::writer(path).await?;
        let stat = std::fs::read(linux::file_of(process, "stat")).ok()?;
        let (name, began) = linux::name_and_beginning(&stat)?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        (name == b"dockerd" && linux::numbers_are_ours()).then_some(Self { boot, process, began })
    }

    /// What no other system tells.
    #[cfg(not(target_os = "linux"))]
    pub(super) async fn at(_address: &EngineAddress) -> Option<Self> {
        None
    }

    /// Opens what this process has as its root: an engine may have file systems of its own.
    #[cfg(target_os = "linux")]
    pub(super) fn root(&self) -> Option<OwnedFd> {
        linux::root(self.process)
    }

    /// What no other system tells.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn root(&self) -> Option<OwnedFd> {
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::mem::MaybeUninit;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use rustix::fd::OwnedFd;
    use rustix::fs::{Mode, OFlags};
    use rustix::net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt::set_socket_passcred,
    };
    use tokio::io::{AsyncWriteExt, Interest};
    use tokio::net::UnixStream;

    const QUESTION: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n";
    const ANSWER: &[u8] = b"HTTP/1.1 200 ";
    /// An engine answers within a millisecond. One that is this busy is asked in the usual way.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// The process that writes the answer of the engine at `path`.
    pub(super) async fn writer(path: &Path) -> Option<i32> {
        tokio::time::timeout(PATIENCE, ask(path)).await.ok()?
    }

    async fn ask(path: &Path) -> Option<i32> {
        let mut stream = UnixStream::connect(path).await.ok()?;
        // What listens outside of this namespace of processes has no number here.
        stream.peer_cred().ok()?.pid().filter(|process| *process > 0)?;
        set_socket_passcred(&stream, true).ok()?;
        stream.write_all(QUESTION).await.ok()?;
        stream.async_io(Interest::READABLE, || first_message(&stream)).await.ok()?
    }

    /// Who wrote what can be read first, when that is an answer.
    fn first_message(stream: &UnixStream) -> io::Result<Option<i32>> {
        let mut start = [0; ANSWER.len()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut more = RecvAncillaryBuffer::new(&mut space);
        let parts = &mut [io::IoSliceMut::new(&mut start)];
        let read = recvmsg(stream, parts, &mut more, RecvFlags::empty())?.bytes;
        let writer = more.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmCredentials(writer) => Some(writer.pid.as_raw_pid()),
            _ => None,
        });
        Ok(writer.filter(|_| start[..read] == *ANSWER))
    }

    pub(super) fn file_of(process: i32, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{process}/{file}"))
    }

    pub(super) fn root(process: i32) -> Option<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(file_of(process, "root"), flags, Mode::empty()).ok()
    }

    /// Whether `/proc` numbers processes as the kernel does for this one.
    pub(super) fn numbers_are_ours() -> bool {
        let own = std::fs::read_link("/proc/self");
        own.is_ok_and(|own| own.as_os_str() == std::process::id().to_string().as_str())
    }

    /// What a process is called and when it began, from its `stat`. Only the name may have spaces and
    /// brackets in it.
    pub(super) fn name_and_beginning(stat: &[u8]) -> Option<(&[u8], u64)> {
        let opening = stat.iter().position(|byte| *byte == b'(')?;
        let closing = stat.iter().rposition(|byte| *byte == b')')?;
        let fields = std::str::from_utf8(stat.get(closing + 1..)?).ok()?;
        // The fields after the name are counted from 3; the beginning is 22.
        let began = fields.split_ascii_whitespace().nth(22 - 3)?.parse().ok()?;
        Some((stat.get(opening + 1..closing)?, began))
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use super::linux::{name_and_beginning, numbers_are_ours, writer};
    use super::{Answerer, EngineAddress};

    /// Who is found behind a socket that answers this, and what it is taken for.
    fn found(answer: &'static [u8]) -> (Option<i32>, Option<Answerer>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                stream.read_exact(&mut [0; 16]).unwrap();
                stream.write_all(answer).unwrap();
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let address = EngineAddress::Unix(path.clone());
        runtime.block_on(async { (writer(&path).await, Answerer::at(&address).await) })
    }

    #[test]
    fn whoever_answers_is_a_process_and_no_engine() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(found(b"HTTP/1.1 200 OK\r\n\r\n"), (Some(own), None));
        assert_eq!(found(b"HTTP/1.1 500 Internal Server Error\r\n\r\n"), (None, None));
        assert_eq!(found(b""), (None, None));
    }

    #[test]
    fn a_process_is_named_and_began() {
        let stat = b"13367 (dockerd) S 13341 13341 13341 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 19 0 35097 9";
        assert_eq!(name_and_beginning(stat), Some((&b"dockerd"[..], 35097)));
        let odd = b"1 (a) b (c)) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 19 0 77 9\n";
        assert_eq!(name_and_beginning(odd), Some((&b"a) b (c)"[..], 77)));
        assert_eq!(name_and_beginning(b"1 (a) S 1 1"), None);
        assert_eq!(name_and_beginning(b""), None);
    }

    #[test]
    fn this_process_has_a_beginning() {
        let stat = std::fs::read("/proc/self/stat").unwrap();
        assert!(name_and_beginning(&stat).unwrap().1 > 0);
        assert!(numbers_are_ours());
    }
}
