//! One instruction of a stage: which part of the builder does it.

use super::stage::Stage;
use super::{stage_files, stage_run};
use crate::build::builder::BuildError;
use crate::graph::slice::ProgramStep;
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::{Argument, Command};

/// Runs `step`.
///
/// # Errors
/// When it fails, or somebody asks to stop.
pub fn run(stage: &mut Stage<'_>, step: &ProgramStep<'_>) -> Result<(), BuildError> {
    if stage.site.cancellation.is_cancelled() {
        return Err(BuildError::Cancelled);
    }
    stage.progress.0 += 1;
    match &step.instruction.command {
        Command::Copy(copy) => return stage_files::copy(stage, step, copy),
        Command::Run(run) => return stage_run::run(stage, step, run),
        Command::Words(words) if step.instruction.keyword == Keyword::Workdir => {
            return words.iter().try_for_each(|word| stage.enter_folder(step, word));
        }
        Command::Arg(arguments) => {
            arguments.iter().try_for_each(|argument| declare(stage, step, argument))?;
        }
        Command::Pairs(pairs) => stage.pairs(step, pairs)?,
        Command::Words(words) => stage.words(step, words)?,
        Command::Onbuild(text) => stage.position.configuration.add_trigger(text),
        Command::Other => stage.position.configuration.apply(&step.instruction),
        Command::From => {}
    }
    stage.remember(step, true);
    Ok(())
}

/// `ARG`. A default is expanded only where nobody gives a value.
fn declare(stage: &mut Stage<'_>, step: &ProgramStep<'_>, argument: &Argument) -> Result<(), BuildError> {
    let default = argument.default.as_ref().map(|default| stage.expand(step, default)).transpose()?;
    let name = &argument.name.value;
    if let Some(value) = stage.site.arguments.value(name, default.map(|default| default.text)) {
        stage.position.scope.set(name, &value);
    }
    Ok(())
}
