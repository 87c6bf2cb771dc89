//! What the lints are: codes, what they mean, how much they weigh, and how to put right what they find.
//!
//! The lints stand low, apart from the code that looks for what they are about (`graph/check`, and loading
//! itself, which sees some of it on its way): a `BUILD.toml` may name them, so that they must be known
//! before there is a target.

mod model;
mod build_file;
mod inputs;
mod images;
mod secrets;
mod stages;
mod instructions;
mod registry;

pub use build_file::{
    GIT_IN_KEY, TAG_CLASH, UNUSED_AGENT, UNUSED_ALLOW, UNUSED_ARGUMENT, UNUSED_CONTEXT, UNUSED_SECRET,
};
pub use images::{LATEST_TAG, MISSPELT_NAME, UNPINNED_BASE, UNPINNED_REMOTE};
pub use inputs::{BROAD_CONTEXT, IGNORED_SOURCE, MISSING_IGNORE_FILE, MISSING_SOURCE, UNMATCHED_EXCEPTION};
pub use instructions::{
    AS_CASING, DEPRECATED_MAINTAINER, EMPTY_CONTINUATION, EXPOSED_ADDRESS, INSTRUCTION_CASING,
    LEGACY_KEY_VALUE, PROTOCOL_CASING, RELATIVE_WORKDIR, REPEATED_INSTRUCTION, SHELL_FORM,
    UNDEFINED_VARIABLE,
};
pub use model::Lint;
pub use registry::{ALL, UnknownCode, find};
pub use secrets::{AGENT_NOT_GIVEN, AGENT_REQUIRED, SECRET_IN_ARGUMENT, SECRET_NOT_GIVEN, SECRET_REQUIRED};
pub use stages::{
    CONSTANT_PLATFORM, DUPLICATE_STAGE, INVALID_DEFAULT_BASE, REDUNDANT_PLATFORM, RESERVED_STAGE,
    STAGE_NAME_CASING, UNDEFINED_BASE_ARGUMENT,
};
