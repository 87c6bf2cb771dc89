//! Which names there are: packages, targets, aliases; and what to say of one that there is not.
//!
//! A target whose table is wrong has a name all the same: a reference to it is no second mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::syntax::build_toml::targets::TargetKind;
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::ids::TargetId;
use crate::types::label::{Label, LabelError};
use crate::types::sorted_map::SortedMap;
use crate::types::span::Located;
use crate::types::target_pattern::Selection;
use crate::types::workspace_path::WorkspacePath;

/// The names of a workspace.
#[derive(Clone, Debug, Default)]
pub struct Names {
    packages: BTreeMap<Arc<WorkspacePath>, Package>,
    aliases: BTreeMap<Label, Label>,
}

/// The names of a package.
#[derive(Clone, Debug, Default)]
struct Package {
    targets: SortedMap<Arc<str>, Declared>,
    /// Whether its file could be read as a whole. When not, it may declare what is not found here.
    whole: bool,
}

/// A target's name.
#[derive(Clone, Copy, Debug)]
struct Declared {
    kind: TargetKind,
    /// `None`: its table is wrong.
    target: Option<TargetId>,
}

/// What stands behind a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A target.
    Target(TargetId),
    /// Something that has been reported.
    Broken,
    /// Nothing.
    Missing,
}

impl Names {
    /// The names of packages, each with whether its file could be read as a whole, and with what it declares.
    /// Of the targets, each is one that is broken until [`Self::identify`] says otherwise; of two with one
    /// name the first counts.
    pub(super) fn of_packages<'n, Targets: Iterator<Item = (&'n str, TargetKind)>>(
        packages: impl Iterator<Item = (Arc<WorkspacePath>, bool, Targets)>,
    ) -> Self {
        let package = |(package, whole, targets): (_, _, Targets)| {
            let declared = |(name, kind)| (Arc::from(name), Declared { kind, target: None });
            let mut targets: Vec<(Arc<str>, Declared)> = targets.map(declared).collect();
            // Of two with one name the map takes the last.
            targets.reverse();
            (package, Package { targets: targets.into_iter().collect(), whole })
        };
        Self { packages: packages.map(package).collect(), aliases: BTreeMap::new() }
    }

    /// Says which target each label is, which was declared. The labels are sorted.
    pub(super) fn identify<'l>(&mut self, targets: impl Iterator<Item = (TargetId, &'l Label)>) {
        let mut targets = targets.peekable();
        let mut packages = self.packages.iter_mut().peekable();
        while let Some((_, first)) = targets.peek().copied() {
            while packages.next_if(|(package, _)| **package < first.package).is_some() {}
            let mut package = packages.next_if(|(package, _)| **package == first.package);
            while let Some((id, label)) = targets.next_if(|(_, label)| label.package == first.package) {
                let declared = package.as_mut().and_then(|(_, package)| package.targets.get_mut(&label.name));
                if let Some(declared) = declared {
                    declared.target = Some(id);
                }
            }
        }
    }

    pub(super) fn add_alias(&mut self, alias: Label, meaning: Label) {
        self.aliases.insert(alias, meaning);
    }

    /// The label that `label` stands for: itself, or what the alias of that name means.
    pub fn follow<'n>(&'n self, label: &'n Label) -> &'n Label {
        self.aliases.get(label).unwrap_or(label)
    }

    /// The aliases, with the label that each stands for.
    pub fn aliases(&self) -> impl Iterator<Item = (&Label, &Label)> {
        self.aliases.iter()
    }

    /// What `label`, or the alias of that name, stands for.
    pub fn meaning(&self, label: &Label) -> Meaning {
        self.meaning_and_kind(label).0
    }

    /// What `label`, or the alias of that name, stands for, and the kind of the target that is declared under
    /// it, broken ones included.
    pub fn meaning_and_kind(&self, label: &Label) -> (Meaning, Option<TargetKind>) {
        let label = self.follow(label);
        let Some(package) = self.packages.get(&label.package) else { return (Meaning::Missing, None) };
        match package.targets.get(&label.name) {
            Some(Declared { target: Some(target), kind }) => (Meaning::Target(*target), Some(*kind)),
            Some(Declared { target: None, kind }) => (Meaning::Broken, Some(*kind)),
            None if !package.whole => (Meaning::Broken, None),
            None => (Meaning::Missing, None),
        }
    }

    /// The target of that label or alias.
    pub fn target(&self, label: &Label) -> Option<TargetId> {
        match self.meaning(label) {
            Meaning::Target(target) => Some(target),
            Meaning::Broken | Meaning::Missing => None,
        }
    }

    /// Whether `folder` is a package.
    pub fn is_package(&self, folder: &WorkspacePath) -> bool {
        self.packages.contains_key(folder)
    }

    /// The folders of all packages, sorted.
    pub fn packages(&self) -> impl Iterator<Item = &Arc<WorkspacePath>> {
        self.packages.keys()
    }

    /// The targets of `package`, sorted by name.
    pub fn targets_of(&self, package: &WorkspacePath) -> impl Iterator<Item = TargetId> {
        self.packages
            .get(package)
            .into_iter()
            .flat_map(|package| package.targets.values().filter_map(|declared| declared.target))
    }

    /// The targets of the packages in `folder` and below it, sorted by label.
    pub fn targets_below<'n>(&'n self, folder: &'n WorkspacePath) -> impl Iterator<Item = TargetId> {
        let packages = self.below(folder).map(|(_, package)| package);
        packages.flat_map(|package| package.targets.values().filter_map(|declared| declared.target))
    }

    /// The packages in `folder` and below it, sorted.
    pub fn packages_below<'n>(
        &'n self,
        folder: &'n WorkspacePath,
    ) -> impl Iterator<Item = &'n Arc<WorkspacePath>> {
        self.below(folder).map(|(package, _targets)| package)
    }

    fn below<'n>(
        &'n self,
        folder: &'n WorkspacePath,
    ) -> impl Iterator<Item = (&'n Arc<WorkspacePath>, &'n Package)> {
        // A folder sorts directly before what is in it.
        let from = self.packages.range(Arc::new(folder.clone())..);
        from.take_while(move |(package, _targets)| package.letters_below(folder).is_some())
    }

    /// Whether `package` declares something that is no group, or may declare it.
    pub fn may_build(&self, package: &WorkspacePath) -> bool {
        self.packages.get(package).is_some_and(|package| {
            !package.whole || package.targets.values().any(|declared| declared.kind != TargetKind::Group)
        })
    }

    /// Checks that a selection names something.
    ///
    /// # Errors
    /// What is not there, and what is near.
    pub fn check(&self, selection: &Selection) -> Result<(), Diagnostic> {
        let message = format!("`{selection}` matches no target");
        let only_groups = |help: String| Err(Diagnostic::error(message.clone()).help(help));
        match selection {
            Selection::One(label) if self.meaning(label) == Meaning::Missing => Err(self.not_found(label)),
            Selection::One(_) => Ok(()),
            Selection::Package(package) if self.may_build(package) => Ok(()),
            Selection::Package(package) if self.is_package(package) => {
                only_groups(format!("the `BUILD.toml` of `//{package}` declares no target but groups"))
            }
            Selection::Package(package) => Err(self.no_package(package, &message, None)),
            Selection::Below(folder) => {
                let mut below = self.packages_below(folder).peekable();
                if below.peek().is_none() {
                    return Err(self.no_package_below(folder, &message));
                }
                if below.any(|package| self.may_build(package)) {
                    return Ok(());
                }
                only_groups(format!("the packages in and below `//{folder}` declare no target but groups"))
            }
        }
    }

    /// Says that nothing is called `label`: what the package has instead, or which package is near.
    pub fn not_found(&self, label: &Label) -> Diagnostic {
        let Some(package) = self.packages.get(&label.package) else {
            return self.no_package(
                &label.package,
                &format!("there is no target `{label}`"),
                Some(&label.name),
            );
        };
        let diagnostic = Diagnostic::error(format!("there is no target `{label}`"));
        let names: Vec<&str> = package.targets.keys().map(|name| &**name).collect();
        if let Some(near) = nearest(&label.name, names.iter().copied()) {
            let near = Label::new(Arc::clone(&label.package), near);
            return diagnostic.help(format!("did you mean `{near}`?"));
        }
        if let Some(near) = self.elsewhere(&label.name) {
            return diagnostic.help(format!("did you mean `{near}`?")).help(describe(&label.package, &names));
        }
        diagnostic.help(describe(&label.package, &names))
    }

    /// Says `message`, and that `folder` is no package: no folder with a `BUILD.toml`.
    pub fn no_package(&self, folder: &WorkspacePath, message: &str, name: Option<&str>) -> Diagnostic {
        let diagnostic =
            Diagnostic::error(message).help(format!("`//{folder}` is not a package: it has no `BUILD.toml`"));
        if let Some(label) = name.and_then(|name| self.elsewhere(name)) {
            return diagnostic.help(format!("did you mean `{label}`?"));
        }
        let below_root = self.packages.keys().filter(|package| !package.is_root());
        let folders: Vec<String> = below_root.map(|package| package.to_string()).collect();
        match nearest(&folder.to_string(), folders.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `//{near}`?")),
            None => diagnostic,
        }
    }

    /// Says `message`, and that no package is in `folder` or below it.
    pub fn no_package_below(&self, folder: &WorkspacePath, message: &str) -> Diagnostic {
        let diagnostic =
            Diagnostic::error(message).help(format!("there is no `BUILD.toml` below `//{folder}`"));
        let above = |package: &Arc<WorkspacePath>| {
            let folders = std::iter::successors(Some((**package).clone()), WorkspacePath::parent);
            folders.filter(|folder| !folder.is_root()).map(|folder| folder.to_string()).collect::<Vec<_>>()
        };
        let folders: BTreeSet<String> = self.packages.keys().flat_map(above).collect();
        match nearest(&folder.to_string(), folders.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `//{near}/...`?")),
            None => diagnostic,
        }
    }

    /// The one target of that name in another package, when there is exactly one.
    fn elsewhere(&self, name: &str) -> Option<Label> {
        let holds = |package: &&(&Arc<WorkspacePath>, &Package)| package.1.targets.contains_key(name);
        let packages: Vec<_> = self.packages.iter().collect();
        let mut found = packages.iter().filter(holds);
        let (package, _targets) = found.next()?;
        if found.next().is_some() {
            return None;
        }
        Some(Label::new(Arc::clone(package), name))
    }
}

/// Says that `text` is no label, or whatever else was `expected`.
pub(super) fn no_label(error: &LabelError, text: &Located<String>, expected: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(error.to_string()).at_location(&text.location, expected);
    match text.value.strip_prefix('/') {
        Some(rest) if !rest.starts_with('/') => diagnostic.help(format!("did you mean `//{rest}`?")),
        _ => diagnostic,
    }
}

/// How many names a message lists.
const MOST_NAMES: usize = 12;

fn describe(package: &WorkspacePath, names: &[&str]) -> String {
    if names.is_empty() {
        return format!("`//{package}` has no targets");
    }
    let shown: Vec<_> = names.iter().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("`//{package}` has {}{rest}", shown.join(", "))
}
