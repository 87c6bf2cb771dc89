//! Fields of a target that nothing in its Dockerfile asks for.

use std::collections::BTreeSet;

use crate::graph::lint::{Lint, UNUSED_AGENT, UNUSED_CONTEXT, UNUSED_SECRET};
use crate::graph::node::Build;
use crate::graph::slice::{Demand, Mounted, Slice};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::sorted_map::SortedMap;
use crate::types::span::Located;

/// What is to be said of the contexts, secrets and SSH agents of `build`. What comes from defaults is meant for others,
/// too. What a foreign frontend or a trigger of the base uses, nobody knows.
pub(super) fn check(build: &Build) -> Vec<Diagnostic> {
    if build.slice.is_foreign || build.is_triggered {
        return Vec::new();
    }
    let mut found = contexts(build);
    let definition = build.definition();
    let Slice { secrets, ssh, .. } = &build.slice;
    found.extend(unmounted(build, &definition.secrets, secrets, (&UNUSED_SECRET, "secret", "secret")));
    found.extend(unmounted(build, &definition.agents, ssh, (&UNUSED_AGENT, "SSH agent", "ssh")));
    found
}

fn contexts(build: &Build) -> Vec<Diagnostic> {
    let used: BTreeSet<&String> =
        build.slice.references.iter().filter_map(|one| one.context.as_ref()).collect();
    let unused = build.definition().contexts.iter().filter(|(name, _)| !used.contains(name));
    let own = unused.filter(|(_, context)| build.target.writes(&context.location));
    let names =
        || build.slice.references.iter().filter(|one| one.context.is_none()).map(|one| one.name.as_str());
    let say = |(name, context): (&String, &Located<_>)| {
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

/// What of `declared` no mount asks for. `lint` is told of such a `noun`; `kind` is the type of the mount.
fn unmounted<Value>(
    build: &Build,
    declared: &SortedMap<String, Located<Value>>,
    mounted: &SortedMap<String, Mounted>,
    (lint, noun, kind): (&Lint, &str, &str),
) -> Vec<Diagnostic> {
    if mounted.values().any(|mounted| mounted.demand == Demand::Unknown) {
        return Vec::new();
    }
    let unused = declared.iter().filter(|(id, _)| !mounted.contains_key(*id));
    let own = unused.filter(|(_, value)| build.target.writes(&value.location));
    own.map(|(id, value)| {
        let found = lint
            .says(format!("no stage that {} reaches mounts the {noun} `{id}`", build.target.label))
            .at_location(&value.location, "given to nobody");
        match nearest(id, mounted.keys().map(String::as_str)) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found.help(format!("take it out, or mount it: `RUN --mount=type={kind},id={id}`")),
        }
    })
    .collect()
}
