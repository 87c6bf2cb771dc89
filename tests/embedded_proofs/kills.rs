//! Killed at any moment: nothing is left, and the next build is right.
//!
//! The build has stages that run side by side, commands that wait, a large copy and compression. The program or
//! one of the processes below it is killed. Each build begins where the one before was killed, so that some are
//! killed late in it; when one was not killed in time, the next one begins with an empty cache.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::base_layout::{digest, write_layout};
use crate::chance::Chance;
use crate::count;
use crate::place::{Place, digests, succeeded};
use crate::process_tree::below;

/// How long a process may take to go: this machine may have other things to do.
const PATIENCE: Duration = Duration::from_secs(10);

const DOCKERFILE: &str = r#"FROM busybox:1.36 AS one
RUN echo one >/one; sleep 0.2; head -c 3000000 /dev/zero >/zero
FROM busybox:1.36 AS two
COPY large /large
RUN sleep 0.1 & echo two >/two; wait
FROM busybox:1.36 AS three
ADD large.tar /added
FROM busybox:1.36
COPY --from=one /one /zero /
COPY --from=two /large /two /
COPY --from=three /added /added
RUN chown -R 7:8 /added && rm /zero && chmod 0 /large
"#;

fn place() -> Place {
    let place = Place::new();
    let mut chance = Chance::new(9);
    let large = chance.bytes(3 << 20);
    let mut tar = tar::Builder::new(Vec::new());
    for number in 0..200 {
        let content = &large[number * 9000..][..8000];
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, format!("folder-{}/{number}", number % 7), content).unwrap();
    }
    place.write("context/large", &large);
    place.write("context/large.tar", tar.into_inner().unwrap());
    place.write("Dockerfile", DOCKERFILE);
    place.write(
        "BUILD.toml",
        "[workspace]\nname = \"proof\"\n[image.it]\ncontext = \"context\"\ndockerfile = \"Dockerfile\"\n",
    );
    place
}

/// What still has to do with the place: processes that live and have mounts in it or were below the build.
fn left(place: &Place, pids: &BTreeSet<u32>) -> Vec<String> {
    let name = place.folder().display().to_string();
    let lives =
        |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    let mut left: Vec<String> = pids.iter().filter(|pid| lives(**pid)).map(u32::to_string).collect();
    for process in fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()) {
        let has = |file: &str| fs::read_to_string(process.join(file)).is_ok_and(|text| text.contains(&name));
        if process.file_name().is_some_and(|pid| pid.as_encoded_bytes()[0].is_ascii_digit())
            && (has("mountinfo") || has("cmdline"))
        {
            left.push(process.display().to_string());
        }
    }
    left
}

fn nothing_is_left(place: &Place, pids: &BTreeSet<u32>) {
    let began = Instant::now();
    loop {
        let left = left(place, pids);
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "still there: {left:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// All blobs are what their names say, and nothing half written is in the store or among what runs.
fn is_clean(cache: &Path) {
    for blob in fs::read_dir(cache.join("oci/blobs/sha256")).unwrap() {
        let path = blob.unwrap().path();
        let name = format!("sha256:{}", path.file_name().unwrap().to_str().unwrap());
        assert_eq!(digest(&fs::read(&path).unwrap()), name);
    }
    for folder in ["oci/.imgraph/temporary", "oci/.imgraph/trash", "oci/.imgraph/damaged", "embedded/running"]
    {
        let names = fs::read_dir(cache.join(folder)).into_iter().flatten().flatten();
        let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
        assert!(names.is_empty(), "{folder}: {names:?}");
    }
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // One that ended by itself cannot be killed.
    let _ = kill_process(pid, Signal::KILL);
}

fn start(place: &Place) -> Child {
    let mut command = place.imgraph(["build", "--progress", "plain", "//:it"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn empty(place: &Place) {
    let removed = fs::remove_dir_all(place.cache());
    assert!(removed.is_ok(), "{removed:?}");
    write_layout(&place.cache().join("oci"));
}

#[test]
fn nothing_is_left_of_a_build_that_was_killed() {
    let place = place();
    let began = Instant::now();
    let first = place.build(&["//:it"]);
    let whole = began.elapsed();
    succeeded(&first);
    let expected = digests(&first);
    let mut chance = Chance::new(count("IMGRAPH_SEED", 1));
    empty(&place);
    let mut in_time = 0;
    for round in 0..count("IMGRAPH_KILLS", 15) {
        let mut build = start(&place);
        thread::sleep(whole.mul_f64(chance.below(1000) as f64 / 1100.0));
        let pids: BTreeSet<u32> = below(build.id()).into_iter().collect();
        // Two times in three the program itself, else one of its helpers.
        let helpers: Vec<u32> = pids.iter().copied().collect();
        let victim = if helpers.is_empty() || chance.below(3) > 0 { build.id() } else { chance.of(&helpers) };
        kill(victim);
        let status = build.wait().unwrap();
        in_time += u64::from(!status.success());
        nothing_is_left(&place, &pids);
        // Every other time the next build, which goes on, is killed too.
        if round % 2 == 1 || status.success() {
            let next = place.build(&["//:it"]);
            succeeded(&next);
            assert_eq!(digests(&next), expected, "round {round}");
            is_clean(&place.cache());
            empty(&place);
        }
    }
    assert!(in_time > 0, "no build was killed before it ended");
}
