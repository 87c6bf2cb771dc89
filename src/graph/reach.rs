//! What a view may hold, told from its patterns alone: which paths it cannot hold, whatever is ignored.

use crate::source::comparison::Differences;
use crate::source::snapshot::Snapshot;
use crate::syntax::path_patterns::PathPatterns;
use crate::types::workspace_path::WorkspacePath;

use super::view::{ViewError, ViewSpec};

/// The first byte of the replacement character.
const REPLACEMENT_BEGINS_WITH: u8 = 0xef;

/// The paths that a view may hold.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The context, without links on the way; `None` when it is not there.
    context: Option<WorkspacePath>,
    /// Patterns, with the letters with which every path begins that they match; `None`: anything in the context.
    patterns: Option<(PathPatterns, Vec<Vec<u8>>)>,
}

impl Reach {
    /// The reach of the view `spec` of `snapshot`.
    ///
    /// # Errors
    /// When a folder on the way cannot be listed.
    pub fn of(spec: &ViewSpec, snapshot: &Snapshot) -> Result<Self, ViewError> {
        let context = snapshot.follow(&spec.context)?;
        // A malformed pattern may be an error for whatever path comes to be compared with it.
        if context.is_none() || spec.has_bad_patterns() {
            return Ok(Self { context, patterns: None });
        }
        let compiled = |texts: Vec<String>| {
            let patterns = PathPatterns::new(&texts).ok()?;
            Some((patterns, texts.iter().map(|text| letters_of(text).to_vec()).collect()))
        };
        Ok(Self { context, patterns: spec.patterns(snapshot)?.and_then(compiled) })
    }

    /// Whether the view may hold anything that differs.
    pub fn may_hold_any(&self, differences: &Differences) -> bool {
        let Some(context) = &self.context else { return false };
        let may_hold = |path: &WorkspacePath| self.may_hold(path);
        let may_begin = |letters: &[u8]| differences.beginning(context, letters).iter().any(may_hold);
        let any_inside = match &self.patterns {
            None => may_begin(b""),
            Some((_, letters)) => letters.iter().any(|letters| may_begin(letters)),
        };
        any_inside
            || (differences.has(context) && may_hold(context))
            || differences.folders.iter().any(|folder| self.may_hold_below(folder))
    }

    /// Whether the file `path` may be in the view, if it is there and not ignored.
    pub fn may_hold(&self, path: &WorkspacePath) -> bool {
        let Some(inner) = self.inside(path) else { return false };
        let Some((patterns, letters)) = &self.patterns else { return true };
        let begins = letters.iter().any(|letters| inner.as_bytes().starts_with(letters));
        begins && patterns.matches_or_parent(&inner).unwrap_or(true)
    }

    /// Whether the view may hold something in the folder `path`.
    pub fn may_hold_below(&self, path: &WorkspacePath) -> bool {
        let Some(context) = &self.context else { return false };
        if context.strip_prefix(path).is_some() {
            return true;
        }
        let Some(inner) = self.inside(path) else { return false };
        let Some((_, letters)) = &self.patterns else { return true };
        let path = inner.as_bytes();
        letters.iter().any(|letters| path.starts_with(letters) || letters.starts_with(path))
    }

    /// `path` from the context, when it lies there or is the context.
    fn inside(&self, path: &WorkspacePath) -> Option<WorkspacePath> {
        path.strip_prefix(self.context.as_ref()?)
    }
}

/// The letters with which every path begins that `pattern` matches, or lies in one that it matches.
pub fn letters_of(pattern: &str) -> &[u8] {
    // As they are trimmed where they are compiled.
    let pattern = pattern.trim();
    let letters = pattern.as_bytes();
    // The replacement character stands for any byte that is no letter. It begins as few others do.
    let is_special = |byte: &u8| matches!(*byte, b'*' | b'?' | b'[' | b'\\' | b'!' | REPLACEMENT_BEGINS_WITH);
    &letters[..letters.iter().position(is_special).unwrap_or(letters.len())]
}
