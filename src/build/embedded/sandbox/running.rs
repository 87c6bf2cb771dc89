//! Running one command in a sandbox, from the outside.
//!
//! The calling thread does all: it starts the first stage, listens to the command's two streams and to the line on
//! which the outcome comes, and looks whether it is to stop. The kernel kills a stage when the *thread* that
//! started it ends, which is another reason not to hand the work to one that comes and goes.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::build::embedded::rootfs::chore::{Chain, Chore, ChoreReport};
use crate::oci::disk_full;
use crate::types::cancellation::Cancellation;

use super::identity;
use super::messages::{Line, Message};
use super::outcome::{Doing, Outcome, Refusal, SandboxError};
use super::spec::{Privileges, SandboxSpec};
use super::stages::FIRST_ARGUMENT;

/// How long a word to stop may go unheard, in nanoseconds.
const LOOK_UP_EVERY: i64 = 20_000_000;

/// As much as a pipe holds.
const READ_AT_ONCE: usize = 64 << 10;

/// One of the two streams that a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Makes sandboxes. It holds no resource: one may serve many threads.
#[derive(Clone, Debug)]
pub struct Sandbox {
    program: PathBuf,
}

impl Default for Sandbox {
    /// Sandboxes whose stages are this program. Its `main` has to call [`super::stage`] first.
    fn default() -> Self {
        Self { program: PathBuf::from("/proc/self/exe") }
    }
}

impl Sandbox {
    /// Sandboxes whose stages are `program`, which has to be this one: they speak with each other.
    pub fn of_program(program: PathBuf) -> Self {
        Self { program }
    }

    /// Runs the command of `spec` to its end, and hands over what it writes as it comes. When this returns, no
    /// process and no mount of the sandbox is there any more.
    ///
    /// # Errors
    /// When the sandbox cannot be made, or was killed, or is to stop. What the command does is never an error.
    pub fn run(
        &self,
        spec: SandboxSpec,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        cancellation: &Cancellation,
    ) -> Result<Outcome, SandboxError> {
        identity::check_user(&spec.user, spec.privileges)?;
        let privileges = spec.privileges;
        let order = Message::Run(Box::new(spec), Vec::new());
        Running::start(&self.program, &order, privileges)?.listen(on_output, cancellation)
    }

    /// Removes `folder` with all that is in it, whoever owns it of those that a sandbox with these `privileges` has.
    ///
    /// # Errors
    /// When something in it cannot be removed.
    pub fn remove(&self, folder: &Path, privileges: Privileges) -> Result<(), SandboxError> {
        let removed = std::fs::remove_dir_all(folder);
        let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if denied(&error) && privileges != Privileges::Root => {
                self.remove_inside(folder, privileges)
            }
            removed => Ok(removed.doing(|| format!("remove `{}`", folder.display()))?),
        }
    }

    /// Removes it as root of a user namespace, who may do that to files of all its ids.
    fn remove_inside(&self, folder: &Path, privileges: Privileges) -> Result<(), SandboxError> {
        let order = Message::Remove(folder.to_path_buf(), privileges);
        let running = Running::start(&self.program, &order, privileges)?;
        running.done(&mut |_, _| {}, &Cancellation::default()).map(drop)
    }

    /// Does `chore` for the root that `chain` is, as who runs commands with these `privileges`: inside the user
    /// namespace, where there is one. A layer is written to `output`.
    ///
    /// # Errors
    /// When it cannot be done, or is to stop.
    pub fn do_chore(
        &self,
        chore: Chore,
        chain: Chain,
        privileges: Privileges,
        output: &mut dyn Write,
        cancellation: &Cancellation,
    ) -> Result<ChoreReport, SandboxError> {
        let order = Message::Do(Box::new(chore), chain, privileges);
        let mut written = Ok(());
        let mut take = |stream: Stream, bytes: &[u8]| {
            if stream == Stream::Output && written.is_ok() {
                written = output.write_all(bytes);
            }
        };
        let running = Running::start(&self.program, &order, privileges)?;
        let report = running.done(&mut take, cancellation)?;
        if let Err(cause) = written {
            let refusal = Refusal::new(format!("cannot keep what a command changed as a layer: {cause}"));
            let help = disk_full::help(&cause).map(str::to_owned);
            return Err(Refusal { help, ..refusal }.into());
        }
        Ok(report)
    }
}

/// A sandbox at work. It ends with this value.
struct Running {
    child: Child,
    line: Line,
    /// What came over the line.
    said: Option<Message>,
}

impl Running {
    fn start(program: &Path, order: &Message, privileges: Privileges) -> Result<Self, SandboxError> {
        let (mut line, theirs) = Line::pair().doing(|| "make a socket")?;
        let child = Command::new(program)
            .arg0("imgraph")
            .args([FIRST_ARGUMENT, "supervise"])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .doing(|| "start this program again")?;
        // A stage that is gone already is noticed when it says nothing.
        let _ = line.send(order);
        let mut running = Self { child, line, said: None };
        if privileges == Privileges::Mapped {
            running.map_ids()?;
        }
        Ok(running)
    }

    fn map_ids(&mut self) -> Result<(), SandboxError> {
        match self.line.receive().doing(|| "listen to the sandbox")? {
            Some(Message::WaitsForIds) => {
                identity::map_many(self.child.id())?;
                Ok(self.line.send(&Message::Mapped).doing(|| "speak to the sandbox")?)
            }
            other => {
                self.said = other;
                Ok(())
            }
        }
    }

    fn listen(
        self,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        cancellation: &Cancellation,
    ) -> Result<Outcome, SandboxError> {
        match self.last_word(on_output, cancellation)? {
            Some(Message::Ended(outcome)) => Ok(outcome),
            Some(Message::Refused(refusal)) => Err(SandboxError::Refused(refusal)),
            _ => Err(SandboxError::Vanished),
        }
    }

    /// Waits until it is done, and returns what it has to tell.
    fn done(
        self,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        cancellation: &Cancellation,
    ) -> Result<ChoreReport, SandboxError> {
        match self.last_word(on_output, cancellation)? {
            Some(Message::Done(report)) => Ok(report),
            Some(Message::Refused(refusal)) => Err(SandboxError::Refused(refusal)),
            _ => Err(SandboxError::Vanished),
        }
    }

    /// Listens until all that has to do with it is gone, and returns what it had to say.
    fn last_word(
        mut self,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        cancellation: &Cancellation,
    ) -> Result<Option<Message>, SandboxError> {
        let mut streams = [
            (Stream::Output, self.child.stdout.take().map(OwnedFd::from)),
            (Stream::Error, self.child.stderr.take().map(OwnedFd::from)),
        ];
        let mut cancelled = false;
        let mut open = true;
        let mut buffer = vec![0; READ_AT_ONCE];
        while open || streams.iter().any(|(_, stream)| stream.is_some()) {
            if !cancelled && cancellation.is_cancelled() {
                cancelled = true;
                // A process that has ended cannot be killed, which is as well.
                let _ = self.child.kill();
            }
            let ready = self.wait(&streams, open).doing(|| "wait for the sandbox")?;
            for ((name, stream), _) in streams.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
                let read =
                    stream.take().map(std::fs::File::from).map(|mut file| (file.read(&mut buffer), file));
                let Some((Ok(length @ 1..), file)) = read else { continue };
                *stream = Some(OwnedFd::from(file));
                on_output(*name, &buffer[..length]);
            }
            if ready[2] {
                let said = self.line.receive().doing(|| "listen to the sandbox")?;
                open = said.is_some();
                self.said = self.said.take().or(said);
            }
        }
        if cancelled { Err(SandboxError::Cancelled) } else { Ok(self.said.take()) }
    }

    /// Which of the two streams and the line have something to say, or are at their end.
    fn wait(&self, streams: &[(Stream, Option<OwnedFd>); 2], open: bool) -> io::Result<[bool; 3]> {
        let [(_, output), (_, error)] = streams;
        let line = open.then(|| self.line.socket().as_fd());
        let all = [output.as_ref().map(AsFd::as_fd), error.as_ref().map(AsFd::as_fd), line];
        let mut polled: Vec<(usize, PollFd<'_>)> = Vec::with_capacity(all.len());
        for (number, descriptor) in all.iter().enumerate() {
            if let Some(descriptor) = descriptor {
                polled.push((number, PollFd::new(descriptor, PollFlags::IN)));
            }
        }
        let (numbers, mut descriptors): (Vec<usize>, Vec<PollFd<'_>>) = polled.into_iter().unzip();
        match poll(&mut descriptors, Some(&Timespec { tv_sec: 0, tv_nsec: LOOK_UP_EVERY })) {
            Err(rustix::io::Errno::INTR) => return Ok([false; 3]),
            other => other?,
        };
        let mut ready = [false; 3];
        for (number, descriptor) in numbers.into_iter().zip(descriptors) {
            ready[number] = !descriptor.revents().is_empty();
        }
        Ok(ready)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whatever is still there ends with the first stage; one that has ended is only to be buried.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
