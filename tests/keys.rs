//! What changes a key and what never does: every row of the tables that open `graph/key.rs`.
//!
//! A case edits one small workspace. It says which targets have another key of their own (their
//! action key, were the outputs of their dependencies the same), and which have another source key
//! because of what they need.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use imgraph::graph::key::{Absent, Keyed, Surroundings};
use imgraph::graph::manifest::{Fact, FactSink, HashSink, ListSink};
use imgraph::graph::node_views::NodeViews;
use imgraph::types::digest::OutputDigest;
use imgraph::types::platform::Platform;
use proptest::prelude::*;
use workspace::{OnDisk, Workspace};

#[path = "support/workspace.rs"]
mod workspace;

const TEXT: &str = r#"
[workspace]
name = "shop"
[vars]
PROFILE = { default = "release" }
SHA = { default = "0" }
[base.debian]
image = "debian:12"
[stage.lib]
dockerfile = "lib.dockerfile"
[image.app]
context = "app"
dockerfile = "app.dockerfile"
target = "final"
contexts = { lib = ":lib", files = { dir = "named" }, unseen = { dir = "other" } }
args = { PROFILE = "${PROFILE}", UNSEEN = "1", GLOBAL = "global", B = { target = ":lib" } }
stamp = { SHA = "${SHA}", UNSEEN_STAMP = "1" }
labels = { source = "here" }
secrets = [{ id = "token", env = "TOKEN" }]
tags = ["acme/app:1"]
[image.other]
dockerfile = "other.dockerfile"
ssh = [{ id = "default", socket = "/one" }]
[image.from-stamp]
dockerfile = "from-stamp.dockerfile"
stamp = { BASE = "debian:12" }
[image.copy-stamp]
dockerfile = "copy-stamp.dockerfile"
stamp = { NAME = "one" }
[image.default-stamp]
dockerfile = "default-stamp.dockerfile"
stamp = { STAMP = "1" }
args = { CHOSEN = "a" }
[image.empty-stamp]
dockerfile = "empty-stamp.dockerfile"
stamp = { EMPTY = "1" }
args = { OTHER = "1" }
[base.trigger]
dockerfile = "trigger.dockerfile"
[image.triggered]
context = "pick"
dockerfile = "triggered.dockerfile"
contexts = { trigger = ":trigger" }
args = { LEVEL = "1" }
stamp = { BUILD = "1" }
[image.foreign]
dockerfile = "foreign.dockerfile"
context = "foreign"
args = { UNSEEN = "1" }
#--- lib.dockerfile
FROM debian:12
COPY lib /
#--- app.dockerfile
# syntax=docker/dockerfile:1
ARG GLOBAL=none
FROM scratch AS unseen
ARG UNSEEN
ARG UNSEEN_STAMP
COPY unseen /
FROM lib AS final
ARG PROFILE=debug
ARG SHA
ARG VERSION=1-${SHA}
ARG B
# A comment.
COPY --from=files . /files
COPY src link empty \
    script /
RUN make
#--- other.dockerfile
FROM scratch
COPY other /
RUN --mount=type=ssh true
#--- from-stamp.dockerfile
ARG BASE
FROM ${BASE}
#--- copy-stamp.dockerfile
FROM scratch
ARG NAME
COPY pick/${NAME} /
#--- default-stamp.dockerfile
ARG STAMP
FROM scratch AS stage-1
ARG CHOSEN
FROM scratch AS stage-
ARG STAMP
FROM stage-${STAMP}
ARG STAMP
#--- empty-stamp.dockerfile
ARG EMPTY
ARG OTHER
ARG CHOSEN=${EMPTY:+with-$OTHER}
ARG FALLBACK=${EMPTY:-none}
FROM scratch
ARG CHOSEN
ARG FALLBACK
#--- trigger.dockerfile
FROM scratch
ONBUILD ARG LEVEL
ONBUILD RUN use $LEVEL
#--- triggered.dockerfile
FROM scratch AS builder
RUN make
FROM trigger
#--- foreign.dockerfile
# syntax=acme/frontend:1
FROM scratch
# Read by the frontend.
#--- lib/lib.c
int lib;
#--- app/src/main.c
int main;
#--- app/script
make
#--- app/unseen
1
#--- app/empty/.keep
#--- app/.dockerignore
**/*.log
**/.keep
#--- app/src/noise.log
noise
#--- app/uncopied
1
#--- named/f
f
#--- other/o
o
#--- foreign/any
1
#--- pick/one
same
#--- pick/two
same
#--- pick/three
another
"#;

/// One change of the workspace.
enum Edit {
    /// In a file, one text becomes another.
    Replace(&'static str, &'static str, &'static str),
    Write(&'static str, &'static str),
    Remove(&'static str),
    Mode(&'static str, u32),
    Link(&'static str, &'static str),
    Touch(&'static str),
    Folder(&'static str),
    Set(&'static str, &'static str),
}

use Edit::{Folder, Link, Mode, Remove, Replace, Set, Touch, Write};

impl Edit {
    fn apply(&self, disk: &mut OnDisk) {
        let at = |path: &str| disk.path().join(path);
        match *self {
            Replace(path, from, to) => {
                let text = fs::read_to_string(at(path)).unwrap();
                assert!(text.contains(from), "{path} has no {from:?}");
                fs::write(at(path), text.replacen(from, to, 1)).unwrap();
            }
            Write(path, text) => fs::write(at(path), text).unwrap(),
            Remove(path) => fs::remove_file(at(path)).unwrap(),
            Mode(path, mode) => fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap(),
            Link(path, target) => {
                fs::remove_file(at(path)).unwrap();
                symlink(target, at(path)).unwrap();
            }
            Touch(path) => {
                let then = SystemTime::now() - Duration::from_secs(100_000);
                fs::File::options().write(true).open(at(path)).unwrap().set_modified(then).unwrap();
            }
            Folder(path) => fs::create_dir_all(at(path)).unwrap(),
            Set(name, value) => disk.set(name, value),
        }
    }
}

fn workspace() -> OnDisk {
    let disk = Workspace::of(TEXT).on_disk();
    symlink("src", disk.path().join("app/link")).unwrap();
    for path in ["app", "app/src", "app/empty", "app/script", "app/src/main.c", "lib/lib.c"] {
        let mode = if Path::new(path).extension().is_some() || path == "app/script" { 0o644 } else { 0o755 };
        fs::set_permissions(disk.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    disk
}

/// The keys of all targets.
#[derive(Debug, PartialEq)]
struct Keys {
    source: BTreeMap<String, String>,
    /// Those whose dependencies all have one and the same output.
    action: BTreeMap<String, String>,
}

fn output() -> OutputDigest {
    format!("sha256:{}", "a".repeat(64)).parse().unwrap()
}

fn keys(disk: &OnDisk, platforms: &[Platform], family: &str) -> Keys {
    let expanded = disk.expand(&["//..."], platforms);
    let graph = &expanded.graph;
    let said: Vec<_> = expanded.diagnostics.iter().map(|diagnostic| &diagnostic.message).collect();
    assert!(!graph.nodes.is_empty(), "{said:#?}");
    let views = NodeViews::new(graph, &expanded.snapshot).unwrap();
    let keyed = Keyed { graph, views: &views };
    let around = Surroundings { family, absent: &Absent::default() };
    let source = keyed.source_keys();
    let name = |label: String| label.trim_start_matches("//:").to_owned();
    let action = graph.nodes.iter().filter_map(|(id, node)| {
        let key = keyed.action_key(id, node.build()?, around, &|_| output());
        Some((name(node.name()), key.to_string()))
    });
    let source = graph.nodes.iter().map(|(id, node)| (name(node.name()), source[id].to_string()));
    Keys { source: source.collect(), action: action.collect() }
}

fn different(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> BTreeSet<String> {
    before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Applies each edit to a workspace of its own, at a path of its own.
fn check(cases: &[(Edit, &str, &str)]) {
    let before = keys(&workspace(), &[], "docker");
    for (number, (edit, own, through)) in cases.iter().enumerate() {
        let mut disk = workspace();
        edit.apply(&mut disk);
        let after = keys(&disk, &[], "docker");
        let number = number + 1;
        let all: BTreeSet<String> = words(own).union(&words(through)).cloned().collect();
        assert_eq!(different(&before.source, &after.source), all, "source keys of case {number}");
        let built: BTreeSet<String> = words(own).into_iter().filter(|name| name != "debian").collect();
        assert_eq!(different(&before.action, &after.action), built, "action keys of case {number}");
    }
}

#[test]
fn these_enter() {
    check(&[
        // Instructions.
        (Replace("app.dockerfile", "RUN make", "RUN make all"), "app", ""),
        (Replace("app.dockerfile", "RUN make", "RUN [\"make\"]"), "app", ""),
        (Replace("app.dockerfile", "RUN make", "RUN make\nUSER 1"), "app", ""),
        (Replace("app.dockerfile", "RUN make\n", ""), "app", ""),
        (Replace("lib.dockerfile", "COPY lib /", "COPY lib /lib"), "lib", "app"),
        (Replace("lib.dockerfile", "COPY lib /", "COPY --chmod=600 lib /"), "lib", "app"),
        // Arguments: values, defaults, names.
        (Set("PROFILE", "debug"), "app", ""),
        (Set("PROFILE", ""), "app", ""),
        (Replace("app.dockerfile", "VERSION=1-", "VERSION=2-"), "app", ""),
        (Replace("app.dockerfile", "ARG PROFILE=debug", "ARG PROFILE=fast"), "app", ""),
        (Replace("app.dockerfile", "ARG PROFILE=debug\n", ""), "app", ""),
        // A stamp that can be seen, or no longer.
        (Replace("BUILD.toml", "SHA = \"${SHA}\", ", ""), "app", ""),
        // Files: content, names, kinds, permissions, where links lead, empty folders.
        (Write("app/src/main.c", "int niam;\n"), "app", ""),
        (Write("app/src/more.c", ""), "app", ""),
        (Remove("app/src/main.c"), "app", ""),
        (Mode("app/script", 0o755), "app", ""),
        (Mode("app/src/main.c", 0o600), "app", ""),
        (Mode("app/src", 0o700), "app", ""),
        (Link("app/link", "empty"), "app", ""),
        (Link("app/script", "src/main.c"), "app", ""),
        (Folder("app/src/empty"), "app", ""),
        (Write("lib/lib.c", "int bil;\n"), "lib", "app"),
        (Write("named/f", "g"), "app", ""),
        (Write("other/o", "p"), "other", ""),
        (Write("pick/more", ""), "triggered", ""),
        (Write("foreign/any", "2"), "foreign", ""),
        // Ignore files that let other files in.
        (Write("app/.dockerignore", "**/.keep\n"), "app", ""),
        (Write("app/.dockerignore", "**/*.log\n"), "app", ""),
        (Write("app.dockerfile.dockerignore", "**/*.log\n**/.keep\nscript\n"), "app", ""),
        (Write("named/.dockerignore", "f\n"), "app", ""),
        // What the target is, and its options.
        (Replace("BUILD.toml", "source = \"here\"", "source = \"there\""), "app", ""),
        (Replace("BUILD.toml", "source = \"here\"", "other = \"here\""), "app", ""),
        (Replace("BUILD.toml", "[image.other]", "[image.other]\nnetwork = \"none\""), "other", ""),
        (Replace("BUILD.toml", "[image.other]", "[image.other]\nno-cache = true"), "other", ""),
        (Replace("BUILD.toml", "[image.other]", "[image.other]\ninputs = [\"nothing\"]"), "other", ""),
        (Replace("BUILD.toml", "[image.other]", "[base.other]"), "other", ""),
        (Replace("BUILD.toml", "dir = \"named\"", "dir = \"lib\""), "app", ""),
        (Replace("BUILD.toml", "target = \"final\"", "target = \"unseen\""), "app", ""),
        // Bases, as their references say.
        (Replace("BUILD.toml", "lib = \":lib\"", "lib = \":other\""), "", "app"),
        (Replace("BUILD.toml", "lib = \":lib\"", "lib = { image = \"debian:12\" }"), "", "app"),
        (Replace("lib.dockerfile", "debian:12", "debian:13"), "lib", "app debian:13"),
        // The same reference is the same base, whether a target declares it or not.
        (Replace("BUILD.toml", "image = \"debian:12\"", "image = \"debian:13\""), "", "debian debian:12"),
        // A foreign frontend reads all bytes and all arguments.
        (Replace("foreign.dockerfile", "Read by", "For"), "foreign", ""),
        (Replace("foreign.dockerfile", "acme/frontend:1", "acme/frontend:2"), "foreign", ""),
        (Replace("BUILD.toml", "args = { UNSEEN = \"1\" }", "args = { UNSEEN = \"2\" }"), "foreign", ""),
        (
            Replace("BUILD.toml", "[image.foreign]", "[image.foreign]\nsecrets = [{ id = 'a', env = 'A' }]"),
            "foreign",
            "",
        ),
        (Replace("BUILD.toml", "[image.foreign]", "[image.foreign]\nssh = ['default']"), "foreign", ""),
        (Replace("BUILD.toml", "[image.triggered]", "[image.triggered]\nssh = ['default']"), "triggered", ""),
        // Agents, and where they are looked for.
        (Replace("BUILD.toml", "ssh = [{ id = \"default\", socket = \"/one\" }]\n", ""), "other", ""),
        (Replace("BUILD.toml", "socket = \"/one\"", "env = \"ONE\""), "other", ""),
        // Stamps where their value decides what is built.
        (Replace("BUILD.toml", "BASE = \"debian:12\"", "BASE = \"scratch\""), "from-stamp", ""),
        (Replace("BUILD.toml", "NAME = \"one\"", "NAME = \"two\""), "copy-stamp", ""),
        (Replace("BUILD.toml", "NAME = \"one\"", "NAME = \"three\""), "copy-stamp", ""),
        (Replace("BUILD.toml", "{ STAMP = \"1\"", "{ STAMP = \"\""), "default-stamp", ""),
        (Replace("BUILD.toml", "EMPTY = \"1\"", "EMPTY = \"\""), "empty-stamp", ""),
        (Replace("BUILD.toml", "OTHER = \"1\"", "OTHER = \"2\""), "empty-stamp", ""),
        // Triggers of a base see what is given, and read what is there.
        (Replace("BUILD.toml", "LEVEL = \"1\"", "LEVEL = \"2\""), "triggered", ""),
        (Replace("BUILD.toml", "stamp = { BUILD = \"1\" }\n", ""), "triggered", ""),
        (Replace("trigger.dockerfile", "RUN use", "RUN reuse"), "trigger", "triggered"),
        (Replace("BUILD.toml", "CHOSEN = \"a\"", "CHOSEN = \"b\""), "default-stamp", ""),
    ]);
}

#[test]
fn these_never_enter() {
    check(&[
        (Replace("app.dockerfile", "# A comment.", "# Another.\n# And more."), "", ""),
        (Replace("app.dockerfile", "src link empty \\\n    script", "src  link empty script"), "", ""),
        (Replace("app.dockerfile", "RUN make", "run make"), "", ""),
        (Replace("app.dockerfile", "COPY unseen /", "COPY uncopied /"), "", ""),
        (Replace("app.dockerfile", "AS unseen\n", "AS unseen\nRUN whatever\n"), "", ""),
        (Replace("app.dockerfile", "ARG UNSEEN\n", "ARG UNSEEN=2\n"), "", ""),
        (Replace("BUILD.toml", "UNSEEN = \"1\", GLOBAL", "UNSEEN = \"2\", GLOBAL"), "", ""),
        (Replace("BUILD.toml", "UNSEEN_STAMP = \"1\"", "UNSEEN_STAMP = \"2\""), "", ""),
        (Replace("BUILD.toml", "unseen = { dir = \"other\" }", "unseen = { dir = \"lib\" }"), "", ""),
        (Replace("BUILD.toml", "acme/app:1", "acme/app:2"), "", ""),
        (Replace("BUILD.toml", "[image.app]", "[image.app]\nallow = [\"latest-tag\"]"), "", ""),
        (Replace("BUILD.toml", "socket = \"/one\"", "socket = \"~/two\", optional = true"), "", ""),
        (Replace("BUILD.toml", "socket = \"/one\" }", "socket = \"/one\" }, \"unseen\""), "", ""),
        (Replace("BUILD.toml", "env = \"TOKEN\"", "env = \"OTHER\", optional = true"), "", ""),
        (Set("SHA", "1"), "", ""),
        (Replace("BUILD.toml", "EMPTY = \"1\"", "EMPTY = \"2\""), "", ""),
        (Replace("BUILD.toml", "BUILD = \"1\"", "BUILD = \"2\""), "", ""),
        (Replace("BUILD.toml", "[image.app]", "# Said.\n[image.app]"), "", ""),
        (Touch("app/src/main.c"), "", ""),
        (Write("app/uncopied", "2\n"), "", ""),
        (Write("app/unseen", "2\n"), "", ""),
        (Write("app/src/noise.log", "more\n"), "", ""),
        (Remove("app/src/noise.log"), "", ""),
        (Write("app/.dockerignore", "# Said.\n**/.keep\n**/*.log\n*.tmp\n"), "", ""),
    ]);
}

#[test]
fn the_same_files_at_another_path_have_the_same_keys() {
    let (one, other) = (workspace(), workspace());
    assert_ne!(one.path(), other.path());
    assert_eq!(keys(&one, &[], "docker"), keys(&other, &[], "docker"));
}

#[test]
fn platform_and_builder_enter() {
    let disk = workspace();
    let native = keys(&disk, &[], "docker");
    let arm = keys(&disk, &["linux/arm64".parse().unwrap()], "docker");
    assert_eq!(different(&native.source, &arm.source).len(), native.source.len());
    assert_eq!(different(&native.action, &arm.action).len(), native.action.len());
    let other = keys(&disk, &[], "other");
    assert_eq!(native.source, other.source, "a source key knows no builder");
    assert_eq!(different(&native.action, &other.action).len(), native.action.len());
}

/// Facts that a careless encoding would take for each other.
#[test]
fn what_differs_has_another_key() {
    let fields = [
        r#"args = { A = "b", C = "" }"#,
        r#"args = { A = "", C = "b" }"#,
        r#"args = { A = "bC", C = "" }"#,
        r#"args = { A = "b\nargument C", C = "" }"#,
        r#"args = { A = "" }"#,
        r#"args = { C = "" }"#,
        r#"args = { A = "b C=" }"#,
        "",
        r#"labels = { "ab" = "c" }"#,
        r#"labels = { "a" = "bc" }"#,
        r#"labels = { "a" = "b", "c" = "" }"#,
        r#"labels = { "a" = "", "c" = "b" }"#,
        r#"stamp = { A = "" }"#,
        r#"stamp = { C = "" }"#,
        r#"stamp = { A = "", C = "" }"#,
        r#"network = "host""#,
        r#"network = "none""#,
        r#"network = "default""#,
        "no-cache = true",
    ];
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for field in fields {
        let text = format!(
            "[workspace]\nname = 'shop'\n[image.app]\n{field}\n#--- Dockerfile\nFROM scratch\nARG A\nARG C\n"
        );
        let key = keys(&Workspace::of(&text).on_disk(), &[], "docker").source.remove("app").unwrap();
        assert_eq!(seen.insert(key, field), None, "{field}");
    }
}

fn hash(facts: &[(String, String)]) -> [u8; 32] {
    let mut sink = HashSink::new("test");
    facts.iter().for_each(|(name, value)| sink.fact(name, value));
    sink.finish()
}

proptest! {
    #[test]
    fn two_lists_of_facts_have_one_hash_only_when_they_are_equal(
        one in proptest::collection::vec(("[ab ]{0,3}", "[ab ]{0,3}"), 0..4),
        other in proptest::collection::vec(("[ab ]{0,3}", "[ab ]{0,3}"), 0..4),
    ) {
        prop_assert_eq!(hash(&one) == hash(&other), one == other);
        let mut sink = ListSink::default();
        one.iter().for_each(|(name, value)| sink.fact(name, value));
        let listed: Vec<Fact> = one.iter().map(|(name, value)| Fact { name: name.clone(), value: value.clone() }).collect();
        prop_assert_eq!(sink.0, listed);
    }
}
