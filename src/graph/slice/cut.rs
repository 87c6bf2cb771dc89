//! From a Dockerfile and a request to a slice.

use std::collections::BTreeMap;

use super::arguments::{Rank, SeenArguments};
use super::model::{Slice, SliceRequest, Widening};
use super::scope::{self, Globals};
use super::sources::Gathered;
use super::states::States;
use super::walk::Walk;
use crate::syntax::dockerfile::model::Command;
use crate::syntax::dockerfile::{Dockerfile, declared_arguments, frontend};
use crate::types::diagnostic::Diagnostic;
use crate::types::span::{Span, Spanned};

/// Cuts out what the wanted stage can reach.
///
/// # Errors
/// Everything that BuildKit refuses when it converts the wanted stage, in the order of the places.
pub fn slice(dockerfile: &Dockerfile, request: &SliceRequest<'_>) -> Result<Slice, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let globals = Globals::new(dockerfile, request, &mut diagnostics);
    let mut states = States::new(dockerfile, request, &globals, &mut diagnostics);
    states.check_circles(&mut diagnostics);
    let wanted = states.wanted(request.stage, &mut diagnostics);
    let Some(wanted) = wanted.filter(|_| diagnostics.is_empty()) else {
        return Err(in_order(diagnostics));
    };
    let reached = states.reach(wanted, &mut diagnostics);
    let is_run = |index: &&usize| {
        let state = states.get(**index);
        state.stage.is_some() && state.replaced_by.is_none()
    };
    let numbers: BTreeMap<usize, usize> =
        reached.iter().filter(is_run).enumerate().map(|(number, index)| (*index, number)).collect();
    let mut walk = Walk {
        dockerfile,
        request,
        globals: &globals,
        states: &states,
        numbers,
        scopes: BTreeMap::new(),
        diagnostics,
        instructions: Vec::new(),
        sources: Gathered::default(),
        widened: foreign_frontend(dockerfile, request),
        references: Vec::new(),
        arguments: SeenArguments::default(),
        secrets: BTreeMap::new(),
        ssh: BTreeMap::new(),
        remotes: Vec::new(),
        has_run: false,
    };
    for index in &reached {
        walk.stage(*index);
    }
    finish(walk, wanted)
}

fn finish(mut walk: Walk<'_, '_>, wanted: usize) -> Result<Slice, Vec<Diagnostic>> {
    note_undeclared(&mut walk);
    if !walk.diagnostics.is_empty() {
        return Err(in_order(walk.diagnostics));
    }
    let is_foreign = foreign_frontend(walk.dockerfile, walk.request).is_some();
    if is_foreign {
        walk.references.iter_mut().for_each(|reference| reference.required.clear());
    }
    // A slice is kept, and there is one of each target.
    walk.instructions.shrink_to_fit();
    walk.references.shrink_to_fit();
    walk.remotes.shrink_to_fit();
    Ok(Slice {
        frontend: walk.dockerfile.frontend.as_ref().map(|frontend| frontend.value.clone()),
        instructions: walk.instructions,
        required: if is_foreign { Vec::new() } else { walk.sources.required() },
        sources: walk.sources.finish(),
        is_foreign,
        widened: walk.widened,
        references: walk.references,
        arguments: walk.arguments.finish(),
        unused_args: unused(walk.dockerfile, walk.request, walk.globals),
        secrets: walk.secrets.into_iter().collect(),
        ssh: walk.ssh.into_iter().collect(),
        remotes: walk.remotes,
        triggers: triggers(walk.states, wanted),
    })
}

/// One mistake may be found in several ways; it is shown once.
fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let start = |diagnostic: &Diagnostic| diagnostic.annotations.first().map(|at| at.location.span.start());
    diagnostics.sort_by_key(start);
    diagnostics.dedup();
    diagnostics
}

/// A frontend of another make may read anything.
fn foreign_frontend(dockerfile: &Dockerfile, request: &SliceRequest<'_>) -> Option<Widening> {
    let given = request.args.get("BUILDKIT_SYNTAX").map(|image| (image.as_str(), Span::default()));
    let written = dockerfile.frontend.as_ref().map(|frontend| (frontend.value.as_str(), frontend.span));
    let (image, span) = given.or(written)?;
    let image = image.split(' ').next().unwrap_or_default();
    let reason = format!("the frontend `{image}` may read anything");
    (!frontend::is_known(image)).then_some(Widening { reason, span })
}

/// Arguments that count although nothing declares them: BuildKit's own, and proxies where something
/// is run.
fn note_undeclared(walk: &mut Walk<'_, '_>) {
    let has_run = walk.has_run;
    let counts = |name: &str| scope::is_of_buildkit(name) || (has_run && scope::is_proxy(name));
    let request = walk.request;
    for (name, value) in request.args.iter().filter(|(name, _)| counts(name)) {
        walk.arguments.note(name, Rank::Given, Some(value.clone()), None);
    }
    let epoch = walk.globals.find("SOURCE_DATE_EPOCH").map(|global| (global.value.to_owned(), global.span));
    if let Some((value, span)) = epoch {
        walk.arguments.note("SOURCE_DATE_EPOCH", Rank::Global, Some(value), span);
    }
    let epoch =
        walk.arguments.get("SOURCE_DATE_EPOCH").and_then(|epoch| Some((epoch.value.as_ref()?, epoch.span)));
    if let Some((value, span)) = epoch
        && !value.is_empty()
        && value.parse::<i64>().is_err()
    {
        let reason = format!("the time of the build is taken from `{value}`");
        walk.widened.get_or_insert(Widening { reason, span: span.unwrap_or_default() });
    }
}

fn unused(dockerfile: &Dockerfile, request: &SliceRequest<'_>, globals: &Globals<'_>) -> Vec<String> {
    let is_declared = |name: &str| declared_arguments(dockerfile).any(|argument| argument.name.value == name);
    let is_known = |name: &str| {
        is_declared(name)
            || globals.find(name).is_some()
            || scope::is_of_buildkit(name)
            || scope::is_proxy(name)
    };
    request.args.keys().filter(|name| !is_known(name)).cloned().collect()
}

/// What the wanted stage leaves to whatever is based on it.
fn triggers(states: &States<'_>, wanted: usize) -> Vec<Spanned<String>> {
    let steps = states.get(wanted).steps.iter();
    let triggers = steps.filter_map(|step| match &step.instruction.command {
        Command::Onbuild(text) => Some(Spanned::new(text.clone(), step.instruction.span)),
        _ => None,
    });
    triggers.collect()
}
