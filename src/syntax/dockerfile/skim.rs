//! A whole file, read for what it may read and for nothing else.
//!
//! It goes the way of the parser, line by line. What a line says is taken at a glance where that is enough,
//! and else from the parser itself.
//!
//! **Invariant:** a file that is skimmed to its end is one in which the parser finds nothing wrong.

use std::sync::Arc;

use super::directives;
use super::frontend;
use super::glance::{self, Glance, Named};
use super::keyword::Keyword;
use super::lines::{LONGEST_LINE, Lines};
use super::model::{Command, Instruction};
use super::parser::{self, Read};
use crate::types::span::{SourceText, Span};

/// The escape character of a file that does not choose one. No other is skimmed.
pub const ESCAPE: char = '\\';

/// What is met in a file, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met<'m> {
    /// The frontend image that the file asks for.
    Frontend(&'m str),
    /// The base of a stage, as it is written.
    Base(&'m str),
    /// The name of an argument that is declared, in a stage or before all of them.
    Argument(&'m str),
    /// An image, a stage or a named context that a `COPY` reads.
    CopyFrom(&'m str),
    /// What a `COPY` or an `ADD` reads of the main context, still to be expanded, and where that is written;
    /// the empty span where it was not looked at.
    Source(&'m str, Span),
    /// A mount of a `RUN`: its `from`, which may be empty, its text, and where that is written; the empty span
    /// where it was not looked at.
    Mount(&'m str, &'m str, Span),
    /// An `ONBUILD`.
    Onbuild,
}

/// Tells `visit` what is met in a file. `None` when `visit` gave up, the file has mistakes, or it chooses an
/// escape character: who wants to know more has to parse it.
pub fn skim(source: &Arc<SourceText>, mut visit: impl FnMut(Met<'_>) -> Option<()>) -> Option<()> {
    let text = &source.text;
    let mut diagnostics = Vec::new();
    if text.len() >= LONGEST_LINE {
        return None;
    }
    if may_have_directives(text) {
        let escape = directives::read(source, &mut diagnostics).escape;
        let frontend = frontend::asked_for(text);
        let is_elsewhere = frontend.as_ref().is_some_and(|frontend| frontend.begin() != 0);
        if escape != ESCAPE || is_elsewhere || !diagnostics.is_empty() {
            return None;
        }
        if let Some(frontend) = &frontend {
            visit(Met::Frontend(&frontend.image.value))?;
        }
    }
    let mut lines = Lines::new(text);
    let mut seen_from = false;
    let mut joined = String::new();
    loop {
        let before = lines.clone();
        let Some(line) = lines.logical_text(ESCAPE, &mut joined) else { break };
        match glance::of(line) {
            Some((seen, heredocs)) => {
                heredocs.into_iter().try_for_each(|heredoc| pass_over(&mut lines, heredoc))?;
                seen_from |= matches!(seen, Glance::Base(_));
                if !seen_from && !matches!(seen, Glance::Arguments(_)) {
                    return None;
                }
                of_glance(seen, &mut visit)?;
            }
            None => {
                lines = before;
                let line = lines.logical(ESCAPE)?;
                let read = parser::read_instruction(source, &line, &mut lines, ESCAPE, &mut diagnostics)?;
                seen_from |= read.stage.is_some();
                if !diagnostics.is_empty() || !(seen_from || read.instruction.keyword == Keyword::Arg) {
                    return None;
                }
                of_read(&read, &mut visit)?;
            }
        }
    }
    seen_from.then_some(())
}

/// Whether a file may say in which language it is, or which escape character it has: not when it begins with an
/// instruction, or with a comment that is no directive, after which none can stand.
fn may_have_directives(text: &str) -> bool {
    let first = text.split('\n').next().unwrap_or_default();
    let is_comment = first.starts_with('#') && !first.starts_with("#!") && !first.contains('=');
    !(is_comment || first.starts_with(|letter: char| letter.is_ascii_alphabetic()))
}

/// Takes the lines of a heredoc; `None` when it does not end.
fn pass_over(lines: &mut Lines<'_>, heredoc: Named<'_>) -> Option<()> {
    loop {
        let content = lines.physical()?.content();
        let word = if heredoc.chomp { content.trim_start_matches('\t') } else { content };
        if word == heredoc.name {
            return Some(());
        }
    }
}

fn of_glance(seen: Glance<'_>, visit: &mut impl FnMut(Met<'_>) -> Option<()>) -> Option<()> {
    match seen {
        Glance::Nothing => Some(()),
        Glance::Base(base) => visit(Met::Base(base)),
        Glance::Arguments(mut words) => words.try_for_each(|word| {
            let (name, _default) = word.split_once('=').unwrap_or((word, ""));
            visit(Met::Argument(name))
        }),
        Glance::Copy(Some(from), _) => visit(Met::CopyFrom(from)),
        Glance::Copy(None, words) => {
            let mut sources = words.filter(|word| !word.contains('<'));
            sources.try_for_each(|source| visit(Met::Source(source, Span::default())))
        }
        Glance::Run(mounts) => {
            let mut mounts = mounts.iter();
            mounts.try_for_each(|(from, text)| visit(Met::Mount(from, text, Span::default())))
        }
    }
}

fn of_read(read: &Read, visit: &mut impl FnMut(Met<'_>) -> Option<()>) -> Option<()> {
    let Read { stage, instruction: Instruction { command, .. } } = read;
    if let Some((_, base, _)) = stage {
        visit(Met::Base(&base.value))?;
    }
    match command {
        Command::Arg(arguments) => {
            arguments.iter().try_for_each(|argument| visit(Met::Argument(&argument.name.value)))
        }
        Command::Copy(copy) => match &copy.from {
            Some(from) => visit(Met::CopyFrom(&from.value)),
            None => copy.sources.iter().try_for_each(|source| visit(Met::Source(&source.value, source.span))),
        },
        Command::Run(run) => {
            let mut mounts = run.mounts.iter();
            mounts.try_for_each(|mount| visit(Met::Mount(&mount.from, &mount.text.value, mount.text.span)))
        }
        Command::Onbuild(_) => visit(Met::Onbuild),
        Command::From | Command::Pairs(_) | Command::Words(_) | Command::Other => Some(()),
    }
}
