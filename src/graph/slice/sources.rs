//! Paths that are read of a tree, gathered and cleaned.

use std::collections::BTreeMap;

use super::model::{SourcePath, Sources};
use crate::types::span::Span;

/// The sources of one tree, while they are gathered.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    whole: Vec<Span>,
    /// As they come.
    paths: Vec<SourcePath>,
    required: BTreeMap<Vec<u8>, Span>,
}

impl Gathered {
    /// Adds a source as it is written, variables expanded.
    pub(super) fn add(&mut self, source: &str, span: Span) {
        let path = cleaned(source);
        if path.is_empty() {
            self.whole.push(span);
        } else {
            self.paths.push(SourcePath { pattern: path.into_bytes(), span });
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
        self.paths.extend(other.paths);
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
    pub(super) fn finish(mut self) -> Sources {
        if !self.whole.is_empty() {
            return Sources::Whole { spans: self.whole };
        }
        if self.paths.is_empty() {
            return Sources::Nothing;
        }
        // Of equal ones the first stays.
        self.paths.sort_by(|one, other| one.pattern.cmp(&other.pattern));
        self.paths.dedup_by(|later, first| later.pattern == first.pattern);
        self.paths.shrink_to_fit();
        Sources::Paths(self.paths)
    }
}

/// Go's `path.Join("/", path)`, without the leading `/`.
pub(super) fn cleaned(path: &str) -> String {
    // A folder is mostly written with one `/` at its end.
    let written = path.strip_suffix('/').unwrap_or(path);
    if is_clean(written) {
        return written.to_owned();
    }
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

/// Whether `path` is names that are neither empty nor begin with `.`.
fn is_clean(path: &str) -> bool {
    let mut before = b'/';
    for byte in path.bytes() {
        if before == b'/' && matches!(byte, b'/' | b'.') {
            return false;
        }
        before = byte;
    }
    before != b'/'
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
            ("a/b/", "a/b"),
            ("a//", "a"),
            ("//", ""),
            ("a/.b", "a/.b"),
            ("a/..b/", "a/..b"),
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

    #[test]
    fn sources_are_sorted_and_each_stands_once_where_it_stands_first() {
        let (mut gathered, mut other) = (Gathered::default(), Gathered::default());
        gathered.add("b", Span::new(0, 1));
        gathered.add("a", Span::new(2, 3));
        gathered.add("b/", Span::new(4, 5));
        other.add("a", Span::new(6, 7));
        other.add("c", Span::new(8, 9));
        gathered.merge(other);
        let expected = [("a", Span::new(2, 3)), ("b", Span::new(0, 1)), ("c", Span::new(8, 9))];
        let path = |(text, span): (&str, Span)| SourcePath { pattern: text.into(), span };
        assert_eq!(gathered.finish(), Sources::Paths(expected.map(path).to_vec()));
    }
}
