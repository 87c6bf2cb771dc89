//! What a process that was killed had not finished.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::place::Place;

/// So many files that a kill comes before the last one.
const FILES: usize = 4000;

/// How long something that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_cache_that_was_being_filled_stayed_half_full() {
    let place = Place::new("[image.case]\ndockerfile = \"case.Dockerfile\"\n");
    for number in 0..FILES {
        place.write(&format!("many/{number}"), "content");
    }
    // The files come from a stage: those of the context would be the target's own.
    place.dockerfile(
        "case",
        &format!(
            "FROM scratch AS many\nCOPY many /\nFROM tools\n\
             RUN --mount=type=cache,target=/cache,from=many [ $(ls /cache | wc -l) = {FILES} ]\n"
        ),
    );
    let mut command = place.command();
    command.args(["build", "--progress", "plain", "//:case"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let caches = place.cache().join("embedded/caches");
    let began = Instant::now();
    while !folders(&caches)
        .iter()
        .any(|folder| fs::read_dir(folder).is_ok_and(|mut names| names.next().is_some()))
    {
        assert!(began.elapsed() < PATIENCE, "no cache is being filled");
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it was done before it could be killed");

    let next = place.build("//:case");
    assert_eq!(next.exit, 0, "{}", next.said());
    assert_eq!(folders(&caches).len(), 1, "{:?}", folders(&caches));
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[test]
fn what_was_half_written_beside_the_store_stayed_for_ever() {
    let place = Place::with_case("FROM tools\nRUN --mount=type=cache,target=/cache touch /made\n");
    let first = place.build("//:case");
    assert_eq!(first.exit, 0, "{}", first.said());
    let paths = |name: &str| {
        ["layers", "compressed", "caches"]
            .map(|folder| place.cache().join("embedded").join(folder).join(name))
    };
    let start = || {
        place.dockerfile("case", "FROM tools\nRUN touch /other\n");
        place.build("//:case").exit
    };
    let collect =
        || place.command().args(["cache", "gc"]).stdout(Stdio::null()).status().unwrap().code().unwrap();
    for (run, swept) in [(&start as &dyn Fn() -> i32, 3), (&collect, 2)] {
        let (dead, living, other) = (paths(".tmp-dead"), paths(".tmp-living"), paths("other"));
        dead.iter().chain(&other).for_each(|path| fs::write(path, "half").unwrap());
        // A writer that lives holds a lock.
        let held = living.clone().map(|path| {
            let file = File::create(path).unwrap();
            file.lock().unwrap();
            file
        });
        assert_eq!(run(), 0);
        let left = |paths: &[PathBuf]| paths.iter().filter(|path| path.exists()).count();
        assert_eq!(left(&dead), dead.len() - swept);
        assert_eq!((left(&living), left(&other)), (living.len(), other.len()));
        drop(held);
    }
}
