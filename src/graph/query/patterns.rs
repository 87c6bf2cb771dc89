//! A word of a query, and the targets that it names.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::load::Loaded;
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::TargetId;
use crate::types::span::{SourceText, Spanned};
use crate::types::target_pattern::{Selection, TargetPattern};
use crate::types::workspace_path::WorkspacePath;

/// The targets that `word`, written in the folder `current`, names: groups as themselves.
///
/// # Errors
/// When it is no pattern, or names nothing.
pub(super) fn select(
    word: &Spanned<String>,
    loaded: &Loaded,
    current: &Arc<WorkspacePath>,
    source: &Arc<SourceText>,
) -> Result<BTreeSet<TargetId>, Diagnostic> {
    let selected = parse(word, current).and_then(|selection| of_selection(&selection, loaded));
    selected.map_err(|problem| problem.at(source, word.span, "expected a target pattern"))
}

/// Whether `word` is written as a reference of an image may be: as no pattern of a folder.
pub(super) fn may_be_image(word: &str) -> bool {
    !word.starts_with(['/', ':', '-', '.']) && !word.ends_with("...")
}

fn parse(word: &Spanned<String>, current: &Arc<WorkspacePath>) -> Result<Selection, Diagnostic> {
    let text = word.value.as_str();
    if text.is_empty() {
        return Err(Diagnostic::error("an empty word names nothing"));
    }
    if text.starts_with('-') && TargetPattern::parse(text, current).is_ok() {
        let problem = Diagnostic::error(format!("`{text}` takes away, and there is nothing before it"));
        return Err(problem.help("write `expression - pattern`"));
    }
    let parsed = TargetPattern::parse(text, current).map_err(|error| {
        let problem = Diagnostic::error(error.to_string());
        if text.ends_with(":*") || text.ends_with(":all-targets") {
            return problem.help("`:all` names every target of a package, `inputs(…)` the files they read");
        }
        match text.strip_prefix('/') {
            Some(rest) if !rest.starts_with('/') => problem.help(format!("did you mean `//{rest}`?")),
            _ => problem
                .help("a target is `//folder:name` or `:name`; several are `//folder:all`, `//folder/...`"),
        }
    })?;
    Ok(parsed.selection)
}

fn of_selection(selection: &Selection, loaded: &Loaded) -> Result<BTreeSet<TargetId>, Diagnostic> {
    let names = &loaded.names;
    let message = || format!("`{selection}` matches no target");
    let found: BTreeSet<TargetId> = match selection {
        Selection::One(label) => {
            return match names.target(label) {
                Some(target) => Ok(BTreeSet::from([target])),
                None => Err(names.not_found(label)),
            };
        }
        Selection::Package(package) if !names.is_package(package) => {
            return Err(names.no_package(package, &message(), None));
        }
        Selection::Package(package) => names.targets_of(package).collect(),
        Selection::Below(folder) => {
            let mut packages = names.packages_below(folder).peekable();
            if packages.peek().is_none() {
                return Err(names.no_package_below(folder, &message()));
            }
            packages.flat_map(|package| names.targets_of(package)).collect()
        }
    };
    if found.is_empty() {
        return Err(Diagnostic::error(message()).help("no `BUILD.toml` there declares a target"));
    }
    Ok(found)
}
