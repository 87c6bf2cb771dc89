//! The names that images get, some at once: to give one, the list of all names is read and written anew.
//!
//! Builds that end in quick succession give theirs together, so that giving names takes no more than a small part of
//! the time; the last one that is at work gives what is left. Until then they are known here. A run that is killed
//! may leave an image without its name; the next one finds that out, and gives it.
//!
//! **Invariant:** a name that a build of this process gave is found from then on, here or in the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use oci_spec::image::Descriptor;

use crate::oci::store::{Store, StoreError};

/// So many times as long as names took to give, the next ones wait at the most, while others are at work.
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
    /// Whether a thread waits for the time to give names.
    has_clerk: bool,
}

impl State {
    /// How long names may wait yet; `None` where it is time to give them.
    fn wait(&self) -> Option<Duration> {
        let (moment, took) = self.last?;
        (took * PART).checked_sub(moment.elapsed())
    }
}

impl Naming {
    /// Notes that a build begins that may give names to images of `store`.
    pub fn begin(self: &Arc<Self>, store: &Store) -> AtWork {
        self.state().at_work += 1;
        self.somebody_began.notify_all();
        AtWork { naming: Arc::clone(self), store: store.clone(), has_ended: false }
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

    /// Gives the names that wait. Those that cannot be given wait on.
    fn give(&self, store: &Store) -> Result<(), StoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let names = {
            let mut state = self.state();
            state.has_clerk = false;
            if state.names.is_empty() {
                return Ok(());
            }
            state.going = std::mem::take(&mut state.names);
            state.going.clone()
        };
        let began = Instant::now();
        let given = store.name_all(names);
        let mut state = self.state();
        state.last = Some((Instant::now(), began.elapsed()));
        let mut going = std::mem::take(&mut state.going);
        if given.is_err() {
            going.append(&mut state.names);
            state.names = going;
        }
        given
    }

    /// Whether names may wait, and somebody will give them: another who is at work, or a thread when it is time.
    fn leaves_it_to_others(self: &Arc<Self>, store: &Store) -> bool {
        let mut state = self.state();
        let Some(wait) = state.wait() else { return false };
        if state.at_work == 0 {
            let patience = wait.min(state.last.map_or(wait, |(_, took)| took / PATIENCE));
            let nobody = |state: &mut State| state.at_work == 0;
            let waited = self.somebody_began.wait_timeout_while(state, patience, nobody);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.at_work > 0 && !state.has_clerk {
            let (naming, store) = (Arc::clone(self), store.clone());
            let clerk = move || {
                thread::sleep(wait);
                // What cannot be given now is given, or told, by whoever ends next.
                let _given = naming.give(&store);
            };
            // Without a thread they wait for who ends next.
            state.has_clerk = thread::Builder::new().name("names".to_owned()).spawn(clerk).is_ok();
        }
        state.at_work > 0
    }
}

/// A build that may give names.
#[derive(Debug)]
#[must_use = "the build has ended when this is dropped"]
pub struct AtWork {
    naming: Arc<Naming>,
    store: Store,
    has_ended: bool,
}

impl AtWork {
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
        if self.naming.leaves_it_to_others(&self.store) { Ok(()) } else { self.naming.give(&self.store) }
    }
}

impl Drop for AtWork {
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
        let naming = Arc::new(Naming::default());
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
        thread::scope(|scope| {
            let last = scope.spawn(|| naming.begin(&store).end(names("e")).unwrap());
            // It waits for somebody who begins, and leaves its name to him.
            thread::sleep(Duration::from_millis(20));
            let next = naming.begin(&store);
            last.join().unwrap();
            assert_eq!(given(), ["a", "b", "c", "d"]);
            naming.state().last = None;
            drop(next);
        });
        assert_eq!(given(), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn names_do_not_wait_for_a_build_that_takes_long() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let naming = Arc::new(Naming::default());
        let long = naming.begin(&store);
        naming.state().last = Some((Instant::now(), Duration::from_millis(5)));
        naming.begin(&store).end(names("a")).unwrap();
        let patience = Instant::now();
        while store.names().unwrap().is_empty() {
            assert!(patience.elapsed() < Duration::from_secs(30), "nobody gave the name");
            thread::sleep(Duration::from_millis(5));
        }
        drop(long);
    }

    #[test]
    fn names_that_could_not_be_given_are_given_later() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let naming = Arc::new(Naming::default());
        let index = folder.path().join("index.json");
        let whole = std::fs::read(&index).unwrap();
        std::fs::write(&index, "{").unwrap();
        assert!(naming.begin(&store).end(names("a")).is_err());
        std::fs::write(&index, whole).unwrap();
        naming.begin(&store).end(names("b")).unwrap();
        assert_eq!(store.names().unwrap().into_keys().collect::<Vec<_>>(), ["a", "b"]);
    }
}
