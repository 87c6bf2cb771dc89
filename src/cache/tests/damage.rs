//! A damaged file of any kind, at any place, is a miss with a warning.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::cache::folder::{Kind, Outlives};
use crate::cache::last_build::LastBuilds;
use crate::cache::record_file::{self, Lookup};
use crate::cache::view_listing;
use crate::types::diagnostic::Severity;

/// Looks a record up and forgets what it holds.
type Load<'c> = Box<dyn Fn() -> Lookup<()> + 'c>;

/// A record of each kind: how to look it up, and where it lies.
fn kinds(cache: &CacheFolder) -> Vec<(Load<'_>, PathBuf)> {
    fn forget<Value>(lookup: Lookup<Value>) -> Lookup<()> {
        match lookup {
            Lookup::Hit(_) => Lookup::Hit(()),
            Lookup::Miss => Lookup::Miss,
            Lookup::Damaged(warning) => Lookup::Damaged(warning),
        }
    }
    let target = subject("//a:b", "linux/amd64");
    record(1).store(cache).unwrap();
    view_listing::store(cache, &tree(1), &listing()).unwrap();
    LastBuilds::new(cache, Path::new("/here")).store(&target, &last_build(1)).unwrap();
    let path = |kind: Kind| {
        let files = cache.files().unwrap().into_iter().map(|(path, _)| path);
        let mut files = files.filter(|path| path.starts_with(cache.path().join(kind.name())));
        files.next().unwrap()
    };
    vec![
        (Box::new(|| forget(ActionRecord::load(cache, &key(1)))), path(Kind::Actions)),
        (Box::new(|| forget(view_listing::load(cache, &tree(1)))), path(Kind::Views)),
        (
            Box::new(move || forget(LastBuilds::new(cache, Path::new("/here")).load(&target))),
            path(Kind::Builds),
        ),
    ]
}

fn is_damaged(lookup: &Lookup<()>) -> bool {
    matches!(lookup, Lookup::Damaged(warning) if warning.severity == Severity::Warning)
}

#[test]
fn a_truncated_record_is_a_miss_with_a_warning() {
    let (_folder, cache) = fresh();
    for (load, path) in kinds(&cache) {
        let whole = fs::read(&path).unwrap();
        assert_eq!(load(), Lookup::Hit(()));
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(is_damaged(&load()), "{} of {} bytes of {path:?}", length, whole.len());
        }
    }
}

#[test]
fn a_flipped_bit_is_a_miss_with_a_warning() {
    let (_folder, cache) = fresh();
    for (load, path) in kinds(&cache) {
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            assert!(is_damaged(&load()), "bit {bit} of {path:?}");
        }
    }
}

#[test]
fn a_record_with_more_after_it_is_a_miss_with_a_warning() {
    let (_folder, cache) = fresh();
    for (load, path) in kinds(&cache) {
        let whole = fs::read(&path).unwrap();
        for more in [&b"\n"[..], b"\0", b"imgraph-cache 1 "] {
            fs::write(&path, [&whole, more].concat()).unwrap();
            assert!(is_damaged(&load()));
        }
    }
}

#[test]
fn a_folder_in_the_place_of_a_record_is_a_miss_with_a_warning() {
    let (_folder, cache) = fresh();
    for (load, path) in kinds(&cache) {
        fs::remove_file(&path).unwrap();
        assert_eq!(load(), Lookup::Miss);
        fs::create_dir(&path).unwrap();
        assert!(is_damaged(&load()));
    }
}

#[test]
fn a_record_under_another_name_is_damaged() {
    let (_folder, cache) = fresh();
    record(0x11).store(&cache).unwrap();
    record(0x22).store(&cache).unwrap();
    let path = |number: u8| cache.on_disk(&Kind::Actions.place(&key(number).to_string()));
    fs::copy(path(0x11), path(0x22)).unwrap();
    let mut warnings = Vec::new();
    assert_eq!(ActionRecord::load(&cache, &key(0x22)).value(&mut warnings), None);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains(&key(0x22).to_string()), "{}", warnings[0].message);
    assert_eq!(ActionRecord::load(&cache, &key(0x11)), Lookup::Hit(record(0x11)));
}

/// Writes `body` with a right checksum as the record of key 1, and says what is found wrong with it.
fn check_body(body: &[u8], expected: &str) {
    let (_folder, cache) = fresh();
    record_file::write(&cache, &Kind::Actions.place(&key(1).to_string()), body, Outlives::Process).unwrap();
    match ActionRecord::load(&cache, &key(1)) {
        Lookup::Damaged(warning) => assert!(warning.message.contains(expected), "{}", warning.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_body_that_means_something_else_is_damage_though_its_checksum_is_right() {
    let body = |record: ActionRecord| serde_json::to_vec(&record).unwrap();
    check_body(b"", "cannot be understood");
    check_body(b"[[[[[[", "cannot be understood");
    check_body(b"{}", "cannot be understood");
    check_body(&body(record(2)), "is the record of another key");
    check_body(&body(ActionRecord { schema: 2, ..record(1) }), "has the unknown schema 2");
    check_body(&body(ActionRecord { seconds: f64::NAN, ..record(1) }), "cannot be understood");
}

#[test]
fn a_listing_that_was_flipped_under_a_right_checksum_never_panics() {
    let whole = view_listing::encode(&listing());
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(view_listing::decode(&bytes), Some(listing()));
    }
    for length in 0..whole.len() {
        assert_ne!(view_listing::decode(&whole[..length]), Some(listing()));
    }
}
