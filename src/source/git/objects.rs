//! Objects by name, from one process that answers for as long as the program runs.
//!
//! `git cat-file --batch` reads a line and writes an object. It is started when the first object is
//! wanted, and several lines are written before the answers are read, so that neither side waits for
//! the other at each object; never so many that both would wait for room.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Mutex, PoisonError};

use super::command::{Git, GitError, failed};
use super::object_id::ObjectId;

const ARGUMENTS: [&str; 2] = ["cat-file", "--batch"];

/// So many names are written at once. With 65 letters each they have room in a pipe of Linux and of macOS.
const AT_ONCE: usize = 200;

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) id: ObjectId,
    pub(super) kind: ObjectKind,
    pub(super) bytes: Vec<u8>,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Blob,
    Tree,
    Commit,
    Tag,
}

/// The objects of a repository.
pub(super) struct Objects {
    git: Git,
    process: Mutex<Option<Process>>,
}

struct Process {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Objects {
    /// The objects of the repository in which `git` answers. Nothing is started yet.
    pub(super) fn new(git: Git) -> Self {
        Self { git, process: Mutex::default() }
    }

    /// The object that `name` (an id, or anything that git can resolve) means; `None` when there is none.
    pub(super) fn find(&self, name: &str) -> Result<Option<Object>, GitError> {
        // One line is one question.
        if name.contains('\n') {
            return Ok(None);
        }
        let mut found = self.find_all(&[name.to_owned()])?;
        Ok(found.pop().flatten())
    }

    /// As [`Self::find`] for each of `names`, none of which has more than one line, in their order.
    pub(super) fn find_all(&self, names: &[String]) -> Result<Vec<Option<Object>>, GitError> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match process.take() {
            Some(running) => running,
            None => self.start()?,
        };
        // A process that failed has said something that belongs to no question: it is not asked again.
        let mut running = running;
        let found = names.chunks(AT_ONCE).map(|names| running.ask(names)).collect::<io::Result<Vec<_>>>();
        match found {
            Ok(found) => {
                *process = Some(running);
                Ok(found.into_iter().flatten().collect())
            }
            Err(cause) => Err(running.why_it_failed(&cause)),
        }
    }

    fn start(&self) -> Result<Process, GitError> {
        let mut command = self.git.command(&ARGUMENTS);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|cause| GitError::NotStarted(cause.to_string()))?;
        let taken = child.stdin.take().zip(child.stdout.take());
        let (questions, answers) = taken.expect("both were asked to be pipes");
        Ok(Process { child, questions, answers: BufReader::new(answers) })
    }
}

impl Process {
    fn ask(&mut self, names: &[String]) -> io::Result<Vec<Option<Object>>> {
        let mut lines = names.join("\n");
        lines.push('\n');
        self.questions.write_all(lines.as_bytes())?;
        names.iter().map(|_| self.answer()).collect()
    }

    fn answer(&mut self) -> io::Result<Option<Object>> {
        let mut line = Vec::new();
        self.answers.read_until(b'\n', &mut line)?;
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if line.ends_with(b" missing") || line.ends_with(b" ambiguous") {
            return Ok(None);
        }
        let Some((id, kind, size)) = header(line) else {
            let line = String::from_utf8_lossy(line).into_owned();
            return Err(io::Error::new(io::ErrorKind::InvalidData, line));
        };
        let mut bytes = vec![0; size];
        self.answers.read_exact(&mut bytes)?;
        self.answers.read_exact(&mut [0])?;
        Ok(Some(Object { id, kind, bytes }))
    }

    fn why_it_failed(mut self, cause: &io::Error) -> GitError {
        drop(self.questions);
        let mut said = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            // What cannot be read is not said.
            let _unreadable = errors.read_to_string(&mut said);
        }
        let _ended = self.child.wait();
        if said.contains("not a git repository") {
            return GitError::NoRepository;
        }
        let message = if said.trim().is_empty() { cause.to_string() } else { said.trim().to_owned() };
        failed(&ARGUMENTS, message)
    }
}

/// `ID KIND SIZE`.
fn header(line: &[u8]) -> Option<(ObjectId, ObjectKind, usize)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    let id = ObjectId::of_hex(words.next()?.as_bytes())?;
    let kind = match words.next()? {
        "blob" => ObjectKind::Blob,
        "tree" => ObjectKind::Tree,
        "commit" => ObjectKind::Commit,
        "tag" => ObjectKind::Tag,
        _ => return None,
    };
    let size = words.next()?.parse().ok()?;
    words.next().is_none().then_some((id, kind, size))
}

impl Drop for Objects {
    /// The process ends when its questions do; somebody has to wait for it.
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Process { mut child, questions, .. }) = process.take() {
            drop(questions);
            let _ended = child.wait();
        }
    }
}
