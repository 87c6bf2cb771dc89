//! Images that are known to be there because the engine's files are as they were: only as long as no name
//! moved, whatever moved it.
//!
//! The test has an engine for itself: any other that moves a name there would hide what is looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use imgraph::build::docker::{DockerBuilder, EngineAddress};
use imgraph::types::digest::OutputDigest;

use crate::engine::Engine;
use crate::own_engine::OwnEngine;
use crate::trial::{Trial, unique};

/// As long as facts of files are not trusted, and a little longer.
const UNTIL_SETTLED: Duration = Duration::from_millis(3200);
/// What a run says that looked at facts alone, of files and of images.
const MARKED: &str = "(of images, the engine's file of names is the same)";
const TOLD_AGAIN: &str = "nothing has changed since the same was asked before";
/// What a run says for which the engine listed nothing, though it looked at all files.
const LISTED: &str = "the engine's images are those that it listed before";
/// More names than are listed sooner than kept.
const MANY_NAMES: usize = 64;

const IMAGE: &str = "e2e.test/marked:1";
const BASE: &str = "e2e.test/marked-base:1";

/// A workspace of one image, and archives that can be loaded.
struct Scene {
    own: OwnEngine,
    trial: Trial,
}

impl Scene {
    fn new(engine: &str) -> Self {
        let own = OwnEngine::start(engine);
        let build = format!(
            "[workspace]\n[vars]\nREQUEST = {{ default = \"none\" }}\n[image.app]\ntags = [\"{IMAGE}\"]\n"
        );
        let dockerfile = format!("FROM {BASE}\nCOPY file /\n");
        let files = [("BUILD.toml", build.as_str()), ("Dockerfile", &dockerfile), ("file", "1")];
        let trial = Trial::of(&own.engine, &files);
        let scene = Self { own, trial };
        scene.make_archives();
        scene.own.docker(&["tag", "busybox:1.36", BASE]);
        scene
    }

    /// Gives the engine so many names that what it lists is kept.
    fn name_much(&self) {
        for number in 0..MANY_NAMES {
            self.own.docker(&["tag", "busybox:1.36", &format!("e2e.test/many:{number}")]);
        }
    }

    /// Plans all, as if for the first time: what is told, and whether the engine's images are those of an
    /// earlier run.
    fn plan_all(&self) -> (String, bool) {
        let kept = self.recalls();
        let asked = format!("plan //... -v --format json --set REQUEST={}", unique("request"));
        let outcome = self.trial.run(&asked);
        // There is room for few requests, and these are not to drive out others.
        for file in self.recalls().difference(&kept) {
            fs::remove_file(file).unwrap();
        }
        (outcome.stdout, outcome.stderr.contains(LISTED))
    }

    fn recalls(&self) -> BTreeSet<PathBuf> {
        let entries =
            |folder: &Path| fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        entries(&self.trial.cache().join("v1/recalls")).flat_map(|workspace| entries(&workspace)).collect()
    }

    /// As [`Self::plan_all`], when nothing of what was listed may be remembered, or is.
    fn plan_anew(&self) -> String {
        let outcome = self.trial.run("plan //... -v --format json --no-index");
        assert!(!outcome.stderr.contains(LISTED));
        // What is asked again is listed again, and kept.
        fs::remove_dir_all(self.trial.cache().join("v1/listings")).unwrap_or_default();
        assert_eq!(self.plan_all(), (outcome.stdout.clone(), false));
        outcome.stdout
    }

    /// Archives that move the image's name to another image.
    fn make_archives(&self) {
        self.own.docker(&["tag", "busybox:1.36", IMAGE]);
        let good = self.archive("good");
        self.own.docker(&["save", IMAGE, "-o", good.to_str().unwrap()]);
        self.own.docker(&["rmi", IMAGE]);
        let folder = self.trial.beside("bad");
        fs::create_dir(&folder).unwrap();
        tar(&["-xf", good.to_str().unwrap(), "-C", folder.to_str().unwrap()]);
        let manifest = folder.join("manifest.json");
        let text = fs::read_to_string(&manifest).unwrap();
        let quoted = format!("\"{IMAGE}\"");
        assert!(text.contains(&quoted), "{text}");
        fs::write(manifest, text.replace(&quoted, &format!("{quoted},\"Not A Name\""))).unwrap();
        pack(&folder, &self.archive("bad"));
        self.make_legacy_archive();
    }

    /// An archive as engines wrote them before 1.10, without a manifest.
    fn make_legacy_archive(&self) {
        let id = "0123456789abcdef".repeat(4);
        let folder = self.trial.beside("legacy");
        let image = folder.join(&id);
        fs::create_dir_all(&image).unwrap();
        fs::write(folder.join("layer-file"), "legacy").unwrap();
        let layer = image.join("layer.tar");
        tar(&["-cf", layer.to_str().unwrap(), "-C", folder.to_str().unwrap(), "layer-file"]);
        fs::remove_file(folder.join("layer-file")).unwrap();
        fs::write(image.join("VERSION"), "1.0").unwrap();
        let json = format!(
            r#"{{"id":"{id}","created":"2015-01-01T00:00:00Z","os":"linux","architecture":"amd64","config":{{}}}}"#
        );
        fs::write(image.join("json"), json).unwrap();
        let (repository, tag) = IMAGE.rsplit_once(':').unwrap();
        fs::write(folder.join("repositories"), format!(r#"{{"{repository}":{{"{tag}":"{id}"}}}}"#)).unwrap();
        pack(&folder, &self.archive("legacy"));
    }

    fn archive(&self, name: &str) -> PathBuf {
        self.trial.beside(&format!("{name}.tar"))
    }

    /// Loads an archive; whether that went well.
    fn load(&self, name: &str) -> bool {
        let archive = self.archive(name);
        self.own.engine.run(["load", "-i", archive.to_str().unwrap()]).status.success()
    }

    /// Builds, and asks until nobody asks the engine for images.
    fn settle(&self) {
        self.trial.run("build :app").succeeded();
        thread::sleep(UNTIL_SETTLED);
        for asked in ["plan :app -v", "build :app -v"] {
            // The first run writes down what it saw, the second asks for images, the third need not.
            self.trial.run(asked).succeeded();
            self.trial.run(asked).succeeded();
            self.trial.run(asked).succeeded().says(&[TOLD_AGAIN, MARKED]);
        }
        let told = self.plan_anew();
        assert_eq!(self.plan_all(), (told, true));
    }
}

fn tar(arguments: &[&str]) {
    assert!(Command::new("tar").args(arguments).status().unwrap().success(), "tar {arguments:?}");
}

fn pack(folder: &Path, archive: &Path) {
    let entries: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut arguments = vec!["-cf", archive.to_str().unwrap(), "-C", folder.to_str().unwrap()];
    arguments.extend(entries.iter().map(String::as_str));
    tar(&arguments);
}

/// What happens to the engine's images.
struct Change {
    what: &'static str,
    /// Whether what the workspace leans on is another image.
    moves: bool,
    change: fn(&Scene),
}

const CHANGES: &[Change] = &[
    Change {
        what: "a name that is moved",
        moves: true,
        change: |scene| drop(scene.own.docker(&["tag", "busybox:1.36", IMAGE])),
    },
    Change {
        what: "a name that is taken away",
        moves: true,
        change: |scene| drop(scene.own.docker(&["rmi", IMAGE])),
    },
    Change {
        what: "an image that is taken away",
        moves: true,
        change: |scene| {
            let id = scene.own.docker(&["images", "-q", "--no-trunc", IMAGE]);
            scene.own.docker(&["rmi", "-f", id.trim()]);
        },
    },
    Change {
        what: "a base that is moved",
        moves: true,
        change: |scene| drop(scene.own.docker(&["tag", IMAGE, BASE])),
    },
    Change {
        what: "a base that is moved back",
        moves: false,
        change: |scene| {
            scene.own.docker(&["tag", IMAGE, BASE]);
            scene.own.docker(&["tag", "busybox:1.36", BASE]);
        },
    },
    Change { what: "an archive that is loaded", moves: true, change: |scene| assert!(scene.load("good")) },
    Change {
        what: "an archive that is loaded in part",
        moves: true,
        change: |scene| assert!(!scene.load("bad")),
    },
    Change {
        what: "an archive without a manifest",
        moves: true,
        change: |scene| assert!(scene.load("legacy")),
    },
    Change {
        what: "another image's name",
        moves: false,
        change: |scene| drop(scene.own.docker(&["tag", "busybox:1.36", "e2e.test/other:1"])),
    },
    Change {
        what: "an image without a name",
        moves: false,
        change: |scene| {
            let archive = scene.trial.beside("empty.tar");
            fs::write(&archive, [0; 1024]).unwrap();
            scene.own.docker(&["import", archive.to_str().unwrap()]);
        },
    },
    Change { what: "an engine that was started anew", moves: false, change: |scene| scene.own.restart() },
    Change {
        what: "another engine at the same place",
        moves: true,
        change: |scene| {
            scene.own.replace();
            scene.own.docker(&["tag", "busybox:1.36", BASE]);
        },
    },
];

fn check(scene: &Scene, Change { what, moves, change }: &Change) {
    scene.own.docker(&["tag", "busybox:1.36", BASE]);
    scene.settle();
    change(scene);
    // What has not settled is not trusted whatever it is.
    for wait in [Duration::ZERO, UNTIL_SETTLED] {
        thread::sleep(wait);
        let again = scene.trial.run("plan :app -v --format json");
        let all = scene.trial.run("plan :app --format json --no-index");
        assert!(!again.stderr.contains(MARKED), "{what}: nobody asked the engine");
        assert_eq!((again.code, &again.stdout), (all.code, &all.stdout), "{what}");
        assert_eq!(!again.stderr.contains(TOLD_AGAIN), *moves, "{what}");
        let (told, is_listed) = scene.plan_all();
        assert!(!is_listed, "{what}: nobody asked for the engine's images");
        assert_eq!(told, scene.plan_anew(), "{what}");
    }
    let begun = Instant::now();
    let built = scene.trial.run("build :app -v").succeeded();
    assert_eq!(!built.stderr.contains(TOLD_AGAIN), *moves, "{what}");
    let soon = (0..3).any(|_| scene.trial.run("plan :app -v").stderr.contains(MARKED));
    // What the build moved a moment ago may move once more without a trace.
    if *moves && begun.elapsed() < Duration::from_secs(2) {
        assert!(!soon, "{what}: facts that have not settled were trusted");
    }
}

#[test]
fn every_change_of_an_image_is_seen() {
    // Almost all of the time is waited, and a change in one engine is none in another.
    thread::scope(|scope| {
        for (number, changes) in CHANGES.chunks(CHANGES.len().div_ceil(3)).enumerate() {
            scope.spawn(move || {
                let scene = Scene::new(&format!("changes-{number}"));
                scene.name_much();
                changes.iter().for_each(|change| check(&scene, change));
            });
        }
    });
}

#[test]
fn a_file_that_changes_is_seen_where_images_are_marked() {
    let scene = Scene::new("marked");
    scene.name_much();
    scene.settle();
    scene.trial.write("file", "2");
    // The one target is looked at again, for which nobody asks the engine.
    let again = scene.trial.run("plan :app -v --format json").succeeded().says(&[MARKED]);
    assert!(!again.stderr.contains(TOLD_AGAIN));
    assert_eq!(again.stdout, scene.trial.run("plan :app --format json --no-index").stdout);
    // A build of it asks.
    let built = scene.trial.run("build :app -v --format json").succeeded().says(&[MARKED]);
    assert_eq!(built.states()[0].1, "built");
}

#[test]
fn a_mark_is_of_one_life_of_an_engine_and_of_names_that_stand() {
    let scene = Scene::new("lives");
    scene.own.docker(&["tag", "busybox:1.36", IMAGE]);
    let address = |engine: &Engine| engine.host.parse::<EngineAddress>().unwrap();
    let own = address(&scene.own.engine);
    let builder = DockerBuilder::connect(&own).unwrap();
    let digest = |image: &str| -> OutputDigest {
        scene.own.docker(&["images", "-q", "--no-trunc", image]).trim().parse().unwrap()
    };
    let names = |name: &str, image: &OutputDigest| BTreeMap::from([(name.to_owned(), image.clone())]);
    let busybox = digest(IMAGE);
    assert_eq!(builder.mark(&names(IMAGE, &busybox)), None, "a moment after a change");
    thread::sleep(UNTIL_SETTLED);
    let mark = builder.mark(&names(IMAGE, &busybox)).unwrap();
    assert!(mark.holds_at(&own));
    let other: OutputDigest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    assert_eq!(builder.mark(&names(IMAGE, &other)), None, "another image");
    assert_eq!(builder.mark(&names("e2e.test/absent:1", &busybox)), None, "no such name");
    for elsewhere in [&Engine::classic(), &Engine::containerd()] {
        assert!(!mark.holds_at(&address(elsewhere)));
    }
    for elsewhere in ["tcp://127.0.0.1:1", "unix:///nowhere/docker.sock"] {
        assert!(!mark.holds_at(&elsewhere.parse().unwrap()));
    }
    scene.own.restart();
    assert!(!mark.holds_at(&own), "another life");
    thread::sleep(UNTIL_SETTLED);
    assert_eq!(builder.mark(&names(IMAGE, &busybox)), None, "who was asked is gone");
    assert!(!mark.holds_at(&own));
    let again = DockerBuilder::connect(&own).unwrap().mark(&names(IMAGE, &digest(IMAGE)));
    assert!(again.is_some_and(|mark| mark.holds_at(&own)));
}

/// Hands on between whoever connects and the engine.
fn proxy(engine: &Engine, socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    let path = engine.host.strip_prefix("unix://").unwrap().to_owned();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = UnixStream::connect(&path) else { return };
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server.try_clone().unwrap(), client.try_clone().unwrap()),
            ] {
                thread::spawn(move || {
                    // Whoever went away is told of nothing more.
                    let _ended = std::io::copy(&mut from, &mut to).and_then(|_| to.flush());
                    let _shut = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
}

#[test]
fn an_engine_behind_another_process_is_always_asked() {
    let scene = Scene::new("behind");
    let socket = scene.trial.beside("proxy.sock");
    proxy(&scene.own.engine, &socket);
    let asked = format!("plan :app -v --docker-host unix://{}", socket.display());
    scene.trial.run("build :app").succeeded();
    thread::sleep(UNTIL_SETTLED);
    for _ in 0..3 {
        scene.trial.run(&asked).succeeded();
    }
    let outcome = scene.trial.run(&asked).succeeded().says(&[TOLD_AGAIN]);
    assert!(!outcome.stderr.contains(MARKED), "{}", outcome.stderr);
}

#[test]
fn an_engine_with_a_containerd_store_is_always_asked() {
    let build = "[workspace]\n[image.app]\n";
    let files = [("BUILD.toml", build), ("Dockerfile", "FROM busybox:1.36\nCOPY file /\n"), ("file", "1")];
    let trial = Trial::of(&Engine::containerd(), &files);
    trial.run("build :app").succeeded();
    thread::sleep(UNTIL_SETTLED);
    for _ in 0..3 {
        trial.run("plan :app -v").succeeded();
    }
    let outcome = trial.run("plan :app -v").succeeded().says(&[TOLD_AGAIN]);
    assert!(!outcome.stderr.contains(MARKED), "{}", outcome.stderr);
}
