//! Where an instruction stands, and how its mistakes are told.

use std::ops::Range;
use std::sync::Arc;

use super::lines::LogicalLine;
use super::words::Word;
use crate::types::diagnostic::Diagnostic;
use crate::types::span::{SourceText, Span, Spanned};

/// The line that is being read. Ranges are bytes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site<'s> {
    /// The file.
    pub(super) source: &'s Arc<SourceText>,
    /// The line.
    pub(super) line: &'s LogicalLine<'s>,
}

impl Site<'_> {
    /// An error that points at `range`; at the whole line where that is empty.
    pub(super) fn refuse(
        &self,
        range: &Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(message).at(self.source, self.span(range), label)
    }

    /// The bytes of the file; those of the whole line where `range` is empty.
    pub(super) fn span(&self, range: &Range<usize>) -> Span {
        if range.is_empty() { self.line.whole() } else { self.line.span(range.clone()) }
    }

    /// A word with its place in the file.
    pub(super) fn spanned(&self, word: &Word) -> Spanned<String> {
        Spanned::new(word.text.clone(), self.span(&word.range))
    }
}
