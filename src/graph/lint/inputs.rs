//! Lints of what is read of a context: too much, or what is not there.

use super::model::Lint;

/// A source that is not there.
pub static MISSING_SOURCE: Lint = Lint::error(
    "missing-source",
    "a source of `COPY`, `ADD` or a bind mount that is not in its context",
    "The build fails there. Paths are looked for in the context, wherever the Dockerfile lies.",
);

/// A source that is there and left out.
pub static IGNORED_SOURCE: Lint = Lint::error(
    "ignored-source",
    "a source that an ignore file, or `inputs`, leave out",
    "The file is there, but the builder does not get it, and the build fails. Take the pattern out, or bring \
     the file back with a line `!path` below it.",
)
.called_by_buildkit("CopyIgnoredFile");

/// A whole context that nothing narrows.
pub static MISSING_IGNORE_FILE: Lint = Lint::warning(
    "missing-ignore-file",
    "all of a context is copied, and no ignore file leaves out what no image wants",
    "It is told where the top of the context holds version control, build files (`BUILD.toml`, the Dockerfile) \
     or what tools leave (`node_modules`, `target`, `.env`, …): all of that lands in the image, and an edit of \
     it builds the target again. Write a `.dockerignore`, or copy by name.",
);

/// A context that is mostly somebody else's.
pub static BROAD_CONTEXT: Lint = Lint::warning(
    "broad-context",
    "all of a context is copied, and more than half of its files belong to other packages",
    "A file belongs to the nearest folder above it that has a `BUILD.toml`. Those of the target's own package, \
     of packages below and above it, and of the Dockerfile's package count as its own. Every edit of the others \
     builds this target again. Copy by name, narrow the view with `inputs`, or write `NAME.dockerignore` \
     beside the Dockerfile.",
);

/// An exception that brings nothing back.
pub static UNMATCHED_EXCEPTION: Lint = Lint::warning(
    "unmatched-exception",
    "a line `!path` of an ignore file that brings nothing back, for nothing is there",
    "It is told of plain paths only: a pattern may be meant for what is not there yet. Patterns of an ignore \
     file are relative to the context's root, wherever the file lies.",
);
