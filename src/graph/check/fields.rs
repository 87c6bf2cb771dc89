//! Fields of a target that nothing in its Dockerfile asks for.

use std::collections::BTreeSet;

use crate::graph::lint::{UNUSED_CONTEXT, UNUSED_SECRET};
use crate::graph::node::Build;
use crate::graph::slice::Demand;
use crate::types::diagnostic::{Diagnostic, nearest};

/// What is to be said of the contexts and secrets of `build`. What comes from defaults is meant for others,
/// too. What a foreign frontend or a trigger of the base uses, nobody knows.
pub(super) fn check(build: &Build) -> Vec<Diagnostic> {
    if build.slice.is_foreign || build.is_triggered {
        return Vec::new();
    }
    let mut found = contexts(build);
    found.extend(secrets(build));
    found
}

fn contexts(build: &Build) -> Vec<Diagnostic> {
    let used: BTreeSet<&String> =
        build.slice.references.iter().filter_map(|one| one.context.as_ref()).collect();
    let unused = build.definition().contexts.iter().filter(|(name, _)| !used.contains(name));
    let own = unused.filter(|(_, context)| build.target.writes(&context.location));
    let names =
        || build.slice.references.iter().filter(|one| one.context.is_none()).map(|one| one.name.as_str());
    let say = |(name, context): (&String, &crate::types::span::Located<_>)| {
        let found = UNUSED_CONTEXT
            .says(format!("no stage that {} reaches uses the context `{name}`", build.target.label))
            .at_location(&context.location, "reads nothing");
        match nearest(name, names()) {
            Some(near) => found.help(format!("the Dockerfile says `{near}`: is that what is meant?")),
            None => found.help("take it out, or use it: `FROM`, `COPY --from`, `RUN --mount=from=`"),
        }
    };
    own.map(say).collect()
}

fn secrets(build: &Build) -> Vec<Diagnostic> {
    let mounted = &build.slice.secrets;
    if mounted.values().any(|mounted| mounted.demand == Demand::Unknown) {
        return Vec::new();
    }
    let unused = build.definition().secrets.iter().filter(|(id, _)| !mounted.contains_key(*id));
    let own = unused.filter(|(_, secret)| build.target.writes(&secret.location));
    own.map(|(id, secret)| {
        let found = UNUSED_SECRET
            .says(format!("no stage that {} reaches mounts the secret `{id}`", build.target.label))
            .at_location(&secret.location, "given to nobody");
        match nearest(id, mounted.keys().map(String::as_str)) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found.help(format!("take it out, or mount it: `RUN --mount=type=secret,id={id}`")),
        }
    })
    .collect()
}
