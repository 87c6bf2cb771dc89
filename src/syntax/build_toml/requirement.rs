//! `requires = ">=0.1"`: which versions of imgraph a workspace works with.
//!
//! Comparisons with commas between, all of which must hold. A version is one to three numbers, and
//! what is left out is zero. No caret and no tilde: what they mean before 1.0 surprises people.

use std::fmt;

/// A version as numbers: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version([u64; 3]);

/// The comparisons that a version must satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement(Vec<(Comparison, Version)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    Above,
    AtMost,
    Below,
    Exactly,
}

const COMPARISONS: [(&str, Comparison); 5] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    (">", Comparison::Above),
    ("<", Comparison::Below),
    ("=", Comparison::Exactly),
];

impl Version {
    /// Reads `1`, `1.2` or `1.2.3`; what follows a `-` or a `+` is left aside.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+']).next()?.split('.').map(|number| {
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            number.parse::<u64>().ok().filter(|_number| digits)
        });
        let numbers = numbers.collect::<Option<Vec<u64>>>().filter(|numbers| numbers.len() <= 3)?;
        let mut version = [0; 3];
        version[..numbers.len()].copy_from_slice(&numbers);
        Some(Self(version))
    }
}

impl Requirement {
    /// Reads comparisons with commas between; `None` when one of them is none.
    pub fn parse(text: &str) -> Option<Self> {
        let comparison = |text: &str| {
            let text = text.trim();
            let (word, comparison) = COMPARISONS.iter().find(|(word, _)| text.starts_with(word))?;
            Some((*comparison, Version::parse(text[word.len()..].trim())?))
        };
        text.split(',').map(comparison).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether `version` satisfies every comparison.
    pub fn holds(&self, version: Version) -> bool {
        self.0.iter().all(|(comparison, bound)| match comparison {
            Comparison::AtLeast => version >= *bound,
            Comparison::Above => version > *bound,
            Comparison::AtMost => version <= *bound,
            Comparison::Below => version < *bound,
            Comparison::Exactly => version == *bound,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(formatter, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(requirement: &str, version: &str, expected: Option<bool>) {
        let version = Version::parse(version).unwrap();
        let found = Requirement::parse(requirement).map(|requirement| requirement.holds(version));
        assert_eq!(found, expected, "{requirement} for {version}");
    }

    #[test]
    fn versions_are_compared() {
        check(">=0.1", "0.1.0", Some(true));
        check(">=0.1", "0.0.9", Some(false));
        check(">=0.1, <0.3", "0.2.5", Some(true));
        check(">=0.1,<0.3", "0.3.0", Some(false));
        check(">0.1.2", "0.1.2", Some(false));
        check("<=1", "1.0.0", Some(true));
        check("=0.1.0", "0.1.0-dev", Some(true));
        check(">=0.10", "0.9.0", Some(false));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "0.1", "^0.1", "~1", ">=", ">=x", ">=1.2.3.4", ">=1,", ">=1..2", ">=+1"] {
            assert_eq!(Requirement::parse(text), None, "{text}");
        }
    }
}
