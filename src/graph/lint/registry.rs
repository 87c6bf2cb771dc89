//! All lints.

use super::model::Lint;
use super::{build_file, images, inputs, instructions, secrets, stages};
use crate::types::diagnostic::nearest;

/// Every lint, in order of codes.
pub static ALL: [&Lint; 39] = [
    &secrets::AGENT_NOT_GIVEN,
    &secrets::AGENT_REQUIRED,
    &instructions::AS_CASING,
    &inputs::BROAD_CONTEXT,
    &stages::CONSTANT_PLATFORM,
    &instructions::DEPRECATED_MAINTAINER,
    &stages::DUPLICATE_STAGE,
    &instructions::EMPTY_CONTINUATION,
    &instructions::EXPOSED_ADDRESS,
    &build_file::GIT_IN_KEY,
    &inputs::IGNORED_SOURCE,
    &instructions::INSTRUCTION_CASING,
    &stages::INVALID_DEFAULT_BASE,
    &images::LATEST_TAG,
    &instructions::LEGACY_KEY_VALUE,
    &inputs::MISSING_IGNORE_FILE,
    &inputs::MISSING_SOURCE,
    &images::MISSPELT_NAME,
    &instructions::PROTOCOL_CASING,
    &stages::REDUNDANT_PLATFORM,
    &instructions::RELATIVE_WORKDIR,
    &instructions::REPEATED_INSTRUCTION,
    &stages::RESERVED_STAGE,
    &secrets::SECRET_IN_ARGUMENT,
    &secrets::SECRET_NOT_GIVEN,
    &secrets::SECRET_REQUIRED,
    &instructions::SHELL_FORM,
    &stages::STAGE_NAME_CASING,
    &build_file::TAG_CLASH,
    &stages::UNDEFINED_BASE_ARGUMENT,
    &instructions::UNDEFINED_VARIABLE,
    &inputs::UNMATCHED_EXCEPTION,
    &images::UNPINNED_BASE,
    &images::UNPINNED_REMOTE,
    &build_file::UNUSED_AGENT,
    &build_file::UNUSED_ALLOW,
    &build_file::UNUSED_ARGUMENT,
    &build_file::UNUSED_CONTEXT,
    &build_file::UNUSED_SECRET,
];

/// A word that is the code of no lint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{code}` is not the code of a lint")]
pub struct UnknownCode {
    /// The word.
    pub code: String,
    /// The code that may have been meant.
    pub near: Option<&'static str>,
}

impl UnknownCode {
    /// How to put it right.
    pub fn help(&self) -> String {
        match self.near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`imgraph check --list` shows all codes".to_owned(),
        }
    }
}

/// The lint whose code is `code`.
///
/// # Errors
/// When there is none. BuildKit's name of a lint leads to ours.
pub fn find(code: &str) -> Result<&'static Lint, UnknownCode> {
    if let Ok(at) = ALL.binary_search_by(|lint| lint.code.cmp(code)) {
        return Ok(ALL[at]);
    }
    let of_buildkit =
        ALL.iter().find(|lint| lint.buildkit.is_some_and(|name| name.eq_ignore_ascii_case(code)));
    let near = of_buildkit.map(|lint| lint.code);
    let near = near.or_else(|| nearest(&code.to_lowercase(), ALL.iter().map(|lint| lint.code)));
    Err(UnknownCode { code: code.to_owned(), near })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_kebab_case_words() {
        assert!(ALL.is_sorted_by(|one, other| one.code < other.code));
        for lint in ALL {
            assert!(lint.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{lint}");
            assert!(!lint.meaning.ends_with('.') && lint.help.ends_with('.'), "{lint}");
            assert_eq!(find(lint.code), Ok(lint));
        }
    }

    #[test]
    fn an_unknown_code_leads_to_the_nearest() {
        let near = |code: &str| find(code).unwrap_err().near;
        assert_eq!(near("unpined-base"), Some("unpinned-base"));
        assert_eq!(near("JSONArgsRecommended"), Some("shell-form"));
        assert_eq!(near("nothing-of-the-kind-at-all"), None);
    }
}
