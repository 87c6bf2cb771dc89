//! `[alias]`: other names for targets.
//!
//! An alias may stand wherever a label may, and may stand for another alias. It hides nothing: a
//! label is a target or an alias, never both.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::graph::cycles;
use crate::graph::names::{self, Meaning, Names};
use crate::types::diagnostic::Diagnostic;
use crate::types::label::Label;
use crate::types::span::{Located, Location};
use crate::types::workspace_path::WorkspacePath;

/// An alias: its own name, and what it says it stands for.
struct Alias {
    location: Location,
    meaning: Located<Label>,
}

/// The `[alias]` table of a package: names, and what they stand for.
pub(super) type Written<'w> = (Arc<WorkspacePath>, &'w [(Located<String>, Located<String>)]);

/// Adds the aliases that packages write to `names`, and says what is wrong with them.
pub(super) fn add(names: &mut Names, written: &[Written<'_>]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut aliases: BTreeMap<Label, Alias> = BTreeMap::new();
    for (package, entries) in written {
        for (key, value) in *entries {
            match read(key, value, package) {
                Ok((label, alias)) => diagnostics.extend(insert(&mut aliases, label, alias, names)),
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
    }
    diagnostics.extend(report_cycles(&mut aliases));
    for (label, alias) in &aliases {
        let meaning = last(&aliases, alias);
        if names.meaning(meaning) == Meaning::Missing {
            let diagnostic = names.not_found(meaning);
            diagnostics.push(diagnostic.at_location(&alias.meaning.location, "the alias stands for nothing"));
        }
        names.add_alias(label.clone(), meaning.clone());
    }
    diagnostics
}

fn read(
    key: &Located<String>,
    value: &Located<String>,
    package: &Arc<WorkspacePath>,
) -> Result<(Label, Alias), Diagnostic> {
    let label = |text: &Located<String>| {
        Label::parse(&text.value, package).map_err(|error| names::no_label(&error, text, "expected a label"))
    };
    Ok((label(key)?, Alias { location: key.location.clone(), meaning: value.with(label(value)?) }))
}

fn insert(
    aliases: &mut BTreeMap<Label, Alias>,
    label: Label,
    alias: Alias,
    names: &Names,
) -> Option<Diagnostic> {
    if names.meaning_and_kind(&label).1.is_some() {
        let message = format!("`{label}` is a target already");
        let diagnostic = Diagnostic::error(message).at_location(&alias.location, "cannot be an alias too");
        return Some(diagnostic.help("take the alias away, or call it something else"));
    }
    if let Some(first) = aliases.get(&label) {
        let message = format!("the alias `{label}` is written twice");
        let diagnostic = Diagnostic::error(message).at_location(&alias.location, "the second");
        return Some(diagnostic.see_location(&first.location, "the first"));
    }
    aliases.insert(label, alias);
    None
}

/// Reports aliases that lead back to themselves, and takes them away.
fn report_cycles(aliases: &mut BTreeMap<Label, Alias>) -> Vec<Diagnostic> {
    let labels: Vec<Label> = aliases.keys().cloned().collect();
    let edge = |alias: &Alias| {
        let next = labels.binary_search(&alias.meaning.value).ok()?;
        Some((next, alias.meaning.location.clone()))
    };
    let edges: Vec<Vec<_>> = aliases.values().map(|alias| edge(alias).into_iter().collect()).collect();
    let texts: Vec<String> = labels.iter().map(ToString::to_string).collect();
    let mut diagnostics = Vec::new();
    for cycle in cycles::find(&edges) {
        let names: Vec<&str> = cycle.iter().map(|step| texts[step.node].as_str()).collect();
        diagnostics.push(cycles::describe("aliases", "stands for", &names, &cycle));
        for step in &cycle {
            aliases.remove(&labels[step.node]);
        }
    }
    diagnostics
}

/// What `alias` stands for in the end. There are no cycles.
fn last<'a>(aliases: &'a BTreeMap<Label, Alias>, alias: &'a Alias) -> &'a Label {
    let mut meaning = &alias.meaning.value;
    while let Some(next) = aliases.get(meaning) {
        meaning = &next.meaning.value;
    }
    meaning
}
