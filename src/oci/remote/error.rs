//! Why an image or a file could not be had, and what to do about it.
//!
//! A message says what was asked of whom and what came back. It never holds a secret: URLs are shown without
//! user, password and query, and what a server says is cut short and made printable.

use std::fmt::Write as _;
use std::io;

use crate::oci::archive::tar_stream::TarError;
use crate::oci::blob_digest::BlobDigest;
use crate::types::platform::Platform;

/// How much of a server's message is shown, in characters.
const LONGEST_MESSAGE: usize = 300;

/// Why an image or a file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// A server refused, or failed for good.
    #[error("{host} answered {status} to {what}{message}")]
    Answer {
        /// The host that was asked.
        host: String,
        /// What was asked.
        what: String,
        /// The status of HTTP.
        status: u16,
        /// What the server said, with what stands before it; empty where it said nothing.
        message: String,
    },
    /// A server could not be reached, or the connection broke.
    #[error("{host} could not be asked for {what}: {reason}")]
    Network {
        /// The host that was asked.
        host: String,
        /// What was asked.
        what: String,
        /// What happened.
        reason: String,
    },
    /// The bytes are not the ones that were asked for.
    #[error("{what} has other bytes than its digest {expected} says")]
    Digest {
        /// What was fetched.
        what: String,
        /// The digest that was asked for.
        expected: String,
    },
    /// The size is not the one that was told.
    #[error("{what} has {found} bytes, and not the {expected} that its manifest says")]
    Size {
        /// What was fetched.
        what: String,
        /// What the manifest says.
        expected: u64,
        /// What came, or how much came before it was enough.
        found: u64,
    },
    /// It is larger than anything of its kind.
    #[error("{what} has more than {limit} bytes")]
    TooLarge {
        /// What was fetched.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// There is no room for it.
    #[error("the layers of {what} have {needed} bytes, and the disk of the store has room for {room}")]
    NoRoom {
        /// The image.
        what: String,
        /// What its manifest says of the layers that are missing.
        needed: u64,
        /// How much can be written.
        room: u64,
    },
    /// It is no image, or of a kind that is not taken.
    #[error("{what} cannot be used: {reason}")]
    Unfit {
        /// What was fetched.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file holds more than the one image that is asked for.
    #[error("{what} cannot be used: it has several images, and which is not said: {names}")]
    Several {
        /// The file.
        what: String,
        /// The names of some of the images.
        names: String,
    },
    /// The image is not there for the platform.
    #[error("{what} is not there for {platform}{}", list(.available))]
    NoPlatform {
        /// The image.
        what: String,
        /// The platform that was asked for.
        platform: Platform,
        /// The platforms that it has.
        available: Vec<String>,
    },
    /// A layout or a tar lacks something.
    #[error("{what} is not there")]
    Missing {
        /// What is missing, and where.
        what: String,
    },
    /// A tar of an image is damaged.
    #[error("{what}: {error}")]
    Tar {
        /// The file.
        what: String,
        /// What is wrong with it.
        error: TarError,
    },
    /// The credentials could not be found out.
    #[error("the credentials for {host} could not be had: {reason}")]
    Credentials {
        /// The registry.
        host: String,
        /// Why, without a secret.
        reason: String,
    },
    /// Files of this machine could not be read or written.
    #[error("{what}: {error}")]
    Local {
        /// What was done.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
}

fn list(platforms: &[String]) -> String {
    if platforms.is_empty() { String::new() } else { format!(", only for {}", platforms.join(", ")) }
}

impl RemoteError {
    /// What to do about it, where there is something.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Answer { host, status: 401 | 403, .. } => Some(format!(
                "log in with `docker login {host}`, or check that the name is right and that your account may read it"
            )),
            Self::Answer { status: 404, .. } => Some(
                "check the name and the tag; a digest may have been deleted from the registry".to_owned(),
            ),
            Self::Answer { status: 429, .. } => Some(
                "the registry limits how often it is asked: log in, wait, or name a mirror of it".to_owned(),
            ),
            Self::Answer { .. } | Self::Network { .. } => {
                Some("try again later, check the proxy, or name a mirror of the registry".to_owned())
            }
            Self::Digest { .. } | Self::Size { .. } => {
                Some("a mirror or a proxy may have sent something else; ask the registry itself".to_owned())
            }
            Self::NoRoom { .. } => Some(
                "make room, with `imgraph cache gc` too, name another folder with --cache-dir, or ask for another image"
                    .to_owned(),
            ),
            Self::Several { .. } => {
                Some("name one of them with `--image`, by its name, tag or digest".to_owned())
            }
            Self::Credentials { .. } => {
                Some("check `credsStore`, `credHelpers` and `auths` in Docker's config.json".to_owned())
            }
            _ => None,
        }
    }

    /// That `what` was not taken by the sink, or could not be read: a wrong digest is said so.
    pub(super) fn copying(what: &str, expected: &BlobDigest, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData {
            Self::Digest { what: what.to_owned(), expected: expected.to_string() }
        } else {
            Self::Local { what: what.to_owned(), error }
        }
    }

    /// That `what` is of no use.
    pub(super) fn unfit(what: &str, reason: impl Into<String>) -> Self {
        Self::Unfit { what: what.to_owned(), reason: reason.into() }
    }
}

/// What a server said, in one printable line that is not long.
pub(super) fn printable(message: &str) -> String {
    let mut shown = String::new();
    for letter in message.trim().chars().take(LONGEST_MESSAGE) {
        let _ = if letter.is_control() { shown.write_char(' ') } else { shown.write_char(letter) };
    }
    if message.trim().chars().count() > LONGEST_MESSAGE {
        shown.push('…');
    }
    shown
}
