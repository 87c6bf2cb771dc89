//! Digests, each of which says in its type of what.
//!
//! A source key and an action key are both 32 bytes of blake3, and mixing them up would be a wrong
//! cache hit: so they are different types, and no conversion between them exists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest")]
pub struct DigestError(String);

/// Declares a 32-byte blake3 digest type, shown as 64 lower-case hexadecimal digits.
macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The digest whose bytes are these.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first 12 hexadecimal digits, for people.
            pub fn short(&self) -> String {
                self.to_string()[..12].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = DigestError;
            fn from_str(text: &str) -> Result<Self, DigestError> {
                let hash = blake3::Hash::from_hex(text).map_err(|_not_hex| DigestError(text.to_owned()))?;
                Ok(Self(*hash.as_bytes()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

digest! {
    /// The blake3 digest of a file's bytes.
    ContentHash
}
digest! {
    /// The Merkle digest of a folder or of a view: names, kinds, modes, link targets, content.
    TreeDigest
}
digest! {
    /// The key of an output over static facts, through the whole closure.
    SourceKey
}
digest! {
    /// The key of an output over its own facts and the digests of its dependencies' outputs.
    ActionKey
}
digest! {
    /// The key of one step of the embedded builder, over the root that it begins with and what it is given.
    StepKey
}

/// The digest by which a builder names an output or a base image: `sha256:` and 64 digits.
///
/// Digests of different builders are never compared: a classic Engine gives an image's
/// configuration, a containerd store a manifest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Debug)]
#[serde(transparent)]
pub struct OutputDigest(String);

impl OutputDigest {
    /// The digits after `sha256:`.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    /// `sha256:` and the first 12 digits, for people: Docker finds an image by them.
    pub fn short(&self) -> &str {
        &self.0[..self.0.len().min("sha256:".len() + 12)]
    }

    /// The whole text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OutputDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for OutputDigest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == 64 && digits.bytes().all(hexadecimal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DigestError(text.to_owned()))
        }
    }
}

impl<'de> Deserialize<'de> for OutputDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_read_what_they_write() {
        let key = SourceKey::from_bytes([7; 32]);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert!("07".parse::<SourceKey>().is_err());
    }

    #[test]
    fn an_output_digest_is_sha256_and_64_lower_case_digits() {
        assert!(format!("sha256:{}", "a".repeat(64)).parse::<OutputDigest>().is_ok());
        assert!(format!("sha256:{}", "A".repeat(64)).parse::<OutputDigest>().is_err());
        assert!(format!("sha256:{}", "a".repeat(63)).parse::<OutputDigest>().is_err());
        assert!("a".repeat(64).parse::<OutputDigest>().is_err());
    }
}
