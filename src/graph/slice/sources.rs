//! Paths that are read of a tree, gathered and cleaned.

use std::collections::BTreeMap;

use super::model::{SourcePath, Sources};
use crate::types::span::Span;

/// The sources of one tree, while they are gathered.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    whole: Vec<Span>,
    paths: BTreeMap<Vec<u8>, Span>,
    required: BTreeMap<Vec<u8>, Span>,
}

impl Gathered {
    /// Adds a source as it is written, variables expanded.
    pub(super) fn add(&mut self, source: &str, span: Span) {
        let path = cleaned(source);
        if path.is_empty() {
            self.whole.push(span);
        } else {
            self.paths.entry(path.into_bytes()).or_insert(span);
        }
    }

    /// Notes that the builder fails where there is no such source.
    pub(super) fn require(&mut self, source: &str, span: Span) {
        let path = cleaned(source);
        // What is written in another encoding is not known letter by letter.
        if !path.is_empty() && !path.contains(char::REPLACEMENT_CHARACTER) {
            self.required.entry(path.into_bytes()).or_insert(span);
        }
    }

    /// Adds everything.
    pub(super) fn add_whole(&mut self, span: Span) {
        self.whole.push(span);
    }

    /// Adds what another one gathered.
    pub(super) fn merge(&mut self, other: Self) {
        self.whole.extend(other.whole);
        for (path, span) in other.paths {
            self.paths.entry(path).or_insert(span);
        }
        for (path, span) in other.required {
            self.required.entry(path).or_insert(span);
        }
    }

    /// The sources that must be there, sorted.
    pub(super) fn required(&self) -> Vec<SourcePath> {
        let required = self.required.iter();
        required.map(|(path, span)| SourcePath { pattern: path.clone(), span: *span }).collect()
    }

    /// What was gathered.
    pub(super) fn finish(self) -> Sources {
        if !self.whole.is_empty() {
            return Sources::Whole { spans: self.whole };
        }
        if self.paths.is_empty() {
            return Sources::Nothing;
        }
        let paths = self.paths.into_iter().map(|(pattern, span)| SourcePath { pattern, span });
        Sources::Paths(paths.collect())
    }
}

/// Go's `path.Join("/", path)`, without the leading `/`.
pub(super) fn cleaned(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        for (path, expected) in [
            (".", ""),
            ("/", ""),
            ("", ""),
            ("..", ""),
            ("a/..", ""),
            ("./a//b/", "a/b"),
            ("../../a", "a"),
            ("/a/./*.rs", "a/*.rs"),
            ("a/../../b", "b"),
        ] {
            assert_eq!(cleaned(path), expected, "{path}");
        }
    }

    #[test]
    fn a_source_that_is_the_root_is_everything() {
        let mut gathered = Gathered::default();
        gathered.add("a", Span::new(0, 1));
        gathered.add(".", Span::new(2, 3));
        assert_eq!(gathered.finish(), Sources::Whole { spans: vec![Span::new(2, 3)] });
        assert_eq!(Gathered::default().finish(), Sources::Nothing);
    }
}
