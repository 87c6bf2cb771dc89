//! Lints of what comes from elsewhere: images, and what `ADD` fetches.

use super::model::Lint;

/// An image that may become another one.
pub static UNPINNED_BASE: Lint = Lint::warning(
    "unpinned-base",
    "an image from elsewhere without a digest",
    "A tag can be moved: the same workspace then gives another image, on one machine sooner than on another. \
     Write `repository:tag@sha256:…`, best in one `[base.*]` with `image`: Dockerfiles that name the same \
     repository and tag then get it.",
);

/// An image that is meant to become another one.
pub static LATEST_TAG: Lint = Lint::warning(
    "latest-tag",
    "an image from elsewhere by the tag `latest`, written or understood",
    "Nobody can say which version that was. Name a version, and pin it with a digest. Where this is told, \
     `unpinned-base` is not.",
);

/// Something fetched that may become another thing.
pub static UNPINNED_REMOTE: Lint = Lint::warning(
    "unpinned-remote",
    "an `ADD` of a URL or a git repository that no `--checksum` pins",
    "What is behind it may be another thing tomorrow, so the builder has to look at each build and nothing is \
     taken from the cache. Add `--checksum=sha256:…`, or for git a commit.",
);

/// A name that is nearly another one.
pub static MISSPELT_NAME: Lint = Lint::warning(
    "misspelt-name",
    "an image that is nearly called like a stage, a context, or what a target publishes",
    "`FROM`, `--from` and `from=` take any name that they do not know for an image from elsewhere. This one \
     differs by a letter or two from one that is known here.",
);
