//! What the stages of a sandbox say to each other, and the socket that they say it through.
//!
//! A message is its length (four bytes, little-endian) and its bytes. The other end is this same program, but
//! a length is bounded all the same: a stage must not be talked into using up the memory.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

use super::given_mounts::PreparedMount;
use super::outcome::{Outcome, Refusal};
use super::spec::{Privileges, SandboxSpec};
use crate::build::embedded::rootfs::chore::{Chain, Chore, ChoreReport};

/// The longest message: secrets travel in it, which are small.
const LONGEST: usize = 256 << 20;

/// One message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// Down: what to do, and the mounts whose sources are there by then.
    Run(Box<SandboxSpec>, Vec<PreparedMount>),
    /// Down, to the first stage: remove a folder with all that is in it, with these rights.
    Remove(PathBuf, Privileges),
    /// Down, to the first stage: do something to folders, with the layers that they are of and these rights.
    Do(Box<Chore>, Chain, Privileges),
    /// Up: the folder is gone, or the chore is done, with what it has to tell.
    Done(ChoreReport),
    /// Up, from the first stage: its user namespace waits for its ids.
    WaitsForIds,
    /// Down: the ids are mapped.
    Mapped,
    /// Up: how the command ended.
    Ended(Outcome),
    /// Up: the machine refuses something.
    Refused(Refusal),
}

/// One end of the socket between two stages.
#[derive(Debug)]
pub(super) struct Line(UnixStream);

impl Line {
    /// Both ends of a new line.
    pub(super) fn pair() -> io::Result<(Self, UnixStream)> {
        UnixStream::pair().map(|(mine, theirs)| (Self(mine), theirs))
    }

    /// The line to whoever started this process: its standard input.
    pub(super) fn of_standard_input() -> io::Result<Self> {
        Ok(Self(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?)))
    }

    /// The socket, to be waited for.
    pub(super) fn socket(&self) -> &UnixStream {
        &self.0
    }

    /// Whether the other end is gone.
    pub(super) fn is_cut(&self) -> bool {
        let mut polled = [PollFd::new(&self.0, PollFlags::RDHUP)];
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let cut = PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR;
        poll(&mut polled, Some(&none)).is_err() || polled[0].revents().intersects(cut)
    }

    /// Sends `message`.
    pub(super) fn send(&mut self, message: &Message) -> io::Result<()> {
        let body = postcard::to_stdvec(message).map_err(io::Error::other)?;
        let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("the specification is too long"))?;
        let mut whole = length.to_le_bytes().to_vec();
        whole.extend_from_slice(&body);
        self.0.write_all(&whole)
    }

    /// Waits for the next message; `None` when the other end is gone.
    pub(super) fn receive(&mut self) -> io::Result<Option<Message>> {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            other => other?,
        }
        let length = u32::from_le_bytes(length);
        let mut body = Vec::new();
        (&self.0).take(u64::from(length).min(LONGEST as u64)).read_to_end(&mut body)?;
        if body.len() != length as usize {
            return Ok(None);
        }
        postcard::from_bytes(&body).map(Some).map_err(io::Error::other)
    }
}
