//! The trap that builds stale images: a builder that trusts size and time does not see this change.

use std::fs::{self, File};

use crate::engine::Engine;
use crate::trial::{Trial, said, unique};

pub(crate) fn a_change_of_the_same_size_and_time_reaches_the_image(engine: &Engine) {
    let image = format!("e2e.test/{}:1", unique("stale"));
    let build = format!("[workspace]\n[image.app]\ntags = [\"{image}\"]\n");
    let dockerfile = "FROM busybox:1.36\nCOPY value /value\nCOPY folder/ /folder/\nRUN cat /value >/read\n";
    let trial = Trial::of(engine, &[("BUILD.toml", &build), ("Dockerfile", dockerfile)]);
    let time = fs::metadata(trial.path("Dockerfile")).unwrap().modified().unwrap();
    for content in ["AAAA", "BBBB", "CCCC", "AAAA"] {
        for path in ["value", "folder/value"] {
            trial.write(path, content);
            File::options().write(true).open(trial.path(path)).unwrap().set_modified(time).unwrap();
        }
        trial.build(":app");
        let found = trial.inside(&image, &["cat", "/value", "/folder/value", "/read"]);
        assert_eq!(found, content.repeat(3));
    }
    assert_eq!(said(&trial.build(":app")), "//:app cached");
}

/// Programs with a cache of their own find out by times what they have to do again.
pub(crate) fn a_change_reaches_a_program_with_a_cache(engine: &Engine) {
    let image = format!("e2e.test/{}:1", unique("stale-cache"));
    let build = format!("[workspace]\n[image.app]\ntags = [\"{image}\"]\n");
    let make = "if [ ! -e /c/out ] || [ /src/a -nt /c/out ]; then cat /src/a >/c/out; fi; cp /c/out /out";
    let id = unique("stale-cache");
    let dockerfile =
        format!("FROM busybox:1.36\nCOPY a /src/a\nRUN --mount=type=cache,id={id},target=/c {make}\n");
    let trial = Trial::of(engine, &[("BUILD.toml", &build), ("Dockerfile", &dockerfile)]);
    for content in ["one", "two"] {
        trial.write("a", content);
        trial.build(":app");
        assert_eq!(trial.inside(&image, &["cat", "/out"]), content);
        // The shell compares whole seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
}

/// A `RUN` that the base leaves to the Dockerfile, which does not say so, may have a cache. Engine 26.1 refuses one
/// that has, newer ones do not: what counts here is the time that a command of such a kind sees.
pub(crate) fn a_trigger_that_may_have_a_cache_sees_times(engine: &Engine) {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    for (is_own, word, expected) in
        [(false, "cache", "1600000000\n"), (true, "cache", "1600000000\n"), (false, "none", "315619200\n")]
    {
        let id = unique("stale-trigger");
        // A base that says by its name that it has triggers may read all files.
        let (base, image) = (format!("e2e.test/{id}-onbuild:1"), format!("e2e.test/{id}:1"));
        let trigger = format!("--mount=type=bind,target=/src stat -c %Y /src/a >/out; : {word}");
        let base_file = format!("FROM busybox:1.36\nONBUILD RUN {trigger}\n");
        let base_target = format!("[image.base]\ndockerfile = \"base.Dockerfile\"\ntags = [\"{base}\"]\n");
        let target = format!("[image.app]\ntags = [\"{image}\"]\n");
        let own = format!("[workspace]\n{base_target}{target}");
        let dockerfile = format!("FROM {base}\n");
        let files = [("BUILD.toml", &*own), ("Dockerfile", &dockerfile), ("base.Dockerfile", &base_file)];
        let trial = Trial::of(engine, &files);
        if !is_own {
            trial.build(":base");
            trial.write("BUILD.toml", &format!("[workspace]\n{target}"));
        }
        trial.write("a", "content");
        File::options().write(true).open(trial.path("a")).unwrap().set_modified(at).unwrap();
        trial.build(":app");
        assert_eq!(trial.inside(&image, &["cat", "/out"]), expected, "own base: {is_own}, {word}");
    }
}
