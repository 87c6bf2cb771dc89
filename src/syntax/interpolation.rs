//! `${NAME}` in the strings of a `BUILD.toml`: reading it, and putting values in.
//!
//! A string is read once into a [`Template`], which knows the place of each `${…}`, and evaluated
//! against whatever a caller takes for its scope. Which names there are is no business of this file.
//!
//! The forms are `${NAME}`, `${NAME:-text}` (the text where NAME is unset or empty), `${NAME:+text}`
//! (the text where NAME is neither) and `$$`, a dollar. The texts may hold variables themselves. A
//! dollar before anything else is an error rather than a dollar: `$NAME` is a variable in a shell
//! and in a Dockerfile, and a string that quietly keeps it would surprise.

use crate::types::diagnostic::Diagnostic;
use crate::types::span::{Located, Location, Span};

/// How deep `${A:-${B:-…}}` may go: reading and evaluating recurse.
const DEEPEST: usize = 16;

/// A string of a file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its pieces in order.
    pub parts: Vec<Part>,
    /// The whole string, quotes included.
    pub location: Location,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Letters as they are.
    Text(String),
    /// A `${…}`.
    Variable(Reference),
}

/// A use of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name.
    pub name: String,
    /// The whole `${…}`, or the whole string where the string holds escapes.
    pub location: Location,
    /// What stands after the name.
    pub fallback: Fallback,
}

/// What stands after the name in `${…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing.
    None,
    /// `:-`, and what to take where the variable is unset or empty.
    Default(Vec<Part>),
    /// `:+`, and what to take where the variable is set and not empty.
    Alternative(Vec<Part>),
}

/// What a scope says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It has this value.
    Text(String),
    /// It exists and has no value.
    Unset,
    /// Its value is not there yet: it stays in the result.
    Later,
}

/// A piece of an evaluated template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Letters.
    Text(String),
    /// A variable whose value comes later.
    Later(String),
}

/// Where the letters of a string stand in a file.
#[derive(Clone, Debug)]
pub struct Place {
    /// The string with its quotes.
    pub whole: Location,
    /// The byte of the file at which the first letter stands; `None` when escapes come between.
    pub inner: Option<usize>,
}

impl Place {
    /// The place of the bytes `start..end` of the string.
    fn of(&self, start: usize, end: usize) -> Location {
        let span = self.inner.map_or(self.whole.span, |inner| Span::new(inner + start, inner + end));
        Location { source: self.whole.source.clone(), span }
    }
}

impl Template {
    /// Reads `text`, which stands at `place`.
    ///
    /// # Errors
    /// A diagnostic at the first thing that is none of the forms.
    pub fn parse(text: &str, place: &Place) -> Result<Self, Diagnostic> {
        let mut cursor = Cursor { text, at: 0, place };
        let parts = cursor.parts(0)?;
        Ok(Self { parts, location: place.whole.clone() })
    }

    /// Every use of a variable, those in fallbacks included.
    pub fn references(&self) -> Vec<&Reference> {
        let mut found = Vec::new();
        collect_references(&self.parts, &mut found);
        found
    }

    /// Puts values in. `look_up` is asked once per use that counts, from left to right: the text of
    /// `:-` or `:+` is evaluated only where it is taken.
    ///
    /// # Errors
    /// What `look_up` says, or what `unset` makes of a plain use of a variable without a value.
    pub fn evaluate<Error>(
        &self,
        look_up: &mut dyn FnMut(&Reference) -> Result<Found, Error>,
        unset: &dyn Fn(&Reference) -> Error,
    ) -> Result<Vec<Piece>, Error> {
        let mut pieces = Vec::new();
        evaluate(&self.parts, look_up, unset, &mut pieces)?;
        Ok(pieces)
    }

    /// The text, when no variable is in it.
    pub fn literal(&self) -> Option<Located<String>> {
        let text = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Variable(_) => None,
        };
        let value = self.parts.iter().map(text).collect::<Option<String>>()?;
        Some(Located { value, location: self.location.clone() })
    }
}

fn collect_references<'t>(parts: &'t [Part], found: &mut Vec<&'t Reference>) {
    for part in parts {
        if let Part::Variable(reference) = part {
            found.push(reference);
            if let Fallback::Default(inner) | Fallback::Alternative(inner) = &reference.fallback {
                collect_references(inner, found);
            }
        }
    }
}

fn evaluate<Error>(
    parts: &[Part],
    look_up: &mut dyn FnMut(&Reference) -> Result<Found, Error>,
    unset: &dyn Fn(&Reference) -> Error,
    pieces: &mut Vec<Piece>,
) -> Result<(), Error> {
    for part in parts {
        let reference = match part {
            Part::Text(text) => {
                push_text(pieces, text);
                continue;
            }
            Part::Variable(reference) => reference,
        };
        let found = look_up(reference)?;
        let has_value = !matches!(&found, Found::Unset) && found != Found::Text(String::new());
        match (&reference.fallback, found) {
            (Fallback::Default(text), _) if !has_value => evaluate(text, look_up, unset, pieces)?,
            (Fallback::Alternative(text), _) if has_value => evaluate(text, look_up, unset, pieces)?,
            (Fallback::Alternative(_), _) => {}
            (_, Found::Text(text)) => push_text(pieces, &text),
            (_, Found::Later) => pieces.push(Piece::Later(reference.name.clone())),
            (_, Found::Unset) => return Err(unset(reference)),
        }
    }
    Ok(())
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        last.push_str(text);
    } else if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// Reads a template from left to right.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
    place: &'t Place,
}

impl Cursor<'_> {
    /// Reads parts up to the end, or within a fallback (`depth` above 0) up to its `}`.
    fn parts(&mut self, depth: usize) -> Result<Vec<Part>, Diagnostic> {
        let mut parts = Vec::new();
        let mut letters = String::new();
        loop {
            let means_more = |letter| letter == '$' || (letter == '}' && depth > 0);
            let plain = self.rest().find(means_more).unwrap_or(self.rest().len());
            letters.push_str(&self.rest()[..plain]);
            self.at += plain;
            if !self.rest().starts_with('$') {
                break;
            }
            if self.rest().starts_with("$$") {
                letters.push('$');
                self.at += 2;
                continue;
            }
            if !letters.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut letters)));
            }
            parts.push(Part::Variable(self.reference(depth)?));
        }
        if !letters.is_empty() {
            parts.reserve_exact(1);
            parts.push(Part::Text(letters));
        }
        parts.shrink_to_fit();
        Ok(parts)
    }

    /// Reads a `${…}`; the cursor stands before its `$`.
    fn reference(&mut self, depth: usize) -> Result<Reference, Diagnostic> {
        let start = self.at;
        if !self.rest().starts_with("${") {
            return Err(self.lone_dollar());
        }
        self.at += 2;
        let name = self.name();
        let fallback = self.fallback(start, depth)?;
        if !self.rest().starts_with('}') {
            return Err(self.unfinished(start));
        }
        self.at += 1;
        let location = self.place.of(start, self.at);
        if name.is_empty() {
            return Err(Diagnostic::error("a variable without a name")
                .at(&location.source, location.span, "expected a name after `${`")
                .help("write `$$` for a dollar"));
        }
        Ok(Reference { name, location, fallback })
    }

    fn name(&mut self) -> String {
        let of_name = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
        let length = self.rest().find(|letter| !of_name(letter)).unwrap_or(self.rest().len());
        let name = self.rest()[..length].to_owned();
        self.at += length;
        name
    }

    fn fallback(&mut self, start: usize, depth: usize) -> Result<Fallback, Diagnostic> {
        let make = match self.rest().get(..2) {
            Some(":-") => Fallback::Default,
            Some(":+") => Fallback::Alternative,
            _ => return Ok(Fallback::None),
        };
        if depth >= DEEPEST {
            let location = self.place.of(start, self.at);
            let message = format!("variables are nested more than {DEEPEST} deep");
            return Err(Diagnostic::error(message).at(&location.source, location.span, ""));
        }
        self.at += 2;
        Ok(make(self.parts(depth + 1)?))
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn lone_dollar(&self) -> Diagnostic {
        let after = &self.rest()[1..];
        let of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let name = &after[..after.find(|letter| !of_name(letter)).unwrap_or(after.len())];
        let location = self.place.of(self.at, self.at + 1 + name.len());
        let diagnostic = Diagnostic::error("a dollar that begins no variable");
        let diagnostic = diagnostic.at(&location.source, location.span, "expected `${NAME}` or `$$`");
        if name.is_empty() {
            return diagnostic.help("write `$$` for a dollar");
        }
        diagnostic
            .help(format!("write `${{{name}}}` for the variable, or `$${name}` for a dollar and its letters"))
    }

    fn unfinished(&self, start: usize) -> Diagnostic {
        let location = self.place.of(start, self.at);
        let (message, said) = match self.rest().chars().next() {
            None => ("a variable without its closing brace".to_owned(), "expected a `}`".to_owned()),
            Some(letter) => (
                format!("`{letter}` cannot stand in the name of a variable"),
                "expected `}`, `:-` or `:+` after the name".to_owned(),
            ),
        };
        Diagnostic::error(message)
            .at(&location.source, location.span, said)
            .help("the forms are `${NAME}`, `${NAME:-default}`, `${NAME:+other}`, and `$$` for a dollar")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::types::span::SourceText;
    use crate::types::workspace_path::WorkspacePath;

    fn parse(text: &str) -> Result<Template, Diagnostic> {
        let source = Arc::new(SourceText { path: WorkspacePath::root(), text: text.to_owned() });
        let whole = Location { source, span: Span::new(0, text.len()) };
        Template::parse(text, &Place { whole, inner: Some(0) })
    }

    fn look_up(reference: &Reference) -> Result<Found, String> {
        match reference.name.as_str() {
            "A" => Ok(Found::Text("a".to_owned())),
            "EMPTY" => Ok(Found::Text(String::new())),
            "UNSET" => Ok(Found::Unset),
            "source-key" => Ok(Found::Later),
            name => Err(format!("unknown {name}")),
        }
    }

    fn check(text: &str, expected: &str) {
        let found = match parse(text) {
            Err(diagnostic) => {
                let span = diagnostic.annotations[0].location.span;
                format!("{} at {}..{}", diagnostic.message, span.start(), span.end())
            }
            Ok(template) => template
                .evaluate(&mut look_up, &|reference| format!("{} is unset", reference.name))
                .map_or_else(|error| error, |pieces| pieces.iter().map(show).collect()),
        };
        assert_eq!(found, expected, "{text}");
    }

    fn show(piece: &Piece) -> String {
        match piece {
            Piece::Text(text) => text.clone(),
            Piece::Later(name) => format!("<{name}>"),
        }
    }

    #[test]
    fn values_are_put_in() {
        check("", "");
        check("plain } text", "plain } text");
        check("x${A}y", "xay");
        check("${A}${A}", "aa");
        check("$$", "$");
        check("$${A}", "${A}");
        check("$$$${A}$$", "$${A}$");
        check("$$${A}", "$a");
        check("ä${A}ö", "äaö");
        check("t:${source-key}!", "t:<source-key>!");
    }

    #[test]
    fn fallbacks_are_taken_as_in_a_shell() {
        check("${A:-b}", "a");
        check("${EMPTY:-b}", "b");
        check("${UNSET:-b}", "b");
        check("${UNSET:-}", "");
        check("${A:+b}", "b");
        check("${EMPTY:+b}", "");
        check("${UNSET:+b}", "");
        check("${EMPTY}", "");
        check("${UNSET}", "UNSET is unset");
        check("${UNSET:-x${A}y}z", "xayz");
        check("${UNSET:-${EMPTY:-${A}}}", "a");
        check("${A:+${UNSET:-deep}}", "deep");
        check("${UNSET:-$$}", "$");
        check("${UNSET:-a:-b}", "a:-b");
        check("${source-key:-x}", "<source-key>");
        check("${source-key:+x}", "x");
        check("${NOBODY:-x}", "unknown NOBODY");
        check("${A:-${NOBODY}}", "a");
    }

    #[test]
    fn other_dollars_are_errors_with_a_place() {
        check("ab$", "a dollar that begins no variable at 2..3");
        check("a$HOME/b", "a dollar that begins no variable at 1..6");
        check("$(pwd)", "a dollar that begins no variable at 0..1");
        check("x${A", "a variable without its closing brace at 1..4");
        check("${A:-x", "a variable without its closing brace at 0..6");
        check("${}", "a variable without a name at 0..3");
        check("${A B}", "` ` cannot stand in the name of a variable at 0..3");
        check("${A:?x}", "`:` cannot stand in the name of a variable at 0..3");
        check("${UNSET:-$x}", "a dollar that begins no variable at 9..11");
    }

    #[test]
    fn depth_has_an_end() {
        let text = |depth: usize| format!("{}{}", "${UNSET:-".repeat(depth), "}".repeat(depth));
        check(&text(16), "");
        check(&text(17), "variables are nested more than 16 deep at 144..151");
        assert!(parse(&"${UNSET:-".repeat(100_000)).is_err());
    }

    #[test]
    fn all_references_are_listed() {
        let template = parse("${A}${UNSET:-${EMPTY:+${B}}}").unwrap();
        let names: Vec<_> = template.references().iter().map(|reference| reference.name.clone()).collect();
        assert_eq!(names, ["A", "UNSET", "EMPTY", "B"]);
    }
}
