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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::syntax::dockerfile;
    use crate::types::span::SourceText;
    use crate::types::workspace_path::WorkspacePath;

    const SEED: &str = "# check=skip=all\nARG V=1\nFROM --platform=$TARGETPLATFORM a:${V:-2} as Base\n\
        ENV A=\"b c\" D='é'\nenv K v w\nRUN b \\\n\n # c\n c <<E\n$A \\\n\nE\nONBUILD CMD x\nEXPOSE 53/UDP 1.2.3.4:1:2\n\
        MAINTAINER é\nFROM base AS scratch\nWORKDIR à\nCOPY --chown=$A --from=base $B ${C%%x} /$D\nCMD x\nCMD [\"x\"]\n\
        HEALTHCHECK CMD x\nARG TOKEN=$A\nSHELL [\"a\"]\n";

    /// Whatever is found points at whole letters.
    fn run(text: String) {
        let source = Arc::new(SourceText { path: WorkspacePath::root(), text });
        let Ok(parsed) = dockerfile::parse(&source) else { return };
        for annotation in check(&parsed).iter().flat_map(|found| &found.annotations) {
            let span = annotation.location.span;
            assert!(source.text.get(span.range()).is_some(), "{span:?} of {:?}", source.text);
        }
    }

    #[test]
    fn the_seed_has_findings() {
        let source = Arc::new(SourceText { path: WorkspacePath::root(), text: SEED.to_owned() });
        assert!(check(&dockerfile::parse(&source).unwrap()).len() > 10);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_dockerfile_makes_a_lint_panic(
            edits in proptest::collection::vec((any::<prop::sample::Index>(), "[ -~\n\tàㅋ]{0,3}", 0..4_usize), 0..6)
        ) {
            let mut letters: Vec<char> = SEED.chars().collect();
            for (at, new, removed) in edits {
                let at = at.index(letters.len());
                let end = (at + removed).min(letters.len());
                letters.splice(at..end, new.chars());
            }
            run(letters.into_iter().collect());
        }
    }
}
