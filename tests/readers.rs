//! Who reads a file: through which line, as what, and that it is what the views say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/file_tree.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod file_tree;
#[path = "support/monorepo.rs"]
mod monorepo;
#[path = "support/view_case.rs"]
mod view_case;
#[path = "support/workspace.rs"]
mod workspace;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use imgraph::graph::dockerfiles::Dockerfiles;
use imgraph::graph::expand::{Wanted, expand};
use imgraph::graph::load::{self, load};
use imgraph::graph::node::Graph;
use imgraph::graph::readers::{Reading, readers};
use imgraph::graph::slice::{SliceRequest, slice};
use imgraph::graph::view::{ReadSources, ViewSpec};
use imgraph::source::snapshot::Snapshot;
use imgraph::types::environment::Environment;
use imgraph::types::ids::NodeId;
use imgraph::types::platform::Platform;
use imgraph::types::workspace_path::WorkspacePath;
use workspace::{Expanded, Workspace};

fn path(text: &str) -> WorkspacePath {
    WorkspacePath::root().resolve(text.as_bytes()).unwrap()
}

/// Each reader as a line: node, context, as what, `path:line`.
fn lines(graph: &Graph, snapshot: &Snapshot, file: &str) -> Vec<String> {
    let readers = readers(graph, snapshot, &path(file));
    let readers = readers.unwrap_or_else(|problems| panic!("{file}: {problems:#?}"));
    let line = |reader: imgraph::graph::readers::Reader| {
        let what = match &reader.reading {
            Reading::Variable(name) | Reading::Secret(name) => format!("{} {name}", reader.reading.word()),
            _ => reader.reading.word().to_owned(),
        };
        let context = if reader.context.is_empty() { "" } else { &format!(" as {}", reader.context) };
        format!("{}{context}: {what} ({})", graph.nodes[reader.node].name(), reader.place.path_line())
    };
    readers.into_iter().map(line).collect()
}

/// The workspace on which the cases are asked.
const SHOP: &str = r#"[workspace]
[vars]
REPO = "ghcr.io/acme"
PROFILE = { switch = "${MODE}", cases = { fast = "${FAST}" }, default = "x" }
MODE = "slow"
FAST = "1"
UNUSED = "2"

[defaults.image]
context = "//"
args = { PROFILE = "${PROFILE}" }

#--- .dockerignore
*.md
docs
#--- api/BUILD.toml
[image.api]
tags = ["${REPO}/api:1"]
contexts = { assets = { dir = "//assets" }, base = ":base" }
secrets = [{ id = "npm", file = "token.txt" }]
[base.base]
image = "debian:bookworm"
#--- api/Dockerfile
FROM base
ARG PROFILE
COPY api/src/ ./
COPY api/go.mod api/*.sum /
RUN --mount=type=bind,source=docs/api.md,target=/x --mount=type=secret,id=npm true
COPY --from=assets img/ /img/
#--- api/src/main.go
#--- api/src/README.md
#--- api/go.mod
#--- assets/img/logo.svg
#--- assets/.dockerignore
*.txt
#--- web/BUILD.toml
[image.web]
context = "."
inputs = ["src/**"]
[stage.nothing]
dockerfile = "nothing.dockerfile"
#--- web/Dockerfile
FROM scratch
COPY . .
#--- web/Dockerfile.dockerignore
!x
#--- web/nothing.dockerfile
FROM scratch
#--- web/src/index.html
#--- web/package.json
"#;

fn check(shop: &Expanded, file: &str, expected: &[&str]) {
    assert_eq!(lines(&shop.graph, &shop.snapshot, file), expected, "{file}");
}

#[test]
fn readers_are_named_with_the_line_through_which_they_read() {
    let on_disk = Workspace::of(SHOP).on_disk();
    let shop = on_disk.expand(&["//..."], &[]);
    check(&shop, "api/src/main.go", &["//api:api: content (api/Dockerfile:3)"]);
    check(&shop, "api/go.mod", &["//api:api: content (api/Dockerfile:4)"]);
    check(&shop, "api/src", &["//api:api: content (api/Dockerfile:3)"]);
    // `*.md` of an ignore file is of the context's root alone.
    check(&shop, "api/src/README.md", &["//api:api: content (api/Dockerfile:3)"]);
    check(&shop, "assets/img/logo.svg", &["//api:api as assets: content (api/Dockerfile:6)"]);
    check(&shop, "web/src/index.html", &["//web:web: content (web/Dockerfile:2)"]);
    check(&shop, "web/package.json", &[]);
    check(&shop, "api/token.txt", &["//api:api: secret npm (api/BUILD.toml:4)"]);
    check(&shop, "api/Dockerfile", &["//api:api: dockerfile (api/BUILD.toml:1)"]);
    check(&shop, ".dockerignore", &["//api:api: ignore-file (BUILD.toml:10)"]);
    check(&shop, "assets/.dockerignore", &["//api:api as assets: ignore-file (api/BUILD.toml:3)"]);
    check(&shop, "web/Dockerfile.dockerignore", &["//web:web: ignore-file (web/BUILD.toml:2)"]);
}

#[test]
fn a_build_file_is_read_for_what_is_taken_from_it() {
    let on_disk = Workspace::of(SHOP).on_disk();
    let shop = on_disk.expand(&["//..."], &[]);
    check(
        &shop,
        "api/BUILD.toml",
        &["//api:api: declaration (api/BUILD.toml:1)", "//api:base: declaration (api/BUILD.toml:5)"],
    );
    check(
        &shop,
        "BUILD.toml",
        &[
            "//api:api: defaults (BUILD.toml:10)",
            "//api:api: variable FAST (BUILD.toml:6)",
            "//api:api: variable MODE (BUILD.toml:5)",
            "//api:api: variable PROFILE (BUILD.toml:4)",
            "//api:api: variable REPO (BUILD.toml:3)",
            "//web:web: defaults (BUILD.toml:10)",
            "//web:web: variable FAST (BUILD.toml:6)",
            "//web:web: variable MODE (BUILD.toml:5)",
            "//web:web: variable PROFILE (BUILD.toml:4)",
        ],
    );
}

#[test]
fn of_a_file_that_is_not_there_it_is_said_who_would_read_it() {
    let on_disk = Workspace::of(SHOP).on_disk();
    let shop = on_disk.expand(&["//..."], &[]);
    check(&shop, "api/src/deep/er/new.go", &["//api:api: content (api/Dockerfile:3)"]);
    check(&shop, "api/go.sum", &["//api:api: content (api/Dockerfile:4)"]);
    check(&shop, "api/new.go", &[]);
    // It would come before the one that applies.
    check(&shop, "api/Dockerfile.dockerignore", &["//api:api: ignore-file (BUILD.toml:10)"]);
    check(&shop, "web/.dockerignore", &[]);
    check(&shop, "web/nothing.dockerfile.dockerignore", &[]);
    check(&shop, "docs/api.md", &[]);
}

#[test]
fn a_folder_is_read_by_who_reads_anything_in_it() {
    let on_disk = Workspace::of(SHOP).on_disk();
    let shop = on_disk.expand(&["//..."], &[]);
    check(
        &shop,
        "assets",
        &[
            "//api:api as assets: content (api/Dockerfile:6)",
            "//api:api as assets: ignore-file (api/BUILD.toml:3)",
        ],
    );
    let web = lines(&shop.graph, &shop.snapshot, "web");
    assert!(web.contains(&"//web:web: content (web/Dockerfile:2)".to_owned()), "{web:?}");
    let all = lines(&shop.graph, &shop.snapshot, "");
    assert!(all.contains(&"//web:web: content (web/Dockerfile:2)".to_owned()), "{all:?}");
    assert!(all.contains(&"//api:api: dockerfile (api/BUILD.toml:1)".to_owned()), "{all:?}");
}

#[test]
fn links_are_followed_as_readers_follow_them() {
    let text = "[workspace]\n[image.app]\ncontext = 'link'\ndockerfile = 'recipe'\n\
                #--- recipes/one\nFROM scratch\nCOPY x /\nCOPY in/y /\n\
                #--- real/x\n#--- real/in/z\n#--- real/other/y\n";
    let on_disk = Workspace::of(text).on_disk();
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, on_disk.path().join(at)).unwrap();
    link("real", "link");
    link("recipes/one", "recipe");
    link("../other/y", "real/in/y");
    let app = on_disk.expand(&["//:app"], &[]);
    for file in ["real/x", "link/x"] {
        check(&app, file, &["//:app: content (recipe:2)"]);
    }
    for file in ["real/in/y", "link/in/y", "real/other/y"] {
        check(&app, file, &["//:app: content (recipe:3)"]);
    }
    check(&app, "real/in/z", &[]);
    check(&app, "recipes/one", &["//:app: dockerfile (BUILD.toml:4)"]);
    check(&app, "recipe", &["//:app: dockerfile (BUILD.toml:4)"]);
    // Turned elsewhere, it gives the build other files, and maybe another ignore file.
    check(&app, "link", &["//:app: content (BUILD.toml:3)", "//:app: ignore-file (BUILD.toml:3)"]);
}

/// Every path below `folder` but folders, from `root`.
fn files(root: &Path, folder: &Path, found: &mut Vec<WorkspacePath>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_dir() && !entry.is_symlink() {
            files(root, &entry, found);
        } else {
            let below = entry.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            found.push(WorkspacePath::root().resolve(&below).unwrap());
        }
    }
}

/// Compares, for every file of a workspace, who reads it with the views of all targets. Gives how many
/// files somebody reads.
fn check_workspace(root: &Path) -> usize {
    let snapshot = Snapshot::of_disk(root).unwrap();
    let (set, environment) = (BTreeMap::new(), Environment::default());
    let loaded = load(&snapshot, &load::Options { set: &set, environment: &environment, version: "0.1.0" });
    let targets = loaded.select(&["//..."], &WorkspacePath::root().into()).unwrap();
    let build_platform: &Platform = &"linux/amd64".parse().unwrap();
    let (graph, _) = expand(&snapshot, &loaded, Wanted { targets: &targets, platforms: &[], build_platform });
    assert!(!graph.nodes.is_empty());
    let mut held: BTreeMap<WorkspacePath, BTreeSet<(NodeId, String)>> = BTreeMap::new();
    for (id, node) in graph.nodes.iter() {
        for (name, context) in node.build().iter().flat_map(|build| build.contexts()) {
            for entry in context.spec.paths(&snapshot).unwrap() {
                held.entry(context.spec.context.join(&entry)).or_default().insert((id, name.to_owned()));
            }
        }
    }
    let mut all = Vec::new();
    files(root, root, &mut all);
    let mut read = 0;
    for file in all {
        let found = readers(&graph, &snapshot, &file).unwrap();
        let content = found.into_iter().filter(|reader| reader.reading == Reading::Content);
        let found: BTreeSet<_> = content.map(|reader| (reader.node, reader.context)).collect();
        read += usize::from(!found.is_empty());
        assert_eq!(found, held.get(&file).cloned().unwrap_or_default(), "{file}");
    }
    read
}

#[test]
fn readers_are_those_whose_views_hold_the_file() {
    for seed in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let options = monorepo::Options {
            services: 25,
            files_per_service: 10,
            mean_file_bytes: 20,
            libraries: 4,
            seed,
            commit: false,
        };
        monorepo::generate(folder.path(), &options).unwrap();
        assert!(check_workspace(folder.path()) > 100);
    }
    for example in ["market", "quickstart"] {
        assert!(check_workspace(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example)) > 5);
    }
}

/// The specification of what a case of `tests/fixtures/views` reads.
fn spec_of(case: &view_case::ViewCase, snapshot: &Snapshot) -> Option<ViewSpec> {
    let dockerfiles = Dockerfiles::new(snapshot);
    let dockerfile = path(&case.dockerfile);
    let parsed = dockerfiles.dockerfile(&dockerfile).ok()?;
    let platform = "linux/amd64".parse().unwrap();
    let request = SliceRequest {
        stage: case.target.as_deref(),
        args: &case.args.iter().cloned().collect(),
        platform: &platform,
        build_platform: &platform,
        contexts: &BTreeSet::new(),
    };
    let slice = slice(&parsed.dockerfile, &request).ok()?;
    let sources =
        if slice.widened.is_some() { ReadSources::Whole } else { ReadSources::from(&slice.sources) };
    let ignore = dockerfiles.ignore_file(&WorkspacePath::root(), Some(&dockerfile)).ok()?.rules;
    Some(ViewSpec { context: WorkspacePath::root(), ignore, sources, inputs: None })
}

/// A file that is made in a folder of the case was said to be in the view exactly when it is.
fn check_new_file(case: &view_case::ViewCase, root: &Path, below: &WorkspacePath, name: &str) {
    let file = below.join_name(name.as_bytes());
    if fs::symlink_metadata(file.on_disk(root)).is_ok() {
        return;
    }
    let before = Snapshot::of_disk(root).unwrap();
    let Some(spec) = spec_of(case, &before) else { return };
    let Ok(said) = spec.holds(&before, &file) else { return };
    fs::write(file.on_disk(root), "").unwrap();
    let paths = spec.paths(&Snapshot::of_disk(root).unwrap());
    fs::remove_file(file.on_disk(root)).unwrap();
    if let Ok(paths) = paths {
        assert_eq!(said, paths.contains(&file), "{}: {file} if it were there", case.name);
    }
}

#[test]
fn one_path_is_asked_what_a_walk_asks() {
    let (mut held, mut asked) = (0, 0);
    for case in view_case::all() {
        let folder = tempfile::tempdir().unwrap();
        case.write(folder.path());
        let snapshot = Snapshot::of_disk(folder.path()).unwrap();
        let Some(spec) = spec_of(&case, &snapshot) else { continue };
        let Ok(paths) = spec.paths(&snapshot) else { continue };
        let mut all = Vec::new();
        files(folder.path(), folder.path(), &mut all);
        for file in &all {
            let found = spec.holds(&snapshot, file).unwrap();
            assert_eq!(found, paths.contains(file), "{}: {file}", case.name);
            held += usize::from(found);
            asked += 1;
        }
        let folders: BTreeSet<WorkspacePath> = all.iter().filter_map(WorkspacePath::parent).collect();
        for below in &folders {
            for name in ["new", "a", "b.txt", "x.go", "README.md"] {
                check_new_file(&case, folder.path(), below, name);
            }
        }
    }
    assert!(held > 100 && asked - held > 100, "{held} of {asked}");
}

#[test]
fn a_link_out_of_the_workspace_is_an_error() {
    let on_disk = Workspace::of("[workspace]\n[image.app]\n").on_disk();
    std::os::unix::fs::symlink("/etc", on_disk.path().join("out")).unwrap();
    let app = on_disk.expand(&["//:app"], &[]);
    let problems = readers(&app.graph, &app.snapshot, &path("out/passwd")).unwrap_err();
    assert_eq!(problems[0].message, "the link `out` points out of the workspace, at `/etc`");
}
