//! What a change touches, compared with what a run says that reads everything.
//!
//! Trees are edited at random. After each edit the targets that are said to be touched, and those alone,
//! may have other keys than before; and a load of nothing but their part gives the keys of a whole load.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/extremes.rs"]
mod extremes;
#[path = "support/monorepo.rs"]
mod monorepo;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use imgraph::cache::folder::CacheFolder;
use imgraph::cache::view_listing;
use imgraph::engine::parts::{Parts, Touched};
use imgraph::graph::expand::{Wanted, expand};
use imgraph::graph::key::Keyed;
use imgraph::graph::load::{self, Loaded};
use imgraph::graph::node::Graph;
use imgraph::graph::node_views::NodeViews;
use imgraph::source::looks::Looks;
use imgraph::source::snapshot::Snapshot;
use imgraph::types::environment::Environment;
use imgraph::types::platform::Platform;
use imgraph::types::workspace_path::WorkspacePath;

/// So long after an edit a file counts as settled, on every file system.
const SETTLED: Duration = Duration::from_millis(3100);
const TREES: usize = 30;
const EDITS: usize = 14;
const SERVICES: usize = 14;

/// The source key of each target, or everything that is wrong.
type Keys = Result<BTreeMap<String, String>, Vec<String>>;

/// A workspace that was looked at.
struct Seen {
    loaded: Loaded,
    graph: Graph,
    views: NodeViews,
    keys: BTreeMap<String, String>,
}

fn see(snapshot: &Snapshot, patterns: &[String], touched: Option<&Touched>) -> Result<Seen, Vec<String>> {
    let said = |found: Vec<imgraph::types::diagnostic::Diagnostic>| {
        found.into_iter().map(|problem| problem.message).collect::<Vec<String>>()
    };
    let given =
        load::Options { set: &BTreeMap::new(), environment: &Environment::default(), version: "0.1.0" };
    let loaded = match touched {
        Some(touched) => load::load_part(snapshot, &given, &touched.part),
        None => load::load(snapshot, &given),
    };
    if !loaded.diagnostics.is_empty() {
        return Err(said(loaded.diagnostics));
    }
    let targets = loaded.select(patterns, &WorkspacePath::root().into()).map_err(said)?;
    let build_platform: &Platform = &"linux/amd64".parse().unwrap();
    let (graph, found) =
        expand(snapshot, &loaded, Wanted { targets: &targets, platforms: &[], build_platform });
    if !found.is_empty() {
        return Err(said(found));
    }
    let views = NodeViews::new(&graph, snapshot).map_err(said)?;
    let missing = imgraph::graph::missing_sources::check(&graph, &views, snapshot);
    if !missing.is_empty() {
        return Err(said(missing));
    }
    let keys = Keyed { graph: &graph, views: &views }.source_keys();
    let keys = graph.nodes.iter().map(|(id, node)| (node.name(), keys[id].to_string())).collect();
    Ok(Seen { loaded, graph, views, keys })
}

fn everything() -> Vec<String> {
    vec!["//...".to_owned()]
}

/// A workspace, and what was kept of a run that looked at everything.
struct Trial {
    folder: tempfile::TempDir,
    index: Vec<u8>,
    looks: Looks,
    parts: Parts,
    before: BTreeMap<String, String>,
}

impl Trial {
    fn new(folder: tempfile::TempDir) -> Self {
        Self::of(folder, &everything()).expect("all of it is settled")
    }

    /// A look at what `patterns` name; `None` where nothing can be leaned on.
    fn of(folder: tempfile::TempDir, patterns: &[String]) -> Option<Self> {
        let root = folder.path().join("w");
        let snapshot = Snapshot::of_disk(&root).unwrap();
        let seen = see(&snapshot, patterns, None).unwrap();
        let (looks, index) = snapshot.looks()?;
        let parts = Parts::of(&seen.graph, &seen.views, &seen.loaded, &snapshot).unwrap();
        let cache = CacheFolder::new(&folder.path().join("cache"));
        for (id, node) in seen.graph.nodes.iter() {
            for (name, _) in node.build().iter().flat_map(|build| build.contexts()) {
                let view = seen.views.view(id, name);
                view_listing::store(&cache, &view.digest, &view.entries).unwrap();
            }
        }
        Some(Self { folder, index, looks, parts, before: seen.keys })
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("w")
    }

    /// What is touched, by a snapshot of the files as they are.
    fn touched(&self) -> Option<(Snapshot, Touched)> {
        let (snapshot, _) = Snapshot::with_index(&self.root(), self.index.clone()).unwrap();
        let changes = snapshot.changes_since(&self.looks)?;
        let cache = CacheFolder::new(&self.folder.path().join("cache"));
        let touched = self.parts.touched(&changes, &cache)?;
        Some((snapshot, touched))
    }

    /// Whether a part was enough.
    fn check(&self, edits: &[String]) -> bool {
        let after: Keys =
            see(&Snapshot::of_disk(&self.root()).unwrap(), &everything(), None).map(|seen| seen.keys);
        let Some((snapshot, touched)) = self.touched() else { return false };
        let part = see(&snapshot, &touched.roots, Some(&touched)).map(|seen| seen.keys);
        match (after, part) {
            (Ok(after), Ok(part)) => {
                let expected: BTreeMap<String, String> =
                    self.before.clone().into_iter().chain(part).collect();
                assert_eq!(after, expected, "{edits:?}");
            }
            (after, part) => assert_eq!(after.err(), part.err(), "{edits:?}"),
        }
        true
    }
}

/// A file or folder of the tree, at random.
fn pick(root: &Path, random: &mut Random, folders: bool) -> PathBuf {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                pending.push(entry.path());
            }
            if kind.is_dir() == folders && !kind.is_symlink() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    // What is shared or parsed touches everything: most edits are to be of something else.
    let is_small = |path: &PathBuf| {
        let is_source = folders || path.extension().is_some_and(|extension| extension == "rs");
        is_source && !path.starts_with(root.join("docker"))
    };
    if random.below(20) > 0 {
        found.retain(is_small);
    }
    found[random.below(found.len())].clone()
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) as usize % limit
    }
}

/// Files that decide more than one view.
const DECIDING: [(&str, &str); 4] = [
    ("BUILD.toml", "wrong = 1\n"),
    (".gitignore", "*\n"),
    (".dockerignore", "**\n"),
    ("Dockerfile.dockerignore", "**\n"),
];

/// Edits one thing, and says what it did, and what came into being.
fn edit(root: &Path, random: &mut Random) -> (String, Option<PathBuf>) {
    let what = random.below(18);
    let (file, folder) = (pick(root, random, false), pick(root, random, true));
    let mut made = None;
    match what {
        0..=3 => {
            let mut bytes = fs::read(&file).unwrap();
            bytes.push(b'\n');
            fs::write(&file, bytes).unwrap();
        }
        4 => {
            let bytes = fs::read(&file).unwrap();
            fs::write(&file, bytes).unwrap();
        }
        5..=7 => {
            let path = folder.join(format!("another-{}.rs", random.below(100)));
            fs::write(&path, "other").unwrap();
            made = Some(path);
        }
        8 | 17 => {
            let (name, text) = DECIDING[random.below(DECIDING.len())];
            // Where packages are, more is decided.
            let folder = if random.below(2) == 0 { &*folder } else { file.ancestors().nth(2).unwrap() };
            if !folder.join(name).exists() {
                made = Some(folder.join(name));
                fs::write(folder.join(name), text).unwrap();
            }
        }
        9 => fs::remove_file(&file).unwrap(),
        10 => fs::rename(&file, file.with_extension("moved.rs")).unwrap(),
        11 => {
            let next = file.with_extension("next");
            fs::write(&next, "replaced").unwrap();
            fs::rename(&next, &file).unwrap();
        }
        12 => fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap(),
        13 => fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap(),
        14 if !folder.join("inner").exists() => {
            fs::create_dir(folder.join("inner")).unwrap();
            fs::write(folder.join("inner/one.rs"), "one").unwrap();
            made = Some(folder.join("inner"));
        }
        15 if !folder.join("pointer").exists() => {
            symlink("src", folder.join("pointer")).unwrap();
            made = Some(folder.join("pointer"));
        }
        16 if random.below(3) == 0 => {
            // A text that is parsed for some targets, and copied by another.
            let path = root.join("docker/libraries.dockerfile");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text + "ENV MORE=1\n").unwrap();
        }
        _ => {
            fs::write(folder.join("gone.rs"), "").unwrap();
            fs::remove_file(folder.join("gone.rs")).unwrap();
        }
    }
    (format!("{what} {} {}", file.display(), folder.display()), made)
}

fn generate(number: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("w");
    let seed = number as u64;
    let options = monorepo::Options {
        services: SERVICES,
        files_per_service: 6,
        mean_file_bytes: 60,
        libraries: 5,
        seed,
        commit: false,
    };
    monorepo::generate(&root, &options).unwrap();
    // What targets of other packages speak of: an alias, variables, a context that no stage reaches.
    monorepo::write(
        &root.join("extra/BUILD.toml"),
        "[vars]\nEXTRA = { default = \"1\" }\n\
         [image.extra]\ncontext = \".\"\nargs = { EXTRA = \"${EXTRA}\" }\n\
         contexts = { old = \"//extra:old\", unused = \"//services/svc-0001\" }\n\
         [image.recipes]\ncontext = \"//docker\"\ndockerfile = \"recipes.dockerfile\"\n",
    )
    .unwrap();
    monorepo::write(
        &root.join("extra/Dockerfile"),
        "FROM scratch\nARG EXTRA\nENV EXTRA=$EXTRA\nCOPY --from=old /out /\nCOPY link/*.rs data* /\n",
    )
    .unwrap();
    let recipes = "FROM scratch\nCOPY libraries.dockerfile /\n";
    monorepo::write(&root.join("extra/recipes.dockerfile"), recipes).unwrap();
    let alias = "[alias]\n\"//extra:old\" = \"//docker:lib-00\"\n";
    monorepo::write(&root.join("names/BUILD.toml"), alias).unwrap();
    monorepo::write(&root.join("extra/files/one.rs"), "1").unwrap();
    monorepo::write(&root.join("extra/data"), "2").unwrap();
    symlink("files", root.join("extra/link")).unwrap();
    folder
}

#[test]
fn what_is_not_touched_is_as_it_was() {
    let folders: Vec<tempfile::TempDir> = (0..TREES).map(generate).collect();
    thread::sleep(SETTLED);
    let mut by_parts = 0;
    for (number, folder) in folders.into_iter().enumerate() {
        let trial = Trial::new(folder);
        assert!(trial.check(&[]), "nothing was edited");
        let mut random = Random(number as u64);
        let mut edits = Vec::new();
        for _ in 0..EDITS {
            let (what, made) = edit(&trial.root(), &mut random);
            edits.push(what);
            if trial.check(&edits) {
                by_parts += 1;
                continue;
            }
            // What touches everything goes on to do so, unless it goes away.
            match made {
                Some(folder) if folder.is_dir() && !folder.is_symlink() => {
                    fs::remove_dir_all(folder).unwrap();
                }
                Some(file) => fs::remove_file(file).unwrap(),
                None => break,
            }
        }
    }
    assert!(by_parts > TREES * 3, "only {by_parts} edits were looked at by parts");
}

/// A workspace of small services, each with a file `x` that differs.
fn small(more: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| monorepo::write(&folder.path().join("w").join(path), text).unwrap();
    write("BUILD.toml", "[workspace]\n");
    for name in ["a", "b", "c", "d", "e"] {
        write(&format!("{name}/BUILD.toml"), &format!("[image.{name}]\n"));
        write(&format!("{name}/Dockerfile"), "FROM scratch\nCOPY x /\n");
        write(&format!("{name}/x"), name);
    }
    more.iter().for_each(|(path, text)| write(path, text));
    folder
}

#[test]
fn what_decides_more_than_a_view_touches_everything() {
    let keyed = "tags = [\"e.test/one:${source-key}\"]\n";
    let clashing =
        [("a/BUILD.toml", format!("[image.a]\n{keyed}")), ("b/BUILD.toml", format!("[image.b]\n{keyed}"))];
    let clashing: Vec<(&str, &str)> = clashing.iter().map(|(path, text)| (*path, text.as_str())).collect();
    type Case<'c> = (&'c str, tempfile::TempDir, &'c str, fn(&Path), bool);
    let cases: Vec<Case<'_>> = vec![
        ("a file", small(&[]), "//a", |root| fs::write(root.join("a/x"), "other").unwrap(), true),
        (
            "a file that nobody reads",
            small(&[]),
            "//a",
            |root| fs::write(root.join("a/y"), "").unwrap(),
            true,
        ),
        // All targets are loaded, whatever is asked for.
        (
            "another target's Dockerfile is gone",
            small(&[]),
            "//a",
            |root| fs::remove_file(root.join("b/Dockerfile")).unwrap(),
            false,
        ),
        // Two that differ in nothing but a file may come to have one key, and so one name.
        (
            "a name that two may have",
            small(&clashing),
            "//...",
            |root| fs::write(root.join("a/x"), "b").unwrap(),
            false,
        ),
    ];
    let dangling = small(&[]);
    symlink("../elsewhere", dangling.path().join("w/a/.dockerignore")).unwrap();
    thread::sleep(SETTLED);
    for (what, folder, pattern, edit, by_parts) in cases {
        let trial = Trial::of(folder, &[pattern.to_owned()]).expect("all of it is settled");
        edit(&trial.root());
        assert_eq!(trial.touched().is_some(), by_parts, "{what}");
    }
    assert!(Trial::of(dangling, &["//a".to_owned()]).is_none(), "a link that leads nowhere may come to lead");
}
