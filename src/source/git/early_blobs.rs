//! The blobs that a checkout's index lists, read while the index is.
//!
//! To read an index keeps one thread busy, and mostly it lists the files of the very commit that is looked at: git
//! may say meanwhile what is in those of them that will be wanted, the first ones first. What was not read when the
//! index ends is left to whoever knows what is in the commit.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::index_trees::IndexTrees;
use super::object_id::{IdSet, ObjectId};
use super::objects::{Object, Objects};

/// So many are asked for at once.
const AT_ONCE: usize = 256;

/// When somebody will want what is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Before anything else.
    First,
    /// When it is known what the others say.
    Later,
    /// Perhaps never.
    Not,
}

/// An index that was read.
pub(super) struct Early {
    /// Its trees.
    pub(super) index: IndexTrees,
    /// The blobs in it that are wanted, each once.
    pub(super) blobs: EarlyRead,
}

/// The blobs of an index that are wanted.
#[derive(Debug, Default)]
pub(super) struct EarlyRead {
    /// Those that are wanted first.
    pub(super) first: EarlyBlobs,
    /// Those that are wanted later.
    pub(super) later: EarlyBlobs,
}

impl EarlyRead {
    /// Those that are wanted then; `None` of those that are not.
    fn of(&mut self, wanted: Wanted) -> Option<&mut EarlyBlobs> {
        match wanted {
            Wanted::First => Some(&mut self.first),
            Wanted::Later => Some(&mut self.later),
            Wanted::Not => None,
        }
    }
}

/// Blobs of which some were read.
#[derive(Debug, Default)]
pub(super) struct EarlyBlobs {
    ids: Vec<ObjectId>,
    /// How many of them, from the first one, were read.
    read: usize,
    /// How many were given to whoever reads.
    given: usize,
}

impl EarlyBlobs {
    /// Those that were read.
    pub(super) fn read(&self) -> &[ObjectId] {
        &self.ids[..self.read]
    }

    /// Those that were not.
    pub(super) fn unread(&self) -> &[ObjectId] {
        &self.ids[self.read..]
    }

    /// Adds one. Gives the last ones, when there are enough to be read.
    fn add(&mut self, id: ObjectId) -> Option<Vec<ObjectId>> {
        self.ids.push(id);
        let last = self.ids.get(self.given..).filter(|last| last.len() == AT_ONCE)?.to_vec();
        self.given = self.ids.len();
        Some(last)
    }
}

/// Reads the index of the checkout around `folder`, whose ids have `id_length` bytes; `keep` gets blobs of files
/// that are `wanted` by their names.
pub(super) fn read(
    (folder, id_length): (&Path, usize),
    objects: &Objects,
    wanted: impl Fn(&[u8]) -> Wanted,
    keep: impl Fn(Object<'_>) + Sync,
) -> Early {
    let (sender, asked) = mpsc::channel();
    let (is_read, keep) = (AtomicBool::new(false), &keep);
    thread::scope(|scope| {
        let reading = scope.spawn(|| read_until(&is_read, objects, asked, keep));
        let (mut blobs, mut known) = (EarlyRead::default(), IdSet::default());
        let index = IndexTrees::around(folder, id_length, |name, id| {
            let wanted = wanted(name);
            if let Some(blobs) = blobs.of(wanted)
                && known.insert(id)
                && let Some(ids) = blobs.add(id)
            {
                // Who reads may have ended, over what git said: it is said again to whoever asks later.
                let _unread = sender.send((wanted, ids));
            }
        });
        is_read.store(true, Ordering::Relaxed);
        drop(sender);
        (blobs.first.read, blobs.later.read) = reading.join().expect("reading what git says does not panic");
        Early { index, blobs }
    })
}

/// Reads what is asked for, as long as the index is not read: what is wanted first before all else. Gives how many
/// were read of these, and of the others.
fn read_until(
    is_read: &AtomicBool,
    objects: &Objects,
    asked: Receiver<(Wanted, Vec<ObjectId>)>,
    keep: &impl Fn(Object<'_>),
) -> (usize, usize) {
    let mut queue = Queue { is_read, asked, first: VecDeque::new(), later: VecDeque::new(), given: (0, 0) };
    let mut read = (0, 0);
    while let Some(ids) = queue.wait() {
        let mut unanswered = ids.len();
        // Git is never left without a question as long as there is one.
        let answered = objects.find_each(ids, |object| {
            object.into_iter().for_each(keep);
            unanswered -= 1;
            let more = if unanswered <= AT_ONCE { queue.next() } else { None };
            let more = more.unwrap_or_default();
            unanswered += more.len();
            more
        });
        if answered.is_err() {
            break;
        }
        read = queue.given;
    }
    read
}

/// What is to be read, as long as the index is not.
struct Queue<'q> {
    is_read: &'q AtomicBool,
    asked: Receiver<(Wanted, Vec<ObjectId>)>,
    first: VecDeque<Vec<ObjectId>>,
    later: VecDeque<Vec<ObjectId>>,
    /// How many were given, of those that are wanted first and of the others.
    given: (usize, usize),
}

impl Queue<'_> {
    /// What is to be read next, once there is something.
    fn wait(&mut self) -> Option<Vec<ObjectId>> {
        if self.first.is_empty() && self.later.is_empty() {
            let asked = self.asked.recv().ok()?;
            self.add(asked);
        }
        self.next()
    }

    /// What is to be read next, if there is something: what is wanted first before all else.
    fn next(&mut self) -> Option<Vec<ObjectId>> {
        while let Ok(asked) = self.asked.try_recv() {
            self.add(asked);
        }
        if self.is_read.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(ids) = self.first.pop_front() {
            self.given.0 += ids.len();
            return Some(ids);
        }
        let ids = self.later.pop_front()?;
        self.given.1 += ids.len();
        Some(ids)
    }

    fn add(&mut self, (wanted, ids): (Wanted, Vec<ObjectId>)) {
        let queue = if wanted == Wanted::First { &mut self.first } else { &mut self.later };
        queue.push_back(ids);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
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
    /// wanted first and later. Those that were read are what git says.
    fn check(folder: &Path, tree: &str) -> (bool, usize, usize) {
        let objects = Objects::new(Git::in_folder(folder));
        let kept = Mutex::new(Vec::new());
        let wanted = |name: &[u8]| match name[0] {
            b'w' => Wanted::First,
            b'l' => Wanted::Later,
            _ => Wanted::Not,
        };
        let keep = |object: Object<'_>| kept.lock().unwrap().push((object.id, object.bytes.to_vec()));
        let Early { index, blobs: EarlyRead { first, later } } = read((folder, 20), &objects, wanted, keep);
        let kept = kept.into_inner().unwrap();
        // What git is asked for when the index ends is kept too.
        let read = first.read().len() + later.read().len();
        assert!(read <= kept.len() && kept.len() <= read + AT_ONCE, "{read}");
        for (id, bytes) in &kept {
            let said = objects.find(&id.to_string(), |object| (object.kind, object.bytes.to_vec()));
            assert_eq!(said, Ok(Some((ObjectKind::Blob, bytes.clone()))));
        }
        let kept: HashSet<ObjectId> = kept.into_iter().map(|(id, _)| id).collect();
        assert!(first.read().iter().chain(later.read()).all(|id| kept.contains(id)));
        let tree = ObjectId::of_hex(tree.as_bytes()).unwrap();
        (index.lists(tree), first.ids.len(), later.ids.len())
    }

    #[test]
    fn the_blobs_of_an_index_are_those_of_its_tree() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let tree = git(
            folder,
            "git init -q .; mkdir a; for n in $(seq 900); do echo $n >a/w$n; echo $n >w$n; echo no >n$n; done
             for n in $(seq 300); do echo a$n >a/l$n; echo l$n >l$n; done; git add .; git write-tree",
        );
        assert_eq!(check(folder, &tree), (true, 900, 600), "equal blobs are one");
        let inner = git(folder, &format!("git rev-parse {tree}:a"));
        assert_eq!(check(folder, &inner), (false, 900, 600), "there is more than that tree");
        let more = git(folder, "echo more >a/wm; git add .; git write-tree");
        assert_eq!((check(folder, &tree), check(folder, &more)), ((false, 901, 600), (true, 901, 600)));
        git(
            folder,
            "git -c user.name=n -c user.email=e commit -qm m; git sparse-checkout set --sparse-index n",
        );
        assert!(!check(folder, &more).0, "a folder of which nothing is checked out is one entry");
    }
}
