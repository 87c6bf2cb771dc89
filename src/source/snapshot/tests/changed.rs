//! What is said to have changed, compared with what a scripted file system holds.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::scripted::{Seen, Trial, seen, steps};
use crate::source::changes::Changes;
use crate::source::looks::Looks;
use crate::source::stat::EntryKind;

/// A workspace with a few files, of which an index knows all; what was leaned on, and what was seen.
fn known(tick: i64) -> (Trial, Looks, Seen) {
    let mut trial = Trial::new(tick);
    for folder in ["d", "d/e"] {
        trial.script.world().replace(folder, EntryKind::Folder, "");
    }
    for path in ["a", "b", "d/a", "d/e/a"] {
        trial.script.world().write(path, "x");
    }
    trial.script.world().replace("d/link", EntryKind::Link, "a");
    trial.wait(10_000);
    trial.look_at("");
    let snapshot = trial.snapshot();
    let before = seen(&snapshot, "");
    let looks = snapshot.looks().expect("the index says all of it");
    (trial, looks, before)
}

fn check(edit: impl FnOnce(&Trial), expected: Option<(&[&str], &[&str])>) {
    let (trial, looks, _) = known(1000);
    edit(&trial);
    let changes = trial.snapshot().changes_since(&looks);
    let shown = changes.as_ref().map(|changes| (entries(changes), names(changes)));
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(shown, expected.map(|(entries, names)| (texts(entries), texts(names))));
}

fn entries(changes: &Changes) -> BTreeSet<String> {
    changes.entries.iter().map(ToString::to_string).collect()
}

/// The files that came or went.
fn names(changes: &Changes) -> BTreeSet<String> {
    let of_folder = changes
        .folders
        .iter()
        .flat_map(|(folder, names)| names.iter().map(|name| folder.join_name(name).to_string()));
    of_folder.collect()
}

#[test]
fn files_that_changed_came_or_went_are_told() {
    check(|_| (), Some((&[], &[])));
    check(|trial| trial.script.world().write("d/a", "y"), Some((&["d/a"], &[])));
    check(|trial| trial.script.world().write("d/new", "y"), Some((&[], &["d/new"])));
    check(|trial| trial.script.world().remove("d/e/a"), Some((&["d/e/a"], &["d/e/a"])));
    check(
        |trial| {
            trial.script.world().write("d/new", "y");
            trial.script.world().remove("d/new");
        },
        Some((&[], &[])),
    );
    check(|trial| trial.script.world().inode("d").unwrap().stat.permissions ^= 1, Some((&["d"], &[])));
}

#[test]
fn what_is_not_clear_is_not_told() {
    check(|trial| trial.script.world().replace("d/new", EntryKind::Folder, ""), None);
    check(|trial| trial.script.world().replace("d/new", EntryKind::Link, "a"), None);
    check(|trial| trial.script.world().replace("a", EntryKind::Link, "b"), None);
    check(|trial| trial.script.world().replace("d/link", EntryKind::Link, "e"), None);
    check(|trial| trial.script.world().remove("d"), None);
    check(|trial| trial.script.world().inode("d").unwrap().stat.device += 1, None);
    let many = |trial: &Trial| (0..300).for_each(|n| trial.script.world().write(&format!("d/{n}"), "x"));
    check(|trial| many(trial), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_not_told_is_as_it_was(
        steps in steps(),
        tick in prop::sample::select(vec![1, 10, 1000, 2000]),
    ) {
        let (mut trial, looks, before) = known(tick);
        for step in &steps {
            trial.take(step, false);
            let Some(changes) = trial.snapshot().changes_since(&looks) else { continue };
            let told: BTreeSet<String> = entries(&changes).into_iter().chain(names(&changes)).collect();
            let untold = |seen: &Seen| -> Seen {
                seen.iter().filter(|(path, _)| !told.contains(*path)).map(|(path, data)| (path.clone(), data.clone())).collect()
            };
            let index = trial.index.take();
            let now = seen(&trial.snapshot(), "");
            trial.index = index;
            prop_assert_eq!(untold(&now), untold(&before), "{:?}", steps);
        }
    }
}
