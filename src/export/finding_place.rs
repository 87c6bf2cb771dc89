//! Where a finding lies, as other programs want it: a file from the workspace's root, lines and columns.

use serde::Serialize;

use crate::types::diagnostic::{Annotation, Diagnostic};

/// A range of a file. Lines and columns are counted from 1, columns in characters; the end is the first
/// column that is not in the range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct FindingPlace {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) end_line: usize,
    pub(super) end_column: usize,
}

impl FindingPlace {
    /// Where the mistake of `diagnostic` is.
    pub(super) fn of(diagnostic: &Diagnostic) -> Option<Self> {
        diagnostic.annotations.first().map(Self::of_annotation)
    }

    /// What `annotation` points at.
    pub(super) fn of_annotation(annotation: &Annotation) -> Self {
        let location = &annotation.location;
        let (start, end) = (location.span.start(), location.span.end().max(location.span.start()));
        let (from, to) = (location.source.line_column(start), location.source.line_column(end));
        Self {
            file: location.source.path.to_string(),
            line: from.line,
            column: from.column,
            end_line: to.line,
            end_column: to.column,
        }
    }
}
