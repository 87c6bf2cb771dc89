//! `SOURCE_DATE_EPOCH`: the time of everything that a build makes.
//!
//! It is a number of seconds, as BuildKit 0.13 reads it (Go's `ParseInt`); newer frontends take names of contexts
//! and stages too, which this builder does not. No text is taken for a time that it is not.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The name of the argument.
const NAME: &str = "SOURCE_DATE_EPOCH";

/// The years 0 to 9999, but for the last day, which is too late for some places: other years cannot be written as
/// images write them.
const TIMES: RangeInclusive<i64> = -62_167_219_200..=253_402_207_200;

/// The time of a build, in seconds since 1970: as `given`, or as the Dockerfile says before its first `FROM`; else 0.
///
/// # Errors
/// What is wrong with a text that is no such time.
pub fn build_time(
    given: &BTreeMap<String, String>,
    globals: &BTreeMap<String, String>,
) -> Result<i64, String> {
    let text = given.get(NAME).or_else(|| globals.get(NAME)).map_or("", String::as_str);
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().ok().filter(|seconds| TIMES.contains(seconds)).ok_or_else(|| {
        format!("{NAME} is `{text}`, which is no time: write whole seconds since 1970, such as 1700000000")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: Option<&str>, global: Option<&str>, expected: Option<i64>) {
        let map =
            |text: Option<&str>| text.map(|text| (NAME.to_owned(), text.to_owned())).into_iter().collect();
        let found = build_time(&map(given), &map(global));
        assert_eq!(found.as_ref().ok(), expected.as_ref(), "{given:?} {global:?}: {found:?}");
        let is_named = |message: &String| message.contains(given.or(global).unwrap_or_default());
        assert!(found.as_ref().err().is_none_or(is_named), "{found:?}");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        check(None, None, Some(0));
        check(Some(""), Some("7"), Some(0));
        check(Some("5"), Some("7"), Some(5));
        check(None, Some("7"), Some(7));
        check(Some("+5"), None, Some(5));
        check(Some("-5"), None, Some(-5));
        for text in ["abc", "1.5", " 5", "5 ", "0x5", "1_000", "99999999999999", "99999999999999999999"] {
            check(Some(text), Some("7"), None);
            check(None, Some(text), None);
        }
    }

    #[test]
    fn every_time_that_is_taken_can_be_written() {
        for time in [*TIMES.start(), *TIMES.end()] {
            assert!(jiff::Timestamp::from_second(time).is_ok(), "{time}");
        }
    }
}
