//! The environment variables that a run was given, as a value.
//!
//! Only `cli/` reads the process's environment; everything below takes this map, so that a key
//! cannot depend on a variable by accident and a test can say what is set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Environment variables by name. Printing it for debugging shows the names alone: values may be secret.
#[derive(Clone, Default)]
pub struct Environment {
    values: Arc<BTreeMap<String, String>>,
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Environment {
    /// The value of `name`, when it is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.contains(name) {
            asked.insert(name.to_owned());
        }
        self.values.get(name).map(String::as_str)
    }

    /// Whether `name` is set, which is not noted: what a run leans on besides is its own affair.
    pub fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// As [`Self::get`], which is not noted.
    pub fn peek(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The same variables, of which none was asked for yet.
    #[must_use]
    pub fn unasked(&self) -> Self {
        Self { values: Arc::clone(&self.values), asked: Arc::default() }
    }

    /// A hash of the variables that were asked for, set or not, and their names.
    pub fn asked(&self) -> (Vec<String>, EnvironmentHash) {
        let names: Vec<String> =
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let hash = self.hash(&names);
        (names, hash)
    }

    /// A hash of what the variables `names` are: of values that may be secret, and of no use without them.
    pub fn hash(&self, names: &[String]) -> EnvironmentHash {
        let mut hasher = blake3::Hasher::new_derive_key("imgraph 2026-11 environment variables");
        let mut field = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        for name in names {
            field(name.as_bytes());
            match self.values.get(name) {
                Some(value) => {
                    field(b"set");
                    field(value.as_bytes());
                }
                None => field(b"not set"),
            }
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// 64 hexadecimal digits.
pub type EnvironmentHash = String;

impl FromIterator<(String, String)> for Environment {
    fn from_iter<Pairs: IntoIterator<Item = (String, String)>>(pairs: Pairs) -> Self {
        Self { values: Arc::new(pairs.into_iter().collect()), asked: Arc::default() }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_was_asked_for_is_known_and_told_from_other_values() {
        let first = environment(&[("A", "1"), ("B", "2")]);
        assert_eq!((first.get("A"), first.get("C")), (Some("1"), None));
        let (names, hash) = first.asked();
        assert_eq!(names, ["A", "C"]);
        assert_eq!(environment(&[("A", "1"), ("B", "3")]).hash(&names), hash);
        for other in [&[("A", "2")][..], &[], &[("A", "1"), ("C", "")], &[("A", "1C")]] {
            assert_ne!(environment(other).hash(&names), hash, "{other:?}");
        }
        assert!(first.is_set("B") && !first.is_set("D"));
        assert_eq!(first.asked().0, names);
        assert_eq!(first.unasked().asked().0, Vec::<String>::new());
    }
}
