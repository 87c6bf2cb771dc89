//! Secrets and SSH agents that a Dockerfile mounts and its target does not give.
//!
//! The builder leaves such a mount out, or fails when it is `required` (`solver/llbsolver/mounts` in
//! BuildKit). Both are known before the build. What a foreign frontend makes of a mount is not.

use super::lint::{self, Lint};
use super::slice::{Demand, Mounted, Slice};
use super::target::{BuildDefinition, Target};
use crate::syntax::dockerfile::Dockerfile;
use crate::types::diagnostic::{Diagnostic, nearest};

/// What is to be said of the mounts of `slice`: errors of those that are required, and warnings of the
/// others.
pub(super) fn check(
    dockerfile: &Dockerfile,
    slice: &Slice,
    target: &Target,
    definition: &BuildDefinition,
) -> Vec<Diagnostic> {
    if slice.is_foreign {
        return Vec::new();
    }
    let undeclared = slice.secrets.iter().filter(|(id, _)| !definition.secrets.contains_key(*id));
    let secrets = undeclared.filter_map(|(id, mounted)| {
        let (optional, required) = (&lint::SECRET_NOT_GIVEN, &lint::SECRET_REQUIRED);
        let what = format!("the secret `{id}` is not given to {}", target.label);
        let said = begin(dockerfile, mounted, [optional, required], &what)?;
        let may_be_absent = mounted.demand == Demand::Optional;
        Some(about_secret(said, id, may_be_absent, target, definition))
    });
    let undeclared = slice.ssh.iter().filter(|(id, _)| !definition.agents.contains_key(*id));
    let agents = undeclared.filter_map(|(id, mounted)| {
        let (optional, required) = (&lint::AGENT_NOT_GIVEN, &lint::AGENT_REQUIRED);
        let what = format!("the SSH agent `{id}` is not given to {}", target.label);
        let said = begin(dockerfile, mounted, [optional, required], &what)?;
        let may_be_absent = mounted.demand == Demand::Optional;
        Some(about_agent(said, id, may_be_absent, target, definition))
    });
    secrets.chain(agents).collect()
}

fn begin(
    dockerfile: &Dockerfile,
    mounted: &Mounted,
    [optional, required]: [&Lint; 2],
    what: &str,
) -> Option<Diagnostic> {
    let (diagnostic, said) = match mounted.demand {
        Demand::Unknown => return None,
        Demand::Optional => (optional.says(format!("{what}: its mount is left out")), "mounted here"),
        Demand::Required => (required.says(format!("{what}, whose Dockerfile requires it")), "required here"),
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
    let said = near_declared(said, id, "secrets", definition.secrets.keys(), target);
    let optional = if may_be_absent { ", optional = true" } else { "" };
    said.help(format!("declare it: `secrets = [{{ id = \"{id}\", env = \"NAME\"{optional} }}]`"))
}

fn about_agent(
    said: Diagnostic,
    id: &str,
    may_be_absent: bool,
    target: &Target,
    definition: &BuildDefinition,
) -> Diagnostic {
    let said = near_declared(said, id, "SSH agents", definition.agents.keys(), target);
    let entry = match (id, may_be_absent) {
        ("default", false) => "\"default\"".to_owned(),
        ("default", true) => "{ id = \"default\", optional = true }".to_owned(),
        (id, false) => format!("{{ id = \"{id}\", socket = \"/…\" }}"),
        (id, true) => format!("{{ id = \"{id}\", socket = \"/…\", optional = true }}"),
    };
    said.help(format!("declare it: `ssh = [{entry}]`"))
}

/// Shows what `target` declares of the kind `what`, and which of that is nearly called `id`.
fn near_declared<'d>(
    said: Diagnostic,
    id: &str,
    what: &str,
    declared: impl Iterator<Item = &'d String>,
    target: &Target,
) -> Diagnostic {
    let ids: Vec<&str> = declared.map(String::as_str).collect();
    let declared = match ids.as_slice() {
        [] => format!("declares no {what}"),
        ids => format!("declares the {what} `{}`", ids.join("`, `")),
    };
    let said = said.see_location(&target.location, declared);
    match nearest(id, ids) {
        Some(near) => said.help(format!("did you mean `{near}`?")),
        None => said,
    }
}
