//! The `BUILD.toml` files of a workspace, read and parsed.
//!
//! A folder below the root whose `BUILD.toml` has a `[workspace]` of its own is another workspace:
//! its packages are none of this one's.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use crate::source::packages::{self, PackagesError};
use crate::source::parallel::AT_ONCE;
use crate::source::snapshot::Snapshot;
use crate::syntax::build_toml::file::{self, BuildFile, FILE_NAME};
use crate::syntax::build_toml::requirement::Version;
use crate::syntax::path_patterns::{PathPatterns, PatternError};
use crate::types::diagnostic::Diagnostic;
use crate::types::span::{Located, SourceText, Span};
use crate::types::workspace_path::WorkspacePath;

/// A package and its file.
pub(super) struct Package {
    /// Where it lies.
    pub(super) folder: Arc<WorkspacePath>,
    /// What it says.
    pub(super) file: BuildFile,
    /// What is wrong with it.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Reads the root's file and checks what must hold before anything else in it means anything.
pub(super) fn read_root(snapshot: &Snapshot, version: &str) -> Result<Package, Vec<Diagnostic>> {
    let root =
        read_package(snapshot, Arc::new(WorkspacePath::root())).map_err(|diagnostic| vec![diagnostic])?;
    let Some(workspace) = &root.file.workspace else {
        let mut diagnostics = root.diagnostics;
        if !file::has_workspace(&root.file.source.text) {
            let message = format!("the workspace's `{FILE_NAME}` has no `[workspace]` table");
            let diagnostic = Diagnostic::error(message).at(&root.file.source, Span::default(), "");
            diagnostics.push(diagnostic.help("write `[workspace]` at its top"));
        }
        return Err(diagnostics);
    };
    if let (Some(requires), Some(version)) = (&workspace.requires, Version::parse(version))
        && !requires.value.holds(version)
    {
        let wanted = root.file.source.text[requires.location.span.range()].trim_matches(['"', '\'']);
        let message = format!("this is imgraph {version}, and the workspace requires `{wanted}`");
        let diagnostic = Diagnostic::error(message).at_location(&requires.location, "required here");
        return Err(vec![diagnostic.help("install a version of imgraph that satisfies it")]);
    }
    Ok(root)
}

/// Reads every package, or only those in `known`, `root` being read already. Sorted by folder.
pub(super) fn read_all(
    snapshot: &Snapshot,
    root: Package,
    known: Option<&BTreeSet<WorkspacePath>>,
) -> (Vec<Package>, Vec<Diagnostic>) {
    let (mut folders, mut diagnostics) = match known {
        Some(known) => (known.iter().cloned().collect(), Vec::new()),
        None => folders(snapshot, &root),
    };
    folders.retain(|folder| !folder.is_root());
    // One list with room for all: of many packages, each copy of it would be some megabytes.
    let mut results: Vec<Result<Package, Diagnostic>> = Vec::with_capacity(folders.len() + 1);
    results.push(Ok(root));
    let folders = folders.into_par_iter().with_max_len(AT_ONCE);
    results.par_extend(folders.map(|folder| read_package(snapshot, Arc::new(folder))));
    let read = results.into_iter().filter_map(|result| result.map_err(|wrong| diagnostics.push(wrong)).ok());
    let mut packages: Vec<Package> = read.collect();
    packages.sort_by(|one, other| one.folder.cmp(&other.folder));
    (without_other_workspaces(packages), diagnostics)
}

/// The folders of all packages, and what is wrong with looking for them.
fn folders(snapshot: &Snapshot, root: &Package) -> (Vec<WorkspacePath>, Vec<Diagnostic>) {
    let workspace = root.file.workspace.as_ref();
    let written: &[Located<String>] = workspace.map_or(&[], |workspace| &workspace.exclude);
    let (exclude, mut diagnostics) = patterns(written);
    match packages::find_packages(snapshot, &exclude) {
        Ok(found) => {
            diagnostics.extend(found.unreadable.iter().map(|error| {
                Diagnostic::warning(error.to_string()).help(
                    "no package was looked for there; `exclude` in `[workspace]` says that this is meant",
                )
            }));
            (found.folders, diagnostics)
        }
        Err(PackagesError::Read(error)) => {
            diagnostics.push(Diagnostic::error(error.to_string()));
            (Vec::new(), diagnostics)
        }
        Err(PackagesError::Pattern(error)) => {
            let blamed = written.iter().find(|pattern| pattern.value.contains(&error.text));
            diagnostics.push(bad_pattern(&error, blamed.or(written.first())));
            (Vec::new(), diagnostics)
        }
    }
}

/// The patterns of `exclude` that are patterns.
fn patterns(written: &[Located<String>]) -> (PathPatterns, Vec<Diagnostic>) {
    let mut good = Vec::new();
    let mut diagnostics = Vec::new();
    for pattern in written {
        match PathPatterns::new([&pattern.value]) {
            Ok(_) => good.push(&pattern.value),
            Err(error) => diagnostics.push(bad_pattern(&error, Some(pattern))),
        }
    }
    // Each was compiled by itself: together they cannot fail.
    (PathPatterns::new(good).unwrap_or_default(), diagnostics)
}

fn bad_pattern(error: &PatternError, place: Option<&Located<String>>) -> Diagnostic {
    let diagnostic = Diagnostic::error(error.to_string());
    match place {
        Some(pattern) => {
            diagnostic.at_location(&pattern.location, "expected a pattern such as `third_party/**`")
        }
        None => diagnostic,
    }
}

/// Leaves out the packages of workspaces inside this one. `packages` is sorted: a folder comes
/// before what is in it.
fn without_other_workspaces(mut packages: Vec<Package>) -> Vec<Package> {
    let mut inner: Option<Arc<WorkspacePath>> = None;
    packages.retain(|package| {
        if inner.as_ref().is_some_and(|inner| package.folder.letters_below(inner).is_some()) {
            return false;
        }
        let is_other = package.file.workspace.is_some() && !package.folder.is_root();
        if is_other {
            inner = Some(Arc::clone(&package.folder));
        }
        !is_other
    });
    packages
}

fn read_package(snapshot: &Snapshot, folder: Arc<WorkspacePath>) -> Result<Package, Diagnostic> {
    let path = folder.join_name(FILE_NAME.as_bytes());
    let bytes = snapshot.read(&path).map_err(|error| Diagnostic::error(error.to_string()))?;
    let source = Arc::new(SourceText::of_bytes(path, &bytes));
    if let Some((diagnostic, at)) = file::not_utf8(&source.path.to_string(), &bytes) {
        // Up to here the text is as long as the bytes.
        let length = char::REPLACEMENT_CHARACTER.len_utf8();
        return Err(diagnostic.at(&source, Span::new(at, at + length), "no letter of UTF-8"));
    }
    let (file, diagnostics) = file::parse(&source);
    Ok(Package { folder, file, diagnostics })
}
