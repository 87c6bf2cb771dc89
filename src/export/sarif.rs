//! What a check found, in SARIF 2.1.0: the form that code scanners exchange.
//!
//! Paths are relative to the workspace's root, which `%SRCROOT%` stands for: two checkouts give one text.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::documents::text;
use super::finding_place::FindingPlace;
use super::findings::severity_word;
use crate::graph::check::Finding;
use crate::graph::lint::{self, Lint};
use crate::types::diagnostic::{Annotation, Diagnostic};

const SARIF_SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const ROOT: &str = "%SRCROOT%";

/// The whole log.
#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

/// One run of the tool.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Value,
    original_uri_base_ids: Value,
    column_kind: &'static str,
    results: Vec<Value>,
}

/// The log of `findings`, with a line end. `version` is imgraph's.
pub fn sarif(findings: &[Finding], version: &str) -> String {
    let numbers: BTreeMap<&str, usize> =
        lint::ALL.iter().enumerate().map(|(at, lint)| (lint.code, at)).collect();
    let results = findings.iter().map(|finding| result(finding, numbers[finding.lint.code])).collect();
    let driver = json!({
        "name": "imgraph",
        "version": version,
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "rules": lint::ALL.iter().map(|lint| rule(lint)).collect::<Vec<_>>(),
    });
    text(&Log {
        schema: SARIF_SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: json!({ "driver": driver }),
            original_uri_base_ids: json!({ ROOT: { "description": { "text": "The workspace's root." } } }),
            column_kind: "unicodeCodePoints",
            results,
        }],
    })
}

fn rule(lint: &Lint) -> Value {
    json!({
        "id": lint.code,
        "shortDescription": { "text": lint.meaning },
        "help": { "text": lint.help },
        "defaultConfiguration": { "level": severity_word(lint.severity) },
    })
}

fn result(finding: &Finding, number: usize) -> Value {
    let diagnostic = &finding.diagnostic;
    let targets: Vec<String> = finding.targets.iter().map(ToString::to_string).collect();
    let related: Vec<Value> = diagnostic.annotations.iter().skip(1).map(related).collect();
    let places: Vec<Value> = diagnostic
        .annotations
        .iter()
        .take(1)
        .map(|first| json!({ "physicalLocation": physical(&FindingPlace::of_annotation(first)) }))
        .collect();
    let mut result = json!({
        "ruleId": finding.lint.code,
        "ruleIndex": number,
        "level": severity_word(diagnostic.severity),
        "message": { "text": message(diagnostic) },
        "locations": places,
        "properties": { "targets": targets },
    });
    if !related.is_empty() {
        result["relatedLocations"] = Value::Array(related);
    }
    result
}

/// The whole of what is to be said, in sentences.
fn message(diagnostic: &Diagnostic) -> String {
    let more = diagnostic.notes().iter().chain(&diagnostic.help);
    more.fold(diagnostic.message.clone(), |text, help| format!("{text}\n{help}"))
}

fn related(annotation: &Annotation) -> Value {
    json!({
        "physicalLocation": physical(&FindingPlace::of_annotation(annotation)),
        "message": { "text": annotation.message },
    })
}

fn physical(place: &FindingPlace) -> Value {
    json!({
        "artifactLocation": { "uri": uri(&place.file), "uriBaseId": ROOT },
        "region": {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        },
    })
}

/// A relative URI: everything but unreserved characters and `/` is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("a b/Dockerfile#1"), "a%20b/Dockerfile%231");
        assert_eq!(uri("ä/x"), "%C3%A4/x");
    }
}
