//! Objects by name, from one process that answers for as long as the program runs.
//!
//! `git cat-file` reads a line and writes an object. It is started when the first object is wanted, and
//! several lines are written before the answers are read, so that neither side waits for the other at each
//! object; never so many that both would wait for room. Since 2.36 it can be told when to write what it has;
//! an older one writes each object by itself.

use std::collections::VecDeque;
use std::fmt::{Display, Write as _};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::command::{Git, GitError, failed};
use super::object_id::{LONGEST, ObjectId};

/// It reads commands, and writes when it is told to.
const BUFFERED: [&str; 3] = ["cat-file", "--batch-command", "--buffer"];

/// It reads names, and writes at once.
const PLAIN: [&str; 2] = ["cat-file", "--batch"];

/// Not more names are written at once.
const MOST_AT_ONCE: usize = 400;

/// The longest id and the word before it, with the line's end.
const QUESTION: usize = "contents ".len() + 2 * LONGEST + 1;

/// So much is read at once, and has room in the pipe where the system grants it.
const READ_AT_ONCE: usize = 512 << 10;

/// Git writes pages of 4 KiB, and each would wake a reader who waits for it: that costs more than the reading.
/// Who waits for more answers than this lets the pipe fill before each look into it.
const WORTH_A_NAP: usize = 20;

/// About as long as git takes for half of what is read at once.
const NAP: Duration = Duration::from_millis(1);

/// An object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object<'b> {
    pub(super) id: ObjectId,
    pub(super) kind: ObjectKind,
    pub(super) bytes: &'b [u8],
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
    /// Whether git is too old to be told when to write.
    is_old: AtomicBool,
}

struct Process {
    is_buffered: bool,
    /// So many names are written at once, and as many may wait for their answers meanwhile: all of them have room in
    /// the pipe, so that git can read them while its answers wait to be read.
    at_once: usize,
    child: Child,
    questions: ChildStdin,
    answers: BufReader<Answers>,
    /// The line and the bytes of the answer that was read last.
    line: Vec<u8>,
    bytes: Vec<u8>,
}

impl Objects {
    /// The objects of the repository in which `git` answers. Nothing is started yet.
    pub(super) fn new(git: Git) -> Self {
        Self { git, process: Mutex::default(), is_old: AtomicBool::new(false) }
    }

    /// What `made` makes of the object that `name` (an id, or anything that git can resolve) means; `None` when
    /// there is none.
    pub(super) fn find<Found>(
        &self,
        name: &str,
        made: impl Fn(Object<'_>) -> Found,
    ) -> Result<Option<Found>, GitError> {
        // One line is one question.
        if name.contains('\n') {
            return Ok(None);
        }
        let mut found = None;
        self.find_each([name], |object| {
            found = object.map(&made);
            Vec::new()
        })?;
        Ok(found)
    }

    /// As [`Self::find`] for each of `names`, none of which has more than one line, in their order. For each
    /// object `visit` gives the names of more that are wanted.
    pub(super) fn find_each<Name: Clone + Display>(
        &self,
        names: impl IntoIterator<Item = Name>,
        visit: impl FnMut(Option<Object<'_>>) -> Vec<Name>,
    ) -> Result<(), GitError> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let names: VecDeque<Name> = names.into_iter().collect();
        let mut visit = visit;
        loop {
            let mut running = match process.take() {
                Some(running) => running,
                None => self.start()?,
            };
            let is_buffered = running.is_buffered;
            let mut answered = 0;
            let counted = |object: Option<Object<'_>>| {
                answered += 1;
                visit(object)
            };
            let Err(cause) = running.ask(names.clone(), counted) else {
                *process = Some(running);
                return Ok(());
            };
            // A process that failed has said something that belongs to no question: it is not asked again.
            let error = running.why_it_failed(&cause);
            let is_too_old =
                matches!(&error, GitError::Failed { message, .. } if message.contains("unknown option"));
            if !(is_buffered && is_too_old && answered == 0) {
                return Err(error);
            }
            self.is_old.store(true, Ordering::Relaxed);
        }
    }

    fn start(&self) -> Result<Process, GitError> {
        let is_buffered = !self.is_old.load(Ordering::Relaxed);
        let mut command = self.git.command(if is_buffered { &BUFFERED } else { &PLAIN });
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|cause| GitError::NotStarted(cause.to_string()))?;
        let taken = child.stdin.take().zip(child.stdout.take());
        let (questions, answers) = taken.expect("both were asked to be pipes");
        let at_once = (widened(&questions, &answers) / (2 * QUESTION)).clamp(1, MOST_AT_ONCE);
        let answers = BufReader::with_capacity(READ_AT_ONCE, Answers { pipe: answers, are_many: false });
        Ok(Process { is_buffered, at_once, child, questions, answers, line: Vec::new(), bytes: Vec::new() })
    }
}

/// Makes room for what git writes, where that is granted. Gives how much room there is for questions.
#[cfg(target_os = "linux")]
fn widened(questions: &ChildStdin, answers: &ChildStdout) -> usize {
    let _refused = rustix::pipe::fcntl_setpipe_size(answers, READ_AT_ONCE);
    rustix::pipe::fcntl_getpipe_size(questions).unwrap_or(SMALL_PIPE)
}

/// Nobody says how much room there is.
#[cfg(not(target_os = "linux"))]
fn widened(_questions: &ChildStdin, _answers: &ChildStdout) -> usize {
    SMALL_PIPE
}

/// What every pipe of today holds, that of a user on Linux aside who has a great many.
const SMALL_PIPE: usize = 16 << 10;

/// What git writes.
struct Answers {
    pipe: ChildStdout,
    are_many: bool,
}

impl Read for Answers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.are_many {
            std::thread::sleep(NAP);
        }
        self.pipe.read(buffer)
    }
}

impl Process {
    fn ask<Name: Display>(
        &mut self,
        mut wanted: VecDeque<Name>,
        mut visit: impl FnMut(Option<Object<'_>>) -> Vec<Name>,
    ) -> io::Result<()> {
        let mut unanswered = 0;
        loop {
            if unanswered <= self.at_once && !wanted.is_empty() {
                let count = wanted.len().min(self.at_once);
                let lines = self.lines(wanted.drain(..count));
                self.questions.write_all(lines.as_bytes())?;
                unanswered += count;
            }
            if unanswered == 0 {
                return Ok(());
            }
            self.answers.get_mut().are_many = unanswered > WORTH_A_NAP;
            wanted.extend(visit(self.answer()?));
            unanswered -= 1;
        }
    }

    fn lines(&self, names: impl Iterator<Item: Display>) -> String {
        let mut lines = String::new();
        let command = if self.is_buffered { "contents " } else { "" };
        for name in names {
            // A text takes whatever is written to it.
            let _never = writeln!(lines, "{command}{name}");
        }
        if self.is_buffered {
            lines.push_str("flush\n");
        }
        lines
    }

    fn answer(&mut self) -> io::Result<Option<Object<'_>>> {
        self.line.clear();
        self.answers.read_until(b'\n', &mut self.line)?;
        let Some(line) = self.line.strip_suffix(b"\n") else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if line.ends_with(b" missing") || line.ends_with(b" ambiguous") {
            return Ok(None);
        }
        let Some((id, kind, size)) = header(line) else {
            let line = String::from_utf8_lossy(line).into_owned();
            return Err(io::Error::new(io::ErrorKind::InvalidData, line));
        };
        self.bytes.resize(size, 0);
        self.answers.read_exact(&mut self.bytes)?;
        self.answers.read_exact(&mut [0])?;
        Ok(Some(Object { id, kind, bytes: &self.bytes }))
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
        failed(&["cat-file"], message)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn an_old_git_gives_the_same_objects() {
        let folder = tempfile::tempdir().unwrap();
        let script =
            "git init -q . && for n in $(seq 500); do echo $n >$n; done && git add . && git write-tree";
        let output = Command::new("sh").args(["-ec", script]).current_dir(folder.path()).output().unwrap();
        let tree = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let names: Vec<String> =
            (1..=500).map(|n| format!("{tree}:{n}")).chain(["nothing".to_owned()]).collect();
        let found = |is_old: bool| {
            let objects = Objects::new(Git::in_folder(folder.path()));
            objects.is_old.store(is_old, Ordering::Relaxed);
            let mut found = Vec::new();
            let visit = |object: Option<Object<'_>>| {
                found.push(object.map(|object| (object.id, object.bytes.to_vec())));
                Vec::new()
            };
            objects.find_each(names.clone(), visit).unwrap();
            assert_eq!(objects.find(&tree, |object| object.kind).unwrap(), Some(ObjectKind::Tree));
            found
        };
        let all = found(false);
        assert_eq!(all.len(), 501);
        assert_eq!(all[41].as_ref().unwrap().1, b"42\n");
        assert_eq!(all[500], None);
        assert_eq!(all, found(true));
    }

    #[test]
    fn without_a_repository_git_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::new(Git::in_folder(folder.path()));
        assert_eq!(objects.find("HEAD", |object| object.id), Err(GitError::NoRepository));
    }
}
