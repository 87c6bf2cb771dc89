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
///
/// A query that asks for names and fields alone needs no expanded graph: no Dockerfile is looked at for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The targets to expand, no groups, sorted by label.
    pub targets: Vec<TargetId>,
    /// The groups, each with the targets and groups that it holds directly.
    pub groups: BTreeMap<TargetId, BTreeSet<TargetId>>,
}

impl Scope {
    /// What `expression`, written in the folder `current`, can speak of, where `edges_are_shown` or not.
    ///
    /// # Errors
    /// Every word in it that names nothing. A word that may be the reference of an image is not judged here.
    pub fn new(
        expression: &Expression,
        loaded: &Loaded,
        current: &Arc<WorkspacePath>,
        source: &Arc<SourceText>,
        edges_are_shown: bool,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut named = BTreeSet::new();
        let functions = expression.functions();
        let mut is_all = functions.iter().copied().any(asks_for_all);
        let mut is_expanded = edges_are_shown || functions.iter().copied().any(asks_for_edges);
        let mut problems = Vec::new();
        for word in expression.words() {
            match patterns::select(word, loaded, current, source) {
                Ok(targets) => named.extend(targets),
                Err(_) if patterns::may_be_image(&word.value) => (is_all, is_expanded) = (true, true),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut scope = Self::of(if is_all { loaded.targets.ids().collect() } else { named }, loaded);
        if !is_expanded {
            scope.targets.clear();
        }
        Ok(scope)
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

/// Whether a function asks what a Dockerfile says.
fn asks_for_edges(function: Function) -> bool {
    match function {
        Function::Deps
        | Function::Rdeps
        | Function::Allrdeps
        | Function::Somepath
        | Function::Allpaths
        | Function::SamePkgDirectRdeps
        | Function::Owner
        | Function::Inputs
        | Function::Bases => true,
        Function::Kind
        | Function::Filter
        | Function::Attr
        | Function::Labels
        | Function::Siblings
        | Function::Some
        | Function::Buildfiles
        | Function::Affected => false,
    }
}
