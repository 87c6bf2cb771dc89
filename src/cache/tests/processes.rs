//! Several writers at once, and writers that are killed.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::cache::folder::TEMPORARY_PREFIX;
use crate::cache::last_build::LastBuilds;
use crate::cache::view_listing;

/// Tells the test binary that it was started as a writer, and where to write.
const MARKER: &str = "IMGRAPH_TEST_CACHE_WRITER";

/// The record of key `number` as the writer writes it in `round`: large enough to be cut in two, and
/// of one piece, so that a mixture of two rounds shows.
fn round_record(number: u8, round: usize) -> ActionRecord {
    let filler = format!("{round:08}").repeat(1_000 + 500 * (round % 7));
    ActionRecord { facts: vec![("round".to_owned(), filler)], ..record(number) }
}

fn round_listing(round: usize) -> Vec<FileEntry> {
    (0..2_000).map(|n| file(format!("f{n}").as_bytes(), round as u64, 1)).collect()
}

/// The listing's digest would be another for other contents; here it is one, so that writers meet.
fn write_rounds(cache: &CacheFolder, mut go_on: impl FnMut(usize) -> bool) {
    let builds = LastBuilds::new(cache, Path::new("/here"));
    let target = subject("//a:b", "linux/amd64");
    let mut round = 0;
    while go_on(round) {
        for number in 1..=3 {
            round_record(number, round).store(cache).unwrap();
        }
        view_listing::store(cache, &tree(1), &round_listing(round)).unwrap();
        let last = LastBuild { built_at: round as i64, ..last_build(1) };
        builds.store(&target, &last).unwrap();
        round += 1;
    }
}

/// Whether everything that is there is whole and of one round; returns how many records there are.
fn check_whole(cache: &CacheFolder) -> usize {
    let mut warnings = Vec::new();
    let mut found = 0;
    for number in 1..=3 {
        if let Some(record) = ActionRecord::load(cache, &key(number)).value(&mut warnings) {
            let round = record.facts[0].1[..8].parse().unwrap();
            assert_eq!(record, round_record(number, round));
            found += 1;
        }
    }
    if let Some(entries) = view_listing::load(cache, &tree(1)).value(&mut warnings) {
        let FileKind::File { size, .. } = entries[0].kind else { panic!("{entries:?}") };
        assert_eq!(entries, round_listing(size as usize));
    }
    let builds = LastBuilds::new(cache, Path::new("/here"));
    let last = builds.load(&subject("//a:b", "linux/amd64")).value(&mut warnings);
    assert!(last.is_none_or(|last| last.action_key == key(1)));
    assert_eq!(warnings, []);
    found
}

#[test]
fn threads_that_write_and_read_the_same_records_see_whole_ones() {
    let (_folder, cache) = fresh();
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        let writers = [(); 2].map(|()| scope.spawn(|| write_rounds(&cache, |round| round < 60)));
        let reader = scope.spawn(|| {
            while writing.load(Ordering::SeqCst) {
                check_whole(&cache);
            }
        });
        let ended: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        writing.store(false, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok));
        reader.join().unwrap();
    });
    assert_eq!(check_whole(&cache), 3);
    assert_eq!(temporary_files(&cache), 0);
}

fn temporary_files(cache: &CacheFolder) -> usize {
    let files = cache.files().unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().filter(|(path, _)| name(path).starts_with(TEMPORARY_PREFIX)).count()
}

/// The writer's own process: the test below starts the test binary with this test alone.
#[test]
#[ignore = "a helper process of the tests here; without its marker it does nothing"]
fn writer_process() {
    if let Some(folder) = std::env::var_os(MARKER) {
        write_rounds(&CacheFolder::new(Path::new(&folder)), |round| round < 100_000);
    }
}

fn start_writer(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "cache::tests::processes::writer_process", "--ignored"]);
    command.env(MARKER, folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_writer_that_is_killed_leaves_whole_records() {
    let (folder, _) = fresh();
    for attempt in 0..50_u64 {
        // The first kills meet an empty cache and its folders, the later ones a full one.
        let place = folder.path().join(if attempt < 10 { attempt.to_string() } else { "full".to_owned() });
        let cache = CacheFolder::new(&place);
        let mut writers = [start_writer(&place), start_writer(&place)];
        let patience = Instant::now() + Duration::from_secs(20);
        while !place.exists() && Instant::now() < patience {
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(Duration::from_micros(attempt * 7_919 % 20_000));
        for writer in &mut writers {
            writer.kill().unwrap();
            assert!(!writer.wait().unwrap().success(), "a writer ended before it was killed");
        }
        check_whole(&cache);
    }
    assert_eq!(check_whole(&CacheFolder::new(&folder.path().join("full"))), 3);
    fs::remove_dir_all(folder.path()).unwrap();
}
