//! The blobs that a checkout's index lists, read while the index is.
//!
//! To read an index keeps one thread busy, and mostly it lists the files of the very commit that is looked at: git
//! may say meanwhile what is in those of them that will be wanted. What was not read when the index ends is left to
//! whoever knows what is in the commit.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::index_trees::IndexTrees;
use super::object_id::{IdSet, ObjectId};
use super::objects::{Object, Objects};

/// So many are asked for at once.
const AT_ONCE: usize = 256;

/// An index that was read.
pub(super) struct Early {
    /// Its trees.
    pub(super) index: IndexTrees,
    /// The blobs of files in it whose names are wanted, each once.
    pub(super) wanted: Vec<ObjectId>,
    /// How many of these, from the first one, were read.
    pub(super) read: usize,
}

/// Reads the index of the checkout around `folder`, whose ids have `id_length` bytes; `keep` gets blobs of files
/// whose names are `wanted`.
pub(super) fn read(
    (folder, id_length): (&Path, usize),
    objects: &Objects,
    wanted: impl Fn(&[u8]) -> bool,
    keep: impl Fn(Object<'_>) + Sync,
) -> Early {
    let (sender, asked) = mpsc::channel();
    let (is_read, keep) = (AtomicBool::new(false), &keep);
    thread::scope(|scope| {
        let reading = scope.spawn(|| read_until(&is_read, objects, asked, keep));
        let (mut all, mut known, mut sent) = (Vec::new(), IdSet::default(), 0);
        let index = IndexTrees::around(folder, id_length, |name, id| {
            if wanted(name) && known.insert(id) {
                all.push(id);
            }
            if all.len() - sent == AT_ONCE {
                // Who reads may have ended, over what git said: it is said again to whoever asks later.
                let _unread = sender.send(all[sent..].to_vec());
                sent = all.len();
            }
        });
        is_read.store(true, Ordering::Relaxed);
        drop(sender);
        let read = reading.join().expect("reading what git says does not panic");
        Early { index, wanted: all, read }
    })
}

/// Reads what is asked for, as long as the index is not read. Gives how many were read.
fn read_until(
    is_read: &AtomicBool,
    objects: &Objects,
    asked: Receiver<Vec<ObjectId>>,
    keep: &impl Fn(Object<'_>),
) -> usize {
    let mut read = 0;
    for ids in asked {
        let count = ids.len();
        if is_read.load(Ordering::Relaxed) {
            break;
        }
        let answered = objects.find_each(ids, |object| {
            object.into_iter().for_each(keep);
            Vec::new()
        });
        if answered.is_err() {
            break;
        }
        read += count;
    }
    read
}
