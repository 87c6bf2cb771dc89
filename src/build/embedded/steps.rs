//! Steps that were done before, and steps that are done once though several builds want them.
//!
//! A step's key holds the chain of the layers below it and everything that it is given. Whoever does a step
//! holds a lock of the system, so that threads and processes that want the same step wait for the first one.
//!
//! **Invariant:** a step counts as done only while its layer is in the store.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use crate::build::builder::BuildError;
use crate::cache::folder::CacheFolder;
use crate::cache::step_record::{self, StepResult};
use crate::oci::blob_digest::DiffId;
use crate::types::cancellation::Cancellation;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::StepKey;

/// How often somebody who waits for a step looks again.
const PATIENCE: Duration = Duration::from_millis(5);

/// Hashes the facts of a step. Each is named and measured, so that no two lists of facts give one text.
pub struct StepKeyHasher(blake3::Hasher);

impl StepKeyHasher {
    /// The key of a step of this kind.
    pub fn new(kind: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new_derive_key("imgraph embedded step 2"));
        hasher.field("kind", kind.as_bytes());
        hasher
    }

    /// Adds a fact.
    pub fn field(&mut self, name: &str, value: &[u8]) {
        for part in [name.as_bytes(), value] {
            self.0.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    }

    /// Adds a list of facts of one name.
    pub fn list<Value: AsRef<[u8]>>(&mut self, name: &str, values: impl IntoIterator<Item = Value>) {
        let mut count = 0_u64;
        for value in values {
            self.field(name, value.as_ref());
            count += 1;
        }
        self.field("count", &count.to_le_bytes());
    }

    /// The key.
    pub fn finish(self) -> StepKey {
        StepKey::from_bytes(*self.0.finalize().as_bytes())
    }
}

/// The steps that were done before.
#[derive(Debug)]
pub struct Steps {
    records: CacheFolder,
    locks: PathBuf,
}

/// What a step gave.
#[derive(Debug)]
pub struct Done {
    /// Its layer, if there is anything in it.
    pub layer: StepResult,
    /// Whether it was done before.
    pub is_cached: bool,
    /// What is to be said of the cache.
    pub warnings: Vec<Diagnostic>,
}

impl Steps {
    /// Records in `records`, locks in the folder `locks`, which is made when it is needed.
    pub fn new(records: CacheFolder, locks: PathBuf) -> Self {
        Self { records, locks }
    }

    /// What the step `key` gave, when it was done before and `is_there` finds its layer.
    pub fn known(
        &self,
        key: &StepKey,
        is_there: &dyn Fn(&DiffId) -> bool,
        warnings: &mut Vec<Diagnostic>,
    ) -> Option<StepResult> {
        let result = step_record::read(&self.records, key).value(warnings)?;
        result.as_ref().is_none_or(is_there).then_some(result)
    }

    /// The result of the step `key`: known, or made by `make` by one of all who want it at a time. With `again`
    /// it is made though it is known.
    ///
    /// # Errors
    /// Those of `make`; when a lock cannot be had; when the wait for it is cancelled.
    pub fn once(
        &self,
        key: &StepKey,
        is_there: &dyn Fn(&DiffId) -> bool,
        again: bool,
        cancellation: &Cancellation,
        make: impl FnOnce() -> Result<StepResult, BuildError>,
    ) -> Result<Done, BuildError> {
        let mut warnings = Vec::new();
        let done = |layer, is_cached, warnings| Done { layer, is_cached, warnings };
        if !again && let Some(layer) = self.known(key, is_there, &mut warnings) {
            return Ok(done(layer, true, warnings));
        }
        let _lock = self.lock(key, cancellation)?;
        if !again && let Some(layer) = self.known(key, is_there, &mut warnings) {
            return Ok(done(layer, true, warnings));
        }
        let layer = make()?;
        if let Err(error) = step_record::store(&self.records, key, &layer) {
            warnings.push(error.warning());
        }
        Ok(done(layer, false, warnings))
    }

    /// Waits until nobody else does the step. Locks are files that stay; few steps share one.
    fn lock(&self, key: &StepKey, cancellation: &Cancellation) -> Result<File, BuildError> {
        let path = self.locks.join(&key.to_string()[..3]);
        let trouble = |cause: std::io::Error| BuildError::Surroundings {
            message: format!("cannot lock `{}`: {cause}", path.display()),
            help: Some("name another folder with --cache-dir or IMGRAPH_CACHE_DIR".to_owned()),
        };
        std::fs::create_dir_all(&self.locks).map_err(trouble)?;
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(trouble)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(cause)) => return Err(trouble(cause)),
                Err(TryLockError::WouldBlock) if cancellation.is_cancelled() => {
                    return Err(BuildError::Cancelled);
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PATIENCE),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::oci::blob_digest::BlobDigest;

    #[test]
    fn a_step_is_done_once_whoever_wants_it() {
        let place = tempfile::tempdir().unwrap();
        let steps = Steps::new(CacheFolder::new(place.path()), place.path().join("locks"));
        let mut key = StepKeyHasher::new("test");
        key.list("fact", ["a", "b"]);
        let key = key.finish();
        let layer = DiffId(BlobDigest::of(b"layer"));
        let count = AtomicUsize::new(0);
        let make = || {
            count.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(20));
            Ok(Some(layer))
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let done = steps.once(&key, &|_| true, false, &Cancellation::default(), make).unwrap();
                    assert_eq!(done.layer, Some(layer));
                });
            }
        });
        assert_eq!(count.load(Ordering::SeqCst), 1);
        // A layer that is gone is made again, and so is what is asked for again.
        steps.once(&key, &|_| false, false, &Cancellation::default(), make).unwrap();
        steps.once(&key, &|_| true, true, &Cancellation::default(), make).unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn facts_do_not_run_into_each_other() {
        let key = |lists: &[&[&str]]| {
            let mut hasher = StepKeyHasher::new("test");
            lists.iter().for_each(|list| hasher.list("fact", *list));
            hasher.finish()
        };
        let lists: [&[&[&str]]; 4] = [&[&["a", "b"]], &[&["ab"]], &[&["a"], &["b"]], &[&["a", "b"], &[]]];
        let keys: std::collections::BTreeSet<StepKey> = lists.iter().map(|list| key(list)).collect();
        assert_eq!(keys.len(), 4);
    }
}
