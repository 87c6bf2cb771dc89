//! Which targets a query can speak of: those have to be expanded, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::patterns;
use crate::graph::load::Loaded;
use crate::graph::select;
use crate::graph::target::TargetKind;
use crate::syntax::query::{Expression, Function};
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::TargetId;
use crate::types::span::SourceText;
use crate::types::workspace_path::WorkspacePath;

/// What a query can speak of, besides what that needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The targets that are no groups, sorted by label.
    pub targets: Vec<TargetId>,
    /// The groups, each with the targets and groups that it holds directly.
    pub groups: BTreeMap<TargetId, BTreeSet<TargetId>>,
}

impl Scope {
    /// What `expression`, written in the folder `current`, can speak of.
    ///
    /// # Errors
    /// Every word in it that names nothing. A word that may be the reference of an image is not judged here.
    pub fn new(
        expression: &Expression,
        loaded: &Loaded,
        current: &Arc<WorkspacePath>,
        source: &Arc<SourceText>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut named = BTreeSet::new();
        let mut is_all = expression.functions().into_iter().any(asks_for_all);
        let mut problems = Vec::new();
        for word in expression.words() {
            match patterns::select(word, loaded, current, source) {
                Ok(targets) => named.extend(targets),
                Err(_) if patterns::may_be_image(&word.value) => is_all = true,
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self::of(if is_all { loaded.targets.ids().collect() } else { named }, loaded))
    }

    fn of(named: BTreeSet<TargetId>, loaded: &Loaded) -> Self {
        let mut scope = Self::default();
        let mut pending: Vec<TargetId> = named.iter().copied().collect();
        let mut targets = named;
        while let Some(target) = pending.pop() {
            if loaded.targets[target].kind == TargetKind::Group {
                let members = select::members(&loaded.targets, &loaded.names, target);
                pending.extend(members.iter().filter(|member| targets.insert(**member)));
                scope.groups.insert(target, members);
            }
        }
        targets.retain(|target| !scope.groups.contains_key(target));
        scope.targets = targets.into_iter().collect();
        scope
    }
}

/// Whether a function gives what its arguments neither name nor need.
fn asks_for_all(function: Function) -> bool {
    match function {
        Function::Allrdeps
        | Function::SamePkgDirectRdeps
        | Function::Siblings
        | Function::Labels
        | Function::Owner
        | Function::Affected => true,
        Function::Deps
        | Function::Rdeps
        | Function::Somepath
        | Function::Allpaths
        | Function::Kind
        | Function::Filter
        | Function::Attr
        | Function::Some
        | Function::Buildfiles
        | Function::Inputs
        | Function::Bases => false,
    }
}
