//! What a check found, as documents: of our own, for GitHub's workflow commands, and the list of lints.

use std::fmt::Write;

use serde::Serialize;

use super::documents::{SCHEMA, text};
use super::finding_place::FindingPlace;
use crate::graph::check::Finding;
use crate::graph::lint::{self, Lint};
use crate::types::diagnostic::{Annotation, Severity};

/// The findings of a check.
#[derive(Debug, Serialize)]
struct FindingsDocument {
    schema: u32,
    findings: Vec<FindingDocument>,
}

#[derive(Debug, Serialize)]
struct FindingDocument {
    code: &'static str,
    severity: &'static str,
    message: String,
    place: Option<FindingPlace>,
    related: Vec<RelatedDocument>,
    notes: Vec<String>,
    help: Vec<String>,
    targets: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RelatedDocument {
    message: String,
    place: FindingPlace,
}

/// The lints.
#[derive(Debug, Serialize)]
struct LintsDocument {
    schema: u32,
    lints: Vec<LintDocument>,
}

/// One lint.
#[derive(Debug, Serialize)]
struct LintDocument {
    code: &'static str,
    severity: &'static str,
    meaning: &'static str,
    help: &'static str,
    buildkit: Option<&'static str>,
}

/// The word for a severity in every document: `warning` or `error`.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// The document of `findings`: by file and place, with a line end.
pub fn json(findings: &[Finding]) -> String {
    let related = |annotation: &Annotation| RelatedDocument {
        message: annotation.message.clone(),
        place: FindingPlace::of_annotation(annotation),
    };
    let document = |finding: &Finding| FindingDocument {
        code: finding.lint.code,
        severity: severity_word(finding.diagnostic.severity),
        message: finding.diagnostic.message.clone(),
        place: FindingPlace::of(&finding.diagnostic),
        related: finding.diagnostic.annotations.iter().skip(1).map(related).collect(),
        notes: finding.diagnostic.notes().to_vec(),
        help: finding.diagnostic.help.clone(),
        targets: finding.targets.iter().map(ToString::to_string).collect(),
    };
    text(&FindingsDocument { schema: SCHEMA, findings: findings.iter().map(document).collect() })
}

/// The document of `lints`, with a line end.
pub fn lints_json(lints: &[&'static Lint]) -> String {
    let document = |lint: &&'static Lint| LintDocument {
        code: lint.code,
        severity: severity_word(lint.severity),
        meaning: lint.meaning,
        help: lint.help,
        buildkit: lint.buildkit,
    };
    text(&LintsDocument { schema: SCHEMA, lints: lints.iter().map(document).collect() })
}

/// All lints as the rows of a table in Markdown, with a line end.
pub fn lints_markdown() -> String {
    let mut table = "| code | severity | finds | BuildKit's name |\n|---|---|---|---|\n".to_owned();
    for lint in lint::ALL {
        let buildkit = lint.buildkit.map(|name| format!("`{name}`")).unwrap_or_default();
        let severity = severity_word(lint.severity);
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{lint}` | {severity} | {} | {buildkit} |", lint.meaning);
    }
    table
}

/// A workflow command a line for each of `findings`. `folder` is where the workspace lies in the repository:
/// empty, or with a `/` at its end.
pub fn github(findings: &[Finding], folder: &str) -> String {
    let line = |finding: &Finding| {
        let diagnostic = &finding.diagnostic;
        let mut properties = Vec::new();
        if let Some(place) = FindingPlace::of(diagnostic) {
            properties.push(format!("file={}", property(&format!("{folder}{}", place.file))));
            properties.push(format!("line={},endLine={}", place.line, place.end_line));
            // GitHub takes columns within one line only.
            if place.line == place.end_line {
                properties.push(format!("col={},endColumn={}", place.column, place.end_column));
            }
        }
        properties.push(format!("title={}", property(finding.lint.code)));
        let helps = diagnostic.notes().iter().chain(&diagnostic.help);
        let text = helps.fold(diagnostic.message.clone(), |text, help| format!("{text}\n{help}"));
        let word = severity_word(diagnostic.severity);
        format!("::{word} {}::{}\n", properties.join(","), data(&text))
    };
    findings.iter().map(line).collect()
}

/// What a workflow command's message may hold.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What a property of a workflow command may hold.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflow_commands_are_escaped() {
        assert_eq!(data("a%b\r\nc:d,e"), "a%25b%0D%0Ac:d,e");
        assert_eq!(property("a%b\nc:d,e"), "a%25b%0Ac%3Ad%2Ce");
    }
}
