//! Everything that is to be said of one Dockerfile, whoever builds it.

use super::{casing, instructions, secret_names, stages, variables};
use crate::graph::lint::Lint;
use crate::syntax::dockerfile::model::Checks;
use crate::syntax::dockerfile::{Dockerfile, frontend};
use crate::types::diagnostic::{Diagnostic, Severity};

/// What lints say of `dockerfile`. Nobody knows how a foreign frontend reads it.
pub(super) fn check(dockerfile: &Dockerfile) -> Vec<Diagnostic> {
    if dockerfile.frontend.as_ref().is_some_and(|image| !frontend::is_known(&image.value)) {
        return Vec::new();
    }
    let families: [fn(&Dockerfile) -> Vec<Diagnostic>; 5] =
        [casing::check, instructions::check, stages::check, variables::check, secret_names::of_dockerfile];
    families.iter().flat_map(|family| family(dockerfile)).collect()
}

/// What `# check=` leaves of a finding of `lint` in its Dockerfile: nothing, or with another severity. It
/// speaks of BuildKit's checks alone.
pub(super) fn as_directed(checks: &Checks, lint: &Lint, diagnostic: Diagnostic) -> Option<Diagnostic> {
    let Some(name) = lint.buildkit else { return Some(diagnostic) };
    if lint.can_be_allowed() && (checks.skips_all || checks.skips.iter().any(|skipped| skipped == name)) {
        return None;
    }
    let severity = if checks.are_errors { Severity::Error } else { diagnostic.severity };
    Some(Diagnostic { severity, ..diagnostic })
}
