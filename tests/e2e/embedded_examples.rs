//! The examples, built without an engine: by root, by a user with many ids, and by one with one id. All build the same
//! images, which an engine then loads and runs.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::engine::Engine;
use crate::trial::{Outcome, said, unique};

/// The programs of the market that its images run.
const PROGRAMS: [&str; 6] =
    ["slasher", "distributor", "order-stream", "order-generator", "indexer-rewards", "indexer-backfill"];

/// The numbers of whoever can be played here: nobody has one id.
fn users() -> Vec<(u32, u32)> {
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if own.0 != 0 {
        return vec![own];
    }
    let ranges = fs::read_to_string("/etc/subuid").unwrap_or_default();
    let names = ranges.lines().filter_map(|line| line.split(':').next());
    let mut listed = names.filter_map(|name| nix::unistd::User::from_name(name).ok()?);
    let mapped = listed.find(|user| !user.uid.is_root() && Path::new("/usr/bin/newuidmap").exists());
    let mapped = mapped.map(|user| (user.uid.as_raw(), user.gid.as_raw()));
    [Some(own), mapped, Some((65_534, 65_534))].into_iter().flatten().collect()
}

/// Copies of the examples and of the program that everybody can read.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let open = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().permissions(open.clone()).tempdir().unwrap();
        let place = Self { folder };
        fs::copy(env!("CARGO_BIN_EXE_imgraph"), place.path("imgraph")).unwrap();
        fs::set_permissions(place.path("imgraph"), open).unwrap();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let copied = Command::new("cp").arg("-r").arg(examples).arg(place.path("examples")).status().unwrap();
        let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(place.path("examples")).status().unwrap();
        assert!(copied.success() && opened.success());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program in an example, as a user with caches of its own.
    fn run(&self, (uid, gid): (u32, u32), example: &str, repository: &str, arguments: &str) -> Outcome {
        let cache = self.path(&format!("cache-{uid}"));
        if fs::create_dir(&cache).is_ok() {
            chown(&cache, Some(uid), Some(gid)).unwrap();
        }
        let words = arguments.replace("CACHE", cache.to_str().unwrap());
        let mut command = Command::new(self.path("imgraph"));
        command.args(words.split_whitespace()).current_dir(self.path("examples").join(example)).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", &cache);
        command.env("IMGRAPH_CACHE_DIR", &cache).env("IMGRAPH_BUILDER", "embedded");
        command.env("IMAGE_REPO", repository);
        if rustix::process::geteuid().is_root() && uid != 0 {
            command.uid(uid).gid(gid);
        }
        Outcome::of(arguments, &command.output().unwrap())
    }
}

/// The digests in a result, in the order of the labels.
fn digests(outcome: &Outcome) -> Vec<String> {
    let document = outcome.json();
    let targets = document["targets"].as_array().unwrap();
    targets.iter().map(|target| target["digest"].as_str().unwrap_or_default().to_owned()).collect()
}

pub(crate) fn the_examples_are_built_without_an_engine(engine: &Engine) {
    let place = Place::new();
    let base = place.path("busybox.tar");
    let saved = engine.run(["save", "busybox:1.36", "-o", base.to_str().unwrap()]);
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    fs::set_permissions(&base, Permissions::from_mode(0o644)).unwrap();
    let repository = format!("e2e.test/{}", unique("embedded"));
    let mut expected: Option<Vec<Vec<String>>> = None;
    for user in users() {
        let load = format!("cache load {} --as busybox:1.36", base.display());
        place.run(user, "market", &repository, &load).succeeded();
        let built = ["market", "quickstart"].map(|example| {
            let build = format!("build //... --format json --output docker-tar:CACHE/{example}.tar");
            let outcome = place.run(user, example, &repository, &build).succeeded();
            let states = outcome.states();
            assert!(
                states.iter().all(|(label, state)| state == "built" || label == "//:runtime"),
                "{}",
                said(&states)
            );
            let again = place.run(user, example, &repository, "build //... --format json").succeeded();
            assert!(again.states().iter().all(|(_, state)| state == "cached"), "{}", said(&again.states()));
            digests(&outcome)
        });
        assert_eq!(*expected.get_or_insert_with(|| built.to_vec()), built.to_vec(), "{user:?}");
        let running = place.path(&format!("cache-{}/embedded/running", user.0));
        assert_eq!(fs::read_dir(running).unwrap().count(), 0, "{user:?}");
        for example in ["market", "quickstart"] {
            let archive = place.path(&format!("cache-{}/{example}.tar", user.0));
            let loaded = engine.run(["load", "-i", archive.to_str().unwrap()]);
            assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        }
        for program in PROGRAMS {
            let image = format!("{repository}/{program}:dev");
            let ran = engine.run(["run", "--rm", "--network", "none", &image, "--version"]);
            assert_eq!(
                String::from_utf8_lossy(&ran.stdout),
                format!("{program} 0.4.2\n"),
                "{user:?} {ran:?}"
            );
            let removed = engine.run(["image", "rm", &image]);
            assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
        }
    }
}
