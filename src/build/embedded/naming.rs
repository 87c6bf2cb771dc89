//! The names that images get, some at once: to give one, the list of all names is read and written anew.
//!
//! Builds that end in quick succession give theirs together: whoever ends when giving names took no more than a
//! small part of the time lately, or when no other build is at work that would do it. Until then they are known
//! here. A run that is killed may leave an image without its name; the next one finds that out, and gives it.
//!
//! **Invariant:** a name that a build of this process gave is found from then on, here or in the store.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oci_spec::image::Descriptor;

use crate::oci::store::{Store, StoreError};

/// So many times as long as names took to give, the next ones wait, while others are at work.
const PART: u32 = 10;

/// Where no other is at work, the last one waits such a part of that time for somebody who begins.
const PATIENCE: u32 = 8;

/// Names to be given.
pub type Names = BTreeMap<String, Descriptor>;

/// What waits for being named.
#[derive(Debug, Default)]
pub struct Naming {
    state: Mutex<State>,
    somebody_began: Condvar,
    /// Held by whoever gives names.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    names: Names,
    /// Those that are being given.
    going: Names,
    /// How many builds may yet give names.
    at_work: usize,
    /// When names were given last, and how long that took.
    last: Option<(Instant, Duration)>,
}

impl State {
    fn is_time(&self) -> bool {
        self.last.is_none_or(|(moment, took)| moment.elapsed() > took * PART)
    }
}

impl Naming {
    /// Notes that a build begins that may give names to images of `store`.
    pub fn begin<'n>(&'n self, store: &'n Store) -> AtWork<'n> {
        self.state().at_work += 1;
        self.somebody_began.notify_all();
        AtWork { naming: self, store, has_ended: false }
    }

    /// What has the name `reference`, in `store` or soon.
    ///
    /// # Errors
    /// When the store's names cannot be read.
    pub fn named(&self, store: &Store, reference: &str) -> Result<Option<Descriptor>, StoreError> {
        let known = {
            let state = self.state();
            state.names.get(reference).or_else(|| state.going.get(reference)).cloned()
        };
        known.map_or_else(|| store.named(reference), |known| Ok(Some(known)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the names that wait, where it is time to.
    fn give(&self, store: &Store) -> Result<(), StoreError> {
        if self.leaves_it_to_others() {
            return Ok(());
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let names = {
            let mut state = self.state();
            state.going = std::mem::take(&mut state.names);
            state.going.clone()
        };
        let began = Instant::now();
        let given = store.name_all(names);
        let mut state = self.state();
        state.going.clear();
        state.last = Some((Instant::now(), began.elapsed()));
        given
    }

    /// Whether names may wait, and somebody is at work who will give them.
    fn leaves_it_to_others(&self) -> bool {
        let mut state = self.state();
        let Some((_, took)) = state.last.filter(|_| !state.is_time()) else { return false };
        if state.at_work == 0 {
            let nobody = |state: &mut State| state.at_work == 0;
            let waited = self.somebody_began.wait_timeout_while(state, took / PATIENCE, nobody);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.at_work > 0
    }
}

/// A build that may give names.
#[derive(Debug)]
#[must_use = "the build has ended when this is dropped"]
pub struct AtWork<'n> {
    naming: &'n Naming,
    store: &'n Store,
    has_ended: bool,
}

impl AtWork<'_> {
    /// Ends the build; its image gets these names, now or with those of another build that is still at work.
    ///
    /// # Errors
    /// When names cannot be given: its own, or those of builds that ended before.
    pub fn end(mut self, names: Names) -> Result<(), StoreError> {
        self.naming.state().names.extend(names);
        self.leave()
    }

    fn leave(&mut self) -> Result<(), StoreError> {
        self.has_ended = true;
        self.naming.state().at_work -= 1;
        self.naming.give(self.store)
    }
}

impl Drop for AtWork<'_> {
    /// A build that failed gives no names, but it may be the last that could give those of others.
    fn drop(&mut self) {
        if !self.has_ended {
            // The failure of the build is what is told; who misses the names gives them again.
            let _unnamed = self.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_digest::BlobDigest;
    use crate::oci::store::descriptor;

    fn names(name: &str) -> Names {
        let digest = BlobDigest::of(name.as_bytes());
        let described = descriptor(&digest, oci_spec::image::MediaType::ImageManifest, 1);
        Names::from([(name.to_owned(), described)])
    }

    #[test]
    fn the_last_at_work_gives_all_names() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let given = || store.names().unwrap().into_keys().collect::<Vec<_>>();
        let naming = Naming::default();
        let (long, failing) = (naming.begin(&store), naming.begin(&store));
        naming.begin(&store).end(names("a")).unwrap();
        assert_eq!(given(), ["a"], "none was given lately");
        // As if it had taken a minute.
        let slow = || naming.state().last = Some((Instant::now(), Duration::from_secs(60)));
        slow();
        naming.begin(&store).end(names("b")).unwrap();
        naming.begin(&store).end(names("c")).unwrap();
        drop(failing);
        assert_eq!(given(), ["a"], "another is at work");
        assert!(naming.named(&store, "c").unwrap().is_some() && naming.named(&store, "d").unwrap().is_none());
        naming.state().last = Some((Instant::now(), Duration::from_millis(80)));
        drop(long);
        assert_eq!(given(), ["a", "b", "c"], "it failed, and was the last");
        naming.begin(&store).end(names("d")).unwrap();
        assert_eq!(given(), ["a", "b", "c", "d"]);
        slow();
        std::thread::scope(|scope| {
            let last = scope.spawn(|| naming.begin(&store).end(names("e")).unwrap());
            // It waits for somebody who begins, and leaves its name to him.
            std::thread::sleep(Duration::from_millis(20));
            let next = naming.begin(&store);
            last.join().unwrap();
            assert_eq!(given(), ["a", "b", "c", "d"]);
            naming.state().last = None;
            drop(next);
        });
        assert_eq!(given(), ["a", "b", "c", "d", "e"]);
    }
}
