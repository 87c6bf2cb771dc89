//! One pattern of an ignore file or of a list of sources: moby/patternmatcher's `Pattern`.
//!
//! Most patterns are compared as bytes: whole, as a prefix (`a/**`) or as a suffix (`**/a`). The rest
//! becomes a [`PathExpression`]. Which of the two decides more than speed: `caret^file` is those
//! letters, while `caret^file*` can never match, for `^` then is an anchor. BuildKit behaves so, and
//! a view must be what BuildKit would send.

use std::iter::Peekable;
use std::str::Chars;

use super::path_expression::{ANY_FOLDERS, ANY_TEXT, BadExpression, PathExpression};
use super::path_text::ends_with;
use super::shell_pattern;

/// Characters that make BuildKit take a pattern as more than a prefix.
const PATTERN_CHARACTERS: [char; 6] = ['*', '[', ']', '?', '^', '\\'];

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct PathPattern {
    text: String,
    exception: bool,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Whole,
    /// The path begins with this many bytes of the text.
    Prefix(usize),
    /// The path ends with the text from this byte on.
    Suffix(usize),
    Expression(PathExpression),
    /// The pattern is an error, but only when it is first compared with a path.
    Bad,
}

/// Why a text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternProblem {
    /// A `!` with nothing behind it.
    #[error("`!` needs a pattern behind it")]
    LonelyException,
    /// A class that is not closed, or the like.
    #[error("the pattern is malformed")]
    Malformed,
}

/// Which names in a folder a pattern may concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameIn<'p> {
    /// No name.
    None,
    /// This one and what is below it.
    Only(&'p [u8]),
    /// Its letters do not say.
    Any,
}

impl PathPattern {
    /// Compiles `text`, which is cleaned and may begin with `!`.
    pub(super) fn new(text: &str) -> Result<Self, PatternProblem> {
        let (exception, text) = match text.strip_prefix('!') {
            Some("") => return Err(PatternProblem::LonelyException),
            Some(rest) => (true, rest),
            None => (false, text),
        };
        shell_pattern::matches(text.as_bytes(), b".")
            .map_err(|shell_pattern::Malformed| PatternProblem::Malformed)?;
        let shape = compile(text).unwrap_or(Shape::Bad);
        Ok(Self { text: text.to_owned(), exception, shape })
    }

    /// The pattern, cleaned, without its `!`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the pattern takes back what patterns before it matched.
    pub fn is_exception(&self) -> bool {
        self.exception
    }

    /// Whether the pattern is malformed in a way that shows only when it is used.
    pub(super) fn is_bad(&self) -> bool {
        matches!(self.shape, Shape::Bad)
    }

    /// Whether `path` itself matches, its parents left aside.
    pub(super) fn matches(&self, path: &[u8]) -> Result<bool, PatternProblem> {
        let text = self.text.as_bytes();
        Ok(match &self.shape {
            Shape::Whole => path == text,
            Shape::Prefix(length) => path.starts_with(&text[..*length]),
            Shape::Suffix(start) => {
                let suffix = &text[*start..];
                ends_with(path, suffix) || suffix.strip_prefix(b"/") == Some(path)
            }
            Shape::Expression(expression) => expression.matches(path),
            Shape::Bad => return Err(PatternProblem::Malformed),
        })
    }

    /// Whether a path that begins with `folder`, which ends with `/`, could match. May say yes for
    /// nothing, never no in vain.
    pub(super) fn may_match_below(&self, folder: &[u8]) -> bool {
        let prefix = match &self.shape {
            Shape::Whole => self.text.as_str(),
            Shape::Prefix(length) => &self.text[..*length],
            Shape::Expression(expression) => expression.literal_prefix(),
            Shape::Suffix(_) | Shape::Bad => return true,
        };
        let prefix = prefix.as_bytes();
        let deep_enough = || {
            let slashes = match &self.shape {
                Shape::Whole => Some(slashes_in(self.text.as_bytes())),
                Shape::Expression(expression) => expression.slashes(),
                _ => None,
            };
            slashes.is_none_or(|slashes| slashes >= slashes_in(folder))
        };
        (folder.starts_with(prefix) || prefix.starts_with(folder)) && deep_enough()
    }

    /// Which names in `folder`, which ends with a slash or is empty, the pattern may match, or match
    /// something below.
    pub(super) fn name_in(&self, folder: &[u8]) -> NameIn<'_> {
        let prefix = match &self.shape {
            Shape::Whole => self.text.as_str(),
            Shape::Prefix(length) => &self.text[..*length],
            Shape::Expression(expression) => expression.literal_prefix(),
            Shape::Suffix(_) | Shape::Bad => return NameIn::Any,
        };
        let whole = matches!(self.shape, Shape::Whole);
        match prefix.as_bytes().strip_prefix(folder) {
            Some(rest) => match rest.iter().position(|byte| *byte == b'/') {
                Some(end) => NameIn::Only(&rest[..end]),
                None if whole => NameIn::Only(rest),
                None => NameIn::Any,
            },
            None if !whole && folder.starts_with(prefix.as_bytes()) => NameIn::Any,
            None => NameIn::None,
        }
    }

    /// The pattern as a plain path, when BuildKit takes it as one: a trailing `/**` and then a
    /// trailing `/*` do not count. See fsutil's `patternWithoutTrailingGlob`.
    pub(super) fn plain_prefix(&self) -> Option<&str> {
        let text = self.text.strip_suffix("/**").unwrap_or(&self.text);
        let text = text.strip_suffix("/*").unwrap_or(text);
        (!text.contains(PATTERN_CHARACTERS)).then_some(text)
    }
}

fn slashes_in(path: &[u8]) -> usize {
    path.iter().filter(|byte| **byte == b'/').count()
}

/// What a pattern is, as far as its characters were read.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    Whole,
    Prefix,
    Suffix,
    Expression,
}

/// Follows patternmatcher's `compile`, its quirks included: a shape that was found early stays when
/// only letters follow, and `**` in front counts as a suffix whatever comes between.
fn compile(pattern: &str) -> Result<Shape, BadExpression> {
    let mut expression = String::from("^");
    let mut found = Found::Whole;
    // Go's scanner drops a byte order mark.
    let mut characters = pattern.strip_prefix('\u{feff}').unwrap_or(pattern).chars().peekable();
    let mut first = true;
    while let Some(character) = characters.next() {
        if character == '*' && characters.next_if_eq(&'*').is_some() {
            found = two_stars(&mut characters, found, &mut expression);
            if first {
                found = Found::Suffix;
            }
        } else if one(character, &mut characters, &mut expression) {
            found = Found::Expression;
        }
        first = false;
    }
    Ok(match found {
        Found::Whole => Shape::Whole,
        Found::Prefix => Shape::Prefix(pattern.len() - 2),
        Found::Suffix => Shape::Suffix(2),
        Found::Expression => {
            expression.push('$');
            Shape::Expression(PathExpression::parse(&expression)?)
        }
    })
}

/// Reads what follows `**`, and gives what the pattern is then.
fn two_stars(characters: &mut Peekable<Chars<'_>>, found: Found, expression: &mut String) -> Found {
    characters.next_if_eq(&'/');
    match (characters.peek(), found) {
        (None, Found::Whole) => return Found::Prefix,
        (None, _) => expression.push_str(ANY_TEXT),
        (Some(_), _) => expression.push_str(ANY_FOLDERS),
    }
    Found::Expression
}

/// Adds one character, which is not the first of `**`, to the expression. Says whether only an
/// expression can mean it.
fn one(character: char, characters: &mut Peekable<Chars<'_>>, expression: &mut String) -> bool {
    match character {
        '*' => expression.push_str("[^/]*"),
        '?' => expression.push_str("[^/]"),
        '[' | ']' => expression.push(character),
        '\\' => {
            expression.push('\\');
            let escaped = characters.next();
            expression.extend(escaped);
            return escaped.is_some();
        }
        // `|`, `{` and `}` are meant to be escaped as well. They are not: the table of the original
        // has too few bits, and so `a|b*` is a choice and `a{2}*` a repetition.
        '.' | '+' | '(' | ')' | '$' => {
            expression.extend(['\\', character]);
            return false;
        }
        letter => {
            expression.push(letter);
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, folder: &str, expected: NameIn<'_>) {
        let pattern = PathPattern::new(pattern).unwrap();
        assert_eq!(pattern.name_in(folder.as_bytes()), expected, "{} in {folder}", pattern.text());
    }

    #[test]
    fn letters_say_which_names_a_pattern_concerns() {
        check("a/b/c", "", NameIn::Only(b"a"));
        check("a/b/c", "a/", NameIn::Only(b"b"));
        check("a/b/c", "a/b/", NameIn::Only(b"c"));
        check("a/b/c", "a/b/c/", NameIn::None);
        check("a/b/c", "ab/", NameIn::None);
        check("a/b*/c", "", NameIn::Only(b"a"));
        check("a/b*/c", "a/", NameIn::Any);
        check("a/b*/c", "a/bc/", NameIn::Any);
        check("a/b*/c", "b/", NameIn::None);
        check("a/**", "a/", NameIn::Any);
        check("a/**", "a/b/", NameIn::Any);
        check("a/**", "b/", NameIn::None);
        check("a/**/b", "", NameIn::Only(b"a"));
        check("a/**/b", "a/c/", NameIn::Any);
        check("**/a", "b/", NameIn::Any);
        check("*", "", NameIn::Any);
        check("*", "a/", NameIn::Any);
        check("a?", "", NameIn::Any);
    }
}
