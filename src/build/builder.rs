//! The trait that every builder has, and what goes in and out of it.
//!
//! Calls block: concurrency is the runner's business, which calls from several threads. A request
//! borrows: nothing is copied for a builder's sake.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::types::cancellation::Cancellation;
use crate::types::digest::OutputDigest;
use crate::types::event::{EventSink, Subject};
use crate::types::file_entry::FileEntry;
use crate::types::platform::Platform;
use crate::types::workspace_path::WorkspacePath;

/// The times that the files of a view have in a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTimes {
    /// The same for all, so that no time of a checkout comes into an image.
    Fixed,
    /// Those that they have on the disk, or later ones: programs with a cache of their own find out by times what
    /// they have to do again, and would take a changed file for an old one.
    OfDisk,
}

impl FileTimes {
    /// The times for a build by this Dockerfile, to which bases leave these `triggers`: those of the disk where a
    /// `RUN` may mount a cache. In doubt it may.
    pub fn of(dockerfile: &[u8], triggers: &[String]) -> Self {
        let text = String::from_utf8_lossy(dockerfile);
        let texts = triggers.iter().map(String::as_str).chain([&*text]);
        if texts.into_iter().any(may_mount_cache) { Self::OfDisk } else { Self::Fixed }
    }
}

/// Whether a `RUN` of `text` may mount a cache.
fn may_mount_cache(text: &str) -> bool {
    let is_line_end = |text: &str, at: usize| !text[..at].trim_end_matches('\r').ends_with(['\\', '`']);
    text.match_indices("--mount").any(|(at, _)| {
        let rest = &text[at..];
        let end = rest.match_indices('\n').map(|(end, _)| end).find(|end| is_line_end(rest, *end));
        let line = &rest[..end.unwrap_or(rest.len())];
        line.contains("cache") || line.contains('$')
    })
}

/// A folder of which a builder is sent the listed entries: a view.
#[derive(Clone, Copy, Debug)]
pub struct SentFolder<'r> {
    /// Where the folder lies on this machine.
    pub on_disk: &'r Path,
    /// The entries, each folder directly before what is in it, in the order of [`WorkspacePath`]. The
    /// folder itself is not among them.
    pub entries: &'r [FileEntry],
}

/// What a named context stands for.
#[derive(Clone, Copy, Debug)]
pub enum ContextSource<'r> {
    /// Files of the workspace.
    Folder(SentFolder<'r>),
    /// An image that the builder can find: a reference, with a digest where one is pinned.
    Image(&'r str),
}

/// A secret that a build may read. Its value is in no log, no event, no key and no cache.
#[derive(Clone)]
pub struct SecretValue {
    /// The id by which a `RUN --mount=type=secret` asks for it.
    pub id: String,
    /// The value.
    pub value: Vec<u8>,
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SecretValue").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An SSH agent that a build may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSocket {
    /// The id by which a `RUN --mount=type=ssh` asks for it.
    pub id: String,
    /// Where it listens, on this machine. It is in no key and no cache.
    pub socket: PathBuf,
}

/// Everything that a build depends on.
#[derive(Clone, Debug)]
pub struct BuildRequest<'r> {
    /// Who asks, for events and names.
    pub subject: &'r Subject,
    /// The bytes of the Dockerfile, as the user wrote them.
    pub dockerfile: &'r [u8],
    /// The name under which messages speak of the Dockerfile: a path of the workspace.
    pub dockerfile_name: &'r str,
    /// The `ONBUILD` instructions that images leave to the Dockerfile's stages which are based on them. The builder
    /// finds them by itself: they are told because of what they say about how to send files.
    pub triggers: &'r [String],
    /// The wanted stage; `None` is the last.
    pub stage: Option<&'r str>,
    /// The main context; `None` when the wanted stage reads nothing of it.
    pub context: Option<SentFolder<'r>>,
    /// Named contexts, pinned bases and outputs of other targets among them, by the name that the
    /// Dockerfile uses.
    pub contexts: BTreeMap<&'r str, ContextSource<'r>>,
    /// Build arguments, stamps included.
    pub args: &'r BTreeMap<String, String>,
    /// Labels of the image.
    pub labels: &'r BTreeMap<String, String>,
    /// Secrets that the build may mount.
    pub secrets: &'r [SecretValue],
    /// SSH agents that the build may use.
    pub agents: &'r [AgentSocket],
    /// What `RUN` may reach: `default`, `none` or `host`; `None` is the builder's default.
    pub network: Option<&'r str>,
    /// Whether the builder is to leave its own cache aside.
    pub no_cache: bool,
    /// Whether the output is an image that leaves the builder, and no intermediate.
    pub is_product: bool,
    /// Names to give the image, `repository:tag`.
    pub tags: &'r [String],
}

/// What a build gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOutput {
    /// How the builder names the output.
    pub digest: OutputDigest,
}

/// Why a builder could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildError {
    /// A step of the Dockerfile failed, or the Dockerfile is wrong: the target's own fault.
    #[error("{message}")]
    Failed {
        /// What the builder said, in one or a few lines.
        message: String,
        /// The line of the Dockerfile, counted from 1, when the builder named one.
        line: Option<usize>,
        /// The last lines that the failing step wrote.
        log_tail: Vec<String>,
    },
    /// A file differs from what its key was made from: it was changed while it was being sent.
    #[error("`{path}` changed while it was being built")]
    InputChanged {
        /// Relative to the folder that is sent.
        path: WorkspacePath,
    },
    /// Somebody asked to stop.
    #[error("the build was cancelled")]
    Cancelled,
    /// The daemon, the network or the disk: not the target's fault.
    #[error("{message}")]
    Surroundings {
        /// What is wrong, in one sentence.
        message: String,
        /// How to put it right.
        help: Option<String>,
    },
}

/// The images that a builder has at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The digests of all images, as [`BuildOutput::digest`] names them.
    pub digests: BTreeSet<OutputDigest>,
    /// Every tag (`repository:tag`, familiar form: no `docker.io/library/`) and
    /// `repository@digest`, with the image that it names.
    pub references: BTreeMap<String, OutputDigest>,
}

/// Which images builds are based on: by reference, as it was asked for, and platform.
pub type Bases = BTreeMap<(String, Platform), OutputDigest>;

/// Something that builds images. Shared by threads; every call blocks until it is answered.
pub trait Builder: Send + Sync {
    /// The family whose outputs are comparable, such as `docker`: it enters every key.
    fn family(&self) -> &str;

    /// What it is, for people: `Docker Engine 26.1.5 (overlay2)`.
    fn description(&self) -> &str;

    /// What it builds for when nobody says otherwise.
    fn platform(&self) -> &Platform;

    /// Which images are there. The runner asks once per run.
    ///
    /// # Errors
    /// When the builder cannot be reached.
    fn inventory(&self) -> Result<Inventory, BuildError>;

    /// As [`Self::inventory`], for a caller that asks for these references alone: the answer may leave
    /// out all others, images without a name among them, where that is cheaper.
    ///
    /// # Errors
    /// When the builder cannot be reached.
    fn inventory_of(&self, references: &BTreeSet<&str>) -> Result<Inventory, BuildError> {
        let mut inventory = self.inventory()?;
        inventory.references.retain(|reference, _| references.contains(reference.as_str()));
        Ok(inventory)
    }

    /// Whether the image `digest` is there, whatever it is called.
    ///
    /// # Errors
    /// When the builder cannot be reached.
    fn has(&self, digest: &OutputDigest) -> Result<bool, BuildError>;

    /// Which image the builder would take for each reference and platform, of those that are there.
    /// Fetches nothing, and asks no registry.
    ///
    /// # Errors
    /// When the builder cannot be reached.
    fn bases(&self, wanted: &BTreeSet<(&str, &Platform)>) -> Result<Bases, BuildError>;

    /// The digest that `reference` stands for on `platform`; fetches the image when it is not there. A
    /// build that is given `repository@digest` takes that image.
    ///
    /// # Errors
    /// When no such image can be had.
    fn resolve(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<OutputDigest, BuildError>;

    /// The `ONBUILD` instructions that the image `reference` leaves to what is based on it; fetches the
    /// image when it is not there.
    ///
    /// # Errors
    /// When no such image can be had.
    fn triggers(
        &self,
        reference: &str,
        platform: &Platform,
        cancellation: &Cancellation,
    ) -> Result<Vec<String>, BuildError>;

    /// Builds, and leaves the output under the names of [`BuildRequest::tags`].
    ///
    /// # Errors
    /// See [`BuildError`]. After an error nothing that was asked for may be relied on.
    fn build(
        &self,
        request: &BuildRequest<'_>,
        events: &dyn EventSink,
        cancellation: &Cancellation,
    ) -> Result<BuildOutput, BuildError>;

    /// Gives the image `digest`, which is there, one more name.
    ///
    /// # Errors
    /// When the image is gone or the builder cannot be reached.
    fn tag(&self, digest: &OutputDigest, name: &str) -> Result<(), BuildError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_keep_their_times_where_a_cache_may_be_mounted() {
        let check = |dockerfile: &str, expected: FileTimes| {
            assert_eq!(FileTimes::of(dockerfile.as_bytes(), &[]), expected, "{dockerfile}");
            let triggers = ["COPY . /".to_owned(), dockerfile.to_owned()];
            assert_eq!(FileTimes::of(b"FROM base", &triggers), expected, "trigger: {dockerfile}");
        };
        check("RUN --mount=type=cache,target=/t make", FileTimes::OfDisk);
        check("RUN --mount=target=/t,type=$T make", FileTimes::OfDisk);
        check("RUN --mount=\\\n  type=cache,target=/t make", FileTimes::OfDisk);
        check("RUN --mount=type=secret,id=a make\nRUN apk add --no-cache make", FileTimes::Fixed);
        check("RUN apk add --no-cache make", FileTimes::Fixed);
        check("", FileTimes::Fixed);
    }
}
