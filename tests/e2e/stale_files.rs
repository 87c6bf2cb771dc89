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
