//! A map that is made once and then read: its entries in one slice, sorted by key.
//!
//! A target holds a dozen small tables, and there may be a hundred thousand targets. A `BTreeMap` of one
//! entry takes the place of eleven; this takes that of one, and of none where it is empty.
//!
//! **Invariant:** keys are sorted and each stands once, so that two maps of equal entries are equal. There
//! is no way to add an entry: who gathers piece by piece gathers in another map and collects from it.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Index;

use serde::{Serialize, Serializer};

/// The entries of a map, sorted by key, in exactly the memory that they need.
#[derive(Clone, PartialEq, Eq)]
pub struct SortedMap<Key, Value>(Box<[(Key, Value)]>);

impl<Key, Value> SortedMap<Key, Value> {
    /// A map without entries.
    pub fn new() -> Self {
        Self(Box::default())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All entries, by key.
    pub fn iter(&self) -> Iter<'_, Key, Value> {
        Iter(self.0.iter())
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Key> + ExactSizeIterator + Clone {
        self.0.iter().map(|(key, _value)| key)
    }

    /// All values, by key.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator + Clone {
        self.0.iter().map(|(_key, value)| value)
    }

    /// The value of `key`.
    pub fn get<Asked: Ord + ?Sized>(&self, key: &Asked) -> Option<&Value>
    where
        Key: Borrow<Asked>,
    {
        let at = self.0.binary_search_by(|(own, _value)| own.borrow().cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Asked: Ord + ?Sized>(&mut self, key: &Asked) -> Option<&mut Value>
    where
        Key: Borrow<Asked>,
    {
        let at = self.0.binary_search_by(|(own, _value)| own.borrow().cmp(key)).ok()?;
        Some(&mut self.0[at].1)
    }

    /// Whether there is an entry of `key`.
    pub fn contains_key<Asked: Ord + ?Sized>(&self, key: &Asked) -> bool
    where
        Key: Borrow<Asked>,
    {
        self.get(key).is_some()
    }
}

impl<Key, Value> Default for SortedMap<Key, Value> {
    fn default() -> Self {
        Self::new()
    }
}

/// Of several entries of one key the last counts, as in any map of the standard library.
impl<Key: Ord, Value> FromIterator<(Key, Value)> for SortedMap<Key, Value> {
    fn from_iter<Entries: IntoIterator<Item = (Key, Value)>>(entries: Entries) -> Self {
        let mut entries: Vec<(Key, Value)> = entries.into_iter().collect();
        if !entries.is_sorted_by(|(one, _), (next, _)| one < next) {
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            entries.dedup_by(|later, kept| {
                let is_same = later.0 == kept.0;
                if is_same {
                    std::mem::swap(later, kept);
                }
                is_same
            });
        }
        Self(entries.into_boxed_slice())
    }
}

impl<Key, Value> IntoIterator for SortedMap<Key, Value> {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'m, Key, Value> IntoIterator for &'m SortedMap<Key, Value> {
    type Item = (&'m Key, &'m Value);
    type IntoIter = Iter<'m, Key, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The entries of a [`SortedMap`], by key.
#[derive(Clone, Debug)]
pub struct Iter<'m, Key, Value>(std::slice::Iter<'m, (Key, Value)>);

impl<'m, Key, Value> Iterator for Iter<'m, Key, Value> {
    type Item = (&'m Key, &'m Value);
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<Key, Value> ExactSizeIterator for Iter<'_, Key, Value> {}

impl<Key: Borrow<Asked>, Asked: Ord + ?Sized, Value> Index<&Asked> for SortedMap<Key, Value> {
    type Output = Value;
    /// The value of `key`.
    ///
    /// # Panics
    /// When there is none.
    fn index(&self, key: &Asked) -> &Value {
        self.get(key).expect("the caller knows that the key is there")
    }
}

impl<Key: fmt::Debug, Value: fmt::Debug> fmt::Debug for SortedMap<Key, Value> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl<Key: Serialize, Value: Serialize> Serialize for SortedMap<Key, Value> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// It holds what a map of the standard library holds of the same entries.
    fn check(entries: &[(&str, u8)]) {
        let expected: BTreeMap<String, u8> = entries.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        let found: SortedMap<String, u8> = entries.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        assert!(found.iter().eq(&expected), "{entries:?}");
        assert!(found.keys().eq(expected.keys()) && found.values().eq(expected.values()), "{entries:?}");
        assert_eq!((found.len(), found.is_empty()), (expected.len(), expected.is_empty()), "{entries:?}");
        for key in ["", "a", "b", "c", "d"] {
            assert_eq!(found.get(key), expected.get(key), "{key} of {entries:?}");
            assert_eq!(found.contains_key(key), expected.contains_key(key), "{key} of {entries:?}");
        }
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        assert_eq!(serde_json::to_string(&found).unwrap(), serde_json::to_string(&expected).unwrap());
        assert!(found.into_iter().eq(expected));
    }

    #[test]
    fn it_is_a_map() {
        check(&[]);
        check(&[("a", 1)]);
        check(&[("a", 1), ("b", 2), ("c", 3)]);
        check(&[("c", 1), ("a", 2), ("b", 3)]);
        check(&[("a", 1), ("a", 2)]);
        check(&[("b", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 5)]);
    }

    #[test]
    fn an_empty_one_takes_no_memory_of_its_own() {
        assert_eq!(size_of::<SortedMap<String, String>>(), 16);
        assert_eq!(SortedMap::<String, String>::default(), SortedMap::new());
    }

    #[test]
    #[should_panic(expected = "the key is there")]
    fn an_index_is_of_a_key_that_is_there() {
        let map: SortedMap<String, u8> = SortedMap::new();
        let _value = map["a"];
    }
}
