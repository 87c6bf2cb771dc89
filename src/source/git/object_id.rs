//! The name that git gives an object: the hash of its bytes, of 20 (SHA-1) or 32 (SHA-256) bytes.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use indexmap::{IndexMap, IndexSet};

/// The longest hash that git has.
pub(super) const LONGEST: usize = 32;

/// How many letters of an id are enough for people.
const SHORT: usize = 10;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The id of a commit, tree or blob.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectId {
    bytes: [u8; LONGEST],
    length: u8,
}

impl ObjectId {
    /// The id whose bytes are these; `None` when no hash of git is so long.
    pub fn of_bytes(raw: &[u8]) -> Option<Self> {
        if !matches!(raw.len(), 20 | 32) {
            return None;
        }
        let mut bytes = [0; LONGEST];
        bytes[..raw.len()].copy_from_slice(raw);
        Some(Self { bytes, length: raw.len() as u8 })
    }

    /// The id that these hexadecimal letters write.
    pub fn of_hex(hex: &[u8]) -> Option<Self> {
        let digit = |letter: u8| char::from(letter).to_digit(16).map(|digit| digit as u8);
        if !matches!(hex.len(), 40 | 64) {
            return None;
        }
        let mut bytes = [0; LONGEST];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self { bytes, length: (hex.len() / 2) as u8 })
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Its first letters, for people.
    pub fn short(&self) -> String {
        self.to_string()[..SHORT].to_owned()
    }
}

impl Hash for ObjectId {
    /// An id is a hash: some of its bytes tell nearly all ids apart.
    fn hash<State: Hasher>(&self, state: &mut State) {
        let (first, _) = self.bytes.split_first_chunk().expect("an id has more than eight bytes");
        state.write_u64(u64::from_le_bytes(*first));
    }
}

/// What is known by the ids of objects. What it has no use for yet is a number for each place, not an id and a value.
pub(super) type IdMap<Value> = IndexMap<ObjectId, Value, IdState>;

/// Some objects.
pub(super) type IdSet = IndexSet<ObjectId, IdState>;

/// Hashes ids, which are hashes: what is left to do is that nobody can choose ids that are alike in a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdState(u64);

impl Default for IdState {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for IdState {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher(self.0)
    }
}

/// The hasher of [`IdState`]: the secret number, and what was written mixed with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio: the product's upper half depends on all bits of both.
        const FACTOR: u128 = 0x9E37_79B9_7F4A_7C15;
        let product = u128::from(number ^ self.0) * FACTOR;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = [0; 2 * LONGEST];
        for (pair, byte) in letters.chunks_exact_mut(2).zip(self.as_bytes()) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        let letters = &letters[..2 * self.as_bytes().len()];
        formatter.write_str(std::str::from_utf8(letters).expect("digits are letters of UTF-8"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ObjectId({})", self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_written() {
        for hex in ["a".repeat(40), "0123456789abcdef".repeat(4)] {
            let id = ObjectId::of_hex(hex.as_bytes()).unwrap();
            assert_eq!(id.to_string(), hex);
            assert_eq!(ObjectId::of_bytes(id.as_bytes()), Some(id));
        }
        for wrong in [String::new(), "a".repeat(39), "g".repeat(40), "a".repeat(42)] {
            assert_eq!(ObjectId::of_hex(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
