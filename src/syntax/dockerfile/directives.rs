//! Parser directives: `# escape=`, `# syntax=` and `# check=` at the top of a file.
//!
//! They end at the first line that is none: an instruction, an empty line, another comment
//! (BuildKit's `directives.go`).

use std::sync::Arc;

use super::go_numbers;
use super::lines::{Lines, PhysicalLine};
use super::model::Checks;
use crate::types::diagnostic::Diagnostic;
use crate::types::span::{SourceText, Span, Spanned};

const KNOWN: [&str; 3] = ["syntax", "check", "escape"];

/// What the directives say of how to read the file.
pub(super) struct Directives {
    /// The escape character.
    pub(super) escape: char,
    /// What `# check=` says.
    pub(super) checks: Checks,
}

/// Reads the directives and adds what is wrong to `diagnostics`.
pub(super) fn read(source: &Arc<SourceText>, diagnostics: &mut Vec<Diagnostic>) -> Directives {
    let mut escape = '\\';
    let mut seen: Vec<String> = Vec::new();
    let mut lines = Lines::new(&source.text);
    while let Some(line) = lines.physical()
        && let Some((name, value)) = directive(line, "#")
    {
        if seen.contains(&name) {
            diagnostics.push(repeated(source, &name, value.span));
        } else if name == "escape" {
            match value.value.as_str() {
                "\\" => escape = '\\',
                "`" => escape = '`',
                _ => diagnostics.push(bad_escape(source, &value)),
            }
        }
        seen.push(name);
    }
    let mut checks = Checks::default();
    if let Some(check) = first_word_of("check", &source.text) {
        diagnostics.extend(wrong_check(source, &check));
        checks = checks_of(&check.value);
    }
    Directives { escape, checks }
}

/// What the value of `# check=` says, as far as it can be read.
fn checks_of(value: &str) -> Checks {
    let mut checks = Checks::default();
    for (name, value) in value.trim().splitn(3, ';').filter_map(|option| option.split_once('=')) {
        match name.trim() {
            "skip" if value.trim().eq_ignore_ascii_case("all") => checks.skips_all = true,
            "skip" => checks.skips = value.split(',').map(|name| name.trim().to_owned()).collect(),
            "error" => checks.are_errors = go_numbers::truth(value.trim()).unwrap_or(false),
            _ => {}
        }
    }
    checks
}

/// The first word of a directive that tools read without a parser: its line begins with the `#`, and
/// a line `#!` may stand before all directives.
fn first_word_of(wanted: &str, text: &str) -> Option<Spanned<String>> {
    directives_after(text, "#").find(|(name, ..)| name == wanted).map(|(_, value, _)| value)
}

/// The directives at the top of `text`, each with the first word of its value and where its line
/// ends.
pub(super) fn directives_after(
    text: &str,
    comment: &str,
) -> impl Iterator<Item = (String, Spanned<String>, usize)> {
    let mut lines = without_shebang(text);
    std::iter::from_fn(move || {
        let line = lines.physical()?;
        let (name, value) = directive(line, comment).filter(|_| line.text.starts_with(comment))?;
        let word = value.value.split(' ').next().unwrap_or_default();
        Some((name, Spanned::new(word.to_owned(), value.span), line.start + line.text.len()))
    })
}

/// The lines of `text` after a line `#!`.
pub(super) fn without_shebang(text: &str) -> Lines<'_> {
    let whole = Lines::new(text);
    let mut rest = whole.clone();
    let has_shebang = rest.physical().is_some_and(|line| line.text.starts_with("#!"));
    if has_shebang { rest } else { whole }
}

/// What BuildKit's linter cannot read of `# check=`.
fn wrong_check(source: &Arc<SourceText>, check: &Spanned<String>) -> Option<Diagnostic> {
    let is_right =
        |option: &str| match option.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            Some(("skip" | "experimental", _)) => true,
            Some(("error", value)) => go_numbers::truth(value).is_some(),
            _ => false,
        };
    let wrong = check.value.trim().splitn(3, ';').find(|option| !is_right(option))?;
    let diagnostic = Diagnostic::error(format!("`{wrong}` is not an option of `# check=`"))
        .at(source, check.span, "expected `skip=…`, `experimental=…` or `error=…`")
        .help("write, for example, `# check=skip=all`");
    (!check.value.trim().is_empty()).then_some(diagnostic)
}

/// The name and the value of a line that is a directive, written after `comment`.
fn directive(line: PhysicalLine<'_>, comment: &str) -> Option<(String, Spanned<String>)> {
    let rest = line.content().trim_start().strip_prefix(comment)?.trim_start();
    let (name, value) = rest.split_once('=')?;
    let name = name.trim_end_matches(is_space).to_ascii_lowercase();
    let trimmed = value.trim_matches(is_space);
    // A value that is all space is its last character: something has to be the value.
    let kept = if trimmed.is_empty() { value.get(value.len().checked_sub(1)?..)? } else { trimmed };
    let start = line.start + line.content().len() - value.len() + value.find(kept)?;
    let span = Span::new(start, start + kept.len());
    KNOWN.contains(&name.as_str()).then(|| (name, Spanned::new(kept.to_owned(), span)))
}

/// What `\s` is in Go's regular expressions.
fn is_space(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\u{c}' | '\r' | ' ')
}

fn repeated(source: &Arc<SourceText>, name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("the parser directive `{name}` stands twice"))
        .at(source, span, "the second one")
        .help("keep one of them")
}

fn bad_escape(source: &Arc<SourceText>, value: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(format!("`{}` cannot be the escape character", value.value))
        .at(source, value.span, "expected `\\` or a backquote")
        .help("write `# escape=\\` or leave the line out")
}
