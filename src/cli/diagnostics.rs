//! Drawing diagnostics: the one renderer.
//!
//! Each is drawn as rustc draws its own: what is wrong, `path:line:column`, the lines with the
//! offending text marked, and how to put it right. It gives a text; who prints it decides where.

use std::sync::Arc;

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Renderer, Snippet};

use super::circle;
use crate::types::diagnostic::{Diagnostic, Severity};
use crate::types::span::{SourceText, Span};

/// How far a note stands to the right at most: a line number of five digits and `= note: `.
const INDENT: usize = 14;

/// All of `diagnostics`, each once, sorted by file and place, and a line that counts them. Ends in a newline,
/// unless there is none.
pub fn draw(diagnostics: &[Diagnostic], colour: bool) -> String {
    draw_within(diagnostics, colour, DEFAULT_TERM_WIDTH)
}

/// As [`draw`], for a terminal of so many columns: lines of source are cut to fit into them.
pub fn draw_within(diagnostics: &[Diagnostic], colour: bool, columns: usize) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_cached_key(|diagnostic| diagnostic.order());
    sorted.dedup();
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(columns.min(DEFAULT_TERM_WIDTH));
    let drawn: Vec<String> = sorted.iter().map(|diagnostic| one(diagnostic, &renderer, columns)).collect();
    format!("{}\n\n{}\n", drawn.join("\n\n"), count(&sorted))
}

/// `3 errors, 1 warning`.
fn count(diagnostics: &[&Diagnostic]) -> String {
    let of = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let words = [(of(Severity::Error), "error"), (of(Severity::Warning), "warning")];
    let some = words.iter().filter(|(count, _word)| *count > 0);
    let texts = some.map(|(count, word)| format!("{count} {word}{}", if *count == 1 { "" } else { "s" }));
    texts.collect::<Vec<_>>().join(", ")
}

fn one(diagnostic: &Diagnostic, renderer: &Renderer, columns: usize) -> String {
    let circle = circle::draw(diagnostic.steps(), columns.saturating_sub(INDENT));
    renderer.render(&[group(diagnostic, &circle)])
}

fn group<'d>(diagnostic: &'d Diagnostic, circle: &'d str) -> Group<'d> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let notes = diagnostic.notes().iter().map(|note| Element::from(Level::NOTE.message(note)));
    let helps = diagnostic.help.iter().map(|help| Element::from(Level::HELP.message(help)));
    let circle = (!circle.is_empty()).then(|| Element::from(Level::NOTE.message(circle)));
    let title = level.primary_title(&diagnostic.message);
    let title = match diagnostic.code {
        Some(code) => title.id(code),
        None => title,
    };
    title
        .elements(snippets(diagnostic).into_iter().map(Element::from).chain(circle).chain(notes).chain(helps))
}

/// One snippet per text, the primary one's first.
fn snippets(diagnostic: &Diagnostic) -> Vec<Snippet<'_, Annotation<'_>>> {
    let mut sources: Vec<&Arc<SourceText>> = Vec::new();
    for annotation in &diagnostic.annotations {
        if !sources.iter().any(|source| source.path == annotation.location.source.path) {
            sources.push(&annotation.location.source);
        }
    }
    let of_source = |source: &Arc<SourceText>| {
        let annotations = diagnostic.annotations.iter();
        let mut here: Vec<_> =
            annotations.filter(|annotation| annotation.location.source.path == source.path).collect();
        here.sort_by_key(|annotation| !annotation.primary);
        here
    };
    sources.iter().map(|source| snippet(source, &of_source(source))).collect()
}

fn snippet<'d>(
    source: &'d SourceText,
    annotations: &[&'d crate::types::diagnostic::Annotation],
) -> Snippet<'d, Annotation<'d>> {
    let marks = annotations.iter().map(|annotation| {
        let kind = if annotation.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let mark = kind.span(inside(&source.text, annotation.location.span));
        if annotation.message.is_empty() { mark } else { mark.label(&annotation.message) }
    });
    Snippet::source(&source.text).path(source.path.to_string()).annotations(marks)
}

/// The bytes of `span` that lie in `text`, widened to whole letters.
fn inside(text: &str, span: Span) -> std::ops::Range<usize> {
    let start = text.floor_char_boundary(span.start);
    start..text.ceil_char_boundary(span.end.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::workspace_path::WorkspacePath;

    fn source(path: &str, text: &str) -> Arc<SourceText> {
        let path = WorkspacePath::root().resolve(path.as_bytes()).unwrap();
        Arc::new(SourceText { path, text: text.to_owned() })
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(draw(&[], true), "");
    }

    #[test]
    fn diagnostics_are_sorted_and_counted() {
        let (one, two) = (source("a/BUILD.toml", "x = 1\ny = 2\n"), source("b/BUILD.toml", "z = 3\n"));
        let diagnostics = [
            Diagnostic::warning("of z").at(&two, Span::new(0, 1), "here"),
            Diagnostic::error("of y").at(&one, Span::new(6, 7), "here").see(&two, Span::new(0, 1), "and z"),
            Diagnostic::error("of x").at(&one, Span::new(0, 1), "").help("take it away").help("or not"),
            Diagnostic::error("of nothing").help("look elsewhere"),
        ];
        insta::assert_snapshot!(draw(&diagnostics, false));
    }

    #[test]
    fn what_is_found_twice_is_told_once() {
        let of = |message: &str| Diagnostic::warning(message).help("take it away");
        let drawn = draw(&[of("one"), of("two"), of("one")], false);
        assert_eq!(drawn.matches("warning: one").count(), 1, "{drawn}");
        assert!(drawn.ends_with("2 warnings\n"), "{drawn}");
    }

    #[test]
    fn colour_is_a_choice() {
        let diagnostics = [Diagnostic::error("wrong")];
        assert!(draw(&diagnostics, true).contains('\u{1b}'));
        assert!(!draw(&diagnostics, false).contains('\u{1b}'));
    }

    #[test]
    fn no_place_is_too_strange_to_be_drawn() {
        for text in ["", "\n", "ä", "a\r\nb", "\u{1b}[31m", "\t\tx", "a\0b"] {
            let text = source("f", text);
            for (start, end) in [(0, 0), (0, 1), (1, 1), (1, 2), (3, 2), (9, 9), (0, 100)] {
                let diagnostic = Diagnostic::error("wrong").at(&text, Span { start, end }, "here");
                assert!(draw(&[diagnostic], false).contains("wrong"));
            }
        }
    }
}
