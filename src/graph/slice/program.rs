//! The reached stages as something that can be run, for builders that run them themselves.
//!
//! Names are resolved by the same code that resolves them for a key, so that a builder cannot take another
//! stage or image than the one that was keyed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::contexts::SCRATCH;
use super::model::SliceRequest;
use super::scope::Globals;
use super::states::{State, States};
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::model::Instruction;
use crate::types::diagnostic::Diagnostic;
use crate::types::platform::Platform;
use crate::types::span::Span;

/// The stages that the wanted one needs, itself included and last to be needed.
#[derive(Clone, Debug)]
pub struct Program<'d> {
    /// The stages, each after those that it needs.
    pub stages: Vec<ProgramStage<'d>>,
    /// The wanted one of [`Self::stages`].
    pub wanted: usize,
    /// The global arguments that have a value.
    pub globals: BTreeMap<String, String>,
}

/// A stage to be run.
#[derive(Clone, Debug)]
pub struct ProgramStage<'d> {
    /// Its name, or its number in the file, for people.
    pub name: String,
    /// What it begins with.
    pub base: Source,
    /// The platform that its `FROM` asks for.
    pub platform: Option<Platform>,
    /// The instructions, triggers of a stage that it is based on first.
    pub steps: Vec<ProgramStep<'d>>,
    /// Where it begins.
    pub span: Span,
}

/// An instruction to be run.
#[derive(Clone, Debug)]
pub struct ProgramStep<'d> {
    /// The instruction.
    pub instruction: Cow<'d, Instruction>,
    /// What its `--from` and each of its mounts read from, in order; `None` is the main context.
    pub reads: Vec<Option<Source>>,
    /// Where it is written.
    pub span: Span,
}

/// Where files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing.
    Scratch,
    /// One of [`Program::stages`].
    Stage(usize),
    /// An image, or the named context that stands for it.
    Image {
        /// The name as it is written, expanded.
        name: String,
        /// The key of [`SliceRequest::contexts`].
        context: Option<String>,
    },
}

/// What is to be run for the wanted stage.
///
/// # Errors
/// What the names of stages and images have wrong. Instructions are not looked into: `slice` does that.
pub fn program<'d>(
    dockerfile: &'d Dockerfile,
    request: &SliceRequest<'_>,
) -> Result<Program<'d>, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let globals = Globals::new(dockerfile, request, &mut diagnostics);
    let mut states = States::new(dockerfile, request, &globals, &mut diagnostics);
    states.check_circles(&mut diagnostics);
    let wanted = states.wanted(request.stage, &mut diagnostics);
    let Some(wanted) = wanted.filter(|_| diagnostics.is_empty()) else { return Err(diagnostics) };
    let reached = states.reach(wanted, &mut diagnostics);
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let run = reached.iter().copied().filter(|index| states.get(*index).stage.is_some());
    let numbers: BTreeMap<usize, usize> = run.enumerate().map(|(number, index)| (index, number)).collect();
    let stages = numbers.keys().map(|index| stage(&states, &numbers, *index)).collect();
    let globals = globals.names().into_iter().filter_map(|name| {
        let value = globals.find(name)?.value.to_owned();
        Some((name.to_owned(), value))
    });
    Ok(Program { stages, wanted: numbers[&wanted], globals: globals.collect() })
}

fn stage<'d>(states: &States<'d>, numbers: &BTreeMap<usize, usize>, index: usize) -> ProgramStage<'d> {
    let state = states.get(index);
    let stage = state.stage.expect("only stages are numbered");
    let base = match (&state.replaced_by, state.parent) {
        (Some(context), _) => {
            Source::Image { name: state.base.value.clone(), context: Some(context.clone()) }
        }
        (None, Some(parent)) => Source::Stage(numbers[&parent]),
        (None, None) => image(states, state),
    };
    // What stands in for a stage has no instructions of it.
    let steps = state.steps.iter().filter(|_| state.replaced_by.is_none()).map(|step| ProgramStep {
        instruction: step.instruction.clone(),
        reads: step.reads.iter().map(|read| read.map(|index| source(states, numbers, index))).collect(),
        span: step.triggered_by.unwrap_or(step.instruction.span),
    });
    ProgramStage {
        name: stage.name.as_ref().map_or_else(|| format!("stage-{index}"), |name| name.value.clone()),
        base,
        platform: state.platform.clone(),
        steps: steps.collect(),
        span: stage.from.span,
    }
}

fn source(states: &States<'_>, numbers: &BTreeMap<usize, usize>, index: usize) -> Source {
    numbers.get(&index).map_or_else(|| image(states, states.get(index)), |number| Source::Stage(*number))
}

fn image(states: &States<'_>, state: &State<'_>) -> Source {
    let context = states.context_of(&state.base.value).cloned();
    match context {
        None if state.base.value == SCRATCH => Source::Scratch,
        context => Source::Image { name: state.base.value.clone(), context },
    }
}
