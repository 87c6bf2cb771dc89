//! What a `FROM --platform` gets: its own output of a target, and an image from elsewhere that is for that
//! platform, whatever the engine has under the name.

use crate::engine::Engine;
use crate::trial::{Trial, said, unique};

pub(crate) fn each_platform_of_a_linked_target_is_its_own(engine: &Engine) {
    let tag = format!("e2e.test/{}:1", unique("platforms"));
    let build = format!(
        "[workspace]\n[base.part]\ndockerfile = \"part.dockerfile\"\npublishes = \"e2e.test/part\"\n\
         [image.app]\nargs = {{ BASE = {{ target = \":part\" }} }}\ntags = [\"{tag}\"]\nplatforms = [\"linux/amd64\"]\n"
    );
    let dockerfile = "ARG BASE\n\
                      FROM --platform=linux/arm64 e2e.test/part:1 AS foreign\n\
                      FROM --platform=linux/amd64 e2e.test/part:1 AS own\n\
                      FROM --platform=linux/arm64 ${BASE} AS argument\n\
                      FROM busybox:1.36\n\
                      COPY --from=foreign /f /foreign\n\
                      COPY --from=own /f /own\n\
                      COPY --from=argument /f /argument\n";
    let files = [
        ("BUILD.toml", build.as_str()),
        ("Dockerfile", dockerfile),
        ("part.dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH.txt /f\n"),
        ("amd64.txt", "amd64 "),
        ("arm64.txt", "arm64 "),
    ];
    let trial = Trial::of(engine, &files);
    trial.build(":app");
    assert_eq!(trial.inside(&tag, &["cat", "/foreign", "/own", "/argument"]).trim(), "arm64 amd64 arm64");
}

/// The registry beside each engine of the tests.
const REGISTRY: &str = "localhost:5000";

/// A name in the registry, and what it holds.
struct Published<'e> {
    engine: &'e Engine,
    name: String,
}

impl<'e> Published<'e> {
    fn new(engine: &'e Engine) -> Self {
        Self { engine, name: format!("{REGISTRY}/{}:1", unique("foreign")) }
    }

    /// Pushes an image for `platform` whose file `/f` says `content`. The engine forgets the name.
    fn push(&self, platform: &str, content: &str) {
        let build = format!(
            "[workspace]\n[image.foreign]\ntags = [\"{}\"]\nplatforms = [\"{platform}\"]\n",
            self.name
        );
        let dockerfile = "FROM scratch\nCOPY f /f\n";
        let files = [("BUILD.toml", build.as_str()), ("Dockerfile", dockerfile), ("f", content)];
        Trial::of(self.engine, &files).build(":foreign");
        self.docker(&["push", "--quiet", &self.name]);
        self.docker(&["rmi", &self.name]);
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let output = self.engine.run(arguments.iter().copied());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The image that the engine has under the name.
    fn in_the_engine(&self) -> Option<String> {
        let output = self.engine.run(["image", "inspect", "--format", "{{.Id}}", &self.name]);
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// A target that copies `/f` out of the image for `platform`.
    fn user(&self, platform: &str) -> (Trial, String) {
        let tag = format!("e2e.test/{}:1", unique("user"));
        let build = format!("[workspace]\n[image.user]\ntags = [\"{tag}\"]\n");
        let dockerfile = format!(
            "FROM --platform={platform} {} AS foreign\nFROM busybox:1.36\nCOPY --from=foreign /f /f\n",
            self.name
        );
        (Trial::of(self.engine, &[("BUILD.toml", &build), ("Dockerfile", &dockerfile)]), tag)
    }
}

pub(crate) fn a_base_for_another_platform_is_what_the_registry_has(engine: &Engine) {
    let published = Published::new(engine);
    published.push("linux/arm64", "one");
    let (trial, tag) = published.user("linux/arm64");
    let build = |expected: &str, content: &str| {
        assert_eq!(said(&trial.build(":user")), format!("//:user {expected}"));
        assert_eq!(trial.inside(&tag, &["cat", "/f"]), content);
    };
    build("built", "one");
    build("cached", "one");
    assert_eq!(published.in_the_engine(), None, "a name for this machine's platform was made");
    published.push("linux/arm64", "two");
    build("built", "two");
    published.push("linux/arm64", "one");
    build("cached", "one");
}

/// On a classic store alone: a containerd store's name stands for all platforms, and BuildKit takes it.
#[test]
fn a_name_of_another_platform_is_neither_taken_nor_moved() {
    let engine = Engine::classic();
    let published = Published::new(&engine);
    published.push("linux/arm64", "foreign");
    published.docker(&["tag", "busybox:1.36", &published.name]);
    let own = published.in_the_engine();
    let (trial, tag) = published.user("linux/arm64");
    assert_eq!(said(&trial.build(":user")), "//:user built");
    assert_eq!(trial.inside(&tag, &["cat", "/f"]), "foreign");
    assert_eq!(published.in_the_engine(), own, "the user's name was moved");
    published.push("linux/arm64", "changed");
    published.docker(&["tag", "busybox:1.36", &published.name]);
    assert_eq!(said(&trial.build(":user")), "//:user built", "the registry's image changed");
    assert_eq!(trial.inside(&tag, &["cat", "/f"]), "changed");
    // The other way round: what runs here is fetched, and the foreign image keeps its name.
    let published = Published::new(&engine);
    published.push("linux/amd64", "own");
    let foreign = Published::new(&engine);
    foreign.push("linux/arm64", "foreign");
    published.docker(&["pull", "--quiet", "--platform", "linux/arm64", &foreign.name]);
    published.docker(&["tag", &foreign.name, &published.name]);
    let kept = published.in_the_engine();
    let (trial, tag) = published.user("linux/amd64");
    assert_eq!(said(&trial.build(":user")), "//:user built");
    assert_eq!(trial.inside(&tag, &["cat", "/f"]), "own");
    assert_eq!(said(&trial.build(":user")), "//:user cached");
    assert_eq!(published.in_the_engine(), kept, "the user's name was moved");
}
