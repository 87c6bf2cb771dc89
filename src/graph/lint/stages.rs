//! Lints of `FROM` lines: names of stages, bases, platforms.

use super::model::Lint;

/// A name that is read in lower case.
pub static STAGE_NAME_CASING: Lint = Lint::warning(
    "stage-name-casing",
    "the name of a stage with upper-case letters",
    "Names of stages are compared in lower case. Write them so.",
)
.called_by_buildkit("StageNameCasing");

/// Two stages of one name.
pub static DUPLICATE_STAGE: Lint = Lint::warning(
    "duplicate-stage",
    "two stages of one name",
    "Whoever names it gets the later one, or the one above, as the line stands. Give each a name of its own.",
)
.called_by_buildkit("DuplicateStageName");

/// A name that means something already.
pub static RESERVED_STAGE: Lint = Lint::warning(
    "reserved-stage",
    "a stage called `scratch` or `context`",
    "`scratch` is the empty image and `context` the build's files. Choose another name.",
)
.called_by_buildkit("ReservedStageName");

/// A base made of nothing.
pub static UNDEFINED_BASE_ARGUMENT: Lint = Lint::warning(
    "undefined-base-argument",
    "a `FROM` that uses an argument which nothing above declares",
    "A `FROM` sees the `ARG`s that stand before the first `FROM`, and the platform's. Anything else is empty there.",
)
.called_by_buildkit("UndefinedArgInFrom");

/// A base that needs an argument.
pub static INVALID_DEFAULT_BASE: Lint = Lint::warning(
    "invalid-default-base",
    "a `FROM` that names no image when no argument is given",
    "A plain `docker build` of the file fails. Give the `ARG` a default with which the name is whole.",
)
.called_by_buildkit("InvalidDefaultArgInFrom");

/// A platform that nobody can choose.
pub static CONSTANT_PLATFORM: Lint = Lint::warning(
    "constant-platform",
    "a `FROM --platform` that always asks for the same platform",
    "The stage is for that platform whatever is built. Leave the flag out, or write `$BUILDPLATFORM`. A stage \
     whose name holds the system or the architecture is meant so, and not told.",
)
.called_by_buildkit("FromPlatformFlagConstDisallowed");

/// A platform that is understood.
pub static REDUNDANT_PLATFORM: Lint = Lint::warning(
    "redundant-platform",
    "a `FROM --platform=$TARGETPLATFORM`",
    "That is the platform without the flag, too. Leave it out.",
)
.called_by_buildkit("RedundantTargetPlatform");
