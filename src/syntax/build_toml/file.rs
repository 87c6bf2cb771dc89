//! A whole `BUILD.toml`.

use std::sync::Arc;

use toml::de::{DeTable, Error};

use crate::types::diagnostic::Diagnostic;
use crate::types::span::{Located, SourceText, Span};

use super::build_fields::{self, BuildFields};
use super::table::{Reader, Table};
use super::targets::{self, TargetKind, TargetTable};
use super::variables::{self, Variable};
use super::workspace::{self, WishedBuilder, WorkspaceTable};

/// The name of the file that makes a folder a package.
pub const FILE_NAME: &str = "BUILD.toml";

/// What a `BUILD.toml` says, as far as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildFile {
    /// Its text.
    pub source: Arc<SourceText>,
    /// Whether the text is TOML. When not, tables may be missing here.
    pub well_formed: bool,
    /// `[workspace]`, which one file of a workspace has.
    pub workspace: Option<Box<WorkspaceTable>>,
    /// `[vars]`, in the order written.
    pub variables: Vec<Variable>,
    /// `[defaults.*]`, by kind.
    pub defaults: Vec<(TargetKind, BuildFields)>,
    /// All targets. Two may have one name: the second has been reported.
    pub targets: Vec<TargetTable>,
    /// `[alias]`: a label and what it stands for.
    pub aliases: Vec<(Located<String>, Located<String>)>,
}

/// Reads `source`. What can be read is returned whatever is wrong with the rest.
pub fn parse(source: &Arc<SourceText>) -> (BuildFile, Vec<Diagnostic>) {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let reader = Reader::new(source);
    let mut root = reader.root(document.get_ref());
    let file = BuildFile {
        source: Arc::clone(source),
        well_formed: errors.is_empty(),
        workspace: root.take("workspace").and_then(|entry| workspace::read(&reader, &entry)).map(Box::new),
        variables: root.take("vars").map_or_else(Vec::new, |entry| variables::read(&reader, &entry)),
        defaults: defaults(&reader, &mut root),
        targets: targets(&reader, &mut root),
        aliases: root.map(
            "alias",
            "a table of labels, such as `\"//api\" = \"//services/api:image\"`",
            |entry| reader.text(entry),
        ),
    };
    root.finish();
    report_duplicates(&reader, &file.targets);
    if errors.is_empty() {
        return (file, reader.into_diagnostics());
    }
    // What was recovered of a broken text is good enough to know names by, not to judge.
    (file, errors.iter().map(|error| syntax_error(source, error)).collect())
}

/// Whether the text of a `BUILD.toml` has a `[workspace]` table, as far as it can be read.
pub fn has_workspace(text: &str) -> bool {
    DeTable::parse_recoverable(text).0.get_ref().contains_key("workspace")
}

/// The builder that the `[workspace]` table in the text of a `BUILD.toml` asks for. What is wrong with it is told by
/// [`read`]'s diagnostics, not here.
pub fn wished_builder(text: &str) -> Option<WishedBuilder> {
    // Most files need not be read twice.
    if !text.contains("builder") {
        return None;
    }
    let (table, _errors) = DeTable::parse_recoverable(text);
    let workspace = table.get_ref().get("workspace")?.get_ref().as_table()?;
    WishedBuilder::named(workspace.get("builder")?.get_ref().as_str()?)
}

/// What is wrong with the bytes of the `BUILD.toml` that people know as `path`, when they are not
/// UTF-8, and the offset of the first byte that is not. The place in a text is for the caller to add.
pub fn not_utf8(path: &str, bytes: &[u8]) -> Option<(Diagnostic, usize)> {
    let at = std::str::from_utf8(bytes).err()?.valid_up_to();
    let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
    let message =
        format!("`{path}` is not UTF-8: the byte {:#04x} at offset {at}, in line {line}", bytes[at]);
    let help = if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        format!("a `{FILE_NAME}` is UTF-8, and this file seems to be UTF-16: save it as UTF-8")
    } else {
        format!("a `{FILE_NAME}` is UTF-8: save it in that encoding")
    };
    Some((Diagnostic::error(message).help(help), at))
}

fn defaults(reader: &Reader, root: &mut Table<'_, '_>) -> Vec<(TargetKind, BuildFields)> {
    let Some(entry) = root.take("defaults") else { return Vec::new() };
    let expected = "a table of defaults, such as `[defaults.image]`";
    let Some(mut table) = reader.table(&entry, "`[defaults]`", expected) else { return Vec::new() };
    let mut found = Vec::new();
    for kind in [TargetKind::Base, TargetKind::Stage, TargetKind::Image] {
        let Some(entry) = table.take(kind.as_str()) else { continue };
        let what = format!("`[defaults.{kind}]`");
        if let Some(mut table) = reader.table(&entry, &what, "a table of fields") {
            found.push((kind, build_fields::read(&mut table)));
            table.finish();
        }
    }
    table.finish();
    found
}

fn targets(reader: &Reader, root: &mut Table<'_, '_>) -> Vec<TargetTable> {
    let mut found = Vec::new();
    for kind in TargetKind::ALL {
        if let Some(entry) = root.take(kind.as_str()) {
            let targets = targets::read(reader, kind, &entry);
            // Most files have one: a list that grows by itself has room for four.
            found.reserve_exact(targets.len());
            found.extend(targets);
        }
    }
    found.sort_by_key(|target| target.name.location.span.start());
    found
}

/// Names are unique in a package, over all kinds.
fn report_duplicates(reader: &Reader, targets: &[TargetTable]) {
    let mut firsts = std::collections::BTreeMap::new();
    for target in targets {
        let first = firsts.entry(&target.name.value).or_insert(target);
        if std::ptr::eq(*first, target) {
            continue;
        }
        let (name, kind) = (&target.name.value, target.kind);
        let message = format!("two targets are called `{name}`");
        let said = format!("{kind} `{name}`");
        let place = &first.name.location;
        let diagnostic = reader
            .error(message, &target.name.location, &said)
            .see(&place.source, place.span, format!("{} `{name}`", first.kind))
            .help("names are unique in a package, over all kinds: rename one");
        reader.report(diagnostic);
    }
}

fn syntax_error(source: &Arc<SourceText>, error: &Error) -> Diagnostic {
    let span = error.span().map_or_else(Span::default, Span::from);
    let (message, expected) = error.message().split_once(", expected ").unwrap_or((error.message(), ""));
    let no_value = || source.text[span.start()..].trim_start_matches(' ').starts_with(['\n', '\r']);
    let (message, said) = match (message, expected) {
        ("duplicate key", _) => ("a key or table is written twice", "stands above already".to_owned()),
        ("string values must be quoted", _) if no_value() => {
            ("a key without a value", "expected a value".to_owned())
        }
        ("invalid basic string", "`\"`") => {
            ("a string without its closing quote", "expected `\"`".to_owned())
        }
        (message, "") => (message, String::new()),
        (message, expected) => (message, format!("expected {expected}")),
    };
    Diagnostic::error(format!("not TOML: {message}")).at(source, span, said)
}
