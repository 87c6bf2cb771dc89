//! The envelope around every record: a first line with a checksum, then the body.
//!
//! ```text
//! imgraph-cache 1 <blake3, 64 hexadecimal digits>
//! <body>
//! ```
//!
//! The checksum covers the body and the place at which the file lies, so that a file that was
//! renamed or copied to another key's name is as damaged as one with a flipped bit.
//!
//! **Invariant:** a body is decoded only after its checksum was found right.

use super::folder::{CacheError, CacheFolder, Outlives};
use crate::types::diagnostic::Diagnostic;

/// What a look into the cache gave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Lookup<Value> {
    /// The record, whole.
    Hit(Value),
    /// Nothing was ever written, or it is gone.
    Miss,
    /// Something is there that cannot be used: a miss, and a warning that says why.
    Damaged(Diagnostic),
}

impl<Value> Lookup<Value> {
    /// The record, when there is one. A warning goes to `warnings`.
    pub fn value(self, warnings: &mut Vec<Diagnostic>) -> Option<Value> {
        match self {
            Self::Hit(value) => Some(value),
            Self::Miss => None,
            Self::Damaged(warning) => {
                warnings.push(warning);
                None
            }
        }
    }
}

/// The record at `place`, decoded from its verified body. A body that `decode` refuses, saying why, is
/// damage too.
pub(super) fn read<Value>(
    folder: &CacheFolder,
    place: &str,
    decode: impl FnOnce(&[u8]) -> Result<Value, String>,
) -> Lookup<Value> {
    let decoded = match folder.read(place) {
        Ok(None) => return Lookup::Miss,
        Ok(Some(bytes)) => open(place, &bytes).and_then(decode),
        Err(cause) => match folder.no_folder(place, cause) {
            Ok(warning) => return Lookup::Damaged(warning),
            Err(cause) => Err(format!("cannot be read: {cause}")),
        },
    };
    match decoded {
        Ok(value) => Lookup::Hit(value),
        Err(reason) => {
            let path = folder.on_disk(place);
            let message = format!("the cache file `{}` {reason}", path.display());
            Lookup::Damaged(Diagnostic::warning(message).help("it counts as absent; the file may be deleted"))
        }
    }
}

/// Writes `body` as the record at `place`.
pub(super) fn write(
    folder: &CacheFolder,
    place: &str,
    body: &[u8],
    outlives: Outlives,
) -> Result<(), CacheError> {
    folder.write(place, &[first_line(place, body).as_bytes(), body].concat(), outlives)
}

fn first_line(place: &str, body: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("imgraph cache record 1");
    hasher.update(&(place.len() as u64).to_le_bytes()).update(place.as_bytes()).update(body);
    format!("imgraph-cache 1 {}\n", hasher.finalize().to_hex())
}

/// The body of the file `bytes` at `place`. The first line is compared as text, not parsed: there is
/// one right way to write it.
fn open<'b>(place: &str, bytes: &'b [u8]) -> Result<&'b [u8], String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
    let (line, body) = bytes.split_at(end);
    if line == first_line(place, body).as_bytes() {
        Ok(body)
    } else {
        Err("is damaged: its checksum is wrong".to_owned())
    }
}
