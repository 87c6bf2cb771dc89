//! Reading one TOML table: each field by its name and type, and then whatever nobody asked for.
//!
//! Every reading function takes a field, says what is wrong with it if anything is, and gives the
//! value or nothing: so a caller reads on, and all mistakes of a file are found. The names that were
//! asked for are the known ones, so a list of known keys cannot fall behind.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::syntax::interpolation::{Place, Template};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::span::{Located, Location, SourceText, Span};

/// What a boolean is called where one is expected.
const BOOLEAN: &str = "true or false";

/// So many keys are asked for of the table that has most.
const MOST_KEYS: usize = 20;

/// The file that is read, and what is wrong with it so far.
pub(super) struct Reader {
    source: Arc<SourceText>,
    diagnostics: RefCell<Vec<Diagnostic>>,
}

/// A table, and which of its keys were asked for.
pub(super) struct Table<'r, 't> {
    pub(super) reader: &'r Reader,
    /// Where the table is named: its header, or its key.
    pub(super) location: Location,
    /// What it is, for messages: "an image", "`[workspace]`".
    what: String,
    entries: &'t DeTable<'t>,
    /// Some were asked for again.
    known: Vec<&'static str>,
    /// What is to be said of keys that are missing, unless an unknown key explains it.
    missing: Vec<Diagnostic>,
}

/// A field of a table: its key and its value.
#[derive(Clone)]
pub(super) struct Entry<'t> {
    /// The key with its place.
    pub(super) key: Located<String>,
    pub(super) value: &'t DeValue<'t>,
    /// The place of the value.
    pub(super) location: Location,
    /// Whether it is an element of the list of that key.
    is_element: bool,
}

impl Entry<'_> {
    /// What the value is called in messages.
    fn called(&self) -> String {
        let key = &self.key.value;
        if self.is_element { format!("an element of `{key}`") } else { format!("`{key}`") }
    }
}

impl Reader {
    pub(super) fn new(source: &Arc<SourceText>) -> Self {
        Self { source: Arc::clone(source), diagnostics: RefCell::default() }
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics.into_inner()
    }

    pub(super) fn report(&self, diagnostic: Diagnostic) {
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    /// How much was reported so far.
    pub(super) fn count(&self) -> usize {
        self.diagnostics.borrow().len()
    }

    pub(super) fn location(&self, range: Range<usize>) -> Location {
        Location { source: Arc::clone(&self.source), span: Span::from(range) }
    }

    /// An error at `location`.
    pub(super) fn error(&self, message: impl Into<String>, location: &Location, said: &str) -> Diagnostic {
        Diagnostic::error(message).at(&location.source, location.span, said)
    }

    fn entry<'t>(
        &self,
        key: &Spanned<std::borrow::Cow<'t, str>>,
        value: &'t Spanned<DeValue<'t>>,
    ) -> Entry<'t> {
        Entry {
            is_element: false,
            key: Located { value: key.get_ref().to_string(), location: self.location(key.span()) },
            value: value.get_ref(),
            location: self.location(value.span()),
        }
    }

    pub(super) fn wrong_type(&self, entry: &Entry<'_>, expected: &str) {
        let found = type_name(entry.value);
        let message = format!("{} is {found}, expected {expected}", entry.called());
        let diagnostic = self.error(message, &entry.location, &format!("this is {found}"));
        let text = &self.source.text[entry.location.span.range()];
        self.report(match entry.value {
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_)
                if expected.starts_with("a string") =>
            {
                diagnostic.help(format!("write it as a string: `\"{text}\"`"))
            }
            DeValue::String(_) if expected.starts_with("a list") => {
                diagnostic.help(format!("write a list: `[{text}]`"))
            }
            DeValue::String(_)
                if expected == BOOLEAN && matches!(text.trim_matches(['"', '\'']), "true" | "false") =>
            {
                diagnostic.help("write it without quotes")
            }
            _ => diagnostic,
        });
    }

    /// Reads a string.
    pub(super) fn text(&self, entry: &Entry<'_>) -> Option<Located<String>> {
        if let DeValue::String(text) = entry.value {
            return Some(Located { value: text.to_string(), location: entry.location.clone() });
        }
        self.wrong_type(entry, "a string");
        None
    }

    /// Reads a string that may hold variables.
    pub(super) fn template(&self, entry: &Entry<'_>) -> Option<Template> {
        let DeValue::String(text) = entry.value else {
            self.wrong_type(entry, "a string");
            return None;
        };
        let span = entry.location.span;
        let raw = &self.source.text[span.range()];
        let inner = raw.find(&**text).map(|offset| span.start() + offset);
        Template::parse(text, &Place { whole: entry.location.clone(), inner })
            .map_err(|diagnostic| self.report(diagnostic))
            .ok()
    }

    pub(super) fn boolean(&self, entry: &Entry<'_>) -> Option<Located<bool>> {
        if let DeValue::Boolean(value) = entry.value {
            return Some(Located { value: *value, location: entry.location.clone() });
        }
        self.wrong_type(entry, BOOLEAN);
        None
    }

    /// Reads a list, each element by `read`; elements that cannot be read are left out.
    pub(super) fn list<'t, Value>(
        &self,
        entry: &Entry<'t>,
        expected: &str,
        read: impl Fn(&Entry<'t>) -> Option<Value>,
    ) -> Option<Located<Vec<Value>>> {
        let DeValue::Array(elements) = entry.value else {
            self.wrong_type(entry, expected);
            return None;
        };
        let element = |value: &'t Spanned<DeValue<'t>>| Entry {
            is_element: true,
            key: entry.key.clone(),
            value: value.get_ref(),
            location: self.location(value.span()),
        };
        let mut values = Vec::with_capacity(elements.len());
        values.extend(elements.iter().filter_map(|value| read(&element(value))));
        Some(Located { value: values, location: entry.location.clone() })
    }

    /// Reads a table whose keys the user chooses, each value by `read`.
    pub(super) fn map<'t, Value>(
        &self,
        entry: &Entry<'t>,
        expected: &str,
        read: impl Fn(&Entry<'t>) -> Option<Value>,
    ) -> Vec<(Located<String>, Value)> {
        let DeValue::Table(entries) = entry.value else {
            self.wrong_type(entry, expected);
            return Vec::new();
        };
        let mut values = Vec::with_capacity(entries.len());
        values.extend(entries.iter().filter_map(|(key, value)| {
            let entry = self.entry(key, value);
            let value = read(&entry)?;
            Some((entry.key, value))
        }));
        values
    }

    /// Opens a table whose keys are known; `what` says what it is ("an image").
    pub(super) fn table<'r, 't>(
        &'r self,
        entry: &Entry<'t>,
        what: &str,
        expected: &str,
    ) -> Option<Table<'r, 't>> {
        let DeValue::Table(entries) = entry.value else {
            self.wrong_type(entry, expected);
            return None;
        };
        let location = entry.key.location.clone();
        Some(Table {
            reader: self,
            location,
            what: what.to_owned(),
            entries,
            known: Vec::with_capacity(MOST_KEYS),
            missing: Vec::new(),
        })
    }

    /// Opens the file's own table.
    pub(super) fn root<'r, 't>(&'r self, entries: &'t DeTable<'t>) -> Table<'r, 't> {
        let what = "a `BUILD.toml`".to_owned();
        Table {
            reader: self,
            location: self.location(0..0),
            what,
            entries,
            known: Vec::with_capacity(MOST_KEYS),
            missing: Vec::new(),
        }
    }
}

impl<'t> Table<'_, 't> {
    /// The field `key`, when it is written.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Entry<'t>> {
        self.known.push(key);
        // There are few keys: to compare them is less than to hash one.
        let (key, value) = self.entries.iter().find(|(own, _value)| *own.get_ref() == key)?;
        Some(self.reader.entry(key, value))
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<Located<String>> {
        self.take(key).and_then(|entry| self.reader.text(&entry))
    }

    pub(super) fn template(&mut self, key: &'static str) -> Option<Template> {
        self.take(key).and_then(|entry| self.reader.template(&entry))
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<Located<bool>> {
        self.take(key).and_then(|entry| self.reader.boolean(&entry))
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Option<Located<Vec<Located<String>>>> {
        let entry = self.take(key)?;
        self.reader.list(&entry, "a list of strings", |entry| self.reader.text(entry))
    }

    pub(super) fn templates(&mut self, key: &'static str) -> Option<Located<Vec<Template>>> {
        let entry = self.take(key)?;
        self.reader.list(&entry, "a list of strings", |entry| self.reader.template(entry))
    }

    /// The field `key` as a table of the user's own keys.
    pub(super) fn map<Value>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl Fn(&Entry<'t>) -> Option<Value>,
    ) -> Vec<(Located<String>, Value)> {
        self.take(key).map_or_else(Vec::new, |entry| self.reader.map(&entry, expected, read))
    }

    /// Says that `key` is missing. `example` shows how it is written.
    pub(super) fn missing(&mut self, key: &str, example: &str) {
        let said = format!("`{key}` is missing");
        let diagnostic = self.reader.error(format!("{} needs `{key}`", self.what), &self.location, &said);
        self.missing.push(diagnostic.help(format!("write `{example}`")));
    }

    /// Reports the keys that nobody asked for; where there is none, the keys that are missing.
    pub(super) fn finish(self) {
        let known = |key: &str| self.known.contains(&key);
        let unknown: Vec<_> = self.entries.iter().filter(|(key, _value)| !known(key.get_ref())).collect();
        for (key, value) in &unknown {
            self.report_unknown(&self.reader.entry(key, value).key);
        }
        if unknown.is_empty() {
            self.missing.into_iter().for_each(|diagnostic| self.reader.report(diagnostic));
        }
    }

    fn report_unknown(&self, key: &Located<String>) {
        let mut seen = BTreeSet::new();
        let known: Vec<&str> = self.known.iter().copied().filter(|key| seen.insert(*key)).collect();
        let message = format!("unknown key `{}` in {}", key.value, self.what);
        let diagnostic = self.reader.error(message, &key.location, "unknown key");
        let near = nearest(&key.value, known.iter().copied());
        self.reader.report(match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("the keys are {}", quoted_list(known.into_iter()))),
        });
    }
}

/// The names in backquotes, with commas between.
fn quoted_list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
