//! The one way of writing an instruction that all equal ones share.
//!
//! Equal texts must mean equal instructions, or a key would hold for two different builds. So flags
//! that hold spaces are quoted, what looks like a flag and is none comes after `--`, and stages are
//! written by number.

use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::Instruction;
use crate::syntax::dockerfile::mount;

/// Writes `instruction`. `names` are what is written for its `--from` and for each of its mounts'
/// `from`; `None` where there is none.
pub(super) fn instruction(instruction: &Instruction, names: &[Option<String>]) -> String {
    let mut text = instruction.keyword.word().to_owned();
    let mut names = names.iter();
    for flag in &instruction.flags {
        text.push(' ');
        text += &quoted(&renamed(instruction.keyword, &flag.value, &mut names));
    }
    if instruction.arguments.starts_with("--") || instruction.arguments.starts_with("\"--") {
        text += " --";
    }
    if !instruction.arguments.is_empty() {
        text.push(' ');
        text += &instruction.arguments;
    }
    for heredoc in &instruction.heredocs {
        text.push('\n');
        text += &heredoc.content;
        text += &heredoc.name;
    }
    text
}

/// Writes a `FROM`.
pub(super) fn from(base: &str, platform: Option<&str>) -> String {
    match platform {
        Some(platform) => format!("FROM --platform={platform} {base}"),
        None => format!("FROM {base}"),
    }
}

fn renamed<'n>(keyword: Keyword, flag: &str, names: &mut impl Iterator<Item = &'n Option<String>>) -> String {
    match (keyword, flag.split_once('=')) {
        (Keyword::Copy, Some(("--from", value))) if !value.is_empty() => {
            let name = names.next().and_then(Option::as_deref).unwrap_or(value);
            format!("--from={name}")
        }
        (Keyword::Run, Some(("--mount", value))) => {
            let name = names.next().and_then(Option::as_deref);
            // What cannot be cut was refused with the file.
            format!("--mount={}", mount::with_from(value, name).unwrap_or_else(|_refused| value.to_owned()))
        }
        _ => flag.to_owned(),
    }
}

fn quoted(flag: &str) -> String {
    let is_plain = !flag.contains(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\\'));
    if is_plain { flag.to_owned() } else { format!("{flag:?}") }
}
