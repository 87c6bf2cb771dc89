//! One lint.

use std::fmt;

use crate::types::diagnostic::{Diagnostic, Severity};

/// A thing that may be wrong with a workspace, and the code by which people speak of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Lint {
    /// Its name: kebab-case words.
    pub code: &'static str,
    /// How much a finding weighs when nobody says otherwise. An error is what a build refuses: it cannot be
    /// allowed.
    pub severity: Severity,
    /// What it finds: one line, lower case, without a full stop.
    pub meaning: &'static str,
    /// Why that matters and what to do: whole sentences.
    pub help: &'static str,
    /// The name of BuildKit's own check of the same thing.
    pub buildkit: Option<&'static str>,
}

impl Lint {
    /// A lint that warns.
    pub(super) const fn warning(code: &'static str, meaning: &'static str, help: &'static str) -> Self {
        Self { code, severity: Severity::Warning, meaning, help, buildkit: None }
    }

    /// A lint of what a build refuses.
    pub(super) const fn error(code: &'static str, meaning: &'static str, help: &'static str) -> Self {
        Self { severity: Severity::Error, ..Self::warning(code, meaning, help) }
    }

    /// The same lint, which BuildKit calls `name`.
    pub(super) const fn called_by_buildkit(self, name: &'static str) -> Self {
        Self { buildkit: Some(name), ..self }
    }

    /// A finding of this lint that says `message`.
    pub fn says(&self, message: impl Into<String>) -> Diagnostic {
        let diagnostic = match self.severity {
            Severity::Warning => Diagnostic::warning(message),
            Severity::Error => Diagnostic::error(message),
        };
        Diagnostic { code: Some(self.code), ..diagnostic }
    }

    /// Whether somebody may decide to live with it.
    pub fn can_be_allowed(&self) -> bool {
        self.severity == Severity::Warning
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code)
    }
}
