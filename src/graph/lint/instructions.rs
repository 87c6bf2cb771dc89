//! Lints of single instructions.

use super::model::Lint;

/// `FROM … as`.
pub static AS_CASING: Lint = Lint::warning(
    "as-casing",
    "an `AS` in another case than its `FROM`",
    "Both words belong together. Write `FROM … AS …` or `from … as …`.",
)
.called_by_buildkit("FromAsCasing");

/// Keywords in several cases.
pub static INSTRUCTION_CASING: Lint = Lint::warning(
    "instruction-casing",
    "a keyword in another case than most of the file's",
    "Case means nothing here, so one is enough: upper case, or lower case where most keywords are.",
)
.called_by_buildkit("ConsistentInstructionCasing");

/// `EXPOSE 53/UDP`.
pub static PROTOCOL_CASING: Lint = Lint::warning(
    "protocol-casing",
    "a protocol of `EXPOSE` with upper-case letters",
    "Write `tcp`, `udp` or `sctp`.",
)
.called_by_buildkit("ExposeProtoCasing");

/// `EXPOSE 127.0.0.1:80:80`.
pub static EXPOSED_ADDRESS: Lint = Lint::warning(
    "exposed-address",
    "an address or a port of the host in `EXPOSE`",
    "`EXPOSE` speaks of the container's port alone; the rest is dropped. Say it where the container is run.",
)
.called_by_buildkit("ExposeInvalidFormat");

/// An empty line in an instruction.
pub static EMPTY_CONTINUATION: Lint = Lint::warning(
    "empty-continuation",
    "an empty line in the middle of an instruction",
    "The line before it ends with the escape character, so the instruction goes on after it. Builders mean to \
     refuse that one day. Take the line out, or the escape character.",
)
.called_by_buildkit("NoEmptyContinuation");

/// `ENV name value`.
pub static LEGACY_KEY_VALUE: Lint = Lint::warning(
    "legacy-key-value",
    "an `ENV` or a `LABEL` without `=`",
    "The form is old and takes one name only, with the rest of the line as its value. Write `name=value`.",
)
.called_by_buildkit("LegacyKeyValueFormat");

/// `MAINTAINER`.
pub static DEPRECATED_MAINTAINER: Lint = Lint::warning(
    "deprecated-maintainer",
    "a `MAINTAINER`",
    "It is deprecated. Write `LABEL org.opencontainers.image.authors=\"…\"`.",
)
.called_by_buildkit("MaintainerDeprecated");

/// `CMD program`.
pub static SHELL_FORM: Lint = Lint::warning(
    "shell-form",
    "a `CMD` or an `ENTRYPOINT` that is no JSON array",
    "A shell then runs the program and keeps signals from it, so that it is killed instead of stopped. Write \
     `[\"program\", \"argument\"]`; where a shell is wanted, say which with `SHELL`.",
)
.called_by_buildkit("JSONArgsRecommended");

/// Two `CMD`s.
pub static REPEATED_INSTRUCTION: Lint = Lint::warning(
    "repeated-instruction",
    "a `CMD`, an `ENTRYPOINT` or a `HEALTHCHECK` that a later one of its stage replaces",
    "The last one counts. Take the others out.",
)
.called_by_buildkit("MultipleInstructionsDisallowed");

/// `WORKDIR app`.
pub static RELATIVE_WORKDIR: Lint = Lint::warning(
    "relative-workdir",
    "a relative `WORKDIR` with no absolute one above it",
    "The base image then decides where that is, and may decide otherwise tomorrow. Write an absolute path.",
)
.called_by_buildkit("WorkdirRelativePath");

/// `$VERSOIN`.
pub static UNDEFINED_VARIABLE: Lint = Lint::warning(
    "undefined-variable",
    "a variable that nothing in its stage sets",
    "It is empty there. A stage sees its own `ARG`s and `ENV`s, and the `ENV`s of the stages below it; an `ARG` \
     from before the first `FROM` has to be declared again. Where the base is an image from elsewhere, which \
     may set variables, only names are told that are nearly a known one.",
)
.called_by_buildkit("UndefinedVar");
