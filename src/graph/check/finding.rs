//! What was found, and of which targets.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::lint::{self, Lint};
use crate::types::diagnostic::{Diagnostic, Severity};
use crate::types::label::Label;
use crate::types::span::Span;
use crate::types::workspace_path::WorkspacePath;

/// Something that a lint found, once, however many targets have it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The lint.
    pub lint: &'static Lint,
    /// What is to be said of it; its severity may be another one than the lint's.
    pub diagnostic: Diagnostic,
    /// The targets that have it.
    pub targets: BTreeSet<Label>,
}

impl Finding {
    /// Whether it makes a check fail.
    pub fn is_error(&self) -> bool {
        self.diagnostic.severity == Severity::Error
    }
}

/// By what a finding is the same as another: the lint, the place, and what is said.
type Identity = (&'static str, Option<(WorkspacePath, Span)>, String);

/// What is found, while it is gathered.
#[derive(Debug, Default)]
pub(super) struct Gathered(BTreeMap<Identity, Finding>);

impl Gathered {
    /// Adds what was found of `targets`. What no lint says is left out.
    pub(super) fn add(&mut self, targets: impl IntoIterator<Item = Label>, diagnostic: Diagnostic) {
        let Some(lint) = diagnostic.code.and_then(|code| lint::find(code).ok()) else { return };
        let place = diagnostic.annotations.first().map(|first| &first.location);
        let place = place.map(|location| (location.source.path.clone(), location.span));
        let identity = (lint.code, place, diagnostic.message.clone());
        let finding = Finding { lint, diagnostic, targets: BTreeSet::new() };
        self.0.entry(identity).or_insert(finding).targets.extend(targets);
    }

    /// All findings, by file and place.
    pub(super) fn finish(self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.0.into_values().collect();
        findings.sort_by_cached_key(|finding| finding.diagnostic.order());
        findings
    }
}
