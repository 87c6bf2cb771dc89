//! Physical lines to logical ones: continuations joined, comments and empty lines left out.
//!
//! A logical line remembers from which bytes of the file it is made, so that a word in it can be
//! pointed at. The rules are those of BuildKit's `parser.go`: a comment may stand between
//! continuation lines; leading space is dropped from the first line alone; a line ends a
//! continuation unless its last character, white space aside, is one unescaped escape character.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use crate::types::span::Span;

/// The longest physical line that BuildKit reads, with its line end (`bufio.MaxScanTokenSize`).
pub(super) const LONGEST_LINE: usize = 64 * 1024;

/// A line as the parser sees it. Most are one line of the file, and copy nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogicalLine<'t> {
    /// The joined text.
    pub text: Cow<'t, str>,
    /// Where it begins in the file.
    in_file: usize,
    /// For each physical line that continues it: where it begins in `text` and in the file.
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    in_text: usize,
    in_file: usize,
}

impl LogicalLine<'_> {
    /// The bytes of the file that the bytes `range` of the text come from.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        let start = self.in_file(range.start);
        let end = if range.is_empty() { start } else { self.in_file(range.end - 1) + 1 };
        Span::new(start, end)
    }

    /// All of it.
    pub(super) fn whole(&self) -> Span {
        let kept = self.text.trim();
        let start = self.text.len() - self.text.trim_start().len();
        self.span(start..start + kept.len())
    }

    fn in_file(&self, offset: usize) -> usize {
        let piece = self.pieces.iter().rev().find(|piece| piece.in_text <= offset);
        piece.map_or(self.in_file + offset, |piece| piece.in_file + (offset - piece.in_text))
    }

    fn push(&mut self, text: &str, in_file: usize) {
        self.pieces.push(Piece { in_text: self.text.len(), in_file });
        self.text.to_mut().push_str(text);
    }
}

/// A line of the file, with its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PhysicalLine<'t> {
    /// Where it begins in the file.
    pub start: usize,
    /// The text.
    pub text: &'t str,
}

impl<'t> PhysicalLine<'t> {
    /// The text without its line end.
    pub(super) fn content(self) -> &'t str {
        let end = self.text.bytes().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        &self.text[..end.map_or(0, |last| last + 1)]
    }
}

/// Reads a file line by line.
#[derive(Clone, Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    at: usize,
    last: PhysicalLine<'t>,
}

/// What one physical line adds to a logical one.
struct Part<'t> {
    text: &'t str,
    /// Where it begins in the file.
    in_file: usize,
    /// Whether the next line goes on.
    continues: bool,
}

impl<'t> Lines<'t> {
    /// Begins at the first line, after a byte order mark.
    pub(super) fn new(text: &'t str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at, last: PhysicalLine { start: at, text: "" } }
    }

    /// Begins at the line that begins at `at`; 0 is before a byte order mark.
    pub(super) fn at(text: &'t str, at: usize) -> Self {
        let last = PhysicalLine { start: at, text: "" };
        if at == 0 { Self::new(text) } else { Self { text, at, last } }
    }

    /// Where the last line that was read ends, without its line end.
    pub(super) fn end_of_last(&self) -> usize {
        self.last.start + self.last.content().len()
    }

    /// The next line of the file.
    pub(super) fn physical(&mut self) -> Option<PhysicalLine<'t>> {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return None;
        }
        let length = memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
        self.last = PhysicalLine { start: self.at, text: &rest[..length] };
        self.at += length;
        Some(self.last)
    }

    /// The next instruction's line, without its heredocs.
    pub(super) fn logical(&mut self, escape: char) -> Option<LogicalLine<'t>> {
        let Part { text, in_file, mut continues } = self.first(escape)?;
        let mut logical = LogicalLine { text: Cow::Borrowed(text), in_file, pieces: Vec::new() };
        while continues && let Some(part) = self.following(escape) {
            logical.push(part.text, part.in_file);
            continues = part.continues;
        }
        Some(logical)
    }

    /// The text of what [`Self::logical`] reads. `joined` is where it is joined, if it is.
    pub(super) fn logical_text<'j>(&mut self, escape: char, joined: &'j mut String) -> Option<&'j str>
    where
        't: 'j,
    {
        let Part { text, mut continues, .. } = self.first(escape)?;
        if !continues {
            return Some(text);
        }
        joined.clear();
        joined.push_str(text);
        while continues && let Some(part) = self.following(escape) {
            joined.push_str(part.text);
            continues = part.continues;
        }
        Some(joined)
    }

    /// The first line that is neither empty nor a comment, without the space before it.
    fn first(&mut self, escape: char) -> Option<Part<'t>> {
        let (line, kept) = self.kept()?;
        let (text, continues) = without_continuation(kept, escape);
        Some(Part { text, in_file: line.start + line.content().len() - kept.len(), continues })
    }

    /// The line that goes on with the last one, as it is written.
    fn following(&mut self, escape: char) -> Option<Part<'t>> {
        let (line, _) = self.kept()?;
        let (text, continues) = without_continuation(line.content(), escape);
        Some(Part { text, in_file: line.start, continues })
    }

    /// The next line that is neither empty nor a comment, and the same without the space before it.
    fn kept(&mut self) -> Option<(PhysicalLine<'t>, &'t str)> {
        loop {
            let line = self.physical()?;
            let kept = without_indent(line.content());
            if !kept.starts_with('#') && !kept.is_empty() {
                return Some((line, kept));
            }
        }
    }
}

/// The line without the white space before it, of which most lines have none.
fn without_indent(line: &str) -> &str {
    if line.starts_with(|first: char| first.is_ascii_graphic()) { line } else { line.trim_start() }
}

/// The line without the escape character that continues it, and whether there was one.
fn without_continuation(line: &str, escape: char) -> (&str, bool) {
    // Most lines end in a letter of theirs.
    if line.ends_with(|last: char| last != escape && last.is_ascii_graphic()) {
        return (line, false);
    }
    let end = line.bytes().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
    match line[..end].strip_suffix(escape) {
        Some(kept) if !kept.ends_with(escape) => (kept, true),
        _ => (line, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let (mut lines, mut same) = (Lines::new(text), Lines::new(text));
        let (mut found, mut joined) = (Vec::new(), String::new());
        while let Some(line) = lines.logical('\\') {
            assert_eq!(same.logical_text('\\', &mut joined), Some(&*line.text), "{text:?}");
            assert_eq!(same.end_of_last(), lines.end_of_last(), "{text:?}");
            found.push(line.text);
        }
        assert_eq!(found, expected, "{text:?}");
        assert_eq!(same.logical_text('\\', &mut joined), None, "{text:?}");
    }

    #[test]
    fn lines_are_joined_as_buildkit_joins_them() {
        check("a\nb\n", &["a", "b"]);
        check("\u{feff}  a\r\n", &["a"]);
        check("a \\\n  b\n", &["a   b"]);
        check("a \\\n# no\n\n  b\n", &["a   b"]);
        check("a \\  \nb", &["a b"]);
        check("a \\\\\nb", &["a \\\\", "b"]);
        check("a \\", &["a "]);
        check("\\\na", &["a"]);
        check("# a \\\nb", &["b"]);
        check("", &[]);
    }

    #[test]
    fn words_are_found_in_the_file() {
        let text = "\u{feff}  ab \\\n # x\n  cd\n";
        let line = Lines::new(text).logical('\\').unwrap();
        assert_eq!(line.text, "ab   cd");
        let span = line.span(5..7);
        assert_eq!(&text[span.range()], "cd");
        let span = line.whole();
        assert_eq!(&text[span.range()], "ab \\\n # x\n  cd");
    }
}
