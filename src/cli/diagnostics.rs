//! Drawing diagnostics: the one renderer.
//!
//! Each is drawn as rustc draws its own: what is wrong, `path:line:column`, the lines with the
//! offending text marked, and how to put it right. It gives a text; who prints it decides where.
//!
//! The library that draws looks at all of the text that it is given, once for each diagnostic. So it is given
//! the lines around a place and no others: ten thousand findings of one file are no more work than ten
//! thousand of as many files.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Renderer, Snippet};

use super::circle;
use crate::types::diagnostic::{Annotation as Place, Diagnostic, Severity};
use crate::types::span::{SourceText, Span};

/// How far a note stands to the right at most: a line number of five digits and `= note: `.
const INDENT: usize = 14;

/// Places of one text that have more lines between them are drawn apart.
const FAR: usize = 100;

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
    let mut texts = Texts::default();
    let drawn: Vec<String> =
        sorted.iter().map(|diagnostic| one(diagnostic, &mut texts, &renderer, columns)).collect();
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

fn one(diagnostic: &Diagnostic, texts: &mut Texts, renderer: &Renderer, columns: usize) -> String {
    let circle = circle::draw(diagnostic.steps(), columns.saturating_sub(INDENT));
    renderer.render(&[group(diagnostic, texts, &circle)])
}

fn group<'d>(diagnostic: &'d Diagnostic, texts: &mut Texts, circle: &'d str) -> Group<'d> {
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
    let snippets = snippets(diagnostic, texts).into_iter().map(Element::from);
    title.elements(snippets.chain(circle).chain(notes).chain(helps))
}

/// Where the lines of texts begin, counted once for each text.
#[derive(Default)]
struct Texts(HashMap<*const SourceText, Vec<usize>>);

impl Texts {
    /// The lines of `source` that hold a part of `span`, counted from 0.
    fn lines(&mut self, source: &Arc<SourceText>, span: Span) -> Range<usize> {
        let starts = self.starts(source);
        let line = |offset: usize| starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let end = span.end().min(source.text.len());
        // A span that ends with its line's end holds nothing of the next line; what is drawn may.
        line(span.start().min(source.text.len()))..line(end) + 1
    }

    /// The bytes of these lines.
    fn bytes(&mut self, source: &Arc<SourceText>, lines: &Range<usize>) -> Range<usize> {
        let starts = self.starts(source);
        let start = starts.get(lines.start).copied().unwrap_or_default();
        start..starts.get(lines.end).copied().unwrap_or(source.text.len())
    }

    fn starts(&mut self, source: &Arc<SourceText>) -> &[usize] {
        self.0.entry(Arc::as_ptr(source)).or_insert_with(|| {
            let ends = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
        })
    }
}

/// One snippet per text, or per part of it where places lie far apart; the primary one's first.
fn snippets<'d>(diagnostic: &'d Diagnostic, texts: &mut Texts) -> Vec<Snippet<'d, Annotation<'d>>> {
    excerpts(diagnostic, texts).iter().map(|excerpt| excerpt.snippet(texts)).collect()
}

fn excerpts<'d>(diagnostic: &'d Diagnostic, texts: &mut Texts) -> Vec<Excerpt<'d>> {
    let mut excerpts: Vec<Excerpt<'d>> = Vec::new();
    let mut paths = Vec::new();
    for place in &diagnostic.annotations {
        if !paths.contains(&&place.location.source.path) {
            paths.push(&place.location.source.path);
        }
    }
    for path in paths {
        let here = diagnostic.annotations.iter().filter(|place| place.location.source.path == *path);
        excerpts.extend(excerpts_of(here.collect(), texts));
    }
    excerpts
}

/// A few lines of a text, and the places in them.
struct Excerpt<'d> {
    source: &'d Arc<SourceText>,
    /// Counted from 0.
    lines: Range<usize>,
    places: Vec<&'d Place>,
}

/// The places of one text, those together that lie near each other. The excerpt with the primary one is first.
fn excerpts_of<'d>(mut places: Vec<&'d Place>, texts: &mut Texts) -> Vec<Excerpt<'d>> {
    places.sort_by_key(|place| place.location.span.start());
    let mut excerpts: Vec<Excerpt<'d>> = Vec::new();
    for place in places {
        let source = &place.location.source;
        let lines = texts.lines(source, place.location.span);
        match excerpts.last_mut() {
            Some(last) if lines.start <= last.lines.end + FAR => {
                last.lines.end = last.lines.end.max(lines.end);
                last.places.push(place);
            }
            _ => excerpts.push(Excerpt { source, lines, places: vec![place] }),
        }
    }
    for excerpt in &mut excerpts {
        excerpt.places.sort_by_key(|place| !place.primary);
    }
    excerpts.sort_by_key(|excerpt| !excerpt.places.iter().any(|place| place.primary));
    excerpts
}

impl<'d> Excerpt<'d> {
    fn snippet(&self, texts: &mut Texts) -> Snippet<'d, Annotation<'d>> {
        let bytes = texts.bytes(self.source, &self.lines);
        let text = &self.source.text[bytes.clone()];
        let marks = self.places.iter().map(|place| {
            let kind = if place.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let Range { start, end } = place.location.span.range();
            let span = Span::new(start.saturating_sub(bytes.start), end.saturating_sub(bytes.start));
            let mark = kind.span(inside(text, span));
            if place.message.is_empty() { mark } else { mark.label(&place.message) }
        });
        let path = self.source.path.to_string();
        Snippet::source(text).line_start(self.lines.start + 1).path(path).annotations(marks)
    }
}

/// The bytes of `span` that lie in `text`, widened to whole letters.
fn inside(text: &str, span: Span) -> Range<usize> {
    let start = text.floor_char_boundary(span.start());
    start..text.ceil_char_boundary(span.end().max(start))
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
    fn lines_keep_their_numbers_wherever_they_are() {
        let lines: Vec<String> = (1..=3000).map(|line| format!("line {line}\n")).collect();
        let text = source("f", &lines.concat());
        let span = |line: usize| {
            let start: usize = lines[..line - 1].iter().map(String::len).sum();
            Span::new(start, start + 4)
        };
        let near = Diagnostic::error("near").at(&text, span(2000), "here").see(&text, span(1998), "and here");
        let over = Diagnostic::error("over").at(&text, span(2001).to(span(2003)), "these");
        let far = Diagnostic::error("far").at(&text, span(2500), "here").see(&text, span(7), "and here");
        let last = Diagnostic::error("last").at(&text, Span::new(text.text.len(), text.text.len()), "");
        insta::assert_snapshot!(draw(&[near, over, far, last], false));
    }

    #[test]
    fn what_is_drawn_of_a_place_is_the_lines_around_it() {
        let text = source("f", &"x = 1\n".repeat(100_000));
        let far =
            Diagnostic::error("far").at(&text, Span::new(0, 1), "").see(&text, Span::new(60_000, 60_001), "");
        let given = snippets_given(&far);
        assert_eq!(given, [(1, "x = 1\n".to_owned()), (10_001, "x = 1\n".to_owned())]);
        let near = Diagnostic::error("near").at(&text, Span::new(18, 19), "").see(&text, Span::new(0, 1), "");
        assert_eq!(snippets_given(&near), [(1, "x = 1\n".repeat(4))]);
    }

    /// The first line and the text of each excerpt.
    fn snippets_given(diagnostic: &Diagnostic) -> Vec<(usize, String)> {
        let mut texts = Texts::default();
        let excerpts = excerpts(diagnostic, &mut texts);
        let given = excerpts.iter().map(|excerpt| {
            let bytes = texts.bytes(excerpt.source, &excerpt.lines);
            (excerpt.lines.start + 1, excerpt.source.text[bytes].to_owned())
        });
        given.collect()
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
                let diagnostic = Diagnostic::error("wrong").at(&text, Span::new(start, end), "here");
                assert!(draw(&[diagnostic], false).contains("wrong"));
            }
        }
    }
}
