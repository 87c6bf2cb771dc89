//! How a command in the sandbox ended, and why a sandbox could not be had.
//!
//! The command's own faults (no such program, no such folder) are an [`Outcome`]: they belong to the one who
//! wrote the Dockerfile. What the machine refuses is a [`Refusal`], with the way out.

use std::fmt::Display;
use std::io;

use serde::{Deserialize, Serialize};

/// How the command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It ended by itself, with this code; 0 is success.
    Exited(i32),
    /// A signal of this number ended it.
    Signalled(i32),
    /// It could not be started.
    NotStarted {
        /// What is wrong with it, in one sentence.
        message: String,
        /// How to put it right, where that is known.
        help: Option<String>,
        /// The code that a shell or a container engine gives for it: 127 not found, 126 cannot be run.
        exit_code: i32,
    },
}

/// Something that this machine, this user or the request does not let the sandbox have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What is refused, in one sentence.
    pub message: String,
    /// How to put it right, where that is known.
    pub help: Option<String>,
}

impl Refusal {
    /// A refusal without advice.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// What is refused and the advice, in one line.
    pub fn whole(&self) -> String {
        let help = self.help.as_ref().map(|help| format!("; {help}"));
        format!("{}{}", self.message, help.unwrap_or_default())
    }

    /// The same with advice.
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Says what was being done when the system refused it.
pub(super) trait Doing<Value> {
    /// `what` completes the sentence `cannot …`.
    fn doing<What: Display>(self, what: impl FnOnce() -> What) -> Result<Value, Refusal>;
}

impl<Value, Error: Into<io::Error>> Doing<Value> for Result<Value, Error> {
    fn doing<What: Display>(self, what: impl FnOnce() -> What) -> Result<Value, Refusal> {
        self.map_err(|error| Refusal::new(format!("cannot {}: {}", what(), error.into())))
    }
}

/// Why a sandbox gave no outcome.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The machine or the user's rights do not allow it.
    #[error("the sandbox cannot be made: {0}")]
    Refused(Refusal),
    /// The sandbox ended without a word: it was killed from outside.
    #[error("the sandbox was ended from outside before it could say how the command ended")]
    Vanished,
    /// Somebody asked to stop.
    #[error("the command was cancelled")]
    Cancelled,
}

impl From<Refusal> for SandboxError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
