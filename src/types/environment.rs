//! The environment variables that a run was given, as a value.
//!
//! Only `cli/` reads the process's environment; everything below takes this map, so that a key
//! cannot depend on a variable by accident and a test can say what is set.

use std::collections::BTreeMap;
use std::fmt;

/// Environment variables by name. Printing it for debugging shows the names alone: values may be secret.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The value of `name`, when it is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<Pairs: IntoIterator<Item = (String, String)>>(pairs: Pairs) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
