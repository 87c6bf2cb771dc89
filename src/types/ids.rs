//! Dense, typed ids and the map that they index.
//!
//! Graphs here are arrays: an id is a position, so that a lookup is an index and a set of ids is a
//! bit mask. Each kind of id is its own type; an id of one map cannot index another.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A type that stands for a position in a [`DenseMap`].
pub trait DenseId: Copy {
    /// The id of position `index`.
    fn from_index(index: usize) -> Self;
    /// The position that this id stands for.
    fn index(self) -> usize;
}

/// Declares a `u32` id type. A map holds fewer than 2³² entries: targets are lines in files that
/// people write.
macro_rules! dense_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl DenseId for $name {
            fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).expect("fewer than 2^32 entries fit in memory"))
            }
            fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

dense_id! {
    /// A declared target: one table of one `BUILD.toml`.
    TargetId
}
dense_id! {
    /// A target for one platform: what is keyed, scheduled and built.
    NodeId
}
dense_id! {
    /// Something that a query can speak of: a target of any platforms, or an image from elsewhere.
    VertexId
}
dense_id! {
    /// A text that diagnostics point into.
    FileId
}

/// A vector indexed by its own id type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenseMap<Id, Value> {
    values: Vec<Value>,
    id: PhantomData<fn(Id)>,
}

impl<Id, Value> Default for DenseMap<Id, Value> {
    fn default() -> Self {
        Self { values: Vec::new(), id: PhantomData }
    }
}

impl<Id: DenseId, Value> DenseMap<Id, Value> {
    /// A map that gives `value` for each of the first `length` ids.
    pub fn filled(length: usize, value: Value) -> Self
    where
        Value: Clone,
    {
        Self { values: vec![value; length], id: PhantomData }
    }

    /// A map without values that has room for `capacity` of them.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { values: Vec::with_capacity(capacity), id: PhantomData }
    }

    /// Adds a value and returns its id.
    pub fn push(&mut self, value: Value) -> Id {
        let id = Id::from_index(self.values.len());
        self.values.push(value);
        id
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of `id`, or `None` when `id` is of a longer map.
    pub fn get(&self, id: Id) -> Option<&Value> {
        self.values.get(id.index())
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Id> + ExactSizeIterator + use<Id, Value> {
        (0..self.values.len()).map(Id::from_index)
    }

    /// All ids with their values, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Id, &Value)> {
        self.values.iter().enumerate().map(|(index, value)| (Id::from_index(index), value))
    }

    /// All values, in order of their ids.
    pub fn values(&self) -> &[Value] {
        &self.values
    }
}

impl<Id: DenseId, Value> FromIterator<Value> for DenseMap<Id, Value> {
    fn from_iter<Values: IntoIterator<Item = Value>>(values: Values) -> Self {
        Self { values: values.into_iter().collect(), id: PhantomData }
    }
}

impl<Id: DenseId, Value> Index<Id> for DenseMap<Id, Value> {
    type Output = Value;
    fn index(&self, id: Id) -> &Value {
        &self.values[id.index()]
    }
}

impl<Id: DenseId, Value> IndexMut<Id> for DenseMap<Id, Value> {
    fn index_mut(&mut self, id: Id) -> &mut Value {
        &mut self.values[id.index()]
    }
}
