//! How much findings weigh when somebody says otherwise.

use super::finding::Finding;
use crate::graph::lint::Lint;
use crate::types::diagnostic::Severity;

/// What a whole check denies and allows.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// Whether each warning is an error.
    pub denies_warnings: bool,
    /// Lints whose findings are errors.
    pub denied: Vec<&'static Lint>,
    /// Lints whose findings are not told.
    pub allowed: Vec<&'static Lint>,
}

impl Levels {
    /// `findings` as they weigh here.
    pub fn apply(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let told = findings.into_iter().filter(|finding| !self.allowed.contains(&finding.lint));
        let weigh = |mut finding: Finding| {
            if self.denies_warnings || self.denied.contains(&finding.lint) {
                finding.diagnostic.severity = Severity::Error;
            }
            finding
        };
        told.map(weigh).collect()
    }
}
