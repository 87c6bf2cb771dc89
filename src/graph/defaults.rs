//! `[defaults.*]`: what a target is given that its own table does not say.
//!
//! The defaults of a package are for the targets of that kind in the package and in those below it.
//! Scalars and lists replace, and the nearest wins: the target's own table, then the defaults of its
//! package, then those above. Tables merge by key under the same rule.
//!
//! A relative path or label in a default is relative to the package of the target that takes it:
//! `context = "."` in the root's defaults gives every image its own folder. `//` is the workspace's.

use std::collections::BTreeMap;

use crate::syntax::build_toml::build_fields::{BuildFields, Keyed};
use crate::types::span::Located;

/// A field that merges by key: each key with its place and the value that counts.
pub(super) type Merged<'f, Value> = BTreeMap<&'f str, (&'f Located<String>, &'f Value)>;

/// The tables that a target's fields may come from, the nearest first.
#[derive(Clone, Debug)]
pub(super) struct Layers<'f>(Vec<&'f BuildFields>);

impl<'f> Layers<'f> {
    /// The target's own fields over the defaults of `above`, the nearest first.
    pub(super) fn new(own: &'f BuildFields, above: impl IntoIterator<Item = &'f BuildFields>) -> Self {
        Self(std::iter::once(own).chain(above).collect())
    }

    /// The nearest value of a field that replaces.
    pub(super) fn nearest<Value>(
        &self,
        field: impl Fn(&'f BuildFields) -> Option<&'f Value>,
    ) -> Option<&'f Value> {
        self.0.iter().find_map(|layer| field(layer))
    }

    /// The merged table of a field that merges by key.
    pub(super) fn merged<Value>(
        &self,
        field: impl Fn(&'f BuildFields) -> &'f Keyed<Value>,
    ) -> Merged<'f, Value> {
        let mut merged = BTreeMap::new();
        for layer in self.0.iter().rev() {
            for (key, value) in field(layer) {
                merged.insert(key.value.as_str(), (key, value));
            }
        }
        merged
    }
}
