//! Takes the values of secrets out of what a build writes.
//!
//! A defence, not a promise: a build that prints a secret in pieces or encoded is not caught. Values
//! shorter than four bytes are left alone, for they would blot out ordinary text.

use std::borrow::Cow;

use crate::build::builder::SecretValue;

const SHORTEST: usize = 4;
const REPLACEMENT: &str = "***";

/// The texts that must not be shown.
#[derive(Clone, Debug, Default)]
pub(in crate::build) struct Redactor {
    /// Longest first, so that no part of a value is left over.
    hidden: Vec<String>,
}

impl Redactor {
    /// Hides the values, and each line of a value of several lines: logs come by lines.
    pub(in crate::build) fn new(secrets: &[SecretValue]) -> Self {
        let mut hidden: Vec<String> = secrets.iter().flat_map(|secret| texts(&secret.value)).collect();
        hidden.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        hidden.dedup();
        Self { hidden }
    }

    /// `text` without the hidden ones.
    pub(in crate::build) fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.hidden.iter().fold(Cow::Borrowed(text), |text, hidden| {
            if text.contains(hidden.as_str()) {
                Cow::Owned(text.replace(hidden.as_str(), REPLACEMENT))
            } else {
                text
            }
        })
    }
}

/// Logs replace bytes that are not UTF-8, so values are looked for in the same form.
fn texts(value: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(value);
    let whole = text.trim_end_matches(['\r', '\n']);
    let lines = whole.lines().map(str::trim);
    std::iter::once(whole).chain(lines).filter(|text| text.len() >= SHORTEST).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], text: &str, expected: &str) {
        let secret = |value: &&str| SecretValue { id: "id".to_owned(), value: value.as_bytes().to_vec() };
        let secrets: Vec<SecretValue> = values.iter().map(secret).collect();
        assert_eq!(Redactor::new(&secrets).clean(text), expected, "{values:?}");
    }

    #[test]
    fn values_of_secrets_are_hidden() {
        check(&["hunter2"], "password: hunter2, again hunter2", "password: ***, again ***");
        check(&["hunter2\n"], "hunter2", "***");
        check(&["hunt", "hunter2"], "hunter2", "***");
        check(&["first line\n  second line\n"], "x second line", "x ***");
        check(&["abc"], "abcdef", "abcdef");
        check(&[""], "text", "text");
        check(&[], "text", "text");
    }
}
