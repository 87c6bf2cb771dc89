//! Histories of small monorepos: trees that change in every way in which a commit can change them.
//!
//! A tree is made of sources, links, Dockerfiles, ignore files and packages that need each other. Each step
//! changes a few things, most of them in a way that leaves the workspace whole. Now and then a step goes back
//! to a tree that there was.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each user takes a part of it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

/// The files of a commit by path.
pub type Tree = BTreeMap<String, Entry>;

/// A file or link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file, executable or not.
    File(String, bool),
    /// A link and where it points.
    Link(String),
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators": splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
        of[self.below(of.len())]
    }
}

const PACKAGES: [&str; 4] = ["a", "b", "b/deep", "c"];
const FOLDERS: [&str; 9] = ["", "a", "a/src", "a/src/x", "b", "b/deep", "c", "lib", "lib/util"];
const NAMES: [&str; 5] = ["one", "two.txt", "three.md", "four.txt", "five"];
const SOURCES: [&str; 21] = [
    "one",
    "*.txt",
    "src",
    "src/",
    "src/x/*.md",
    "lib",
    "lib/*",
    "a/src/one",
    "b",
    ".",
    "**/two.txt",
    "link",
    "lib/util/",
    "?ne",
    "./one",
    "/lib/one",
    "b/../one",
    "./a//src",
    "l*",
    "current/one",
    "[!a]*",
];
const IGNORE_FILES: [&str; 6] = [
    ".dockerignore",
    "a/.dockerignore",
    "lib/.dockerignore",
    "b/Dockerfile.dockerignore",
    "shared.Dockerfile.dockerignore",
    // What others may be links to.
    "rules",
];
const IGNORED: [&str; 10] = [
    "**/*.md",
    "!lib/three.md",
    "src/x",
    "lib/*",
    "!lib/util",
    "one",
    "a",
    "**/BUILD.toml",
    "*",
    "!**/two.txt",
];

/// A tree to begin with.
pub fn first(random: &mut Random) -> Tree {
    let mut tree = Tree::new();
    for folder in FOLDERS {
        for name in NAMES {
            if !random.one_in(3) {
                tree.insert(path(folder, name), Entry::File(text(random), random.one_in(6)));
            }
        }
    }
    current(&mut tree, random);
    root(&mut tree, random);
    file(&mut tree, "base.Dockerfile", "FROM scratch\nCOPY lib/one /lib/\n".to_owned());
    file(&mut tree, "shared.Dockerfile", dockerfile(random, true));
    for package in PACKAGES {
        if !random.one_in(4) {
            add_package(&mut tree, package, random);
        }
    }
    tree
}

/// Changes a few things. `earlier` are the trees that there were.
pub fn step(tree: &mut Tree, earlier: &[Tree], random: &mut Random) {
    if random.one_in(15) {
        tree.clone_from(&earlier[random.below(earlier.len())]);
        return;
    }
    for _ in 0..=random.below(3) {
        change(tree, random);
    }
}

fn change(tree: &mut Tree, random: &mut Random) {
    let package = PACKAGES[random.below(PACKAGES.len())];
    let source = path(FOLDERS[random.below(FOLDERS.len())], NAMES[random.below(NAMES.len())]);
    match random.below(24) {
        0..=4 => {
            let is_executable = matches!(tree.get(&source), Some(Entry::File(_, true)));
            put(tree, &source, Entry::File(text(random), is_executable));
        }
        5 => drop(tree.remove(&source)),
        6 => {
            if let Some(Entry::File(_, is_executable)) = tree.get_mut(&source) {
                *is_executable = !*is_executable;
            }
        }
        7 => {
            let target = path(FOLDERS[random.below(FOLDERS.len())], NAMES[random.below(NAMES.len())]);
            if let Some(entry) = tree.remove(&source) {
                put(tree, &target, entry);
            }
        }
        8 => move_folder(tree, random),
        9 => {
            let target = random.pick(&["one", "../lib", "lib/util", "a/src", "nowhere", "../a/one", "link"]);
            let place = path(FOLDERS[random.below(FOLDERS.len())], random.pick(&["link", "one"]));
            put(tree, &place, Entry::Link(target.to_owned()));
        }
        10 => {
            let links: Vec<String> = tree
                .iter()
                .filter(|(_, entry)| matches!(entry, Entry::Link(_)))
                .map(|(path, _)| path.clone())
                .collect();
            if !links.is_empty() {
                tree.remove(&links[random.below(links.len())]);
            }
        }
        11 => file(tree, &path(package, "Dockerfile"), dockerfile(random, false)),
        12 => file(tree, "shared.Dockerfile", dockerfile(random, true)),
        13 => {
            let place = random.pick(&IGNORE_FILES);
            match random.below(8) {
                0 | 1 => drop(tree.remove(place)),
                2 | 3 if place != "rules" => {
                    let up = "../".repeat(place.matches('/').count());
                    put(tree, place, Entry::Link(format!("{up}rules")));
                }
                _ => file(tree, place, ignore_file(random)),
            }
        }
        14 | 15 => add_package(tree, package, random),
        16 => drop(tree.remove(&path(package, "BUILD.toml"))),
        17 => root(tree, random),
        18 => {
            // A comment, and nothing else.
            if let Some(Entry::File(text, _)) = tree.get_mut(&path(package, "Dockerfile")) {
                let _ = writeln!(text, "# {}", random.below(100));
            }
        }
        19 => current(tree, random),
        20 => {
            let up = "../".repeat(1 + package.matches('/').count());
            put(tree, &path(package, "Dockerfile"), Entry::Link(format!("{up}shared.Dockerfile")));
        }
        21 if random.one_in(3) => {
            // A workspace of its own, which is not entered.
            file(
                tree,
                &path(package, "BUILD.toml"),
                "[workspace]\nname = \"inner\"\n[image.t0]\n".to_owned(),
            );
        }
        22 => {
            let last = random.pick(&["", "", "COPY a/src /a/\n", "ONBUILD COPY lib /later/\n"]);
            file(tree, "base.Dockerfile", format!("FROM scratch\nCOPY lib/one /lib/\n{last}"));
        }
        _ => {
            let text = random.pick(&["", "a/\n", "lib/util\n", "*.md\n"]);
            file(tree, ".gitignore", text.to_owned());
        }
    }
}

/// A link that is a context, or a folder on the way to one.
fn current(tree: &mut Tree, random: &mut Random) {
    let target = random.pick(&["lib", "lib", "lib/util", "a/src", "b"]);
    put(tree, "current", Entry::Link(target.to_owned()));
}

fn move_folder(tree: &mut Tree, random: &mut Random) {
    let (from, to) =
        (random.pick(&["a/src/", "lib/util/", "lib/"]), random.pick(&["a/src/", "lib/util/", "c/src/"]));
    if to.starts_with(from) || from.starts_with(to) {
        return;
    }
    let moved: Vec<String> = tree.keys().filter(|path| path.starts_with(from)).cloned().collect();
    for path in moved {
        let entry = tree.remove(&path).unwrap();
        put(tree, &format!("{to}{}", &path[from.len()..]), entry);
    }
}

fn root(tree: &mut Tree, random: &mut Random) {
    let mut text = "[workspace]\nname = \"h\"\n".to_owned();
    if random.one_in(3) {
        text.push_str("exclude = [\"c/**\"]\n");
    }
    let _ = writeln!(text, "[vars]\nMODE = {{ default = \"{}\" }}", random.pick(&["release", "debug"]));
    if random.one_in(2) {
        let _ = writeln!(text, "[defaults.image]\ncontext = \"{}\"", random.pick(&["//", "//lib", "."]));
    }
    let publisher = random.pick(&["base", "other"]);
    let _ = writeln!(text, "[base.debian]\nimage = \"debian:{}\"", random.pick(&["11", "12"]));
    for name in ["base", "other"] {
        let _ = writeln!(text, "[base.{name}]\ndockerfile = \"base.Dockerfile\"");
        if name == publisher {
            let _ = writeln!(text, "publishes = \"acme/base\"");
        } else {
            let _ = writeln!(text, "args = {{ X = \"{}\" }}", random.below(2));
        }
    }
    file(tree, "BUILD.toml", text);
}

fn add_package(tree: &mut Tree, package: &str, random: &mut Random) {
    let mut text = String::new();
    let count = 1 + random.below(3);
    for number in 0..count {
        let kind = random.pick(&["image", "image", "stage"]);
        let _ = writeln!(text, "[{kind}.t{number}]");
        if random.one_in(3) {
            let _ = writeln!(text, "dockerfile = \"//shared.Dockerfile\"");
            if random.one_in(2) {
                let _ = writeln!(text, "target = \"middle\"");
            }
        }
        if !random.one_in(3) {
            let _ = writeln!(text, "context = \"{}\"", random.pick(&[".", "//", "//", "//lib", "//current"]));
        }
        let mut arguments = vec![format!("MODE = \"{}\"", random.pick(&["${MODE}", "x", "y"]))];
        if number > 0 && random.one_in(2) {
            arguments.push("FROM_TARGET = { target = \":t0\" }".to_owned());
        }
        let _ = writeln!(text, "args = {{ {} }}", arguments.join(", "));
        if random.one_in(3) {
            let context = random.pick(&[
                "{ dir = \"//lib\" }",
                "{ dir = \"//current\" }",
                "\"//:base\"",
                "\"//:other\"",
                "{ image = \"busybox:1\" }",
            ]);
            let _ = writeln!(text, "contexts = {{ extra = {context} }}");
        }
        if random.one_in(5) {
            let _ = writeln!(text, "inputs = [\"{}\"]", random.pick(&["src/**", "**/*.txt", "one"]));
        }
        if random.one_in(6) {
            let _ = writeln!(text, "platforms = [\"linux/amd64\", \"linux/arm64\"]");
        }
        if random.one_in(4) {
            let _ = writeln!(text, "labels = {{ l = \"{}\" }}", random.below(3));
        }
        if random.one_in(4) {
            let _ = writeln!(text, "tags = [\"acme/t:{}\"]", random.below(3));
        }
    }
    file(tree, &path(package, "BUILD.toml"), text);
    let dockerfile_path = path(package, "Dockerfile");
    if !matches!(tree.get(&dockerfile_path), Some(Entry::File(..))) {
        file(tree, &dockerfile_path, dockerfile(random, false));
    }
}

fn dockerfile(random: &mut Random, has_middle: bool) -> String {
    let mut text = String::new();
    if random.one_in(4) {
        text.push_str("# a comment\n");
    }
    if random.one_in(3) {
        text.push_str("ARG MODE=none\n");
    }
    let stages: &[&str] = if has_middle { &["first", "middle", "last"] } else { &["first", "last"] };
    for (number, stage) in stages.iter().enumerate() {
        let base = match random.below(6) {
            0 => "acme/base:1",
            1 => "debian:12",
            2 if number > 0 => stages[number - 1],
            _ => "scratch",
        };
        let _ = writeln!(text, "FROM {base} AS {stage}");
        if random.one_in(2) {
            text.push_str("ARG MODE\nLABEL mode=$MODE\n");
        }
        if random.one_in(4) {
            text.push_str("ARG FROM_TARGET=scratch\nENV F=$FROM_TARGET\n");
        }
        for _ in 0..random.below(3) {
            let source = SOURCES[random.below(SOURCES.len())];
            let _ = writeln!(text, "COPY {source} /{stage}/");
        }
        if random.one_in(6) {
            let source = random.pick(&["lib/one", "a/src", "src", "link", "b"]);
            let from = random.pick(&["", "", ",from=extra", ",from=acme/base"]);
            let _ = writeln!(text, "RUN --mount=type=bind,source={source},target=/m{from} true");
        }
        if random.one_in(8) {
            let _ = writeln!(text, "ARG WHERE={}\nCOPY $WHERE /where/", random.pick(&["lib", "src"]));
        }
        if random.one_in(10) {
            text.push_str("ONBUILD COPY one /late/\n");
        }
        if random.one_in(4) {
            let _ = writeln!(text, "COPY --from=extra one /extra");
        }
        if number > 0 && random.one_in(2) {
            let _ = writeln!(text, "COPY --from={} / /prev", stages[number - 1]);
        }
    }
    text
}

fn ignore_file(random: &mut Random) -> String {
    (0..=random.below(4)).map(|_| format!("{}\n", IGNORED[random.below(IGNORED.len())])).collect()
}

fn text(random: &mut Random) -> String {
    format!("{}\n", random.below(40))
}

fn path(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn file(tree: &mut Tree, path: &str, text: String) {
    put(tree, path, Entry::File(text, false));
}

/// Puts an entry in its place: what is in the way goes.
fn put(tree: &mut Tree, path: &str, entry: Entry) {
    let inside = format!("{path}/");
    tree.retain(|other, _| !other.starts_with(&inside) && !path.starts_with(&format!("{other}/")));
    tree.insert(path.to_owned(), entry);
}

/// Makes a repository in `folder` whose branch `main` has these trees as commits, the first one first, and gives
/// their ids. Nothing is checked out. `format` is that of objects: `sha1` or `sha256`.
pub fn commit_all(folder: &Path, trees: &[Tree], format: &str) -> Vec<String> {
    let object_format = format!("--object-format={format}");
    git(folder, &["init", "-q", "-b", "main", &object_format, "."]);
    let mut stream = Vec::new();
    for (number, tree) in trees.iter().enumerate() {
        let mark = number + 1;
        write!(stream, "commit refs/heads/main\nmark :{mark}\ncommitter a <a@b> {mark} +0000\ndata 0\n")
            .unwrap();
        if number > 0 {
            writeln!(stream, "from :{number}").unwrap();
        }
        stream.extend_from_slice(b"deleteall\n");
        for (path, entry) in tree {
            let (mode, text) = match entry {
                Entry::File(text, true) => ("100755", text),
                Entry::File(text, false) => ("100644", text),
                Entry::Link(target) => ("120000", target),
            };
            write!(stream, "M {mode} inline {path}\ndata {}\n{text}\n", text.len()).unwrap();
        }
    }
    let marks = folder.join(".git/marks");
    let export = format!("--export-marks={}", marks.display());
    let mut child = Command::new("git")
        .args(["fast-import", "--quiet", &export])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&stream).unwrap();
    assert!(child.wait().unwrap().success());
    let marks = fs::read_to_string(marks).unwrap();
    let mut ids: Vec<(usize, String)> = marks
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(mark, id)| (mark[1..].parse().unwrap(), id.to_owned()))
        .collect();
    ids.sort();
    ids.into_iter().map(|(_, id)| id).collect()
}

/// Runs git in `folder`.
pub fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]);
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes the files below `folder` those of `tree`, where they were those of `before`.
pub fn check_out(folder: &Path, before: &Tree, tree: &Tree) {
    for path in before.keys().filter(|path| before.get(*path) != tree.get(*path)) {
        let path = folder.join(path);
        fs::remove_file(&path).unwrap();
        let mut above = path.parent();
        while let Some(parent) = above.filter(|parent| *parent != folder && fs::remove_dir(parent).is_ok()) {
            above = parent.parent();
        }
    }
    for (path, entry) in tree.iter().filter(|(path, entry)| before.get(*path) != Some(entry)) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match entry {
            Entry::File(text, is_executable) => {
                fs::write(&path, text).unwrap();
                let mode = if *is_executable { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            Entry::Link(target) => symlink(target, &path).unwrap(),
        }
    }
}
