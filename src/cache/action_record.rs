//! What one action gave: the value of the action cache, under the action key.
//!
//! JSON, so that people and other tools can read it: the facts are those of the manifest that the key
//! is a hash of, and `explain` compares them with the facts of today.
//!
//! **Invariant:** a record that is returned names the key that was asked for.

use serde::{Deserialize, Serialize};

use super::folder::{CacheError, CacheFolder, Kind, Outlives};
use super::record_file::{self, Lookup};
use crate::types::digest::{ActionKey, OutputDigest, SourceKey, TreeDigest};
use crate::types::platform::Platform;

/// The version of the JSON form. Fields are only ever added.
pub const SCHEMA: u32 = 1;

/// A finished action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The key that this is the record of.
    pub action_key: ActionKey,
    /// The source key of the target at that time.
    pub source_key: SourceKey,
    /// The target that was built. Another target with the same action key may use the record.
    pub label: String,
    /// What it was built for.
    pub platform: Platform,
    /// The output.
    pub digest: OutputDigest,
    /// The named facts of the manifest, in its order.
    pub facts: Vec<(String, String)>,
    /// The view of each context by the context's name; the main context's is empty.
    pub views: Vec<(String, TreeDigest)>,
    /// How long the build took.
    pub seconds: f64,
    /// When it ended, in seconds since 1970.
    pub built_at: i64,
    /// The builder's description of itself.
    pub builder: String,
    /// The name of the log file within the cache's logs.
    pub log: Option<String>,
}

impl ActionRecord {
    /// The record of `key`.
    pub fn load(folder: &CacheFolder, key: &ActionKey) -> Lookup<Self> {
        record_file::read(folder, &place(key), |body| {
            let record: Self =
                serde_json::from_slice(body).map_err(|cause| format!("cannot be understood: {cause}"))?;
            if record.schema != SCHEMA {
                return Err(format!("has the unknown schema {}", record.schema));
            }
            if record.action_key != *key {
                return Err(format!("is the record of another key, {}", record.action_key));
            }
            Ok(record)
        })
    }

    /// Keeps the record under its key, in place of any other. Two processes may do so at once: each
    /// record is whole, and the later one stays.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn store(&self, folder: &CacheFolder) -> Result<(), CacheError> {
        let body = serde_json::to_vec(self).expect("a record has text keys only");
        record_file::write(folder, &place(&self.action_key), &body, Outlives::Power)
    }
}

fn place(key: &ActionKey) -> String {
    Kind::Actions.place(&key.to_string())
}
