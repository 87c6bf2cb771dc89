//! A run that is told again: only as long as nothing has changed that a run leans on.
//!
//! What is told after each change is compared with what a run says that reads everything.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::engine::Engine;
use crate::trial::{Outcome, Trial, unique};

/// As long as facts of files are not trusted, and a little longer.
const UNTIL_SETTLED: Duration = Duration::from_millis(3200);
/// What a run says, when it is verbose, that looked at facts alone.
const TOLD_AGAIN: &str = "nothing has changed since the same was asked before";
/// What it says when it looked at a part, and when what changed was in no part.
const LOOKED_AT: &str = "targets are looked at";
const NOBODY_READS: &str = "nothing that is read has changed";

/// A workspace, and the names of its image and its base.
struct Scene {
    trial: Trial,
    image: String,
    base: String,
}

impl Scene {
    fn new(engine: &Engine) -> Self {
        let (image, base) =
            (format!("e2e.test/{}:1", unique("recall")), format!("e2e.test/{}:1", unique("recall-base")));
        let tagged = engine.run(["tag", "busybox:1.36", &base]);
        assert!(tagged.status.success(), "{tagged:?}");
        let build = format!(
            "[workspace]\n[vars]\nFLAVOUR = {{ env = \"FLAVOUR\", default = \"plain\" }}\n\
             [stage.lib]\ndockerfile = \"lib.dockerfile\"\n\
             [image.app]\nargs = {{ FLAVOUR = \"${{FLAVOUR}}\" }}\ncontexts = {{ lib = \":lib\" }}\n\
             tags = [\"{image}\", \"{image}-${{git.short-sha:-none}}\"]\n"
        );
        let files = [
            ("BUILD.toml", build.as_str()),
            ("Dockerfile", &format!("FROM {base}\nARG FLAVOUR\nCOPY --from=lib /lib /lib\nCOPY app /app\n")),
            ("lib.dockerfile", "FROM scratch\nCOPY lib /lib\n"),
            (".dockerignore", "**/*.log\n"),
            (".gitignore", "ignored\n"),
            ("lib/one", "1"),
            ("app/one", "1"),
            ("app/deep/two", "2"),
            ("app/noise.log", "noise"),
            ("unused/file", "unused"),
            // Equal images would be one, which another test may take away.
            ("app/own", &image),
            ("lib/own", &image),
        ];
        let trial = Trial::of(engine, &files);
        trial.link("app/link", "one");
        for command in ["init -q .", "add .", "-c user.email=a@b -c user.name=a commit -qm first"] {
            git(&trial, command);
        }
        Self { trial, image, base }
    }

    /// Builds, and asks until all answers are ones that were given before.
    fn settle(&self) {
        thread::sleep(UNTIL_SETTLED);
        self.trial.run("build :app").succeeded();
        // A first run writes down what it saw, and a second leans on nothing else. On a slow machine a
        // later run may still see something that was too young before.
        let is_told_again = |asked: &str| self.trial.run(asked).succeeded().stderr.contains(TOLD_AGAIN);
        for _ in 0..10 {
            let told = ["plan :app -v", "build :app -v"].map(is_told_again);
            if told == [true, true] {
                return;
            }
        }
        panic!("nothing is told again");
    }

    /// What a plan says, and whether it was told again.
    fn plan(&self, more: &str) -> (String, bool) {
        let outcome = self.trial.run(&format!("plan :app -v --format json{more}")).succeeded();
        (outcome.stdout, outcome.stderr.contains(TOLD_AGAIN))
    }
}

fn git(trial: &Trial, arguments: &str) {
    let folder = trial.path("");
    let output = Command::new("git").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "git {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Writes other bytes of the same length, and puts the time of the last change back.
fn edit_in_secret(trial: &Trial, path: &str, text: &str) {
    let path = trial.path(path);
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, text).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
}

/// How much is looked at after an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    /// Everything.
    All,
    /// The targets that the edit touches.
    Part,
    /// Nothing: nobody reads what was edited.
    Nothing,
}
use Looks::{All, Nothing, Part};

type Edit = (&'static str, Looks, fn(&mut Scene));

/// What must be seen, even where it makes nothing dirty.
const EDITS: &[Edit] = &[
    ("a file", Part, |scene| scene.trial.write("app/one", "2")),
    ("a file of the same size and time", Part, |scene| edit_in_secret(&scene.trial, "app/one", "2")),
    ("a file deep below", Part, |scene| edit_in_secret(&scene.trial, "app/deep/two", "3")),
    ("a dependency's file", Part, |scene| scene.trial.write("lib/one", "2")),
    ("a file that was replaced", Part, |scene| {
        scene.trial.write("app/other", "2");
        fs::rename(scene.trial.path("app/other"), scene.trial.path("app/one")).unwrap();
    }),
    ("permissions", Part, |scene| scene.trial.set_permissions("app/one", 0o755)),
    ("a folder's permissions", Part, |scene| scene.trial.set_permissions("app/deep", 0o700)),
    ("a new file", Part, |scene| scene.trial.write("app/new", "")),
    ("a removed file", Part, |scene| fs::remove_file(scene.trial.path("app/deep/two")).unwrap()),
    ("a link's target", All, |scene| scene.trial.link("app/link", "deep")),
    ("a new file that is ignored", Part, |scene| scene.trial.write("app/new.log", "")),
    ("a file that nobody reads", Nothing, |scene| scene.trial.write("unused/file", "other")),
    ("a new file that nobody reads", Nothing, |scene| scene.trial.write("unused/new", "")),
    ("a file that came and went", Nothing, |scene| {
        scene.trial.write("app/new", "");
        fs::remove_file(scene.trial.path("app/new")).unwrap();
    }),
    ("a file written again", Part, |scene| scene.trial.write("app/one", "1")),
    ("a new folder", All, |scene| scene.trial.write("app/new/one", "")),
    ("a file that became a folder", All, |scene| {
        fs::remove_file(scene.trial.path("app/one")).unwrap();
        scene.trial.write("app/one/two", "");
    }),
    ("the ignore file", All, |scene| scene.trial.write(".dockerignore", "")),
    ("an ignore file of its own", All, |scene| scene.trial.write("Dockerfile.dockerignore", "app/deep\n")),
    ("the Dockerfile", All, |scene| scene.trial.replace("Dockerfile", "COPY app /app", "COPY app /srv")),
    ("a comment", All, |scene| scene.trial.replace("Dockerfile", "ARG", "# Same.\nARG")),
    ("a dependency's Dockerfile", All, |scene| scene.trial.replace("lib.dockerfile", "/lib\n", "/lib\n#\n")),
    ("the BUILD.toml", All, |scene| scene.trial.replace("BUILD.toml", "\"plain\"", "\"other\"")),
    ("a new package", All, |scene| {
        scene.trial.write("unused/BUILD.toml", "[image.new]\npublishes = \"e2e.test/unused\"\n");
        scene.trial.write("unused/Dockerfile", "FROM scratch\n");
    }),
    ("a new package that is wrong", All, |scene| {
        scene.trial.write("app/deep/BUILD.toml", "[image.new]\nx = 1\n");
    }),
    ("a package that git no longer ignores", All, |scene| scene.trial.write(".gitignore", "")),
    ("what git ignores in private", All, |scene| scene.trial.write(".git/info/exclude", "lib\n")),
    ("an environment variable", All, |scene| {
        let trial = std::mem::replace(&mut scene.trial, Trial::of(&Engine::classic(), &[]));
        scene.trial = trial.with("FLAVOUR", "sweet");
    }),
    ("a commit", All, |scene| {
        git(&scene.trial, "-c user.email=a@b -c user.name=a commit -q --allow-empty -m next");
    }),
    ("an image that is gone", All, |scene| {
        let removed = scene.trial.engine.run(["rmi", "--force", &scene.image]);
        assert!(removed.status.success(), "{removed:?}");
    }),
    ("a name that was moved", All, |scene| {
        assert!(scene.trial.engine.run(["tag", "busybox:1.36", &scene.image]).status.success());
    }),
    ("a base that was moved", All, |scene| {
        assert!(scene.trial.engine.run(["tag", &scene.image, &scene.base]).status.success());
    }),
];

fn check((what, looks, edit): &Edit) {
    let mut scene = Scene::new(&Engine::classic());
    scene.settle();
    edit(&mut scene);
    let said = |outcome: &Outcome| match outcome.stderr.as_str() {
        said if said.contains(TOLD_AGAIN) || said.contains(NOBODY_READS) => Nothing,
        said if said.contains(LOOKED_AT) => Part,
        _ => All,
    };
    let compare = |command: &str| {
        let index = scene.trial.run(command);
        let all = scene.trial.run(&format!("{command} --no-index"));
        assert_eq!((index.code, &index.stdout), (all.code, &all.stdout), "{what}: {command}");
        index
    };
    let planned = compare("plan :app -v --format json");
    assert_eq!(said(&planned), *looks, "{what}: {planned:?}");
    compare("plan :app -v --detailed-exitcode");
    let built = scene.trial.run("build :app -v --format json");
    // The plans may have written an index that says more, so that what was leaned on is no longer there.
    assert!([*looks, All].contains(&said(&built)), "{what}: {built:?}");
    let again = scene.trial.run("build :app --format json --no-index");
    assert_eq!(outputs(&built), outputs(&again), "{what}: the build");
}

/// The outputs and names that a build tells, target by target.
fn outputs(built: &Outcome) -> Vec<String> {
    let told = serde_json::from_str::<serde_json::Value>(&built.stdout).unwrap_or_default();
    let targets = told["targets"].as_array().cloned().unwrap_or_default();
    let shown = |target: &serde_json::Value| {
        format!("{} {} {} {}", target["label"], target["source_key"], target["digest"], target["tags"])
    };
    targets.iter().map(shown).collect()
}

#[test]
fn every_change_is_seen() {
    let next = std::sync::atomic::AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(edit) = EDITS.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    check(edit);
                }
            });
        }
    });
}

#[test]
fn what_is_told_again_is_what_was_told() {
    let scene = Scene::new(&Engine::classic());
    scene.settle();
    // The line that counts says how long it took, and lines of progress come in any order.
    let lines = |outcome: &Outcome| {
        let mut lines: Vec<String> = outcome
            .stderr
            .lines()
            .filter(|line| !line.contains(TOLD_AGAIN) && !line.contains(" cached in "))
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    for command in
        ["plan :app -v", "plan :app --format json -v", "build :app -v", "build :app --format json -v"]
    {
        let (again, anew) = (scene.trial.run(command), scene.trial.run(&format!("{command} --no-index")));
        assert!(again.stderr.contains(TOLD_AGAIN) && !anew.stderr.contains(TOLD_AGAIN), "{command}");
        assert_eq!((again.code, &again.stdout), (anew.code, &anew.stdout), "{command}");
        assert_eq!(lines(&again), lines(&anew), "{command}");
    }
    let events = |name: &str, more: &str| {
        let file = scene.trial.beside(name);
        scene.trial.run(&format!("build :app --events {}{more}", file.display())).succeeded();
        let text = fs::read_to_string(file).unwrap();
        let mut kinds: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|event| format!("{} {} {}", event["event"], event["subject"], event["outcome"]))
            .collect();
        kinds.sort();
        kinds
    };
    assert_eq!(events("again", ""), events("anew", " --no-index"));
}

#[test]
fn what_was_built_in_between_is_no_longer_what_was_built_last() {
    let scene = Scene::new(&Engine::classic());
    scene.settle();
    scene.trial.run("build :app --set FLAVOUR=sweet").succeeded();
    let again = scene.trial.run("build :app -v").succeeded();
    assert!(!again.stderr.contains(TOLD_AGAIN), "the last build is another one");
    scene.trial.write("app/one", "2");
    let explained = scene.trial.run("explain :app").succeeded().stdout;
    assert!(explained.contains("app/one") && !explained.contains("FLAVOUR"), "{explained}");
}

/// Whether a plan was told again, or which part was looked at; it says what one says that reads everything.
fn looks_of_plan(scene: &Scene) -> Looks {
    let outcome = |more: &str| scene.trial.run(&format!("plan :app -v --format json{more}")).succeeded();
    let (index, all) = (outcome(""), outcome(" --no-index"));
    assert_eq!(index.stdout, all.stdout);
    match index.stderr.as_str() {
        said if said.contains(TOLD_AGAIN) => Nothing,
        said if said.contains(LOOKED_AT) => Part,
        _ => All,
    }
}

#[test]
fn what_was_looked_at_again_is_leaned_on_the_next_time() {
    let scene = Scene::new(&Engine::classic());
    scene.settle();
    // Other facts, the same bytes: after a look at the part, nothing differs any more.
    scene.trial.write("app/one", "1");
    assert_eq!(looks_of_plan(&scene), Part, "too young to be written down");
    thread::sleep(UNTIL_SETTLED);
    assert_eq!([looks_of_plan(&scene), looks_of_plan(&scene)], [Part, Nothing]);
    // What changes after that is seen all the same, also in what was not looked at then.
    edit_in_secret(&scene.trial, "app/one", "2");
    assert_eq!(looks_of_plan(&scene), Part);
    scene.trial.write("app/one", "1");
    edit_in_secret(&scene.trial, "lib/one", "3");
    assert_eq!(looks_of_plan(&scene), Part);
}

#[test]
fn what_is_cached_in_another_way_is_looked_at_as_a_whole() {
    let scene = Scene::new(&Engine::classic());
    scene.settle();
    scene.trial.write("app/one", "2");
    scene.trial.run("build :app").succeeded();
    scene.settle();
    // The first output is known and there, but under no name of which the recall knows.
    scene.trial.write("app/one", "1");
    thread::sleep(UNTIL_SETTLED);
    assert_eq!([looks_of_plan(&scene), looks_of_plan(&scene)], [Part, All]);
    // A build gives it its names again: from then on there is something to lean on.
    assert_eq!(scene.trial.run("build :app --format json").succeeded().states()[0].1, "cached");
    assert_eq!([looks_of_plan(&scene), looks_of_plan(&scene)], [All, Nothing]);
}

#[test]
fn what_git_does_for_itself_is_no_change() {
    let scene = Scene::new(&Engine::classic());
    scene.settle();
    scene.trial.write(".git/index.lock", "");
    fs::remove_file(scene.trial.path(".git/index.lock")).unwrap();
    assert!(scene.plan("").1, "somebody asked git something");
}

#[test]
fn damage_is_a_run_that_looks_at_everything() {
    let scene = Scene::new(&Engine::classic());
    scene.settle();
    let (told, _) = scene.plan("");
    // What the recall leaned on is beside it, so that it does not need the index of the workspace.
    for (kind, end, still_holds) in [
        ("recalls", "", false),
        ("recalls", "-files", false),
        ("recalls", "-parts", true),
        ("index", "", true),
    ] {
        for damage in [&b""[..], b"nonsense"] {
            for file in files_below(&scene.trial.cache().join("v1").join(kind)) {
                let name = file.file_name().unwrap().to_str().unwrap();
                if name.ends_with(end) && (!end.is_empty() || !name.contains('-')) {
                    fs::write(file, damage).unwrap();
                }
            }
            let (text, again) = scene.plan("");
            assert!(again == still_holds && text == told, "{kind} {end}");
            scene.settle();
        }
    }
    let later = SystemTime::now() + Duration::from_secs(3600);
    fs::File::options().write(true).open(scene.trial.path("app/one")).unwrap().set_modified(later).unwrap();
    for _ in 0..3 {
        let (text, again) = scene.plan("");
        assert!(!again && text == told, "a file from the future is not trusted");
    }
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
