//! From a snapshot to every target of its workspace, and everything that is wrong with them.
//!
//! Files are read and parsed in parallel, then names are collected, then targets are resolved in
//! parallel against them. A load never stops at a mistake: it returns what could be made out *and*
//! all diagnostics, and the caller decides what they forbid.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use crate::graph::aliases;
use crate::graph::names::Names;
use crate::graph::package_files::{self, Package};
use crate::graph::resolve::{self, Resolution, Surroundings};
use crate::graph::select;
use crate::graph::target::{Target, TargetKind};
use crate::graph::variables::{Givens, Scope, Variables};
use crate::source::git_facts::GitQuestion;
use crate::source::parallel::AT_ONCE;
use crate::source::snapshot::Snapshot;
use crate::syntax::build_toml::build_fields::BuildFields;
use crate::syntax::build_toml::file::BuildFile;
use crate::syntax::build_toml::targets::TargetTable;
use crate::types::diagnostic::{Diagnostic, Severity};
use crate::types::environment::Environment;
use crate::types::ids::{DenseMap, TargetId};
use crate::types::label::Label;
use crate::types::span::Located;
use crate::types::workspace_path::WorkspacePath;

/// What a load depends on besides the files.
#[derive(Clone, Copy, Debug)]
pub struct Options<'o> {
    /// What `--set NAME=VALUE` gave.
    pub set: &'o BTreeMap<String, String>,
    /// The environment.
    pub environment: &'o Environment,
    /// The version of imgraph, such as `0.1.0`.
    pub version: &'o str,
}

/// A part of a workspace of which the whole was loaded before, without a mistake, from the same texts.
///
/// What is in the part means what it means in the whole, as long as everything that it speaks of is in it
/// too: what is left out can only take meanings away, and who kept the part saw them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The packages to read, the root's own among them or not.
    pub packages: BTreeSet<WorkspacePath>,
    /// The targets to resolve; of the others in these packages only the names are known.
    pub targets: BTreeSet<Label>,
}

/// A workspace that was loaded.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The name that `[workspace]` gives.
    pub workspace_name: Option<String>,
    /// What git was asked.
    pub git: Vec<(GitQuestion, String)>,
    /// The packages that say something of targets of other packages: variables, defaults, aliases.
    pub shared: Vec<Arc<WorkspacePath>>,
    /// Every target without a mistake, sorted by label.
    pub targets: DenseMap<TargetId, Arc<Target>>,
    /// Every name, those of targets with mistakes included.
    pub names: Names,
    /// Everything that is wrong, sorted by file and place, each thing once.
    pub diagnostics: Vec<Diagnostic>,
    /// What lints say of single targets, sorted by label. What a target does not allow is among
    /// [`Self::diagnostics`] too.
    pub remarks: Vec<(Label, Diagnostic)>,
}

impl Loaded {
    /// Whether something is wrong that forbids to go on.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The targets that `patterns`, typed in the folder `current`, name: sorted by label, no groups.
    ///
    /// # Errors
    /// As [`select::select`].
    pub fn select(
        &self,
        patterns: &[impl AsRef<str>],
        current: &Arc<WorkspacePath>,
    ) -> Result<Vec<TargetId>, Vec<Diagnostic>> {
        select::select(&self.targets, &self.names, patterns, current)
    }
}

/// Loads the workspace whose root is the snapshot's.
pub fn load(snapshot: &Snapshot, options: &Options<'_>) -> Loaded {
    load_some(snapshot, options, None)
}

/// Loads a part of the workspace whose root is the snapshot's.
pub fn load_part(snapshot: &Snapshot, options: &Options<'_>, part: &Part) -> Loaded {
    load_some(snapshot, options, Some(part))
}

fn load_some(snapshot: &Snapshot, options: &Options<'_>, part: Option<&Part>) -> Loaded {
    let root = match package_files::read_root(snapshot, options.version) {
        Ok(root) => root,
        Err(diagnostics) => return Loaded { diagnostics: in_order(diagnostics), ..Loaded::default() },
    };
    let workspace_name = workspace_name(&root.file);
    let (mut packages, mut diagnostics) =
        package_files::read_all(snapshot, root, part.map(|part| &part.packages));
    let git = snapshot.git_facts();
    let givens = Givens { set: options.set, environment: options.environment, git: &git };
    let declared =
        packages.iter().map(|package| (Arc::clone(&package.folder), package.file.variables.clone()));
    let (variables, wrong) = Variables::new(declared.collect(), givens);
    diagnostics.extend(wrong);
    let (mut names, wrong) = collect_names(&packages);
    // Of a part, an alias may stand for what is left out.
    diagnostics.extend(wrong.into_iter().filter(|_| part.is_none()));
    let surroundings = Surroundings { snapshot, names: &names };
    let resolutions = resolve_all(&mut packages, part, surroundings, &variables);
    let (mut targets, mut remarks): (DenseMap<TargetId, Arc<Target>>, _) = (DenseMap::default(), Vec::new());
    for (target, mut wrong) in resolutions {
        if let Some(target) = &target {
            let coded = wrong.iter().filter(|diagnostic| diagnostic.code.is_some()).cloned();
            remarks.extend(coded.map(|diagnostic| (target.label.clone(), diagnostic)));
            wrong.retain(|diagnostic| !target.allows(diagnostic));
        }
        diagnostics.extend(wrong);
        if let Some(target) = target {
            targets.push(target);
        }
    }
    names.identify(targets.iter().map(|(id, target)| (id, &target.label)));
    diagnostics.extend(select::check_cycles(&targets, &names));
    diagnostics.extend(check_publications(&targets));
    diagnostics.extend(check_exports(&targets));
    let shared = packages.iter().filter(|package| concerns_others(&package.file));
    let shared = shared.map(|package| Arc::clone(&package.folder)).collect();
    // On all threads: what is freed here are a great many small things.
    diagnostics.par_extend(packages.into_par_iter().flat_map_iter(|package| package.diagnostics));
    let git = git.asked();
    Loaded { workspace_name, git, shared, targets, names, diagnostics: in_order(diagnostics), remarks }
}

fn concerns_others(file: &BuildFile) -> bool {
    !(file.variables.is_empty() && file.defaults.is_empty() && file.aliases.is_empty())
}

fn workspace_name(root: &BuildFile) -> Option<String> {
    let name = root.workspace.as_ref()?.name.as_ref()?;
    Some(name.value.clone())
}

fn collect_names(packages: &[Package]) -> (Names, Vec<Diagnostic>) {
    let mut names = Names::of_packages(packages.iter().map(|package| {
        let targets = package.file.targets.iter().map(|target| (target.name.value.as_str(), target.kind));
        (Arc::clone(&package.folder), package.file.well_formed, targets)
    }));
    let written: Vec<_> = packages
        .iter()
        .map(|package| (Arc::clone(&package.folder), package.file.aliases.as_slice()))
        .collect();
    let diagnostics = aliases::add(&mut names, &written);
    (names, diagnostics)
}

/// Resolves every target, or those of a part, in the order of labels. The tables of targets are taken out of the
/// packages, and each is freed once it is resolved: what its target needs finds room there.
fn resolve_all(
    packages: &mut [Package],
    part: Option<&Part>,
    surroundings: Surroundings<'_>,
    variables: &Variables<'_>,
) -> Vec<Resolution> {
    let is_wanted = |(package, table): &(Arc<WorkspacePath>, TargetTable)| {
        let label = || Label::new(Arc::clone(package), table.name.value.as_str());
        part.is_none_or(|part| part.targets.contains(&label()))
    };
    let tables: Vec<(Arc<WorkspacePath>, TargetTable)> =
        packages.iter_mut().flat_map(take_tables).filter(is_wanted).collect();
    let declaring = packages.iter().filter(|package| !package.file.defaults.is_empty());
    let defaults: DefaultsByFolder<'_> =
        declaring.map(|package| (&*package.folder, package.file.defaults.as_slice())).collect();
    let resolve = |(package, table): (Arc<WorkspacePath>, TargetTable)| {
        let scope = Scope { variables, package: &package, name: Some(table.name.value.as_str()) };
        resolve::resolve(surroundings, scope, &table, &defaults_above(&defaults, &package, table.kind))
    };
    tables.into_par_iter().with_max_len(AT_ONCE).map(resolve).collect()
}

/// The targets of a package by name; of two with one name the first.
fn take_tables(package: &mut Package) -> impl Iterator<Item = (Arc<WorkspacePath>, TargetTable)> + use<> {
    let mut tables = std::mem::take(&mut package.file.targets);
    if !package.file.well_formed {
        // Of a file that is no TOML the names are good enough, the fields are not.
        tables.clear();
    }
    tables.sort_by(|one, other| one.name.value.cmp(&other.name.value));
    tables.dedup_by(|later, first| later.name.value == first.name.value);
    let folder = Arc::clone(&package.folder);
    tables.into_iter().map(move |table| (Arc::clone(&folder), table))
}

/// `[defaults.*]` by the folder that declares them.
type DefaultsByFolder<'p> = BTreeMap<&'p WorkspacePath, &'p [(TargetKind, BuildFields)]>;

/// The defaults for targets of `kind` in `package`, the nearest first.
fn defaults_above<'p>(
    defaults: &DefaultsByFolder<'p>,
    package: &WorkspacePath,
    kind: TargetKind,
) -> Vec<&'p BuildFields> {
    let folders = std::iter::successors(Some(package.clone()), WorkspacePath::parent);
    let of_folder = |folder: WorkspacePath| {
        let (_kind, fields) = defaults.get(&folder)?.iter().find(|(other, _fields)| *other == kind)?;
        Some(fields)
    };
    folders.filter_map(of_folder).collect()
}

/// No two targets publish one repository: a `FROM` of it would mean either.
fn check_publications(targets: &DenseMap<TargetId, Arc<Target>>) -> Vec<Diagnostic> {
    let mut firsts: BTreeMap<&str, (&Target, &Located<String>)> = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for target in targets.values() {
        let Some(publishes) = target.build().and_then(|build| build.publishes.as_ref()) else { continue };
        let Some((first, place)) = firsts.insert(&publishes.value, (target, publishes)) else { continue };
        let message = format!("`{}` and `{}` both publish `{}`", first.label, target.label, publishes.value);
        let diagnostic =
            Diagnostic::error(message).at_location(&publishes.location, target.label.to_string());
        diagnostics.push(diagnostic.see_location(&place.location, first.label.to_string()));
    }
    diagnostics
}

/// No two images are exported under one name: a deploy would read either.
fn check_exports(targets: &DenseMap<TargetId, Arc<Target>>) -> Vec<Diagnostic> {
    let mut firsts: BTreeMap<&str, (&Target, &Located<String>)> = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for target in targets.values() {
        let Some(export) = target.build().and_then(|build| build.export.as_ref()) else { continue };
        let Some((first, place)) = firsts.get(export.value.as_str()) else {
            firsts.insert(&export.value, (target, export));
            continue;
        };
        let message =
            format!("`{}` and `{}` are both exported as `{}`", first.label, target.label, export.value);
        let diagnostic = Diagnostic::error(message).at_location(&export.location, target.label.to_string());
        // Defaults write one name for all.
        diagnostics.push(if export.location == place.location {
            diagnostic
                .help("a name in defaults is that of every image below: write it in the image's own table")
        } else {
            diagnostic
                .see_location(&place.location, first.label.to_string())
                .help("give each a name of its own")
        });
    }
    diagnostics
}

/// Sorted by file and place, each thing once: a default that is wrong is wrong for every target that
/// takes it.
fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_cached_key(Diagnostic::order);
    diagnostics.dedup();
    diagnostics
}
