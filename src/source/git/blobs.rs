//! The blobs that were read, and those that are still coming: who is done with the files that decide what there is
//! finds those that are parsed next.
//!
//! **Invariant:** what git does not tell in the background is no error there: who wants one of these blobs and does
//! not find it asks for it, and gets the error.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::object_id::{IdMap, ObjectId};
use super::objects::{Object, ObjectKind, Objects};

/// Blobs by their ids.
#[derive(Default)]
pub(super) struct Blobs {
    kept: Keeper,
    coming: Mutex<VecDeque<JoinHandle<()>>>,
}

/// Who keeps blobs, for whoever reads some. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Keeper(Arc<Kept>);

#[derive(Default)]
struct Kept {
    stock: Mutex<Stock>,
    /// Told now and then when there are more, and when nobody reads any more.
    more: Condvar,
}

#[derive(Default)]
struct Stock {
    blobs: IdMap<Arc<[u8]>>,
    /// How many are reading.
    readers: usize,
}

/// After so many more blobs those who wait for one look again.
const WORTH_A_LOOK: usize = 64;

impl Blobs {
    /// The bytes of the blob `id`, once they are there; `None` when nobody read it.
    pub(super) fn get(&self, id: ObjectId) -> Option<Arc<[u8]>> {
        let mut stock = self.kept.lock();
        loop {
            if let Some(bytes) = stock.blobs.get(&id) {
                return Some(Arc::clone(bytes));
            }
            if stock.readers == 0 {
                return None;
            }
            stock = self.kept.0.more.wait(stock).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Keeps the blob `id`.
    pub(super) fn insert(&self, id: ObjectId, bytes: Arc<[u8]>) {
        self.kept.lock().blobs.insert(id, bytes);
    }

    /// Keeps an object, should it be a blob.
    pub(super) fn keep(&self, object: Object<'_>) {
        self.kept.keep(object);
    }

    /// Who keeps these.
    pub(super) fn keeper(&self) -> Keeper {
        self.kept.clone()
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&self, count: usize) {
        self.kept.lock().blobs.reserve(count);
    }

    /// Begins to read the blobs `ids` of which `objects` tells, in their order.
    pub(super) fn begin(&self, objects: Objects, ids: Vec<ObjectId>) {
        if ids.is_empty() {
            return;
        }
        let reader = Reader::new(self.keeper());
        let reading = thread::spawn(move || {
            let _told_to_who_asks = objects.find_each(ids, |object| {
                object.into_iter().for_each(|object| reader.keeper.keep(object));
                Vec::new()
            });
        });
        self.coming.lock().unwrap_or_else(PoisonError::into_inner).push_back(reading);
    }

    /// Waits until nothing is read any more.
    fn wait(&self) {
        let mut coming = self.coming.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(reading) = coming.pop_front() {
            reading.join().expect("reading what git says does not panic");
        }
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        self.wait();
    }
}

/// Somebody who reads.
struct Reader {
    keeper: Keeper,
}

impl Reader {
    fn new(keeper: Keeper) -> Self {
        keeper.lock().readers += 1;
        Self { keeper }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.keeper.lock().readers -= 1;
        self.keeper.0.more.notify_all();
    }
}

impl Keeper {
    /// Keeps an object, should it be a blob.
    pub(super) fn keep(&self, object: Object<'_>) {
        if object.kind == ObjectKind::Blob {
            let bytes = object.bytes.into();
            let mut stock = self.lock();
            stock.blobs.insert(object.id, bytes);
            if stock.blobs.len().is_multiple_of(WORTH_A_LOOK) {
                self.0.more.notify_all();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stock> {
        self.0.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::source::git::command::Git;

    #[test]
    fn who_waits_for_a_blob_need_not_wait_for_all() {
        let blobs = Blobs::default();
        let reader = Reader::new(blobs.keeper());
        let id = |number: u8| ObjectId::of_bytes(&[number; 20]).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| blobs.get(id(7)));
            for number in 0..WORTH_A_LOOK as u8 {
                reader.keeper.keep(Object { id: id(number), kind: ObjectKind::Blob, bytes: &[number] });
            }
            assert_eq!(waiting.join().unwrap().as_deref(), Some(&[7][..]));
            let waiting = scope.spawn(|| blobs.get(id(200)));
            drop(reader);
            assert_eq!(waiting.join().unwrap(), None);
        });
    }

    #[test]
    fn what_is_coming_is_waited_for_and_what_fails_is_left_to_who_asks() {
        let folder = tempfile::tempdir().unwrap();
        let script = "git init -q . && for n in $(seq 500); do echo $n | git hash-object -w --stdin; done";
        let output = Command::new("sh").args(["-ec", script]).current_dir(folder.path()).output().unwrap();
        let ids: Vec<ObjectId> =
            output.stdout.split(|byte| *byte == b'\n').filter_map(ObjectId::of_hex).collect();
        let unknown = ObjectId::of_bytes(&[7; 20]).unwrap();
        let blobs = Blobs::default();
        blobs.begin(Objects::new(Git::in_folder(folder.path())), [&ids[..], &[unknown]].concat());
        for (number, id) in ids.iter().enumerate().rev() {
            assert_eq!(blobs.get(*id).as_deref(), Some(format!("{}\n", number + 1).as_bytes()));
        }
        assert_eq!(blobs.get(unknown), None);
        let elsewhere = tempfile::tempdir().unwrap();
        let blobs = Blobs::default();
        blobs.begin(Objects::new(Git::in_folder(elsewhere.path())), ids.clone());
        assert_eq!(blobs.get(ids[0]), None);
    }
}
