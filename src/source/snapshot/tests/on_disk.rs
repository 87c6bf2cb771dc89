//! What an index makes of a real file system.
//!
//! The clock of these snapshots is ahead by a minute, so that files which were written a moment ago
//! count as settled: without that, no file of a test would ever be believed unchanged.

use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::scripted::{Seen, seen};
use crate::source::disk::Disk;
use crate::source::origin::{Hashed, Listed, Origin, Place, StatResult, Text};
use crate::source::read_error::ReadError;
use crate::source::snapshot::Snapshot;
use crate::source::stat::Timestamp;
use crate::source::stat_index::StatIndex;
use crate::types::workspace_path::WorkspacePath;

/// The disk, seen by a clock that is ahead.
struct Ahead {
    disk: Box<dyn Origin>,
    seconds: i64,
}

impl Origin for Ahead {
    fn again(&self) -> Box<dyn Origin> {
        Box::new(Self { disk: self.disk.again(), seconds: self.seconds })
    }
    fn now(&self) -> Timestamp {
        let now = self.disk.now();
        Timestamp { seconds: now.seconds + self.seconds, ..now }
    }
    fn telling_device(&self) -> Option<u64> {
        self.disk.telling_device()
    }
    fn stat(&self, place: Place<'_>) -> StatResult {
        self.disk.stat(place)
    }
    fn list(&self, folder: &WorkspacePath) -> Result<Listed, ReadError> {
        self.disk.list(folder)
    }
    fn link_target(&self, link: Place<'_>) -> Result<Box<[u8]>, ReadError> {
        self.disk.link_target(link)
    }
    fn content(&self, file: Place<'_>) -> Result<Hashed, ReadError> {
        self.disk.content(file)
    }
    fn read(&self, file: Place<'_>) -> Result<Text, ReadError> {
        self.disk.read(file)
    }
}

fn snapshot(root: &Path, index: Option<&[u8]>, seconds: i64) -> Snapshot {
    let root = root.canonicalize().unwrap();
    let origin = Ahead { disk: Box::new(Disk::new(root.clone())), seconds };
    let index = index.map(|bytes| Arc::new(StatIndex::decode(bytes.to_vec()).unwrap()));
    Snapshot::new(Box::new(origin), root, index, None)
}

fn truth(root: &Path) -> Seen {
    seen(&Snapshot::of_disk(root).unwrap(), "")
}

/// Two ticks of every file system that tests run on.
fn next_tick() {
    std::thread::sleep(Duration::from_millis(25));
}

/// The files `a`, `b` (equal in size) and `d/x`, all known to an index.
fn known() -> (tempfile::TempDir, Vec<u8>) {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a"), "one").unwrap();
    fs::write(root.path().join("b"), "two").unwrap();
    fs::create_dir(root.path().join("d")).unwrap();
    fs::write(root.path().join("d/x"), "six").unwrap();
    symlink("a", root.path().join("l")).unwrap();
    next_tick();
    let first = snapshot(root.path(), None, 60);
    assert_eq!(seen(&first, ""), truth(root.path()));
    let index = first.index().unwrap();
    let second = snapshot(root.path(), Some(&index), 60);
    assert_eq!(seen(&second, ""), truth(root.path()));
    assert!(!second.0.lookout.has_learnt_enough(), "all is known");
    (root, index)
}

/// What `change` does to the known files is seen with the index as it is without.
fn check_seen(change: impl FnOnce(&Path)) {
    let (root, index) = known();
    let before = truth(root.path());
    change(root.path());
    let after = truth(root.path());
    assert_ne!(before, after, "the change changes something");
    assert_eq!(seen(&snapshot(root.path(), Some(&index), 60), ""), after);
}

fn set_times(path: &Path, modified: SystemTime) {
    let times = FileTimes::new().set_modified(modified).set_accessed(modified);
    File::options().write(true).open(path).unwrap().set_times(times).unwrap();
}

#[test]
fn edits_are_seen() {
    check_seen(|root| fs::write(root.join("a"), "ONE").unwrap());
    check_seen(|root| fs::write(root.join("d/x"), "longer").unwrap());
    check_seen(|root| fs::write(root.join("d/new"), "").unwrap());
    check_seen(|root| fs::remove_file(root.join("d/x")).unwrap());
}

#[test]
fn a_modification_time_that_is_put_back_hides_nothing() {
    check_seen(|root| {
        let path = root.join("a");
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "ONE").unwrap();
        set_times(&path, modified);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
    });
}

#[test]
fn files_that_take_each_others_places_are_seen() {
    check_seen(|root| fs::rename(root.join("a"), root.join("b")).unwrap());
    check_seen(|root| {
        for (from, to) in [("a", "t"), ("b", "a"), ("t", "b")] {
            fs::rename(root.join(from), root.join(to)).unwrap();
        }
    });
    check_seen(|root| {
        fs::write(root.join("t"), "ONE").unwrap();
        let modified = fs::metadata(root.join("a")).unwrap().modified().unwrap();
        set_times(&root.join("t"), modified);
        fs::rename(root.join("t"), root.join("a")).unwrap();
    });
}

#[test]
fn an_inode_that_is_used_again_is_seen() {
    // Whether the inode comes back is the file system's choice; it mostly does.
    check_seen(|root| {
        let modified = fs::metadata(root.join("a")).unwrap().modified().unwrap();
        fs::remove_file(root.join("a")).unwrap();
        fs::write(root.join("a"), "ONE").unwrap();
        set_times(&root.join("a"), modified);
    });
}

#[test]
fn an_edit_through_another_name_is_seen() {
    check_seen(|root| {
        let other = tempfile::tempdir_in(root.parent().unwrap()).unwrap();
        fs::hard_link(root.join("a"), other.path().join("a")).unwrap();
        fs::write(other.path().join("a"), "ONE").unwrap();
    });
}

#[test]
fn what_becomes_another_kind_of_thing_is_seen() {
    check_seen(|root| {
        fs::rename(root.join("d"), root.join("e")).unwrap();
        symlink("e", root.join("d")).unwrap();
    });
    check_seen(|root| {
        fs::remove_file(root.join("a")).unwrap();
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("a/inside"), "").unwrap();
    });
    check_seen(|root| {
        fs::remove_file(root.join("l")).unwrap();
        symlink("b", root.join("l")).unwrap();
    });
    check_seen(|root| {
        fs::rename(root.join("d"), root.join("e")).unwrap();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/x"), "SIX").unwrap();
    });
}

#[test]
fn permissions_are_those_that_are_there() {
    let (root, index) = known();
    fs::set_permissions(root.path().join("a"), fs::Permissions::from_mode(0o751)).unwrap();
    let snapshot = snapshot(root.path(), Some(&index), 60);
    let entry = snapshot.entry(&super::path("a")).unwrap().unwrap();
    assert_eq!(entry.stat().unwrap().unwrap().permissions, 0o751);
}

#[test]
fn an_index_of_another_checkout_is_left_aside() {
    let (root, index) = known();
    let (other, _) = known();
    fs::write(other.path().join("a"), "ONE").unwrap();
    let of_today = snapshot(root.path(), None, 0).index().unwrap();
    let is_used = |root: &Path| {
        let (snapshot, damage) = Snapshot::with_index(root, of_today.clone()).unwrap();
        assert!(damage.is_none());
        snapshot.0.lookout.index.is_some()
    };
    assert!(is_used(root.path()) && !is_used(other.path()));
    // Even if it were used, no fact would be the same.
    let used = snapshot(other.path(), Some(&index), 60);
    assert_eq!(seen(&used, ""), truth(other.path()));
}

#[test]
fn a_damaged_index_is_told_and_left_aside() {
    let (root, mut index) = known();
    let last = index.len() - 1;
    index[last] ^= 1;
    let (snapshot, damage) = Snapshot::with_index(root.path(), index).unwrap();
    assert_eq!(damage.unwrap().to_string(), "is damaged: its checksum is wrong");
    assert_eq!(seen(&snapshot, ""), truth(root.path()));
    assert!(snapshot.index().is_some());
}

/// 100,000 edits that change neither a size nor, mostly, a time: many fall into one tick.
#[test]
fn of_a_hundred_thousand_quick_edits_none_is_stale() {
    let root = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..100).map(|number| root.path().join(format!("file-{number:02}"))).collect();
    let mut index: Option<Vec<u8>> = None;
    for round in 0..1000 {
        for (number, file) in files.iter().enumerate() {
            let mut file = File::options().create(true).truncate(false).write(true).open(file).unwrap();
            file.write_all(format!("{:08}", round * 7 + number).as_bytes()).unwrap();
        }
        let snapshot = snapshot(root.path(), index.as_deref(), 0);
        for (number, found) in snapshot.root().entries().unwrap().iter().enumerate() {
            let hash = blake3::hash(format!("{:08}", round * 7 + number).as_bytes());
            assert_eq!(found.content().unwrap().hash.as_bytes(), hash.as_bytes(), "round {round}");
        }
        index = snapshot.index().or(index);
    }
}
