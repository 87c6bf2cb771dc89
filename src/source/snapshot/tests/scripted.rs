//! What an index makes of a file system whose clock is scripted.
//!
//! Every look is compared with the truth: what the file system holds at that moment.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::script::Script;
use crate::source::index_check::{self, Wrong};
use crate::source::snapshot::Snapshot;
use crate::source::stat::EntryKind;
use crate::source::stat_index::StatIndex;
use crate::types::workspace_path::WorkspacePath;
use std::path::PathBuf;
use std::sync::Arc;

/// A workspace and the index that was kept last.
pub(super) struct Trial {
    pub(super) script: Script,
    pub(super) index: Option<Vec<u8>>,
}

impl Trial {
    pub(super) fn new(tick: i64) -> Self {
        Self { script: Script::new(tick), index: None }
    }

    pub(super) fn wait(&self, milliseconds: i64) {
        self.script.world().now += milliseconds;
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let index = self.index.clone().map(|bytes| Arc::new(StatIndex::decode(bytes).unwrap()));
        Snapshot::new(Box::new(self.script.clone()), PathBuf::from("/scripted"), index, None)
    }

    /// Looks at everything below `folder` and keeps the index. Says how much was read, and whether
    /// there was something to keep.
    pub(super) fn look_at(&mut self, folder: &str) -> (usize, bool) {
        self.script.world().reads = 0;
        let snapshot = self.snapshot();
        let seen = seen(&snapshot, folder);
        let reads = self.script.world().reads;
        assert_eq!(seen, truth(&self.script, folder), "in `{folder}`");
        let again = snapshot.look_again();
        assert_eq!(self::seen(&again, folder), seen, "in `{folder}`, looked at again");
        let kept = snapshot.index();
        let written = kept.is_some();
        self.index = kept.or(self.index.take());
        (reads, written)
    }

    /// Does what `step` says; looks only if that is wanted.
    pub(super) fn take(&mut self, step: &Step, looks: bool) {
        let world = || self.script.world();
        match step {
            Step::Write(path, text) => world().write(path, text),
            Step::Replace(path, kind, text) => world().replace(path, *kind, text),
            Step::Remove(path) => world().remove(path),
            Step::Rename(from, to) => world().rename(from, to),
            Step::HardLink(from, to) => world().hard_link(from, to),
            Step::SetModified(path, at) => world().set_modified(path, *at),
            Step::Wait(milliseconds) => self.wait(*milliseconds),
            Step::Look(folder) if looks => drop(self.look_at(folder)),
            Step::Look(_) => {}
        }
    }

    #[track_caller]
    fn check_look(&mut self, reads: usize, written: bool) {
        assert_eq!(self.look_at(""), (reads, written));
    }
}

pub(super) type Seen = BTreeMap<String, Vec<u8>>;

/// Each path below `folder`, with the hash of a file or the target of a link.
pub(super) fn seen(snapshot: &Snapshot, folder: &str) -> Seen {
    let mut seen = Seen::new();
    let Ok(Some(folder)) = snapshot.folder(&super::path(folder)) else { return seen };
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in folder.entries().unwrap() {
            let data = match entry.kind() {
                EntryKind::File => entry.content().unwrap().hash.as_bytes().to_vec(),
                EntryKind::Link => entry.link_target().unwrap().to_vec(),
                _ => Vec::new(),
            };
            seen.insert(entry.path().to_string(), data);
            folders.extend(entry.as_folder());
        }
    }
    seen
}

fn truth(script: &Script, folder: &str) -> Seen {
    let world = script.world();
    let inside =
        |path: &str| !path.is_empty() && (folder.is_empty() || path.starts_with(&format!("{folder}/")));
    let names = world.names.iter().filter(|(path, _)| inside(path));
    let data = |inode: &u64| {
        let inode = &world.inodes[inode];
        match inode.stat.kind {
            EntryKind::File => blake3::hash(&inode.bytes).as_bytes().to_vec(),
            EntryKind::Link => inode.bytes.clone(),
            _ => Vec::new(),
        }
    };
    names.map(|(path, inode)| (path.clone(), data(inode))).collect()
}

/// A trial with the folder `d` and the files `d/a` and `b`, settled and known.
fn known() -> Trial {
    let mut trial = Trial::new(2000);
    trial.script.world().replace("d", EntryKind::Folder, "");
    trial.script.world().write("d/a", "one");
    trial.script.world().write("b", "two");
    trial.wait(10_000);
    trial.check_look(4, true);
    trial.check_look(0, false);
    trial
}

#[test]
fn what_is_unchanged_is_not_read_again() {
    let mut trial = known();
    trial.script.world().write("d/a", "new");
    trial.wait(10_000);
    trial.check_look(1, true);
    trial.check_look(0, false);
    trial.script.world().write("d/c", "new");
    trial.wait(10_000);
    trial.check_look(2, true);
    trial.check_look(0, false);
}

#[test]
fn what_has_not_settled_is_read_again_and_costs_no_rewriting() {
    let mut trial = known();
    trial.script.world().write("d/a", "new");
    trial.script.world().write("d/n", "new");
    trial.check_look(3, true);
    trial.check_look(3, false);
    trial.script.world().write("d/a", "NEW");
    trial.check_look(3, false);
    trial.wait(10_000);
    trial.check_look(3, true);
    trial.check_look(0, false);
}

#[test]
fn a_run_on_a_part_keeps_the_rest() {
    let mut trial = known();
    trial.script.world().replace("e", EntryKind::Folder, "");
    trial.script.world().write("e/a", "three");
    trial.wait(10_000);
    trial.check_look(3, true);
    trial.script.world().write("b", "new");
    trial.wait(10_000);
    assert_eq!(trial.look_at("d"), (0, false));
    trial.script.world().write("d/a", "new");
    trial.wait(10_000);
    assert_eq!(trial.look_at("d"), (1, true));
    trial.check_look(1, true);
    trial.script.world().write("new", "");
    trial.script.world().remove("d");
    trial.wait(10_000);
    trial.check_look(2, true);
    let index = StatIndex::decode(trial.index.unwrap()).unwrap();
    assert_eq!(index.entries(crate::source::stat_index::FolderNumber::ROOT).len(), 3);
}

#[test]
fn times_that_lie_ahead_or_say_nothing_are_not_believed() {
    for modified in [5_000_000_000, 0, -5000] {
        let mut trial = known();
        trial.script.world().set_modified("b", modified);
        trial.wait(10_000);
        trial.check_look(1, false);
        trial.check_look(1, false);
        trial.script.world().write("b", "TWO");
        trial.script.world().set_modified("b", modified);
        trial.check_look(1, false);
    }
    let mut trial = known();
    trial.script.world().inode("b").unwrap().stat.inode = 0;
    trial.check_look(1, false);
    trial.check_look(1, false);
}

#[test]
fn an_index_from_a_later_moment_is_not_believed() {
    let mut trial = known();
    // The clock is set back into the tick in which `b` was written, and goes on.
    trial.wait(-10_000);
    trial.script.world().write("b", "TWO");
    trial.wait(4000);
    trial.check_look(4, true);
    trial.wait(-2_000_000);
    trial.look_at("");
    trial.wait(4_000_000);
    trial.look_at("");
    trial.check_look(0, false);
}

#[test]
fn what_changes_while_it_is_read_is_not_believed() {
    let mut trial = Trial::new(2000);
    trial.script.world().write("b", "two");
    trial.script.world().restless = true;
    trial.wait(10_000);
    trial.check_look(2, true);
    trial.check_look(2, false);
    trial.script.world().restless = false;
    trial.check_look(2, true);
    trial.check_look(0, false);
}

#[test]
fn looking_again_reads_what_may_have_changed() {
    let trial = Trial::new(2000);
    trial.script.world().write("b", "two");
    trial.wait(1000);
    let first = trial.snapshot();
    assert_eq!(seen(&first, ""), truth(&trial.script, ""));
    trial.script.world().write("b", "TWO");
    let second = first.look_again();
    assert_eq!(seen(&second, ""), truth(&trial.script, ""));
    trial.wait(10_000);
    let third = second.look_again();
    assert_eq!(seen(&third, ""), truth(&trial.script, ""));
    trial.script.world().reads = 0;
    assert_eq!(seen(&third.look_again(), ""), truth(&trial.script, ""));
    assert_eq!(trial.script.world().reads, 1, "the folder, and not the file");
    trial.script.world().write("b", "new");
    assert_eq!(seen(&third.look_again(), ""), truth(&trial.script, ""));
}

#[test]
fn each_fact_counts() {
    type Change = fn(&mut crate::source::stat::Stat);
    let changes: [Change; 7] = [
        |stat| stat.size += 1,
        |stat| stat.permissions ^= 1,
        |stat| stat.modified.nanoseconds += 1,
        |stat| stat.modified.seconds -= 1,
        |stat| stat.changed.nanoseconds += 1,
        |stat| stat.changed.seconds -= 1,
        |stat| stat.inode += 100,
    ];
    for change in changes {
        for (path, reads) in [("b", 1), ("d", 1), ("", 1)] {
            let mut trial = known();
            change(&mut trial.script.world().inode(path).unwrap().stat);
            assert_eq!(trial.look_at("").0, reads, "{path}");
        }
    }
}

#[test]
fn only_what_lies_on_the_roots_device_is_believed() {
    for (path, first, later) in [("b", 1, 1), ("d", 1, 1), ("", 4, 3)] {
        let mut trial = known();
        trial.script.world().inode(path).unwrap().stat.device += 1;
        assert_eq!(trial.look_at("").0, first, "{path}");
        trial.wait(10_000);
        assert_eq!(trial.look_at("").0, later, "{path}: it is not believed the next time either");
    }
}

#[test]
fn a_text_that_changes_while_it_is_read_is_no_ground_to_tell_anything_again() {
    let mut trial = known();
    trial.look_at("");
    let read = |restless: bool| {
        let snapshot = trial.snapshot();
        seen(&snapshot, "");
        trial.script.world().restless = restless;
        snapshot.read(&WorkspacePath::root().join_name(b"b")).unwrap();
        trial.script.world().restless = false;
        (snapshot.looks().is_some(), snapshot.is_unchanged())
    };
    assert_eq!(read(false), (true, true));
    assert_eq!(read(true), (false, false));
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Write(&'static str, &'static str),
    Replace(&'static str, EntryKind, &'static str),
    Remove(&'static str),
    Rename(&'static str, &'static str),
    HardLink(&'static str, &'static str),
    SetModified(&'static str, i64),
    Wait(i64),
    Look(&'static str),
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let path = || prop::sample::select(vec!["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a"]);
    let text = || prop::sample::select(vec!["x", "y", "xx", "../a"]);
    let kind = || prop::sample::select(vec![EntryKind::Folder, EntryKind::File, EntryKind::Link]);
    let step = prop_oneof![
        4 => (path(), text()).prop_map(|(path, text)| Step::Write(path, text)),
        3 => (path(), kind(), text()).prop_map(|(path, kind, text)| Step::Replace(path, kind, text)),
        1 => path().prop_map(Step::Remove),
        2 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => (path(), path()).prop_map(|(from, to)| Step::HardLink(from, to)),
        1 => (path(), 990_000_i64..1_010_000).prop_map(|(path, at)| Step::SetModified(path, at)),
        4 => (0_i64..4000).prop_map(Step::Wait),
        4 => prop::sample::select(vec!["", "d", "d/e"]).prop_map(Step::Look),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A clock as coarse as any, which only goes forward.
    #[test]
    fn no_look_is_stale(steps in steps(), tick in prop::sample::select(vec![1, 10, 1000, 2000])) {
        let mut trial = Trial::new(tick);
        for step in &steps {
            trial.take(step, true);
        }
        trial.look_at("");
        trial.wait(5000);
        trial.look_at("");
    }
}

fn check_wrong(change: impl FnOnce(&mut super::script::World), expected: &[(&str, Wrong)]) {
    let trial = known();
    change(&mut trial.script.world());
    let check = index_check::check(&trial.snapshot()).unwrap();
    let found: Vec<_> = check.wrong.iter().map(|entry| (entry.path.to_string(), entry.what)).collect();
    let found: Vec<_> = found.iter().map(|(path, what)| (path.as_str(), *what)).collect();
    assert_eq!(found, expected, "{check:?}");
    assert_eq!((check.folders, check.files + check.unknown), (2, 2));
}

#[test]
fn what_changes_and_leaves_no_trace_is_found_by_a_check() {
    check_wrong(|_| (), &[]);
    check_wrong(|world| world.write("b", "new"), &[]);
    check_wrong(|world| world.inode("b").unwrap().bytes = b"TWO".to_vec(), &[("b", Wrong::Content)]);
    check_wrong(
        |world| {
            let inode = world.names["b"];
            world.names.insert("d/c".to_owned(), inode);
        },
        &[("d", Wrong::Entries)],
    );
}
