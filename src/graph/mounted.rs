//! Secrets and SSH agents that a Dockerfile mounts and its target does not give.
//!
//! The builder leaves such a mount out, or fails when it is `required` (`solver/llbsolver/mounts` in
//! BuildKit). Both are known before the build. What a foreign frontend makes of a mount is not.

use super::slice::{Demand, Mounted, Slice};
use super::target::{BuildDefinition, Target};
use crate::syntax::dockerfile::Dockerfile;
use crate::types::diagnostic::{Diagnostic, Severity, nearest};

/// What is to be said of the mounts of `slice`: errors of those that are required, and warnings of the
/// others.
pub(super) fn check(
    dockerfile: &Dockerfile,
    slice: &Slice,
    target: &Target,
    definition: &BuildDefinition,
) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    if slice.is_foreign {
        return (Vec::new(), Vec::new());
    }
    let undeclared = slice.secrets.iter().filter(|(id, _)| !definition.secrets.contains_key(*id));
    let secrets = undeclared.filter_map(|(id, mounted)| {
        let said = begin(dockerfile, mounted, target, &format!("the secret `{id}`"))?;
        let may_be_absent = mounted.demand == Demand::Optional;
        Some(about_secret(said, id, may_be_absent, target, definition))
    });
    let agents = slice.ssh.iter().filter_map(|(id, mounted)| {
        let said = begin(dockerfile, mounted, target, &format!("the SSH agent `{id}`"))?;
        Some(about_agent(said, target))
    });
    secrets.chain(agents).partition(|said| said.severity == Severity::Error)
}

fn begin(dockerfile: &Dockerfile, mounted: &Mounted, target: &Target, what: &str) -> Option<Diagnostic> {
    let label = &target.label;
    let (diagnostic, said) = match mounted.demand {
        Demand::Unknown => return None,
        Demand::Optional => {
            let message = format!("{what} is not given to {label}: its mount is left out");
            (Diagnostic::warning(message), "mounted here")
        }
        Demand::Required => {
            let message = format!("{what} is not given to {label}, whose Dockerfile requires it");
            (Diagnostic::error(message), "required here")
        }
    };
    Some(diagnostic.at(&dockerfile.source, mounted.span, said))
}

fn about_secret(
    said: Diagnostic,
    id: &str,
    may_be_absent: bool,
    target: &Target,
    definition: &BuildDefinition,
) -> Diagnostic {
    let ids: Vec<&str> = definition.secrets.keys().map(String::as_str).collect();
    let declared = match ids.as_slice() {
        [] => "declares no secrets".to_owned(),
        ids => format!("declares the secrets `{}`", ids.join("`, `")),
    };
    let said = said.see_location(&target.location, declared);
    let said = match nearest(id, ids) {
        Some(near) => said.help(format!("did you mean `{near}`?")),
        None => said,
    };
    let optional = if may_be_absent { ", optional = true" } else { "" };
    said.help(format!("declare it: `secrets = [{{ id = \"{id}\", env = \"NAME\"{optional} }}]`"))
}

fn about_agent(said: Diagnostic, target: &Target) -> Diagnostic {
    said.see_location(&target.location, "imgraph forwards no SSH agent")
        .help("give the build a key of its own as a secret, and use it with `RUN --mount=type=secret,id=…`")
}
