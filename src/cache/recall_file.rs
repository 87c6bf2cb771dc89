//! Runs that had nothing to do, and what they leaned on: what a later run of the same request may say
//! again when all of that is still so. What it is that they leaned on is not this layer's business.
//!
//! A workspace keeps few of them, those that were stored last: whoever asks for ever new things fills no
//! disk.
//! **Invariant:** what is returned was stored for the very request that is asked for.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{fs, io};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::folder::{CacheError, CacheFolder, Kind, Outlives};
use super::record_file::{self, Lookup};
use crate::types::digest::ContentHash;

/// How many requests of one workspace are kept.
const MOST: usize = 16;

/// A request has a file of its own, and one for what is looked at only when something differs.
const FILES_OF_A_REQUEST: usize = 2;

/// The place of one request.
#[derive(Clone, Debug)]
pub struct RecallFile {
    folder: CacheFolder,
    place: String,
    request: String,
}

#[derive(Serialize, Deserialize)]
struct Body<Value> {
    request: String,
    value: Value,
}

impl RecallFile {
    /// That of `request`, everything that tells one request from another, in the workspace at `root`, an
    /// absolute path without links.
    pub fn new(folder: &CacheFolder, root: &Path, request: &[&[u8]]) -> Self {
        let workspace = hash("imgraph cache recall workspace 1", &[root.as_os_str().as_bytes()]);
        let request = hash("imgraph cache recall request 1", request);
        let request = request.to_hex().to_string();
        let place = format!("{}/{}/{}", Kind::Recalls.name(), &workspace.to_hex()[..32], &request[..32]);
        Self { folder: folder.clone(), place, request }
    }

    /// What was stored for the request.
    pub fn load<Value: DeserializeOwned>(&self) -> Lookup<Value> {
        let found = record_file::read(&self.folder, &self.place, |body| {
            // What another version wrote, or another request, may mean anything.
            Ok(serde_json::from_slice::<Body<Value>>(body).ok())
        });
        match found {
            Lookup::Hit(Some(body)) if body.request == self.request => Lookup::Hit(body.value),
            Lookup::Hit(_) | Lookup::Miss => Lookup::Miss,
            Lookup::Damaged(warning) => Lookup::Damaged(warning),
        }
    }

    /// What was kept aside for the request, when it has this hash.
    pub fn load_aside<Value: DeserializeOwned>(&self, hash: &ContentHash) -> Option<Value> {
        let found = record_file::read(&self.folder, &self.place_aside(), |body| {
            Ok((content_hash(body) == *hash).then(|| serde_json::from_slice(body).ok()).flatten())
        });
        // Whatever is wrong with it, the run that follows looks at everything.
        found.value(&mut Vec::new()).flatten()
    }

    /// Keeps `value` aside, and says by which hash it is found again.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn store_aside<Value: Serialize>(&self, value: &Value) -> Result<ContentHash, CacheError> {
        let body = serde_json::to_vec(value).expect("what is kept aside has text keys only");
        record_file::write(&self.folder, &self.place_aside(), &body, Outlives::Process)?;
        Ok(content_hash(&body))
    }

    fn place_aside(&self) -> String {
        format!("{}-parts", self.place)
    }

    /// Keeps `value` for the request, and lets go of what was stored longest ago.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn store<Value: Serialize>(&self, value: Value) -> Result<(), CacheError> {
        let body = Body { request: self.request.clone(), value };
        let body = serde_json::to_vec(&body).expect("a recall has text keys only");
        record_file::write(&self.folder, &self.place, &body, Outlives::Process)?;
        // One that cannot be removed takes a little room.
        let _left = self.forget_the_oldest();
        Ok(())
    }

    fn forget_the_oldest(&self) -> io::Result<()> {
        let (own, aside) = (self.folder.on_disk(&self.place), self.folder.on_disk(&self.place_aside()));
        let Some(folder) = own.parent() else { return Ok(()) };
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let is_own = entry.path() == own || entry.path() == aside;
            files.push((is_own, entry.metadata()?.modified()?, entry.path()));
        }
        files.sort();
        let surplus = files.len().saturating_sub(MOST * FILES_OF_A_REQUEST);
        files.iter().take(surplus).try_for_each(|(_, _, path)| fs::remove_file(path))
    }
}

fn content_hash(body: &[u8]) -> ContentHash {
    ContentHash::from_bytes(*blake3::hash(body).as_bytes())
}

fn hash(context: &str, fields: &[&[u8]]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes()).update(field);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_finds_its_own_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFolder::new(folder.path());
        let file = |root: &str, request: &[&[u8]]| RecallFile::new(&cache, Path::new(root), request);
        let first = file("/w", &[b"build", b"//..."]);
        assert_eq!(first.load::<u32>(), Lookup::Miss);
        first.store(7).unwrap();
        assert_eq!(first.load(), Lookup::Hit(7));
        assert_eq!(first.load::<Vec<u32>>(), Lookup::Miss, "another shape is another version's");
        for (root, request) in
            [("/w", &[&b"build"[..], b"//a"][..]), ("/v", &[b"build", b"//..."]), ("/w", &[b"build//..."])]
        {
            assert_eq!(file(root, request).load::<u32>(), Lookup::Miss, "{root} {request:?}");
        }
    }

    #[test]
    fn few_files_are_kept_and_the_last_is_among_them() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFolder::new(folder.path());
        let files: Vec<RecallFile> =
            (0..200u32).map(|n| RecallFile::new(&cache, Path::new("/w"), &[&n.to_le_bytes()])).collect();
        for (number, file) in files.iter().enumerate() {
            file.store(number).unwrap();
            assert_eq!(file.load(), Lookup::Hit(number));
        }
        let kept: Vec<usize> = files.iter().filter_map(|file| file.load().value(&mut Vec::new())).collect();
        assert!(kept.len() == MOST * FILES_OF_A_REQUEST && kept.contains(&199), "{kept:?}");
    }

    #[test]
    fn what_is_kept_aside_is_found_by_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let file = RecallFile::new(&CacheFolder::new(folder.path()), Path::new("/w"), &[b"plan"]);
        let first = file.store_aside(&1).unwrap();
        assert_eq!(file.load_aside::<u32>(&first), Some(1));
        let second = file.store_aside(&2).unwrap();
        assert_eq!((file.load_aside::<u32>(&first), file.load_aside(&second)), (None, Some(2)));
    }
}
