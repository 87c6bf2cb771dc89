//! What the embedded builder cannot do, said before anything runs, with the line and the way out.

use super::rights::Rights;
use super::sandbox::Refusal;
use crate::build::builder::{BuildError, BuildRequest};
use crate::graph::slice::{Place, Program, ProgramStep, place};
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::Command;
use crate::syntax::dockerfile::{Dockerfile, frontend};
use crate::types::platform::Platform;
use crate::types::span::Span;

/// How to build what cannot be built here.
const WAY_OUT: &str = "build it with an engine: `--builder docker`";

/// Refuses what cannot be done.
///
/// # Errors
/// The first thing that cannot be done, in the order of the file.
pub fn check(
    dockerfile: &Dockerfile,
    program: &Program<'_>,
    request: &BuildRequest<'_>,
    native: &Platform,
    rights: &Rights,
) -> Result<(), BuildError> {
    let refuse = |span: Span, message: String| {
        let line = Some(dockerfile.source.line_column(span.start()).line);
        Err(BuildError::Failed { message: format!("{message}; {WAY_OUT}"), line, log_tail: Vec::new() })
    };
    let given = request.args.get("BUILDKIT_SYNTAX").map(|image| (image.as_str(), Span::default()));
    let written = dockerfile.frontend.as_ref().map(|frontend| (frontend.value.as_str(), frontend.span));
    if let Some((image, span)) = given.or(written) {
        let image = image.split(' ').next().unwrap_or_default();
        if !frontend::is_known(image) {
            return refuse(span, format!("the embedded builder runs no frontends, such as `{image}`"));
        }
    }
    for stage in &program.stages {
        let platform = stage.platform.as_ref().unwrap_or(&request.subject.platform);
        let runs = stage.steps.iter().find(|step| step.instruction.keyword == Keyword::Run);
        if let Some(step) = runs.filter(|_| !runs_on(platform, native)) {
            let message = format!("this machine ({native}) cannot run commands for {platform}");
            return refuse(step.span, message);
        }
        if let Some((step, refusal)) = runs.and_then(|step| Some((step, rights.found().err()?))) {
            return refuse(step.span, runs_nothing(refusal));
        }
        for step in &stage.steps {
            if let Some(message) = hindrance(step) {
                return refuse(step.span, message);
            }
        }
    }
    Ok(())
}

/// Whether the kernel of `native` runs programs for `platform`.
fn runs_on(platform: &Platform, native: &Platform) -> bool {
    platform.os() == native.os() && platform.architecture() == native.architecture()
}

/// Why an instruction cannot be done.
fn hindrance(step: &ProgramStep<'_>) -> Option<String> {
    let instruction = &step.instruction;
    match &instruction.command {
        Command::Run(_) if instruction.flag("security").last() == Some("insecure") => {
            Some("the embedded builder runs no command with all rights (`--security`)".to_owned())
        }
        Command::Run(_) => instruction
            .flag("device")
            .next()
            .map(|device| format!("the embedded builder gives no devices to commands (`--device={device}`)")),
        Command::Copy(copy) => {
            let repository = copy.sources.iter().find(|source| place(&source.value) == Place::Git);
            repository.map(|source| fetches_no_repository(&source.value))
        }
        _ => None,
    }
}

/// That no command can be run on this machine, and what can be done about it.
pub fn runs_nothing(refusal: &Refusal) -> String {
    format!("this machine cannot run commands: {}", refusal.whole())
}

/// That a git repository is not fetched.
pub fn fetches_no_repository(source: &str) -> String {
    format!("the embedded builder fetches no git repositories (`{source}`)")
}
