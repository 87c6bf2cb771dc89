//! Lints of what a `BUILD.toml` says: fields that do nothing, or too much.

use super::model::Lint;

/// A git variable in a field that enters the key.
pub static GIT_IN_KEY: Lint = Lint::warning(
    "git-in-key",
    "a git variable in a field that enters the key",
    "The value is another one at every commit, so every commit builds the target again. Give it with `stamp`: \
     a stamp reaches the build and enters no key.",
);

/// An argument or a stamp that nothing declares.
pub static UNUSED_ARGUMENT: Lint = Lint::warning(
    "unused-argument",
    "a key of `args` or `stamp` that no line of the Dockerfile declares",
    "The builder drops it without a word. Either the name is misspelt, or an `ARG` is missing, or it can go. \
     What comes from `[defaults.*]` is meant for other targets too and is not told.",
);

/// A named context that nothing reads.
pub static UNUSED_CONTEXT: Lint = Lint::warning(
    "unused-context",
    "a key of `contexts` that no reached stage uses",
    "It makes no edge and reads no file. Either the name is misspelt here or in the Dockerfile, or the stage \
     that uses it is not reached, or it can go. What comes from `[defaults.*]` is meant for other targets too \
     and is not told.",
);

/// An SSH agent that nothing mounts.
pub static UNUSED_AGENT: Lint = Lint::warning(
    "unused-agent",
    "one of `ssh` that no reached stage mounts",
    "An agent is seen by a `RUN --mount=type=ssh,id=…` alone. Either the id is misspelt, or the agent can go: nobody \
     should have to run it. What comes from `[defaults.*]` is not told.",
);

/// A secret that nothing mounts.
pub static UNUSED_SECRET: Lint = Lint::warning(
    "unused-secret",
    "one of `secrets` that no reached stage mounts",
    "A secret is seen by a `RUN --mount=type=secret,id=…` alone. Either the id is misspelt, or the secret can \
     go: nobody should have to provide it. What comes from `[defaults.*]` is not told.",
);

/// An `allow` without effect.
pub static UNUSED_ALLOW: Lint = Lint::warning(
    "unused-allow",
    "a code of `allow` that the target has no finding of",
    "It would hide the next such finding, which nobody has looked at. Take it out.",
);

/// Two outputs under one name.
pub static TAG_CLASH: Lint = Lint::error(
    "tag-clash",
    "two outputs that are to have one name",
    "Whichever is named last takes the name away from the other. A build of both is refused. Put `${name}` or \
     `${source-key}` into the tag.",
);
