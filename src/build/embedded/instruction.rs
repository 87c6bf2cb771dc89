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
        Command::Copy(copy) => stage_files::copy(stage, step, copy),
        Command::Run(run) => stage_run::run(stage, step, run),
        Command::Words(words) if step.instruction.keyword == Keyword::Workdir => {
            words.iter().try_for_each(|word| stage.enter_folder(step, word))
        }
        Command::Arg(arguments) => declare(stage, step, arguments),
        Command::Pairs(pairs) => stage.pairs(step, pairs),
        Command::Words(words) => stage.words(step, words),
        Command::Onbuild(text) => {
            stage.position.configuration.add_trigger(text);
            Ok(())
        }
        Command::Other => {
            let told = stage.position.configuration.apply(&step.instruction);
            stage.remember(told, true);
            Ok(())
        }
        Command::From => Ok(()),
    }
}

/// `ARG`.
fn declare(stage: &mut Stage<'_>, step: &ProgramStep<'_>, arguments: &[Argument]) -> Result<(), BuildError> {
    let mut told = "ARG".to_owned();
    for argument in arguments {
        let default = argument.default.as_ref().map(|default| stage.expand(step, default)).transpose()?;
        let default = default.map(|default| default.text);
        let name = &argument.name.value;
        told += &format!(" {name}");
        told.extend(default.iter().flat_map(|default| ["=", default]));
        if let Some(value) = stage.site.arguments.value(name, default) {
            stage.site.hold(step.span, name.len() + value.len())?;
            stage.position.scope.set(name, &value);
        }
        if !stage.declared.contains(name) {
            stage.declared.push(name.clone());
        }
    }
    stage.remember(told, true);
    Ok(())
}
