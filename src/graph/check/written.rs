//! How a Dockerfile writes what its parsed form says in one way: case, and which stage stands on which.

use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::model::{Instruction, Stage};
use crate::types::span::Span;

/// The text at `span`.
pub(super) fn text(dockerfile: &Dockerfile, span: Span) -> &str {
    dockerfile.source.text.get(span.range()).unwrap_or_default()
}

/// Where the keyword of `instruction` stands; `None` where it is broken over lines.
pub(super) fn keyword(dockerfile: &Dockerfile, instruction: &Instruction) -> Option<Span> {
    let word = instruction.keyword.word();
    let span = Span::new(instruction.span.start(), instruction.span.start() + word.len());
    text(dockerfile, span).eq_ignore_ascii_case(word).then_some(span)
}

/// The first line of `instruction`, as far as it belongs to it.
pub(super) fn first_line(dockerfile: &Dockerfile, instruction: &Instruction) -> Span {
    let written = text(dockerfile, instruction.span);
    let length = written.lines().next().map_or(written.len(), |line| line.trim_end().len());
    Span::new(instruction.span.start(), instruction.span.start() + length)
}

/// All instructions but those before the first `FROM`, in file order.
pub(super) fn instructions(dockerfile: &Dockerfile) -> impl Iterator<Item = &Instruction> {
    dockerfile.stages.iter().flat_map(|stage| std::iter::once(&stage.from).chain(&stage.instructions))
}

/// For each stage the number of the one that it is based on, where the text says so.
pub(super) fn parents(dockerfile: &Dockerfile) -> Vec<Option<usize>> {
    let is_called = |stage: &Stage, name: &str| stage.name.as_ref().is_some_and(|known| known.value == name);
    let stages = &dockerfile.stages;
    let parent = |(index, stage): (usize, &Stage)| {
        stages[..index].iter().rposition(|above| is_called(above, &stage.base.value))
    };
    stages.iter().enumerate().map(parent).collect()
}
