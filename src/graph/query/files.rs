//! The files that builds read, and those that say what targets are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::vertices::{Item, Vertices};
use crate::graph::load::Loaded;
use crate::graph::node::{Build, Context};
use crate::graph::node_views;
use crate::graph::view::ViewSpec;
use crate::source::snapshot::Snapshot;
use crate::syntax::build_toml::file::FILE_NAME;
use crate::syntax::path_text::lossy_text;
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::workspace_path::WorkspacePath;

/// The files that `builds` read: what is in their views, their Dockerfiles, and the ignore files that apply.
/// Each view is listed once, and no file is opened.
///
/// # Errors
/// What is wrong with the first view that cannot be listed.
pub(super) fn read_by<'b>(
    builds: impl Iterator<Item = &'b Build>,
    snapshot: &Snapshot,
) -> Result<BTreeSet<Item>, Diagnostic> {
    let mut files = BTreeSet::new();
    let mut readers: HashMap<&ViewSpec, (&Build, &Context)> = HashMap::new();
    for build in builds {
        files.insert(build.definition().dockerfile.value.clone());
        for (_, context) in build.contexts() {
            files.extend(context.ignore_file.clone());
            readers.entry(&context.spec).or_insert((build, context));
        }
    }
    let readers: Vec<(&Build, &Context)> = readers.into_values().collect();
    let list = |(build, context): &(&Build, &Context)| {
        let spec = &context.spec;
        let files = spec.files(snapshot).map_err(|error| node_views::diagnostic(&error, build, context))?;
        Ok(files.iter().map(|path| spec.context.join(path)).collect())
    };
    let listed: Vec<Result<Vec<WorkspacePath>, Diagnostic>> = readers.par_iter().map(list).collect();
    let mut problems = Vec::new();
    for paths in listed {
        match paths {
            Ok(paths) => files.extend(paths),
            Err(problem) => problems.push(problem),
        }
    }
    match problems.into_iter().min_by(|one, other| one.order().cmp(&other.order())) {
        Some(first) => Err(first),
        None => Ok(files.into_iter().map(|path| Item::File(Arc::new(path))).collect()),
    }
}

/// The `BUILD.toml` files that say what `items` are: that of the package, and those of the folders above it
/// that declare variables, defaults or aliases.
pub(super) fn declaring(items: &BTreeSet<Item>, vertices: &Vertices<'_>, loaded: &Loaded) -> BTreeSet<Item> {
    let shared: BTreeSet<&WorkspacePath> = loaded.shared.iter().map(|package| &**package).collect();
    let packages: BTreeSet<Arc<WorkspacePath>> =
        items.iter().filter_map(|item| vertices.package(item)).collect();
    let mut folders = BTreeSet::new();
    for package in packages {
        let above = std::iter::successors(package.parent(), WorkspacePath::parent);
        folders.extend(above.filter(|folder| shared.contains(folder)));
        folders.insert((*package).clone());
    }
    folders.iter().map(|folder| Item::File(Arc::new(folder.join_name(FILE_NAME.as_bytes())))).collect()
}

/// Whether something is at `path`.
pub(super) fn exists(path: &WorkspacePath, snapshot: &Snapshot) -> bool {
    path.is_root() || snapshot.entry(path).is_ok_and(|entry| entry.is_some())
}

/// Checks that something is at `path`. What is wrong begins as `wrong` says it.
///
/// # Errors
/// When nothing is there: what is near.
pub(super) fn check_that_it_exists(
    path: &WorkspacePath,
    snapshot: &Snapshot,
    wrong: impl Fn(String) -> Diagnostic,
) -> Result<(), Diagnostic> {
    if exists(path, snapshot) {
        return Ok(());
    }
    let problem = wrong(format!("there is no file `{path}`, and no target would read it"));
    let near = path.parent().and_then(|folder| {
        let entries = snapshot.folder(&folder).ok()??.entries().ok()?;
        let names: Vec<String> = entries.iter().map(|entry| lossy_text(entry.name())).collect();
        let near = nearest(&lossy_text(path.file_name()?), names.iter().map(String::as_str))?;
        Some(folder.join_name(near.as_bytes()))
    });
    Err(match near {
        Some(near) => problem.help(format!("did you mean `//{near}`?")),
        None => problem.help("a path is relative to where you stand, or begins with `//`"),
    })
}
