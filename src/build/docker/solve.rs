//! One build: asks BuildKit to solve a Dockerfile, listens to its progress, and reads the answer.
//!
//! Everything runs in one future on the caller's thread, so that a request can be borrowed, and so
//! that dropping it is all that a cancellation takes: BuildKit stops a solve whose caller is gone.

use std::collections::HashMap;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::moby::buildkit::v1::{Exporter, SolveRequest, SolveResponse, StatusRequest};
use tokio::sync::{mpsc, watch};
use tonic::transport::Channel;
use tonic::{Response, Status};

use super::bases::Finder;
use super::contexts::{self, Contexts};
use super::failure::{self, Failure, LostRace};
use super::file_sync::{self, TransferDesk};
use super::identifier;
use super::images;
use super::session::{Given, Session};
use super::status::Progress;
use crate::build::builder::{BuildError, BuildOutput, BuildRequest};
use crate::build::redaction::Redactor;
use crate::types::event::EventSink;

/// The exporter that leaves an image in the engine's own store, of either kind.
const EXPORTER: &str = "moby";
/// How long the other build is given to get out of the way, times the number of tries.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a solve is tried that loses a race against an equal one.
const MOST_TRIES: u32 = 5;
/// How many of these tries wait for a step that was lost to come back.
const PATIENT_TRIES: u32 = 2;
/// The attribute of the frontend that leaves BuildKit's cache aside.
const NO_CACHE: &str = "no-cache";
/// Told when that is done without being asked for.
const STEP_IS_LOST: &str = "Docker Engine's build cache holds a step whose files are gone, from a build that \
    was stopped: all steps run again (`docker builder prune` clears it)";
/// How long progress may be silent after the answer has come, before it is left.
const SILENCE_AFTER_ANSWER: Duration = Duration::from_secs(2);
/// As above, when there was no progress at all: the solve was refused before it began.
const SILENCE_AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// Builds; to stop it, drop it.
pub(super) async fn build(
    finder: Finder<'_>,
    request: &BuildRequest<'_>,
    events: &dyn EventSink,
) -> Result<BuildOutput, BuildError> {
    let connection = finder.connection;
    let mut contexts = Contexts::of(request)?;
    for (attribute, image) in &contexts.images {
        let platform = image.platform.as_ref().unwrap_or(&request.subject.platform);
        let name = finder.name_for_build(&image.reference, platform).await?;
        contexts.attributes.insert(attribute.clone(), format!("docker-image://{name}"));
    }
    let (desk, transfers) = mpsc::channel(8);
    let given = Given { secrets: request.secrets, agents: request.agents };
    let session = Session::open(connection, &shared_key(request), TransferDesk(desk), given).await?;
    let control = connection.control().await?;
    let redactor = Redactor::new(request.secrets);
    let mut progress = Progress::new(request.subject, events, &redactor);
    let solve = solve_request(request, contexts.attributes, &session.id)?;
    let answer = tokio::select! {
        answer = answer_in_the_end(&control, solve, &mut progress) => answer,
        error = file_sync::serve(&contexts.folders, transfers) => return Err(error),
    };
    match answer {
        Ok(response) => output(&response.into_inner()),
        Err(status) => Err(explain(&status, &progress, &redactor)),
    }
}

/// Solves again when another build got in the way. What was done is in BuildKit's cache by then; a
/// step in it that stays damaged is gone around by doing all steps anew.
async fn answer_in_the_end(
    control: &ControlClient<Channel>,
    mut request: SolveRequest,
    progress: &mut Progress<'_>,
) -> Result<Response<SolveResponse>, Status> {
    let mut tries = 1;
    loop {
        let answer = answer(control.clone(), request.clone(), progress).await;
        let lost = answer.as_ref().err().and_then(LostRace::of);
        let Some(lost) = lost.filter(|_| tries < MOST_TRIES) else { return answer };
        if lost == LostRace::Step && tries == PATIENT_TRIES {
            request.frontend_attrs.insert(NO_CACHE.to_owned(), String::new());
            progress.warn(STEP_IS_LOST);
        }
        tokio::time::sleep(PAUSE * tries).await;
        request.r#ref = identifier::fresh();
        tries += 1;
    }
}

/// Solves, and takes progress until the answer has come and progress has ended.
async fn answer(
    control: ControlClient<Channel>,
    request: SolveRequest,
    progress: &mut Progress<'_>,
) -> Result<Response<SolveResponse>, Status> {
    let status_request = StatusRequest { r#ref: request.r#ref.clone() };
    let mut status_control = control.clone();
    let mut solve_control = control;
    let (done, is_done) = watch::channel(false);
    let solve = async {
        let answer = solve_control.solve(request).await;
        done.send_replace(true);
        answer
    };
    let watching = watch(&mut status_control, status_request, is_done, progress);
    let (answer, ()) = tokio::join!(solve, watching);
    progress.finish();
    answer
}

/// What goes wrong with progress alone is left aside: the answer decides.
async fn watch(
    control: &mut ControlClient<Channel>,
    request: StatusRequest,
    mut is_done: watch::Receiver<bool>,
    progress: &mut Progress<'_>,
) {
    let opened = unless_silent(&mut is_done, SILENCE_AFTER_REFUSAL, control.status(request)).await;
    let Some(Ok(response)) = opened else { return };
    let mut stream = response.into_inner();
    let mut patience = SILENCE_AFTER_REFUSAL;
    while let Some(Ok(Some(message))) = unless_silent(&mut is_done, patience, stream.message()).await {
        progress.take(message);
        patience = SILENCE_AFTER_ANSWER;
    }
}

/// What `next` gives; `None` when it gives nothing for as long as `patience` after the answer.
async fn unless_silent<Value>(
    is_done: &mut watch::Receiver<bool>,
    patience: Duration,
    next: impl Future<Output = Value>,
) -> Option<Value> {
    let silence = async {
        // An error means that the sender is gone, which is after the answer too.
        if is_done.wait_for(|done| *done).await.is_ok() {
            tokio::time::sleep(patience).await;
        }
    };
    tokio::select! { value = next => Some(value), () = silence => None }
}

fn solve_request(
    request: &BuildRequest<'_>,
    contexts: HashMap<String, String>,
    session: &str,
) -> Result<SolveRequest, BuildError> {
    let names = names(request.tags)?;
    // A classic store refuses an empty name; an image without names needs none.
    let exporter_attributes: HashMap<String, String> =
        (!names.is_empty()).then(|| ("name".to_owned(), names)).into_iter().collect();
    let host = request.network == Some("host");
    Ok(SolveRequest {
        r#ref: identifier::fresh(),
        session: session.to_owned(),
        frontend: "dockerfile.v0".to_owned(),
        frontend_attrs: frontend_attributes(request, contexts),
        entitlements: host.then(|| "network.host".to_owned()).into_iter().collect(),
        // Engines before 25.0 read the first of these two, later ones the second.
        exporter_deprecated: EXPORTER.to_owned(),
        exporter_attrs_deprecated: exporter_attributes.clone(),
        exporters: vec![Exporter { r#type: EXPORTER.to_owned(), attrs: exporter_attributes }],
        ..SolveRequest::default()
    })
}

/// What the Dockerfile frontend is told (`frontend/dockerui/config.go`). No attestation is asked for:
/// provenance carries times, so that an unchanged image would get another digest.
fn frontend_attributes(
    request: &BuildRequest<'_>,
    contexts: HashMap<String, String>,
) -> HashMap<String, String> {
    let mut attributes = contexts;
    if !attributes.is_empty() {
        // A frontend that does not know named contexts is to fail, not to ignore them.
        attributes.insert("frontend.caps".to_owned(), "moby.buildkit.frontend.contexts+forward".to_owned());
    }
    let mut set = |key: &str, value: &str| attributes.insert(key.to_owned(), value.to_owned());
    set("filename", contexts::dockerfile_name(request.dockerfile_name));
    set("platform", &request.subject.platform.to_string());
    // An image that the engine has is taken as it is, without asking a registry.
    set("image-resolve-mode", "local");
    if let Some(stage) = request.stage {
        set("target", stage);
    }
    if let Some(network) = request.network.filter(|network| *network != "default") {
        set("force-network-mode", network);
    }
    if request.no_cache {
        set(NO_CACHE, "");
    }
    for (name, value) in request.args {
        set(&format!("build-arg:{name}"), value);
    }
    for (name, value) in request.labels {
        set(&format!("label:{name}"), value);
    }
    attributes
}

/// The names of the image as exporters want them: in full, between commas.
fn names(tags: &[String]) -> Result<String, BuildError> {
    let name = |tag: &String| {
        let name = images::new_name(tag).map(|name| name.to_string());
        name.map_err(|message| BuildError::Failed { message, line: None, log_tail: Vec::new() })
    };
    Ok(tags.iter().map(name).collect::<Result<Vec<_>, _>>()?.join(","))
}

/// Builds of one target from one folder share copies of their contexts in the engine.
fn shared_key(request: &BuildRequest<'_>) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("imgraph 2026 shared key of a session");
    hasher.update(request.subject.label.to_string().as_bytes());
    hasher.update(b"\0");
    if let Some(context) = request.context {
        hasher.update(context.on_disk.as_os_str().as_encoded_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn output(response: &SolveResponse) -> Result<BuildOutput, BuildError> {
    let digest = response.exporter_response.get("containerimage.digest").map(|digest| digest.parse());
    match digest {
        Some(Ok(digest)) => Ok(BuildOutput { digest }),
        found => Err(BuildError::Surroundings {
            message: format!("Docker Engine built the image but did not name it: {found:?}"),
            help: None,
        }),
    }
}

fn explain(status: &Status, progress: &Progress<'_>, redactor: &Redactor) -> BuildError {
    let failure = Failure::of(status);
    let message = redactor.clean(&failure.message).into_owned();
    failure::surroundings(status, &message).unwrap_or_else(|| BuildError::Failed {
        message,
        line: failure.line,
        log_tail: progress.tail(failure.vertex.as_deref()),
    })
}
