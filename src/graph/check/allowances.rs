//! What targets allow, and allowances that allow nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::finding::{Finding, Gathered};
use crate::graph::lint::UNUSED_ALLOW;
use crate::graph::target::Target;
use crate::types::label::Label;

/// Takes the targets out of `findings` that allow them, and findings that no target is left of. Adds
/// allowances of `targets` that took nothing out; those of defaults are meant for other targets, too.
pub(super) fn apply(findings: Vec<Finding>, targets: &BTreeMap<Label, Arc<Target>>) -> Vec<Finding> {
    let mut used: BTreeSet<(Label, &'static str)> = BTreeSet::new();
    let mut left = Vec::new();
    for mut finding in findings {
        finding.targets.retain(|label| {
            let is_allowed = targets.get(label).is_some_and(|target| target.allows(&finding.diagnostic));
            if is_allowed {
                used.insert((label.clone(), finding.lint.code));
            }
            !is_allowed
        });
        left.extend((!finding.targets.is_empty()).then_some(finding));
    }
    let mut all = Gathered::default();
    for finding in left {
        all.add(finding.targets, finding.diagnostic);
    }
    for (label, target) in targets {
        for allowed in target.allow.iter().filter(|allowed| target.writes(&allowed.location)) {
            let code = allowed.value.code;
            if !used.contains(&(label.clone(), code)) && code != UNUSED_ALLOW.code {
                let finding = UNUSED_ALLOW.says(format!("{label} allows `{code}`, and has no such finding"));
                let finding = finding.at_location(&allowed.location, "allows nothing").help("take it out");
                if !target.allows(&finding) {
                    all.add([label.clone()], finding);
                }
            }
        }
    }
    all.finish()
}
