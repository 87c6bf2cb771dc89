//! Single instructions: old forms, and those of which another one makes nothing.

use super::written;
use crate::graph::lint::{
    DEPRECATED_MAINTAINER, EMPTY_CONTINUATION, EXPOSED_ADDRESS, LEGACY_KEY_VALUE, RELATIVE_WORKDIR,
    REPEATED_INSTRUCTION, SHELL_FORM,
};
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::{Command, Instruction};
use crate::types::diagnostic::Diagnostic;
use crate::types::span::Span;

/// What is to be said of the instructions of `dockerfile`, each by itself or within its stage.
pub(super) fn check(dockerfile: &Dockerfile) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for instruction in written::instructions(dockerfile) {
        found.extend(alone(dockerfile, instruction));
        found.extend(empty_continuation(dockerfile, instruction));
    }
    let mut said: Vec<Said> = Vec::new();
    for (stage, parent) in dockerfile.stages.iter().zip(written::parents(dockerfile)) {
        let mut said_so_far = parent.map_or_else(Said::default, |parent| said[parent]);
        for instruction in &stage.instructions {
            found.extend(within(dockerfile, instruction, &mut said_so_far));
        }
        found.extend(repeated(dockerfile, &stage.instructions));
        said.push(said_so_far);
    }
    found
}

/// What a stage and those below it said so far.
#[derive(Clone, Copy, Default)]
struct Said {
    shell: bool,
    folder: bool,
}

fn alone(dockerfile: &Dockerfile, instruction: &Instruction) -> Vec<Diagnostic> {
    let line = written::first_line(dockerfile, instruction);
    match (instruction.keyword, &instruction.command) {
        (Keyword::Maintainer, _) => {
            let found = DEPRECATED_MAINTAINER.says("`MAINTAINER` is deprecated");
            let name = &instruction.arguments;
            let help = format!("write `LABEL org.opencontainers.image.authors={name:?}`");
            vec![found.at(&dockerfile.source, line, "").help(help)]
        }
        (Keyword::Env | Keyword::Label, Command::Pairs(pairs)) => {
            let first = instruction.arguments.split(' ').next().unwrap_or_default();
            let [pair] = pairs.as_slice() else { return Vec::new() };
            let keyword = instruction.keyword;
            let say = || {
                LEGACY_KEY_VALUE
                    .says(format!("`{keyword} {}` is written without `=`", pair.name))
                    .at(&dockerfile.source, pair.span, "the old form")
                    .help(format!("write `{keyword} {}={}`", pair.name, quoted(&pair.value)))
            };
            if first.contains('=') { Vec::new() } else { vec![say()] }
        }
        (Keyword::Expose, Command::Words(words)) => {
            let with_more = words.iter().filter(|word| word.value.contains(':') && !word.value.contains('$'));
            let say = |word: &crate::types::span::Spanned<String>| {
                let port = word.value.rsplit(':').next().unwrap_or_default();
                EXPOSED_ADDRESS
                    .says(format!("`EXPOSE {}` holds more than a port of the container", word.value))
                    .at(&dockerfile.source, word.span, "")
                    .help(format!("write `{port}`"))
            };
            with_more.map(say).collect()
        }
        _ => Vec::new(),
    }
}

fn quoted(value: &str) -> String {
    let is_plain = !value.contains(char::is_whitespace) || value.starts_with(['"', '\'']);
    if is_plain { value.to_owned() } else { format!("\"{}\"", value.replace('"', "\\\"")) }
}

/// The first empty line between the lines of an instruction that is not a heredoc's.
fn empty_continuation(dockerfile: &Dockerfile, instruction: &Instruction) -> Option<Diagnostic> {
    let mut start = instruction.span.start();
    for (index, line) in written::text(dockerfile, instruction.span).split_inclusive('\n').enumerate() {
        let content = line.trim_end_matches(['\r', '\n']);
        if index > 0 && content.trim().is_empty() {
            let found = EMPTY_CONTINUATION.says(format!("an empty line within a `{}`", instruction.keyword));
            let span = Span::new(start, start);
            return Some(found.at(&dockerfile.source, span, "").help("take the line out"));
        }
        let is_comment = index > 0 && content.trim_start().starts_with('#');
        let goes_on = content.trim_end_matches([' ', '\t']).strip_suffix(dockerfile.escape);
        if !is_comment && goes_on.is_none_or(|kept| kept.ends_with(dockerfile.escape)) {
            return None;
        }
        start += line.len();
    }
    None
}

fn within(dockerfile: &Dockerfile, instruction: &Instruction, said: &mut Said) -> Option<Diagnostic> {
    let line = written::first_line(dockerfile, instruction);
    match (instruction.keyword, &instruction.command) {
        (Keyword::Shell, _) => said.shell = true,
        // The normal form of a JSON array begins with a space, which no other does.
        (keyword @ (Keyword::Cmd | Keyword::Entrypoint), _)
            if !said.shell
                && !instruction.arguments.is_empty()
                && !instruction.arguments.starts_with(' ') =>
        {
            let found = SHELL_FORM
                .says(format!("`{keyword}` runs its program in a shell, which keeps signals from it"));
            let help = format!("write `{keyword} [\"program\", \"argument\"]`");
            return Some(found.at(&dockerfile.source, line, "no JSON array").help(help));
        }
        (Keyword::Workdir, Command::Words(words)) => {
            let path = words.first().map(|word| word.value.trim_matches(['"', '\''])).unwrap_or_default();
            let is_relative = !said.folder && !path.starts_with(['/', '$']);
            said.folder = true;
            let say = || {
                RELATIVE_WORKDIR
                    .says(format!("`WORKDIR {path}` is relative to a folder that the base image decides"))
                    .at(&dockerfile.source, line, "no absolute one above")
                    .help(format!("write an absolute path, such as `/{path}`"))
            };
            return is_relative.then(say);
        }
        _ => {}
    }
    None
}

fn repeated(dockerfile: &Dockerfile, instructions: &[Instruction]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for keyword in [Keyword::Cmd, Keyword::Entrypoint, Keyword::Healthcheck] {
        let same: Vec<&Instruction> = instructions.iter().filter(|one| one.keyword == keyword).collect();
        let Some((last, replaced)) = same.split_last() else { continue };
        let last = written::first_line(dockerfile, last);
        found.extend(replaced.iter().map(|instruction| {
            REPEATED_INSTRUCTION
                .says(format!("this `{keyword}` is replaced by a later one of its stage"))
                .at(&dockerfile.source, written::first_line(dockerfile, instruction), "without effect")
                .see(&dockerfile.source, last, "this one counts")
                .help("keep one of them")
        }));
    }
    found
}
