//! Ignore files: which files of a context no build sees.
//!
//! Lines are read as BuildKit reads them (`patternmatcher/ignorefile`): a byte order mark is dropped,
//! `#` makes a comment in the first column only, spaces go, the path is cleaned, and one leading `/`
//! is dropped, so that `/a`, `./a` and `a/` say the same.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::path_pattern::{PathPattern, PatternProblem};
use super::path_patterns::{PathPatterns, PatternError};
use super::path_text::clean;
use crate::types::diagnostic::Diagnostic;
use crate::types::span::{SourceText, Span};
use crate::types::workspace_path::WorkspacePath;

/// A line of this many bytes is more than BuildKit's reader takes.
const LINE_LIMIT: usize = 64 * 1024;

/// The rules of an ignore file. Two are equal when their patterns are.
#[derive(Clone, Debug, Default)]
pub struct IgnoreRules {
    patterns: PathPatterns,
    source: Option<Arc<SourceText>>,
    spans: Vec<Span>,
}

impl IgnoreRules {
    /// No rules: nothing is ignored.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads an ignore file.
    ///
    /// # Errors
    /// When BuildKit would refuse a line. A pattern that BuildKit refuses only once it meets a path
    /// is an error of the view; [`IgnoreRules::diagnostic`] then says where it is written.
    pub fn parse(source: &Arc<SourceText>) -> Result<Self, Diagnostic> {
        let mut patterns = PathPatterns::default();
        let mut spans = Vec::new();
        for (line, span) in lines(&source.text) {
            if line.len() >= LINE_LIMIT {
                return Err(Diagnostic::error("a line of the ignore file is too long").at(source, span, ""));
            }
            let marked = line.strip_prefix('\u{feff}').filter(|_| span.start() == 0);
            let Some(text) = pattern_of(marked.unwrap_or(line)) else { continue };
            let pattern = PathPatterns::new([&text]).map_err(|error| {
                describe(Diagnostic::error("invalid pattern in the ignore file"), error.problem).at(
                    source,
                    span,
                    error.problem.to_string(),
                )
            })?;
            // A line such as `/ /` is a pattern of spaces, which says nothing.
            if !pattern.patterns().is_empty() {
                patterns.extend(pattern);
                spans.push(span);
            }
        }
        Ok(Self { patterns, source: Some(Arc::clone(source)), spans })
    }

    /// The patterns, in the order of the file.
    pub fn patterns(&self) -> &PathPatterns {
        &self.patterns
    }

    /// The file that the rules were read from.
    pub fn source(&self) -> Option<&Arc<SourceText>> {
        self.source.as_ref()
    }

    /// The patterns that bring something back, without their `!`, and where each is written.
    pub fn exceptions(&self) -> impl Iterator<Item = (&str, Span)> {
        let written = self.patterns.patterns().iter().zip(&self.spans);
        written.filter(|(pattern, _)| pattern.is_exception()).map(|(pattern, span)| {
            let text = pattern.text();
            (text.strip_prefix('!').unwrap_or(text), *span)
        })
    }

    /// Where the last line is written that leaves `path` or a folder above it out.
    pub fn span_that_ignores(&self, path: &WorkspacePath) -> Option<Span> {
        let ignores = |pattern: &PathPattern| {
            let alone = (!pattern.is_exception()).then(|| PathPatterns::new([pattern.text()]).ok()).flatten();
            alone.is_some_and(|alone| alone.matches_or_parent(path).unwrap_or(false))
        };
        let index = self.patterns.patterns().iter().rposition(ignores)?;
        self.spans.get(index).copied()
    }

    /// Says where the pattern of an error that a view met is written.
    pub fn diagnostic(&self, error: &PatternError) -> Diagnostic {
        let diagnostic = describe(Diagnostic::error(error.to_string()), error.problem);
        let index = self.patterns.patterns().iter().position(|pattern| pattern.text() == error.text);
        match (&self.source, index.and_then(|index| self.spans.get(index))) {
            (Some(source), Some(span)) => diagnostic.at(source, *span, error.problem.to_string()),
            _ => diagnostic,
        }
    }
}

impl PartialEq for IgnoreRules {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

impl Eq for IgnoreRules {}

impl Hash for IgnoreRules {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.patterns.hash(state);
    }
}

fn describe(diagnostic: Diagnostic, problem: PatternProblem) -> Diagnostic {
    diagnostic.help(match problem {
        PatternProblem::LonelyException => "write the path that is to be brought back behind the `!`",
        PatternProblem::Malformed => {
            "close each `[` with `]`, order each range, and put `\\` only before what it is to escape"
        }
    })
}

/// The lines of a text, without their ends, and where each stands.
fn lines(text: &str) -> impl Iterator<Item = (&str, Span)> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let content = line.strip_suffix('\n').unwrap_or(line);
        let span = Span::new(start, start + content.len());
        start += line.len();
        (content, span)
    })
}

/// The pattern that a line means; `None` for a comment and a line without any.
fn pattern_of(line: &str) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    Some(match line.strip_prefix('!') {
        Some(rest) => format!("!{}", normalize(rest.trim())),
        None => normalize(line),
    })
}

fn normalize(path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    let path = clean(path);
    match path.strip_prefix('/') {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<IgnoreRules, Diagnostic> {
        let path = WorkspacePath::root().join_name(b".dockerignore");
        IgnoreRules::parse(&Arc::new(SourceText { path, text: text.to_owned() }))
    }

    fn check(text: &str, expected: &[&str]) {
        let rules = parse(text).unwrap();
        let shown =
            rules.patterns().patterns().iter().map(|pattern| {
                format!("{}{}", if pattern.is_exception() { "!" } else { "" }, pattern.text())
            });
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn lines_are_read_as_buildkit_reads_them() {
        check("a\nb", &["a", "b"]);
        check("a\r\n\r\n  b\t\r\n", &["a", "b"]);
        check("\u{feff}a\n\u{feff}b", &["a", "\u{feff}b"]);
        check("# a\n #b\n\u{feff}#c", &["#b", "\u{feff}#c"]);
        check("\u{feff}# a", &[]);
        check("/a\n./b/\n//c\na/../d\n../e", &["a", "b", "c", "d", "../e"]);
        check("! /a \n!b/\n!!c", &["!a", "!b", "!!c"]);
        check("/\n.\n/ /", &["/", "."]);
        check("", &[]);
    }

    fn check_refused(text: &str, message: &str, line: &str) {
        let diagnostic = parse(text).unwrap_err();
        let found = (diagnostic.message.as_str(), diagnostic.annotations[0].location.path_line());
        assert_eq!(found, (message, line.to_owned()));
    }

    #[test]
    fn what_buildkit_refuses_is_refused_where_it_is_written() {
        check_refused("a\n!", "invalid pattern in the ignore file", ".dockerignore:2");
        check_refused("a\n\n ! \n", "invalid pattern in the ignore file", ".dockerignore:3");
        check_refused("!/", "invalid pattern in the ignore file", ".dockerignore:1");
        check_refused("[a-\n", "invalid pattern in the ignore file", ".dockerignore:1");
        let long = format!("a\n{}", "x".repeat(LINE_LIMIT));
        check_refused(&long, "a line of the ignore file is too long", ".dockerignore:2");
        assert!(parse(&long[..long.len() - 1]).is_ok());
    }

    #[test]
    fn rules_are_equal_when_they_say_the_same() {
        assert_eq!(parse("# x\na").unwrap(), parse("./a/\r\n").unwrap());
        assert_ne!(parse("a\n!b").unwrap(), parse("!b\na").unwrap());
        assert_eq!(parse("").unwrap(), IgnoreRules::none());
    }
}
