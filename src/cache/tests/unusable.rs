//! A cache that cannot be read or written: misses, and warnings that say so.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use super::*;
use crate::cache::last_build::LastBuilds;
use crate::cache::log_file::LogFile;
use crate::cache::record_file::Lookup;
use crate::cache::statistics::Statistics;
use crate::cache::sweep::sweep;
use crate::cache::view_listing;
use crate::types::diagnostic::Diagnostic;

/// Why nothing can be written, in words that are the same for every file.
fn cannot_be_written(cache: &CacheFolder) -> Diagnostic {
    let target = subject("//a:b", "linux/amd64");
    let errors = [
        record(1).store(cache).unwrap_err(),
        view_listing::store(cache, &tree(1), &listing()).unwrap_err(),
        LastBuilds::new(cache, Path::new("/here")).store(&target, &last_build(1)).unwrap_err(),
        LogFile::create(cache, &key(1)).unwrap_err(),
    ];
    let first = errors[0].warning();
    assert!(errors.iter().all(|error| error.warning() == first), "one cause is one warning");
    first
}

/// With the file `file` in a folder, a cache at `place` in it says `expected` to who reads and writes.
fn check_file_in_the_way(file: &str, place: &str, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
    fs::write(folder.path().join(file), b"").unwrap();
    let cache = CacheFolder::new(&folder.path().join(place));
    let warning = cannot_be_written(&cache);
    assert_eq!(warning.message.replace(&folder.path().display().to_string(), "TMP"), expected);
    assert!(warning.help[0].starts_with("remove the file, or name a folder with --cache-dir"), "{warning:?}");
    assert_eq!(ActionRecord::load(&cache, &key(1)), Lookup::Damaged(warning.clone()));
    assert_eq!(view_listing::load(&cache, &tree(1)), Lookup::Damaged(warning.clone()));
    assert_eq!(Statistics::collect(&cache).unwrap_err().diagnostic().message, warning.message);
    assert_eq!(sweep(&cache, SystemTime::now()).unwrap(), 0);
}

#[test]
fn a_file_in_the_place_of_the_cache_is_a_warning() {
    check_file_in_the_way("cache", "cache", "the cache folder `TMP/cache` is a file, not a folder");
    check_file_in_the_way(
        "cache",
        "cache/below/it",
        "the cache folder `TMP/cache/below/it` cannot be used: `TMP/cache` is a file, not a folder",
    );
    check_file_in_the_way(
        "cache/v1",
        "cache",
        "the cache folder `TMP/cache` cannot be used: `TMP/cache/v1` is a file, not a folder",
    );
}

#[test]
fn a_place_where_nobody_may_make_a_folder_is_a_warning() {
    let cache = CacheFolder::new(Path::new("/proc/imgraph-cache"));
    let said = cannot_be_written(&cache).message;
    assert!(said.starts_with("cannot write in the cache folder `/proc/imgraph-cache`: "), "{said}");
    assert_eq!(ActionRecord::load(&cache, &key(1)), Lookup::Miss);
}

/// Permissions bind everybody but root; as root, what they would forbid must just work.
fn bound_by_permissions() -> bool {
    !rustix::process::geteuid().is_root()
}

#[test]
fn a_read_only_cache_gives_what_it_has_and_takes_nothing() {
    let (_folder, cache) = fresh();
    record(2).store(&cache).unwrap();
    let mode = |mode| fs::set_permissions(cache.path(), Permissions::from_mode(mode)).unwrap();
    mode(0o500);
    assert_eq!(ActionRecord::load(&cache, &key(2)), Lookup::Hit(record(2)));
    let written = LogFile::create(&cache, &key(1));
    assert_eq!(written.is_err(), bound_by_permissions());
    mode(0o700);
}

#[test]
fn an_unreadable_record_is_a_miss_with_a_warning() {
    let (_folder, cache) = fresh();
    record(2).store(&cache).unwrap();
    let path = cache.on_disk(&crate::cache::folder::Kind::Actions.place(&key(2).to_string()));
    fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
    let mut warnings = Vec::new();
    let found = ActionRecord::load(&cache, &key(2)).value(&mut warnings);
    assert_eq!(found.is_none(), bound_by_permissions());
    assert_eq!(warnings.len(), usize::from(bound_by_permissions()));
    assert!(warnings.iter().all(|warning| warning.message.contains("cannot be read")));
}
