//! Where a thing is written: a file of the workspace and a range of its bytes.
//!
//! Spans are byte offsets, not lines: they are cheap to carry and stay exact; lines and columns are
//! counted when, and only when, a person is shown one.

use std::ops::Range;
use std::sync::Arc;

use super::workspace_path::WorkspacePath;

/// A half-open range of bytes of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    // A workspace has millions of places, and no text of four gigabytes that anybody parses.
    start: u32,
    end: u32,
}

impl Span {
    /// The bytes from `start` up to `end`. What lies four gigabytes from the start of the text is the last place that
    /// can be told.
    pub fn new(start: usize, end: usize) -> Self {
        let told = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        Self { start: told(start), end: told(end) }
    }

    /// The first byte.
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// One past the last byte.
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// Both.
    pub fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self::new(range.start, range.end)
    }
}

/// A value with the place at which it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<Value> {
    /// The value.
    pub value: Value,
    /// Where it is written.
    pub span: Span,
}

impl<Value> Spanned<Value> {
    /// `value`, written at `span`.
    pub fn new(value: Value, span: impl Into<Span>) -> Self {
        Self { value, span: span.into() }
    }
}

/// A text of the workspace that was parsed, kept so that messages can quote it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SourceText {
    /// Where the text was read.
    pub path: WorkspacePath,
    /// What it says. Bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// A line and a column, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineColumn {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl SourceText {
    /// The text that `bytes` say.
    pub fn of_bytes(path: WorkspacePath, bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes)
            .map_or_else(|_not_utf8| String::from_utf8_lossy(bytes).into_owned(), str::to_owned);
        Self { path, text }
    }

    /// The line and column of the byte `offset`; an offset past the end is the end.
    pub fn line_column(&self, offset: usize) -> LineColumn {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        LineColumn {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + String::from_utf8_lossy(&before[line_start..]).chars().count(),
        }
    }
}

/// A place in a text of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The text.
    pub source: Arc<SourceText>,
    /// The bytes.
    pub span: Span,
}

/// A value with the text and the place that it was read from: a [`Spanned`] that may leave its file.
///
/// A value that nobody wrote (a default of imgraph itself) has the place of what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<Value> {
    /// The value.
    pub value: Value,
    /// Where it is written.
    pub location: Location,
}

impl<Value> Located<Value> {
    /// Another value with the same place.
    pub fn with<Other>(&self, value: Other) -> Located<Other> {
        Located { value, location: self.location.clone() }
    }

    /// What `change` makes of the value, with the same place.
    pub fn map<Other>(self, change: impl FnOnce(Value) -> Other) -> Located<Other> {
        Located { value: change(self.value), location: self.location }
    }
}

impl Location {
    /// The line on which it begins, without the spaces around it.
    pub fn line_text(&self) -> &str {
        let text = self.source.text.as_str();
        let start = text.floor_char_boundary(self.span.start());
        let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
        text[from..to].trim()
    }

    /// `path:line` as people write it.
    pub fn path_line(&self) -> String {
        format!("{}:{}", self.source.path, self.source.line_column(self.span.start()).line)
    }
}
