//! What an engine listed, and what tells a later run that it would list the same. What that is, is not this
//! layer's business.
//!
//! One file for each engine, whatever the workspace is.
//! **Invariant:** what is returned was stored for the very engine that is asked for.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::folder::{CacheError, CacheFolder, Kind, Outlives};
use super::record_file::{self, Lookup};

/// The place of one engine's listing.
#[derive(Clone, Debug)]
pub struct ListingFile {
    folder: CacheFolder,
    place: String,
    engine: String,
}

#[derive(Serialize, Deserialize)]
struct Body<Value> {
    engine: String,
    value: Value,
}

impl ListingFile {
    /// That of the engine which is reached at `engine`.
    pub fn new(folder: &CacheFolder, engine: &str) -> Self {
        let hash =
            blake3::Hasher::new_derive_key("imgraph cache listing 1").update(engine.as_bytes()).finalize();
        let place = format!("{}/{}", Kind::Listings.name(), &hash.to_hex()[..32]);
        Self { folder: folder.clone(), place, engine: engine.to_owned() }
    }

    /// What was stored for the engine.
    pub fn load<Value: DeserializeOwned>(&self) -> Lookup<Value> {
        let found = record_file::read(&self.folder, &self.place, |body| {
            // What another version wrote may mean anything.
            Ok(serde_json::from_slice::<Body<Value>>(body).ok())
        });
        match found {
            Lookup::Hit(Some(body)) if body.engine == self.engine => Lookup::Hit(body.value),
            Lookup::Hit(_) | Lookup::Miss => Lookup::Miss,
            Lookup::Damaged(warning) => Lookup::Damaged(warning),
        }
    }

    /// Keeps `value` for the engine.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn store<Value: Serialize>(&self, value: Value) -> Result<(), CacheError> {
        let body = Body { engine: self.engine.clone(), value };
        let body = serde_json::to_vec(&body).expect("a listing has text keys only");
        record_file::write(&self.folder, &self.place, &body, Outlives::Process)
    }
}
