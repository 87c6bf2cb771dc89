//! From target patterns to targets.
//!
//! Patterns are read from left to right: one adds targets, one with a `-` takes targets away from
//! what stands before it. A group stands for its own patterns, read the same way; `:all` and `...`
//! do not look into groups, which may name targets of other packages.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::cycles;
use crate::graph::names::Names;
use crate::graph::target::{Definition, Target, TargetKind};
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::{DenseId, DenseMap, TargetId};
use crate::types::span::{Located, Location};
use crate::types::target_pattern::{Selection, TargetPattern};
use crate::types::workspace_path::WorkspacePath;

/// The targets that `patterns`, typed in the folder `current`, name: sorted by label, no groups.
///
/// # Errors
/// Everything that is no pattern, or names nothing.
pub fn select(
    targets: &DenseMap<TargetId, Arc<Target>>,
    names: &Names,
    patterns: &[impl AsRef<str>],
    current: &Arc<WorkspacePath>,
) -> Result<Vec<TargetId>, Vec<Diagnostic>> {
    let mut parsed = Vec::new();
    let mut diagnostics = Vec::new();
    for text in patterns {
        let pattern = TargetPattern::parse(text.as_ref(), current);
        let checked = pattern.map_err(|error| Diagnostic::error(error.to_string())).and_then(|pattern| {
            names.check(&pattern.selection)?;
            Ok(pattern)
        });
        match checked {
            Ok(pattern) => parsed.push(pattern),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let mut expansion = Expansion { targets, names, open: BTreeSet::new() };
    Ok(expansion.of(parsed.iter()).into_iter().collect())
}

/// The targets that `group` holds directly, other groups among them. A group of which a later pattern takes
/// a part away gives what is left of its own targets instead.
pub(super) fn members(
    targets: &DenseMap<TargetId, Arc<Target>>,
    names: &Names,
    group: TargetId,
) -> BTreeSet<TargetId> {
    let mut expansion = Expansion { targets, names, open: BTreeSet::from([group]) };
    let mut held: BTreeSet<TargetId> = BTreeSet::new();
    for member in members_of(&targets[group]) {
        let TargetPattern { negative, selection } = &member.value;
        let one = match selection {
            Selection::One(label) => names.target(label),
            Selection::Package(_) | Selection::Below(_) => None,
        };
        match (*negative, one) {
            (false, Some(target)) => {
                held.insert(target);
            }
            (false, None) => held.extend(expansion.selection(selection)),
            (true, one) => {
                let taken = expansion.selection(selection);
                let left = |target: TargetId| expansion.left(target, one, &taken);
                held = held.into_iter().flat_map(left).collect();
            }
        }
    }
    held
}

/// The groups that hold themselves.
pub(super) fn check_cycles(targets: &DenseMap<TargetId, Arc<Target>>, names: &Names) -> Vec<Diagnostic> {
    let edge = |member: &Located<TargetPattern>| match &member.value.selection {
        Selection::One(label) => Some((names.target(label)?.index(), member.location.clone())),
        Selection::Package(_) | Selection::Below(_) => None,
    };
    let edges: Vec<Vec<(usize, Location)>> =
        targets.values().iter().map(|target| members_of(target).iter().filter_map(edge).collect()).collect();
    let mut diagnostics = Vec::new();
    for cycle in cycles::find(&edges) {
        let labels: Vec<String> =
            cycle.iter().map(|step| targets.values()[step.node].label.to_string()).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        diagnostics.push(cycles::describe("groups", "holds", &labels, &cycle));
    }
    diagnostics
}

fn members_of(target: &Target) -> &[Located<TargetPattern>] {
    match &target.definition {
        Definition::Group(members) => members,
        Definition::External(_) | Definition::Built(_) => &[],
    }
}

/// Groups that are being expanded, so that one that holds itself ends.
struct Expansion<'l> {
    targets: &'l DenseMap<TargetId, Arc<Target>>,
    names: &'l Names,
    open: BTreeSet<TargetId>,
}

impl Expansion<'_> {
    fn of<'p>(&mut self, patterns: impl Iterator<Item = &'p TargetPattern>) -> BTreeSet<TargetId> {
        let mut selected = BTreeSet::new();
        for pattern in patterns {
            let named = self.selection(&pattern.selection);
            if pattern.negative {
                selected.retain(|target| !named.contains(target));
            } else {
                selected.extend(named);
            }
        }
        selected
    }

    fn selection(&mut self, selection: &Selection) -> BTreeSet<TargetId> {
        let names = self.names;
        match selection {
            Selection::One(label) => {
                names.target(label).map_or_else(BTreeSet::new, |target| self.target(target))
            }
            Selection::Package(package) => self.no_groups(names.targets_of(package)),
            Selection::Below(folder) => self.no_groups(names.targets_below(folder)),
        }
    }

    fn no_groups(&self, targets: impl Iterator<Item = TargetId>) -> BTreeSet<TargetId> {
        targets.filter(|target| self.targets[*target].kind != TargetKind::Group).collect()
    }

    /// What is left of `target`, a group maybe, without itself, should it be `one`, and what is `taken`.
    fn left(
        &mut self,
        target: TargetId,
        one: Option<TargetId>,
        taken: &BTreeSet<TargetId>,
    ) -> BTreeSet<TargetId> {
        let all = self.target(target);
        if Some(target) == one || all.iter().any(|member| taken.contains(member)) {
            return all.difference(taken).copied().collect();
        }
        BTreeSet::from([target])
    }

    fn target(&mut self, target: TargetId) -> BTreeSet<TargetId> {
        let targets = self.targets;
        let Definition::Group(members) = &targets[target].definition else { return BTreeSet::from([target]) };
        if !self.open.insert(target) {
            return BTreeSet::new();
        }
        let selected = self.of(members.iter().map(|member| &member.value));
        self.open.remove(&target);
        selected
    }
}
