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

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::Mutex;

    use super::*;
    use crate::source::git::command::Git;
    use crate::source::git::objects::ObjectKind;

    fn git(folder: &Path, script: &str) -> String {
        let output = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What is read of an index early, in which `tree` is a tree: whether the index lists it, and how many blobs are
    /// wanted. Those that were read are what git says, and the first of those that are wanted.
    fn check(folder: &Path, tree: &str) -> (bool, usize) {
        let objects = Objects::new(Git::in_folder(folder));
        let kept = Mutex::new(Vec::new());
        let wanted = |name: &[u8]| name.starts_with(b"w");
        let keep = |object: Object<'_>| kept.lock().unwrap().push((object.id, object.bytes.to_vec()));
        let early = read((folder, 20), &objects, wanted, keep);
        let kept = kept.into_inner().unwrap();
        // What git is asked for when the index ends is kept too.
        assert!(early.read <= kept.len() && kept.len() <= early.read + AT_ONCE, "{}", early.read);
        for ((id, bytes), wanted) in kept.iter().zip(&early.wanted) {
            let said = objects.find(&id.to_string(), |object| (object.kind, object.bytes.to_vec()));
            assert_eq!((id, said), (wanted, Ok(Some((ObjectKind::Blob, bytes.clone())))));
        }
        let tree = ObjectId::of_hex(tree.as_bytes()).unwrap();
        (early.index.lists(tree), early.wanted.len())
    }

    #[test]
    fn the_blobs_of_an_index_are_those_of_its_tree() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let tree = git(
            folder,
            "git init -q .; mkdir a; for n in $(seq 900); do echo $n >a/w$n; echo $n >w$n; echo no >n$n; done
             git add .; git write-tree",
        );
        assert_eq!(check(folder, &tree), (true, 900), "equal blobs are one");
        let inner = git(folder, &format!("git rev-parse {tree}:a"));
        assert_eq!(check(folder, &inner), (false, 900), "there is more than that tree");
        let more = git(folder, "echo more >a/wm; git add .; git write-tree");
        assert_eq!((check(folder, &tree), check(folder, &more)), ((false, 901), (true, 901)));
        git(
            folder,
            "git -c user.name=n -c user.email=e commit -qm m; git sparse-checkout set --sparse-index n",
        );
        assert!(!check(folder, &more).0, "a folder of which nothing is checked out is one entry");
    }
}
