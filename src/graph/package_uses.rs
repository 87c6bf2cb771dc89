//! What targets take from one `BUILD.toml`: their own tables, defaults, variables.
//!
//! The files are parsed again and nothing is evaluated: a variable counts that a field of the target may
//! use, whichever case of a `switch` holds today. So the answer is never too small.
//!
//! **Invariant:** it answers for targets that were loaded; what is wrong in a file was said then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::source::read_error::ReadError;
use crate::source::snapshot::Snapshot;
use crate::syntax::build_toml::build_fields::BuildFields;
use crate::syntax::build_toml::file::{self, BuildFile, FILE_NAME};
use crate::syntax::build_toml::targets::{TargetContent, TargetKind, TargetTable};
use crate::syntax::build_toml::variables::Variable;
use crate::syntax::interpolation::Template;
use crate::types::label::Label;
use crate::types::span::{Location, SourceText};
use crate::types::workspace_path::WorkspacePath;

/// How a target uses a `BUILD.toml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PackageUse {
    /// It is declared there.
    Declaration,
    /// It takes fields that it does not write itself.
    Defaults,
    /// One of its fields, or a variable that one of them uses, uses a variable of this name.
    Variable(String),
}

/// The `BUILD.toml` files that were looked at, each parsed once.
pub(super) struct PackageUses<'s> {
    snapshot: &'s Snapshot,
    files: BTreeMap<WorkspacePath, Option<BuildFile>>,
}

impl<'s> PackageUses<'s> {
    /// Nothing was looked at yet.
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        Self { snapshot, files: BTreeMap::new() }
    }

    /// How the target `label` of this kind uses the file of `folder`, its package or one above it, and where
    /// that is written in the file.
    ///
    /// # Errors
    /// When a file that was there when the target was loaded cannot be read.
    pub(super) fn of(
        &mut self,
        folder: &WorkspacePath,
        label: &Label,
        kind: TargetKind,
    ) -> Result<Vec<(PackageUse, Location)>, ReadError> {
        let above: Vec<WorkspacePath> =
            std::iter::successors(Some((*label.package).clone()), WorkspacePath::parent).collect();
        for folder in &above {
            self.read(folder)?;
        }
        let file = |folder: &WorkspacePath| self.files.get(folder)?.as_ref();
        let files: Vec<&BuildFile> = above.iter().filter_map(file).collect();
        let mut tables = file(&label.package).into_iter().flat_map(|file| &file.targets);
        let table = tables.find(|table| table.name.value == *label.name);
        Ok(table.map_or_else(Vec::new, |table| uses(&files, table, kind, &path_of(folder))))
    }

    fn read(&mut self, folder: &WorkspacePath) -> Result<(), ReadError> {
        if self.files.contains_key(folder) {
            return Ok(());
        }
        let path = path_of(folder);
        let file = match self.snapshot.read(&path) {
            Ok(bytes) => Some(file::parse(&Arc::new(SourceText::of_bytes(path, &bytes))).0),
            Err(ReadError::Missing { .. } | ReadError::WrongKind { .. }) => None,
            Err(error) => return Err(error),
        };
        self.files.insert(folder.clone(), file);
        Ok(())
    }
}

fn path_of(folder: &WorkspacePath) -> WorkspacePath {
    folder.join_name(FILE_NAME.as_bytes())
}

/// How the target of `table` uses the file at `path`. `files` are that of its package and those above, the
/// nearest first.
fn uses(
    files: &[&BuildFile],
    table: &TargetTable,
    kind: TargetKind,
    path: &WorkspacePath,
) -> Vec<(PackageUse, Location)> {
    let is_here = |place: &Location| place.source.path == *path;
    let mut uses = Vec::new();
    if is_here(&table.name.location) {
        uses.push((PackageUse::Declaration, table.name.location.clone()));
    }
    let mut templates: Vec<&Template> = Vec::new();
    match &table.content {
        Some(TargetContent::External(image)) => templates.push(image),
        Some(TargetContent::Built(fields)) => {
            templates.extend(fields.templates());
            for fields in defaults(files, kind) {
                templates.extend(fields.templates());
                let place = fields.first_place().filter(|place| is_here(place));
                uses.extend(place.map(|place| (PackageUse::Defaults, place.clone())));
            }
        }
        Some(TargetContent::Group(_)) | None => {}
    }
    let used = variables(files, templates).into_iter().map(|variable| &variable.name);
    let here = used.filter(|name| is_here(&name.location));
    uses.extend(here.map(|name| (PackageUse::Variable(name.value.clone()), name.location.clone())));
    uses
}

/// The defaults of `kind` in `files`.
fn defaults<'f>(files: &[&'f BuildFile], kind: TargetKind) -> Vec<&'f BuildFields> {
    let of_kind = files.iter().flat_map(|file| &file.defaults).filter(|(other, _)| *other == kind);
    of_kind.map(|(_, fields)| fields).collect()
}

/// The variables that `templates` of a target in the package of the first of `files` may use, and those that
/// they use in turn.
fn variables<'f>(files: &[&'f BuildFile], templates: Vec<&'f Template>) -> Vec<&'f Variable> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    // A variable sees those of the file that declares it and of the files above.
    let mut pending: Vec<(usize, &Template)> = templates.into_iter().map(|template| (0, template)).collect();
    while let Some((from, template)) = pending.pop() {
        for reference in template.references() {
            let declared = files[from..].iter().enumerate().find_map(|(further, file)| {
                let at = file.variables.iter().rposition(|variable| variable.name.value == reference.name)?;
                Some((from + further, at))
            });
            let Some((index, at)) = declared.filter(|place| seen.insert(*place)) else { continue };
            let variable = &files[index].variables[at];
            found.push(variable);
            let cases = variable.cases.iter().map(|(_, template)| template);
            let own = variable.switch.iter().chain(cases).chain(&variable.default);
            pending.extend(own.map(|template| (index, template)));
        }
    }
    found
}
