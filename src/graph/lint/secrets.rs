//! Lints of secrets and SSH agents: where they leak, and where they are not given.

use super::model::Lint;

/// A secret where everybody can read it.
pub static SECRET_IN_ARGUMENT: Lint = Lint::warning(
    "secret-in-argument",
    "an `ARG`, an `ENV`, or a key of `args` or `stamp` that looks like a secret",
    "Its value stays in the image's history and in caches that are pushed, and an argument enters the key. \
     Declare it in `secrets` and read it with `RUN --mount=type=secret,id=…`. A name is taken for a secret's \
     when one of its words is `token`, `password`, `secret`, `key`, `credential` or the like, and none is \
     `public`.",
)
.called_by_buildkit("SecretsUsedInArgOrEnv");

/// A mount that is left out.
pub static SECRET_NOT_GIVEN: Lint = Lint::warning(
    "secret-not-given",
    "a secret that a reached stage mounts and the target does not declare",
    "The builder leaves the mount out, and the command runs without it. Declare the secret in `secrets`.",
);

/// A mount that cannot be left out.
pub static SECRET_REQUIRED: Lint = Lint::error(
    "secret-required",
    "a secret that a reached stage requires and the target does not declare",
    "The build fails there. Declare the secret in `secrets`.",
);

/// An agent that is left out.
pub static AGENT_NOT_GIVEN: Lint = Lint::warning(
    "agent-not-given",
    "an SSH agent that a reached stage mounts and the target does not declare",
    "The builder leaves the mount out, and the command runs without it. Declare the agent in `ssh`.",
);

/// An agent that cannot be left out.
pub static AGENT_REQUIRED: Lint = Lint::error(
    "agent-required",
    "an SSH agent that a reached stage requires and the target does not declare",
    "The build fails there. Declare the agent in `ssh`.",
);
