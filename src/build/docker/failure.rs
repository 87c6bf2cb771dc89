//! What went wrong, told from what BuildKit and the connection say.
//!
//! BuildKit attaches details to a gRPC status as JSON (`util/grpcerrors`, `solver/errdefs`): the place
//! in the Dockerfile and the step. Whose fault it is has to be read from the message: a step that fails
//! is the target's, a full disk or an unreachable registry is not.

use bollard_buildkit_proto::google::rpc;
use prost::Message;
use serde::Deserialize;
use tonic::{Code, Status};

use crate::build::builder::BuildError;

/// What BuildKit says of a failed solve.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// What went wrong, without the names of BuildKit's own layers in front.
    pub(super) message: String,
    /// The line of the Dockerfile.
    pub(super) line: Option<usize>,
    /// The digest of the step that failed.
    pub(super) vertex: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    start: Option<Position>,
}

#[derive(Deserialize)]
struct Position {
    #[serde(default)]
    line: usize,
}

#[derive(Deserialize)]
struct Vertex {
    digest: String,
}

impl Failure {
    /// Reads a refused solve.
    pub(super) fn of(status: &Status) -> Self {
        let mut failure = Self { message: without_layers(status.message()).to_owned(), ..Self::default() };
        // Details that cannot be read leave the message, which says the same in words.
        let details = rpc::Status::decode(status.details()).unwrap_or_default().details;
        for detail in details {
            match detail.type_url.trim_end_matches("+json").rsplit('.').next() {
                Some("Source") => failure.line = source_line(&detail.value).or(failure.line),
                Some("Vertex") => failure.vertex = vertex_digest(&detail.value).or(failure.vertex),
                _ => {}
            }
        }
        failure.line = failure.line.or_else(|| line_in_words(&failure.message));
        failure
    }
}

/// An error of the surroundings, when that is what a refused solve tells of.
pub(super) fn surroundings(status: &Status, message: &str) -> Option<BuildError> {
    if std::error::Error::source(status).is_some() || status.code() == Code::Unavailable {
        return Some(lost_connection(message));
    }
    // What a step wrote or ran is the target's own, whatever words are in it.
    if message.starts_with("process \"") {
        return None;
    }
    let (message, help) = if message.contains("no space left on device") {
        (
            message.to_owned(),
            "free disk space where Docker Engine stores its data, such as with `docker builder prune`",
        )
    } else if let Some(reference) = unreachable_image(message) {
        (format!("cannot fetch {reference}: {message}"), "check the network, or pull the image beforehand")
    } else if status.code() == Code::Cancelled || message.contains("no active session") {
        (
            format!("Docker Engine stopped the build: {message}"),
            "see whether the engine was stopped or restarted",
        )
    } else {
        return None;
    };
    Some(BuildError::Surroundings { message, help: Some(help.to_owned()) })
}

/// What two builds on one engine can take from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LostRace {
    /// The name of an image. A containerd store looks whether the name is there and then creates it, so
    /// that one of two equal builds is told `image "…": already exists`.
    Name,
    /// The files of a step. It was shared with a build that was stopped, which took the step's snapshot
    /// with it. BuildKit's cache may go on naming such a step until it is pruned (seen for 20 tries in
    /// 20 seconds on Engine 26.1 with a containerd store), so that only a build without it gets past.
    Step,
}

impl LostRace {
    /// What was lost, when that is why a solve failed.
    pub(super) fn of(status: &Status) -> Option<Self> {
        let message = without_layers(status.message());
        let is_snapshot = message.contains("snapshot ") && message.ends_with("does not exist: not found");
        // A classic store writes a layer's list of files under this name before it has its own.
        let is_commit = message.contains("/.tmp-committed") && message.ends_with("no such file or directory");
        // What a step gave a containerd store is collected when the build that wrote it is stopped.
        let is_content = message.starts_with("content digest sha256:") && message.ends_with(": not found");
        if is_snapshot || is_commit || is_content {
            return Some(Self::Step);
        }
        (message.starts_with("image \"") && message.ends_with("already exists")).then_some(Self::Name)
    }
}

/// The error for a connection that broke in the middle.
pub(super) fn lost_connection(reason: &str) -> BuildError {
    BuildError::Surroundings {
        message: format!("the connection to Docker Engine was lost: {reason}"),
        help: Some("see whether the engine was stopped or restarted, then build again".to_owned()),
    }
}

/// The image of which a registry could not be asked. That a registry *says* there is no such image is
/// another matter: then the Dockerfile is wrong.
fn unreachable_image(message: &str) -> Option<&str> {
    let network = [
        "dial tcp",
        "i/o timeout",
        "no such host",
        "TLS handshake timeout",
        "connection refused",
        "connection reset",
    ];
    let (_, rest) = message
        .split_once("failed to resolve source metadata for ")
        .or_else(|| message.split_once("pull access for "))?;
    let reference = rest.split(": ").next()?;
    network.iter().any(|word| rest.contains(word)).then_some(reference)
}

fn without_layers(message: &str) -> &str {
    let layers = [
        "failed to solve: ",
        "failed to solve with frontend dockerfile.v0: ",
        "rpc error: code = Unknown desc = ",
    ];
    let inner = layers.iter().find_map(|layer| message.strip_prefix(layer));
    inner.map_or(message, without_layers)
}

fn source_line(json: &[u8]) -> Option<usize> {
    let source: Source = serde_json::from_slice(json).ok()?;
    source.ranges.into_iter().filter_map(|range| range.start).map(|start| start.line).find(|line| *line > 0)
}

fn vertex_digest(json: &[u8]) -> Option<String> {
    serde_json::from_slice::<Vertex>(json).ok().map(|vertex| vertex.digest)
}

/// `dockerfile parse error on line 3: …`, where no place is attached.
fn line_in_words(message: &str) -> Option<usize> {
    let (_, rest) =
        message.split_once("parse error on line ").or_else(|| message.split_once("parse error line "))?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: Code, message: &str, expected: Option<&str>) {
        let found = surroundings(&Status::new(code, message), message).map(|error| error.to_string());
        assert_eq!(found.as_deref(), expected, "{message}");
    }

    #[test]
    fn faults_of_the_surroundings_are_told_from_those_of_the_target() {
        check(
            Code::Unknown,
            "process \"/bin/sh -c false\" did not complete successfully: exit code: 1",
            None,
        );
        check(Code::Unknown, "process \"echo no space left on device\" did not complete successfully", None);
        check(Code::Unknown, "dockerfile parse error on line 1: unknown instruction: FORM", None);
        check(
            Code::Unknown,
            "failed to resolve source metadata for docker.io/a/b:1: docker.io/a/b:1: not found",
            None,
        );
        check(
            Code::Unknown,
            "failed to copy files: write /x: no space left on device",
            Some("failed to copy files: write /x: no space left on device"),
        );
        check(
            Code::Unknown,
            "failed to resolve source metadata for docker.io/a/b:1: failed to do request: dial tcp: lookup: no such host",
            Some(
                "cannot fetch docker.io/a/b:1: failed to resolve source metadata for docker.io/a/b:1: failed to do request: dial tcp: lookup: no such host",
            ),
        );
        check(
            Code::Unavailable,
            "transport is closing",
            Some("the connection to Docker Engine was lost: transport is closing"),
        );
        check(Code::Cancelled, "context canceled", Some("Docker Engine stopped the build: context canceled"));
    }

    #[test]
    fn a_failure_names_the_line_and_the_step() {
        let detail = |name: &str, json: &str| bollard_buildkit_proto::google::protobuf::Any {
            type_url: format!("github.com/moby/buildkit/errdefs.{name}+json"),
            value: json.as_bytes().to_vec(),
        };
        let details = rpc::Status {
            code: 2,
            message: String::new(),
            details: vec![
                detail("Vertex", r#"{"digest":"sha256:1"}"#),
                detail(
                    "Source",
                    r#"{"info":{"filename":"Dockerfile"},"ranges":[{"start":{"line":3},"end":{"line":3}}]}"#,
                ),
            ],
        };
        let status =
            Status::with_details(Code::Unknown, "failed to solve: process", details.encode_to_vec().into());
        let expected =
            Failure { message: "process".to_owned(), line: Some(3), vertex: Some("sha256:1".to_owned()) };
        assert_eq!(Failure::of(&status), expected);
    }

    #[test]
    fn a_lost_race_is_told_from_other_failures() {
        let check = |message: &str, expected: Option<LostRace>| {
            assert_eq!(LostRace::of(&Status::unknown(message)), expected, "{message}");
        };
        check("failed to solve: image \"moby-dangling@sha256:1\": already exists", Some(LostRace::Name));
        check(
            "failed to solve: failed to commit a to b during finalize: failed to stat active key during commit: \
             snapshot a does not exist: not found",
            Some(LostRace::Step),
        );
        check(
            "failed to solve: failed to compute cache key: failed to calculate checksum of ref a::b: open \
             /var/lib/docker/overlay2/c/.tmp-committed61: no such file or directory",
            Some(LostRace::Step),
        );
        check("failed to solve: content digest sha256:11d2: not found", Some(LostRace::Step));
        check("failed to solve: docker.io/library/app@sha256:11d2: not found", None);
        check("failed to solve: failed to compute cache key: \"/nofile\": not found", None);
        check("process \"echo image; already exists\" did not complete", None);
    }

    #[test]
    fn a_line_in_words_counts_where_none_is_attached() {
        let line = |message: &str| Failure::of(&Status::unknown(message)).line;
        assert_eq!(line("dockerfile parse error on line 12: unknown instruction"), Some(12));
        assert_eq!(line("dockerfile parse error line 4: unknown flag"), Some(4));
        assert_eq!(line("something else on line 3"), None);
    }
}
