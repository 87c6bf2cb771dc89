//! The `git` command, started in a folder and with nothing of a hook's surroundings.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// Why git could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// The folder lies in no repository.
    #[error("the workspace is not in a git repository")]
    NoRepository,
    /// The command is not installed, or cannot be started.
    #[error("the `git` command cannot be started: {0}")]
    NotStarted(String),
    /// The command failed.
    #[error("`git {command}` failed: {message}")]
    Failed {
        /// Its arguments.
        command: String,
        /// What it said.
        message: String,
    },
}

/// With this code `git check-ignore` says that it found nothing, and others that they differ.
const NOTHING: i32 = 1;

/// The variables that a hook's git sets for its own repository, which would answer for another one's.
const OF_A_HOOK: [&str; 5] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX"];

/// Git, as it answers in one folder.
#[derive(Clone, Debug)]
pub(in crate::source) struct Git {
    folder: PathBuf,
}

/// What the command answered.
pub(in crate::source) enum Answer {
    Said(Vec<u8>),
    Refused(String),
}

impl Git {
    /// Git as it answers in `folder`. Nothing is started yet.
    pub(in crate::source) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// The folder in which it answers.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The command with these arguments. It takes no lock, asks nobody, and speaks plain English.
    pub(in crate::source) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("--no-optional-locks").arg("-C").arg(&self.folder).args(arguments);
        OF_A_HOOK.iter().for_each(|variable| {
            command.env_remove(variable);
        });
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    /// Runs the command to its end.
    pub(in crate::source) fn run(&self, arguments: &[&str]) -> Result<Answer, GitError> {
        let output = self.command(arguments).output();
        let output = output.map_err(|cause| GitError::NotStarted(cause.to_string()))?;
        if output.status.success() {
            return Ok(Answer::Said(output.stdout));
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if message.contains("not a git repository") {
            return Err(GitError::NoRepository);
        }
        Ok(Answer::Refused(message))
    }

    /// What the command says; a refusal is a failure.
    pub(in crate::source) fn ask(&self, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        match self.run(arguments)? {
            Answer::Said(bytes) => Ok(bytes),
            Answer::Refused(message) => Err(failed(arguments, message)),
        }
    }

    /// What the command says to `question`, of any length: it is written while the answers are read. Nothing
    /// found is an empty answer.
    pub(in crate::source) fn ask_with(
        &self,
        arguments: &[&str],
        question: &[u8],
    ) -> Result<Vec<u8>, GitError> {
        let not_started = |cause: std::io::Error| GitError::NotStarted(cause.to_string());
        let mut command = self.command(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(not_started)?;
        let input = child.stdin.take();
        let output = thread::scope(|scope| {
            scope.spawn(move || {
                // One that does not listen says why.
                let _closed = input.map(|mut input| input.write_all(question));
            });
            child.wait_with_output()
        });
        let output = output.map_err(not_started)?;
        if output.status.success() || output.status.code() == Some(NOTHING) {
            return Ok(output.stdout);
        }
        Err(failed(arguments, String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

pub(in crate::source) fn failed(arguments: &[&str], message: String) -> GitError {
    GitError::Failed { command: arguments.join(" "), message }
}
