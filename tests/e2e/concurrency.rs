//! Several processes on one cache, and processes that are killed.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::trial::{Outcome, Trial, said, unique};

const DOCKERFILE: &str =
    "FROM busybox:1.36\nCOPY --from=lib /value /lib\nCOPY value /value\nRUN cat /lib /value >/both\n";

/// A target on top of another; both read `value`.
fn pair(engine: &Engine) -> (Trial, String) {
    let image = format!("e2e.test/{}:1", unique("pair"));
    let build = format!(
        "[workspace]\n[stage.lib]\ndockerfile = \"lib.dockerfile\"\n\
         [image.app]\ncontexts = {{ lib = \":lib\" }}\ntags = [\"{image}\"]\n"
    );
    let lib = "FROM busybox:1.36\nCOPY value /value\nRUN cat /value >/read\n";
    let files =
        [("BUILD.toml", build.as_str()), ("lib.dockerfile", lib), ("Dockerfile", DOCKERFILE), ("value", "0")];
    (Trial::of(engine, &files), image)
}

pub(crate) fn two_processes_build_the_same_target(engine: &Engine) {
    let (trial, image) = pair(engine);
    for round in 0..3 {
        let value = unique("round");
        trial.write("value", &value);
        let command = || trial.program(&["build", ":app", "--format", "json"]).output().unwrap();
        let outcomes = thread::scope(|scope| {
            let runs = [scope.spawn(command), scope.spawn(command), scope.spawn(command)];
            runs.map(|run| Outcome::of("build :app", &run.join().unwrap()))
        });
        for outcome in outcomes {
            outcome.succeeded();
        }
        assert_eq!(trial.inside(&image, &["cat", "/both"]), value.repeat(2), "round {round}");
        assert_eq!(said(&trial.build(":app")), "//:app cached, //:lib cached");
    }
}

/// A kill may damage the engine's own cache: that is told, and gone around.
const LOST_IN_THE_ENGINE: &str = "Docker Engine's build cache holds a step whose files are gone";

/// How often a run is killed on each engine.
const KILLS: u64 = 25;

pub(crate) fn killed_runs_leave_nothing_wrong(engine: &Engine) {
    let (trial, image) = pair(engine);
    let started = Instant::now();
    trial.build(":app");
    let whole = started.elapsed();
    for kill in 0..KILLS {
        let value = unique("kill");
        trial.write("value", &value);
        let mut command = trial.program(&["build", ":app"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(moment(kill, whole));
        child.kill().unwrap();
        child.wait().unwrap();
        let outcome = trial.run("build :app").succeeded();
        let warnings = outcome.stderr.lines().filter(|line| line.contains("warning"));
        let own: Vec<&str> = warnings.filter(|line| !line.contains(LOST_IN_THE_ENGINE)).collect();
        assert!(own.is_empty(), "{}", outcome.stderr);
        assert_eq!(trial.inside(&image, &["cat", "/both"]), value.repeat(2), "kill {kill}");
    }
}

/// The moments of all kills are spread over the time that a whole run takes, in no order.
fn moment(kill: u64, whole: Duration) -> Duration {
    let steps = u32::try_from(KILLS).unwrap();
    whole * u32::try_from(kill * 7 % KILLS).unwrap() / steps
}
