//! What is written is read; what is counted is there.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::cache::folder::{Kind, Outlives, TEMPORARY_PREFIX};
use crate::cache::index_file::IndexFile;
use crate::cache::last_build::LastBuilds;
use crate::cache::listing_file::ListingFile;
use crate::cache::log_file::{self, LogFile};
use crate::cache::recall_file::RecallFile;
use crate::cache::record_file::Lookup;
use crate::cache::statistics::{Statistics, Usage};
use crate::cache::step_record;
use crate::cache::sweep::sweep;
use crate::cache::view_listing;
use crate::types::digest::StepKey;

#[test]
fn nothing_is_there_before_it_is_written_and_looking_writes_nothing() {
    let (_folder, cache) = fresh();
    assert_eq!(ActionRecord::load(&cache, &key(1)), Lookup::Miss);
    assert_eq!(view_listing::load(&cache, &tree(1)), Lookup::Miss);
    assert_eq!(log_file::find(&cache, &key(1)), None);
    assert_eq!(Statistics::collect(&cache).unwrap().total(), Usage::default());
    assert_eq!(sweep(&cache, SystemTime::now()).unwrap(), 0);
    assert!(!cache.path().exists());
}

#[test]
fn action_records_read_what_they_write() {
    let (_folder, cache) = fresh();
    record(0xab).store(&cache).unwrap();
    let other = ActionRecord { log: None, views: Vec::new(), facts: Vec::new(), ..record(2) };
    other.store(&cache).unwrap();
    assert_eq!(ActionRecord::load(&cache, &key(0xab)), Lookup::Hit(record(0xab)));
    assert_eq!(ActionRecord::load(&cache, &key(2)), Lookup::Hit(other));
    assert_eq!(ActionRecord::load(&cache, &key(3)), Lookup::Miss);
    let later = ActionRecord { seconds: 1.0, ..record(0xab) };
    later.store(&cache).unwrap();
    assert_eq!(ActionRecord::load(&cache, &key(0xab)), Lookup::Hit(later));
    assert!(cache.path().join("actions/ab").join("ab".repeat(32)).is_file());
}

#[test]
fn a_field_of_a_later_version_is_no_damage() {
    let (_folder, cache) = fresh();
    let mut value = serde_json::to_value(record(1)).unwrap();
    value["colour"] = "blue".into();
    let place = Kind::Actions.place(&key(1).to_string());
    crate::cache::record_file::write(&cache, &place, value.to_string().as_bytes(), Outlives::Process)
        .unwrap();
    assert_eq!(ActionRecord::load(&cache, &key(1)), Lookup::Hit(record(1)));
}

#[test]
fn last_builds_are_kept_per_workspace_target_and_platform() {
    let (_folder, cache) = fresh();
    let here = LastBuilds::new(&cache, Path::new("/here"));
    let there = LastBuilds::new(&cache, Path::new("/there"));
    let (one, other) = (subject("//a:b", "linux/amd64"), subject("//a:b", "linux/arm64"));
    here.store(&one, &last_build(1)).unwrap();
    here.store(&other, &last_build(2)).unwrap();
    there.store(&one, &last_build(3)).unwrap();
    assert_eq!(here.load(&one), Lookup::Hit(last_build(1)));
    assert_eq!(here.load(&other), Lookup::Hit(last_build(2)));
    assert_eq!(there.load(&one), Lookup::Hit(last_build(3)));
    assert_eq!(there.load(&other), Lookup::Miss);
    here.store(&one, &last_build(4)).unwrap();
    assert_eq!(here.load(&one), Lookup::Hit(last_build(4)));
}

/// The inode and time of the one file of `kind`.
fn identity(cache: &CacheFolder, kind: Kind) -> (u64, SystemTime) {
    use std::os::unix::fs::MetadataExt;
    let files = cache.files().unwrap();
    let below = cache.path().join(kind.name());
    let (_path, metadata) = files.iter().find(|(path, _)| path.starts_with(&below)).unwrap();
    (metadata.ino(), metadata.modified().unwrap())
}

#[test]
fn what_is_kept_already_is_not_written_again() {
    let (_folder, cache) = fresh();
    let builds = LastBuilds::new(&cache, Path::new("/here"));
    let target = subject("//a:b", "linux/amd64");
    let store = || {
        let last = LastBuild { seconds: 1.0 / 3.0, ..last_build(1) };
        builds.store(&target, &last).unwrap();
        view_listing::store(&cache, &tree(1), &listing()).unwrap();
        (identity(&cache, Kind::Builds), identity(&cache, Kind::Views))
    };
    assert_eq!(store(), store());
}

#[test]
fn a_damaged_listing_is_put_right_by_the_next_store() {
    let (_folder, cache) = fresh();
    view_listing::store(&cache, &tree(1), &listing()).unwrap();
    fs::write(cache.on_disk(&Kind::Views.place(&tree(1).to_string())), b"x").unwrap();
    assert!(matches!(view_listing::load(&cache, &tree(1)), Lookup::Damaged(_)));
    view_listing::store(&cache, &tree(1), &listing()).unwrap();
    assert_eq!(view_listing::load(&cache, &tree(1)), Lookup::Hit(listing()));
}

#[test]
fn listings_read_what_they_write() {
    let (_folder, cache) = fresh();
    view_listing::store(&cache, &tree(1), &listing()).unwrap();
    view_listing::store(&cache, &tree(2), &[]).unwrap();
    assert_eq!(view_listing::load(&cache, &tree(1)), Lookup::Hit(listing()));
    assert_eq!(view_listing::load(&cache, &tree(2)), Lookup::Hit(Vec::new()));
}

fn entries() -> impl Strategy<Value = Vec<FileEntry>> {
    let name = prop::collection::vec(1_u8..=255, 1..4);
    let path = prop::collection::vec(name, 1..5).prop_map(|names| names.join(&b'/'));
    let kind = prop_oneof![
        Just(FileKind::Folder),
        (any::<u64>(), any::<[u8; 32]>())
            .prop_map(|(size, hash)| FileKind::File { size, content: ContentHash::from_bytes(hash) }),
        prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|target| FileKind::Link { target: target.into_boxed_slice() }),
    ];
    let entry = (path, any::<u32>(), kind).prop_filter_map("leaves the context", |(path, mode, kind)| {
        let path = WorkspacePath::root().resolve(path.strip_prefix(b"/").unwrap_or(&path)).ok()?;
        Some(FileEntry { path, permissions: mode, kind })
    });
    prop::collection::vec(entry, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]
    #[test]
    fn any_listing_is_read_as_it_was_written(entries in entries()) {
        let bytes = view_listing::encode(&entries);
        prop_assert_eq!(view_listing::decode(&bytes), Some(entries));
    }

    #[test]
    fn no_bytes_make_a_listing_panic(bytes in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..200)) {
        if let Some(entries) = view_listing::decode(&bytes) {
            prop_assert_eq!(view_listing::decode(&view_listing::encode(&entries)), Some(entries));
        }
    }
}

#[test]
fn a_listing_of_50_000_files_is_small_and_quick() {
    let paths = (0..50_000).map(|n| format!("services/service-{:04}/src/module_{:02}.rs", n / 50, n % 50));
    let entries: Vec<FileEntry> = paths.map(|path| file(path.as_bytes(), 4096, 1)).collect();
    let (_folder, cache) = fresh();
    let start = Instant::now();
    view_listing::store(&cache, &tree(1), &entries).unwrap();
    assert_eq!(view_listing::load(&cache, &tree(1)), Lookup::Hit(entries));
    assert!(start.elapsed() < Duration::from_secs(2), "took {:?}", start.elapsed());
    assert!(Statistics::collect(&cache).unwrap().total().bytes < 3_000_000);
}

#[test]
fn logs_are_readable_while_they_are_written_and_do_not_mix() {
    let (_folder, cache) = fresh();
    let mut one = LogFile::create(&cache, &key(1)).unwrap();
    one.write_all(b"one\n").unwrap();
    assert_eq!(fs::read(one.path()).unwrap(), b"one\n");
    assert_eq!(log_file::find(&cache, &key(1)).as_deref(), Some(one.path()));
    let mut other = LogFile::create(&cache, &key(1)).unwrap();
    other.write_all(b"other\n").unwrap();
    one.write_all(b"more of one\n").unwrap();
    assert_eq!(fs::read(one.path()).unwrap(), b"other\n");
    assert_eq!(one.name(), format!("{}.log", key(1)));
}

/// A temporary file that was left behind `age` ago.
fn leave_behind(cache: &CacheFolder, name: &str, age: Duration, time: SystemTime) {
    let path = cache.path().join(Kind::Actions.name()).join(format!("{TEMPORARY_PREFIX}{name}"));
    fs::write(&path, b"half").unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(time - age).unwrap();
}

#[test]
fn old_temporary_files_go_once_a_day() {
    let (hour, time) = (Duration::from_secs(3600), SystemTime::now());
    let (_folder, cache) = fresh();
    record(1).store(&cache).unwrap();
    leave_behind(&cache, "old", 25 * hour, time);
    leave_behind(&cache, "recent", 23 * hour, time);
    assert_eq!(sweep(&cache, time).unwrap(), 1);
    assert_eq!(Statistics::collect(&cache).unwrap().temporary, Usage { files: 1, bytes: 4 });
    leave_behind(&cache, "old", 25 * hour, time);
    assert_eq!(sweep(&cache, time + hour).unwrap(), 0);
    assert_eq!(sweep(&cache, time + 24 * hour).unwrap(), 2);
    assert_eq!(ActionRecord::load(&cache, &key(1)), Lookup::Hit(record(1)));
    leave_behind(&cache, "old", 250 * hour, time);
    assert_eq!(sweep(&cache, time - 200 * hour).unwrap(), 1, "a marker from the future says nothing");
}

#[test]
fn statistics_count_each_kind() {
    let (_folder, cache) = fresh();
    record(1).store(&cache).unwrap();
    record(2).store(&cache).unwrap();
    view_listing::store(&cache, &tree(1), &[]).unwrap();
    LogFile::create(&cache, &key(1)).unwrap().write_all(b"12345").unwrap();
    IndexFile::new(&cache, Path::new("/here")).write(b"123").unwrap();
    RecallFile::new(&cache, Path::new("/here"), &[b"build"]).store(1).unwrap();
    step_record::store(&cache, &StepKey::from_bytes([1; 32]), &None).unwrap();
    ListingFile::new(&cache, "unix:///here").store(1).unwrap();
    fs::write(cache.path().join("else"), b"123").unwrap();
    let statistics = Statistics::collect(&cache).unwrap();
    let files: Vec<u64> = statistics.kinds.iter().map(|(_kind, usage)| usage.files).collect();
    assert_eq!(files, [2, 1, 0, 1, 1, 1, 1, 1]);
    assert_eq!(statistics.kinds[3], (Kind::Logs, Usage { files: 1, bytes: 5 }));
    assert_eq!(statistics.other.files, 2, "something else and the tag");
    assert_eq!(statistics.total().files, 10);
}

#[test]
fn each_engine_has_a_listing_of_its_own() {
    let (_folder, cache) = fresh();
    let [here, there] = ["unix:///here", "unix:///there"].map(|engine| ListingFile::new(&cache, engine));
    assert_eq!(here.load::<u8>(), Lookup::Miss);
    here.store(1).unwrap();
    here.store(2).unwrap();
    assert_eq!((here.load(), there.load::<u8>()), (Lookup::Hit(2), Lookup::Miss));
    assert_eq!(here.load::<String>(), Lookup::Miss, "what another version wrote");
}

#[test]
fn the_tag_marks_the_versions_folder() {
    let (folder, cache) = fresh();
    record(1).store(&cache).unwrap();
    let tag = fs::read_to_string(cache.path().join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    assert!(!folder.path().join("cache/CACHEDIR.TAG").exists());
}

#[test]
fn each_workspace_has_an_index_of_its_own() {
    let (_folder, cache) = fresh();
    let [here, there] = ["/here", "/there"].map(|root| IndexFile::new(&cache, Path::new(root)));
    assert_eq!(here.read(), Lookup::Miss);
    here.write(b"first").unwrap();
    here.write(b"second").unwrap();
    assert_eq!((here.read(), there.read()), (Lookup::Hit(b"second".to_vec()), Lookup::Miss));
}
