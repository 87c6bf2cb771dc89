//! A list of patterns in which the last match wins: moby/patternmatcher's `PatternMatcher`.
//!
//! A walk carries what the patterns said of a folder down to what is in it, as BuildKit's walk does.
//! That is more than speed: what a pattern said of the folder is remembered only if it was asked.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use super::path_pattern::{NameIn, PathPattern, PatternProblem};
use super::path_text::clean;
use crate::types::workspace_path::WorkspacePath;

/// Patterns in their order. Two lists are equal when they say the same after cleaning.
#[derive(Clone, Debug, Default)]
pub struct PathPatterns {
    patterns: Vec<PathPattern>,
}

/// What each pattern said of a folder. The root, of which nothing is asked, has none.
#[derive(Clone, Debug, Default)]
pub struct FolderMatches(Vec<bool>);

/// A pattern that cannot be used, by its place in the list that was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid pattern `{text}`: {problem}")]
pub struct PatternError {
    /// The pattern as it was given, or cleaned.
    pub text: String,
    /// What is wrong with it.
    pub problem: PatternProblem,
}

impl PathPatterns {
    /// Compiles `texts`, each trimmed and cleaned; empty ones are left out. `!` makes an exception.
    ///
    /// # Errors
    /// When a pattern is a lone `!`, or is malformed where Go's `filepath.Match` sees it. Another
    /// mistake shows when the pattern is first compared with a path.
    pub fn new<Text: AsRef<str>>(texts: impl IntoIterator<Item = Text>) -> Result<Self, PatternError> {
        let mut patterns = Vec::new();
        for text in texts {
            let text = text.as_ref().trim();
            if !text.is_empty() {
                let failed = |problem| PatternError { text: text.to_owned(), problem };
                patterns.push(PathPattern::new(&clean(text)).map_err(failed)?);
            }
        }
        Ok(Self { patterns })
    }

    /// Puts the patterns of `other` behind these.
    pub(super) fn extend(&mut self, other: Self) {
        self.patterns.extend(other.patterns);
    }

    /// The patterns, in their order.
    pub fn patterns(&self) -> &[PathPattern] {
        &self.patterns
    }

    /// Whether `path` matches, given what was said of the folder that it lies in; and what is to be
    /// said of `path` to its own entries.
    ///
    /// # Errors
    /// When a pattern that had to be compared is malformed.
    pub fn matches(
        &self,
        path: &[u8],
        parent: &FolderMatches,
    ) -> Result<(bool, FolderMatches), PatternError> {
        let mut own = vec![false; self.patterns.len()];
        let matched = self.evaluate(path, parent, |index| own[index] = true)?;
        Ok((matched, FolderMatches(own)))
    }

    /// [`PathPatterns::matches`] for what has no entries.
    ///
    /// # Errors
    /// When a pattern that had to be compared is malformed.
    pub fn matches_leaf(&self, path: &[u8], parent: &FolderMatches) -> Result<bool, PatternError> {
        self.evaluate(path, parent, |_| {})
    }

    /// Whether `path` matches, when nothing was asked of the folders above it.
    ///
    /// # Errors
    /// When a pattern that had to be compared is malformed.
    pub fn matches_or_parent(&self, path: &WorkspacePath) -> Result<bool, PatternError> {
        let mut folder = WorkspacePath::root();
        let (mut matched, mut said) = (false, FolderMatches::default());
        for name in path.names() {
            folder = folder.join_name(name);
            (matched, said) = self.matches(folder.as_bytes(), &said)?;
        }
        Ok(matched)
    }

    fn evaluate(
        &self,
        path: &[u8],
        parent: &FolderMatches,
        mut said: impl FnMut(usize),
    ) -> Result<bool, PatternError> {
        let mut matched = false;
        for (index, pattern) in self.patterns.iter().enumerate() {
            let mut hit = parent.0.get(index).copied().unwrap_or(false);
            if !hit {
                if pattern.is_exception() != matched {
                    continue;
                }
                hit = pattern.matches(path).map_err(|problem| self.failed(index, problem))?;
            }
            if hit {
                said(index);
                matched = !pattern.is_exception();
            }
        }
        Ok(matched)
    }

    fn failed(&self, index: usize, problem: PatternProblem) -> PatternError {
        PatternError { text: self.patterns[index].text().to_owned(), problem }
    }

    /// Whether a pattern is malformed in a way that shows only when it is compared with a path.
    pub fn any_bad(&self) -> bool {
        self.patterns.iter().any(PathPattern::is_bad)
    }

    /// Whether nothing below `folder` can match, `folder` itself not matching.
    pub fn none_below(&self, folder: &[u8]) -> bool {
        self.stays_below(folder, false)
    }

    /// Whether everything below `folder` must match, `folder` itself matching.
    pub fn all_below(&self, folder: &[u8]) -> bool {
        self.stays_below(folder, true)
    }

    /// The names in `folder` (empty for the root), of which `said` was said, at or below which
    /// anything may match, sorted; `None` when that may be any name.
    pub fn names_in(&self, folder: &[u8], said: &FolderMatches) -> Option<BTreeSet<&[u8]>> {
        if said.0.contains(&true) {
            return None;
        }
        let folder = if folder.is_empty() { Vec::new() } else { with_slash(folder) };
        let mut names = BTreeSet::new();
        for pattern in self.patterns.iter().filter(|pattern| !pattern.is_exception()) {
            match pattern.name_in(&folder) {
                NameIn::None => {}
                NameIn::Only(name) => drop(names.insert(name)),
                NameIn::Any => return None,
            }
        }
        Some(names)
    }

    /// Whether no exception (`exceptions`) or no other pattern can match below `folder`: then the
    /// answer for everything in it is the answer for the folder, because an answer changes only
    /// through a pattern that matches anew.
    fn stays_below(&self, folder: &[u8], exceptions: bool) -> bool {
        let folder = with_slash(folder);
        self.patterns.iter().all(|pattern| {
            !pattern.is_bad() && (pattern.is_exception() != exceptions || !pattern.may_match_below(&folder))
        })
    }

    /// Whether BuildKit does not look into `folder` although it does not match, as no plain pattern
    /// lies in it. `exceptions` asks the same of a folder that does match, and of exceptions.
    ///
    /// BuildKit means it to save time, and it decides: with the one pattern `a/*/**`, nothing below
    /// `a/b` is looked at, though that would match. See fsutil's `filter.go`.
    pub fn buildkit_skips(&self, folder: &[u8], exceptions: bool) -> bool {
        self.patterns.iter().filter(|pattern| pattern.is_exception() == exceptions).all(|pattern| {
            let Some(plain) = pattern.plain_prefix() else { return false };
            let rest = plain.as_bytes().strip_prefix(folder);
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    }

    fn texts(&self) -> impl Iterator<Item = (bool, &str)> {
        self.patterns.iter().map(|pattern| (pattern.is_exception(), pattern.text()))
    }
}

impl PartialEq for PathPatterns {
    fn eq(&self, other: &Self) -> bool {
        self.texts().eq(other.texts())
    }
}

impl Eq for PathPatterns {}

impl Hash for PathPatterns {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.patterns.len().hash(state);
        self.texts().for_each(|text| text.hash(state));
    }
}

fn with_slash(path: &[u8]) -> Vec<u8> {
    let mut path = path.to_vec();
    path.push(b'/');
    path
}

#[cfg(test)]
mod tests;
