//! From texts to edges: which target a name in a Dockerfile means, and which files are read.
//!
//! An edge is written `NEEDED via NAME (FILE:LINE)`, with ` for PLATFORM` where that is not amd64.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use imgraph::cli::diagnostics::draw;
use imgraph::graph::edges::stand_in;
use imgraph::graph::expand::{Wanted, expand};
use imgraph::graph::load::Loaded;
use imgraph::graph::node::{Dependency, Graph, Role};
use imgraph::graph::node_views::NodeViews;
use imgraph::source::snapshot::Snapshot;
use imgraph::types::ids::NodeId;
use imgraph::types::label::Label;
use imgraph::types::platform::Platform;
use workspace::{Expanded, Workspace};

#[path = "support/workspace.rs"]
mod workspace;

/// What stands beside `//:app`, whose fields and Dockerfile are the case's.
const BESIDE: &str = r#"
[workspace]
name = "shop"
[stage.lib]
dockerfile = "lib.dockerfile"
[stage.other]
dockerfile = "lib.dockerfile"
[base.debian]
image = "debian:12"
[base.busybox]
image = "busybox"
[base.alpine]
image = "alpine:3@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
[base.ours]
dockerfile = "lib.dockerfile"
publishes = "ghcr.io/acme/ours"
[image.tagged]
dockerfile = "lib.dockerfile"
tags = ["ghcr.io/acme/tagged:1", "ghcr.io/acme/tagged:${source-key}"]
[image.two]
dockerfile = "lib.dockerfile"
tags = ["ghcr.io/acme/two:1"]
[image.both]
dockerfile = "lib.dockerfile"
tags = ["ghcr.io/acme/two:2", "ghcr.io/acme/ours:old"]
"#;

const FILES: &str = "#--- lib.dockerfile\nFROM scratch\n#--- assets/logo\nlogo\n#--- assets/.dockerignore\n";

fn app(fields: &str, dockerfile: &str) -> Expanded {
    let text = format!("{BESIDE}[image.app]\n{fields}\n{FILES}#--- Dockerfile\n{dockerfile}\n");
    Workspace::of(&text).on_disk().expand(&["//:app"], &[])
}

fn messages(expanded: &Expanded) -> Vec<String> {
    expanded.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect()
}

fn edge(graph: &Graph, dependency: &Dependency) -> String {
    let needed = &graph.nodes[dependency.node];
    let name = match &dependency.role {
        Role::Argument { name } => format!("argument {name}"),
        Role::Reference { name, .. } => name.clone(),
    };
    let platform = needed.platform.to_string();
    let platform = if platform == "linux/amd64" { String::new() } else { format!(" for {platform}") };
    format!("{} via {name} ({}){platform}", needed.name(), dependency.location.path_line())
}

fn node(graph: &Graph, label: &str) -> NodeId {
    graph.nodes.iter().find(|(_, node)| node.name() == label).unwrap().0
}

fn edges(graph: &Graph, label: &str) -> Vec<String> {
    graph.nodes[node(graph, label)].dependencies.iter().map(|needed| edge(graph, needed)).collect()
}

/// What is read of each context, as `NAME/PATH`; the main one's name is empty.
fn read(expanded: &Expanded, label: &str) -> Vec<String> {
    let views = NodeViews::new(&expanded.graph, &expanded.snapshot).unwrap();
    let id = node(&expanded.graph, label);
    let build = expanded.graph.nodes[id].build().unwrap();
    let paths = build.contexts().flat_map(|(name, _)| {
        views.view(id, name).entries.iter().map(move |entry| format!("{name}/{}", entry.path))
    });
    paths.collect()
}

const DIGEST: &str = "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn a_name_means_the_first_thing_that_has_it() {
    let label = |name: &str| stand_in(&Label::parse(name, &std::sync::Arc::default()).unwrap());
    let lib = format!("//:lib via {} (Dockerfile:2)", label("//:lib"));
    let two_platforms = "FROM --platform=linux/arm64 debian:12 AS b\nFROM debian:12\nCOPY --from=b x /x";
    let cases: &[(&str, &str, &[&str])] = &[
        // Named contexts.
        ("contexts = { dep = ':lib' }", "FROM dep", &["//:lib via dep (Dockerfile:1)"]),
        (
            "contexts = { dep = ':lib' }",
            "FROM scratch\nCOPY --from=dep a b",
            &["//:lib via dep (Dockerfile:2)"],
        ),
        (
            "contexts = { dep = ':lib' }",
            "FROM scratch\nRUN --mount=from=dep,target=/d true",
            &["//:lib via dep (Dockerfile:2)"],
        ),
        ("contexts = { dep = { image = 'debian:12' } }", "FROM dep", &["//:debian via dep (Dockerfile:1)"]),
        ("contexts = { dep = { image = 'fedora' } }", "FROM dep", &["fedora via dep (Dockerfile:1)"]),
        ("contexts = { dep = { dir = 'assets' } }", "FROM scratch\nCOPY --from=dep logo /", &[]),
        ("contexts = { dep = ':lib' }", "FROM scratch\nRUN echo dep", &[]),
        ("contexts = { dep = ':lib' }", "FROM dep AS unreached\nFROM scratch", &[]),
        (
            "contexts = { b = ':lib' }",
            "FROM debian:12 AS b\nFROM scratch\nCOPY --from=b x /x",
            &["//:lib via b (Dockerfile:1)"],
        ),
        ("contexts = { 'debian:12' = ':lib' }", "FROM debian:12", &["//:lib via debian:12 (Dockerfile:1)"]),
        // Arguments that are targets.
        (
            "args = { B = { target = ':lib' } }",
            "ARG B\nFROM $B",
            &[&lib, "//:lib via argument B (Dockerfile:1)"],
        ),
        (
            "args = { B = { target = ':lib' } }",
            "FROM scratch\nARG B",
            &["//:lib via argument B (Dockerfile:2)"],
        ),
        ("args = { B = { target = ':lib' } }", "FROM scratch AS a\nARG B\nFROM scratch", &[]),
        ("args = { B = { target = ':lib' } }", "ARG B\nFROM scratch", &[]),
        // Repositories that targets publish, or only tag.
        ("", "FROM ghcr.io/acme/ours", &["//:ours via ghcr.io/acme/ours (Dockerfile:1)"]),
        ("", "FROM ghcr.io/acme/ours:7", &["//:ours via ghcr.io/acme/ours:7 (Dockerfile:1)"]),
        ("", "FROM ghcr.io/acme/tagged:9", &["//:tagged via ghcr.io/acme/tagged:9 (Dockerfile:1)"]),
        ("", "ARG V=7\nFROM ghcr.io/acme/ours:$V", &["//:ours via ghcr.io/acme/ours:7 (Dockerfile:2)"]),
        // Declared and other images.
        ("", "FROM debian:12", &["//:debian via debian:12 (Dockerfile:1)"]),
        (
            "",
            "FROM docker.io/library/debian:12",
            &["//:debian via docker.io/library/debian:12 (Dockerfile:1)"],
        ),
        ("", "FROM busybox:latest", &["//:busybox via busybox:latest (Dockerfile:1)"]),
        ("", "FROM busybox", &["//:busybox via busybox (Dockerfile:1)"]),
        ("", "FROM alpine:3", &["//:alpine via alpine:3 (Dockerfile:1)"]),
        ("", "FROM debian:11", &["debian:11 via debian:11 (Dockerfile:1)"]),
        ("", "FROM scratch", &[]),
        // Platforms.
        (
            "",
            "FROM --platform=linux/arm64 debian:12",
            &["//:debian via debian:12 (Dockerfile:1) for linux/arm64"],
        ),
        (
            "platforms = ['linux/arm64']",
            "FROM --platform=$BUILDPLATFORM debian:12",
            &["//:debian via debian:12 (Dockerfile:1)"],
        ),
        (
            "",
            two_platforms,
            &[
                "//:debian via debian:12 (Dockerfile:1) for linux/arm64",
                "//:debian via debian:12 (Dockerfile:2)",
            ],
        ),
        // Stages that are not reached, and stages that hide images.
        ("", "FROM debian:12 AS unreached\nFROM scratch", &[]),
        ("", "FROM scratch AS busybox\nFROM busybox", &[]),
        ("target = 'a'", "FROM busybox AS a\nFROM debian:12", &["//:busybox via busybox (Dockerfile:1)"]),
    ];
    for (fields, dockerfile, expected) in cases {
        let expanded = app(fields, dockerfile);
        assert_eq!(messages(&expanded), Vec::<String>::new(), "{fields}\n{dockerfile}");
        assert_eq!(edges(&expanded.graph, "//:app"), *expected, "{fields}\n{dockerfile}");
    }
}

#[test]
fn a_digest_means_exactly_that_image() {
    let other = DIGEST.replace('a', "b").replace("shb256", "sha256");
    let cases = [
        (format!("ghcr.io/acme/ours{DIGEST}"), None),
        (format!("ghcr.io/acme/ours:1{DIGEST}"), None),
        (format!("alpine:3{DIGEST}"), Some("//:alpine")),
        (format!("alpine:3{other}"), None),
    ];
    for (reference, declared) in cases {
        let expanded = app("", &format!("FROM {reference}"));
        let expected = format!("{} via {reference} (Dockerfile:1)", declared.unwrap_or(&reference));
        assert_eq!(edges(&expanded.graph, "//:app"), [expected]);
    }
}

#[test]
fn every_node_stands_after_what_it_needs() {
    let text = r#"
[workspace]
name = "shop"
[image.a]
contexts = { next = ":b", last = ":c" }
[image.b]
contexts = { next = ":c", last = ":c" }
[image.c]
contexts = { next = ":d", last = ":d" }
[image.d]
dockerfile = "d.dockerfile"
platforms = ["linux/amd64", "linux/arm64"]
#--- Dockerfile
FROM next
COPY --from=last x /x
#--- d.dockerfile
FROM scratch
"#;
    let expanded = Workspace::of(text).on_disk().expand(&["//:all"], &[]);
    let graph = &expanded.graph;
    let place = |id: NodeId| graph.order.iter().position(|other| *other == id).unwrap();
    for (id, node) in graph.nodes.iter() {
        assert!(node.dependencies.iter().all(|needed| place(needed.node) < place(id)), "{}", node.name());
    }
    assert_eq!(graph.order.len(), graph.nodes.len());
    let roots: Vec<_> = graph.roots.iter().map(|id| graph.nodes[*id].name()).collect();
    assert_eq!(roots, ["//:a", "//:b", "//:c", "//:d", "//:d"]);
}

#[test]
fn each_wanted_platform_is_a_node() {
    let text = format!(
        "{BESIDE}[image.app]\nplatforms = ['linux/amd64', 'linux/arm64']\n{FILES}#--- Dockerfile\nFROM debian:12\n"
    );
    let disk = Workspace::of(&text).on_disk();
    let show = |platforms: &[Platform]| {
        let expanded = disk.expand(&["//:app"], platforms);
        let nodes = expanded.graph.nodes.values().iter();
        nodes.map(|node| format!("{} {}", node.name(), node.platform)).collect::<Vec<_>>()
    };
    let declared =
        ["//:app linux/amd64", "//:app linux/arm64", "//:debian linux/amd64", "//:debian linux/arm64"];
    assert_eq!(show(&[]), declared);
    assert_eq!(show(&["linux/s390x".parse().unwrap()]), ["//:app linux/s390x", "//:debian linux/s390x"]);
    let twice: Vec<Platform> =
        ["linux/amd64", "linux/x86_64"].iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(show(&twice), ["//:app linux/amd64", "//:debian linux/amd64"]);
}

#[test]
fn what_a_build_reads_is_what_its_slice_and_its_ignore_files_leave() {
    let tree = "#--- a/one\n1\n#--- a/two\n2\n#--- b\n3\n";
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("", "FROM scratch\nCOPY a/one b /", "", &["/a", "/a/one", "/b"]),
        ("", "FROM scratch AS x\nCOPY a /\nFROM scratch\nCOPY b /", "", &["/b"]),
        ("", "FROM scratch", "", &[]),
        ("", "FROM scratch\nCOPY a /", "#--- .dockerignore\na/two\n", &["/a", "/a/one"]),
        // The ignore file that is named after the Dockerfile hides the other.
        (
            "",
            "FROM scratch\nCOPY a /",
            "#--- .dockerignore\na/two\n#--- Dockerfile.dockerignore\na/one\n",
            &["/a", "/a/two"],
        ),
        ("inputs = ['a/**']", "FROM scratch\nCOPY a b* /", "", &["/a", "/a/one", "/a/two"]),
        ("context = 'a'", "FROM scratch\nCOPY . /", "", &["/one", "/two"]),
        // A folder that is a named context has an ignore file of its own, and that alone.
        (
            "contexts = { f = { dir = 'a' } }",
            "FROM scratch\nCOPY --from=f . /",
            "#--- .dockerignore\n**\n#--- Dockerfile.dockerignore\n**\n#--- a/.dockerignore\ntwo\n.*\n",
            &["f/one"],
        ),
        ("contexts = { f = { dir = 'a' } }", "FROM scratch\nCOPY --from=f two /", "", &["f/two"]),
        (
            "contexts = { f = { dir = 'a' } }",
            "FROM scratch\nCOPY --from=f two /\nRUN --mount=from=f,source=one,target=/m true",
            "",
            &["f/one", "f/two"],
        ),
        ("contexts = { f = { dir = 'a' } }", "FROM scratch\nCOPY b /", "", &["/b"]),
    ];
    for (fields, dockerfile, more, expected) in cases {
        let text =
            format!("{BESIDE}[image.app]\n{fields}\n{FILES}{tree}{more}#--- Dockerfile\n{dockerfile}\n");
        let expanded = Workspace::of(&text).on_disk().expand(&["//:app"], &[]);
        assert_eq!(read(&expanded, "//:app"), *expected, "{fields}\n{dockerfile}\n{more}");
    }
}

#[test]
fn triggers_of_a_base_widen_what_is_based_on_it() {
    let text = r#"
[workspace]
name = "shop"
[base.trigger]
dockerfile = "trigger.dockerfile"
[image.based]
dockerfile = "based.dockerfile"
contexts = { base = ":trigger" }
[image.grandchild]
dockerfile = "based.dockerfile"
contexts = { base = ":based" }
[image.copies]
dockerfile = "copies.dockerfile"
contexts = { base = ":trigger" }
[image.through-a-stage]
dockerfile = "stage.dockerfile"
args = { BASE = { target = ":trigger" } }
[image.apart]
dockerfile = "based.dockerfile"
contexts = { base = { image = "debian" } }
#--- trigger.dockerfile
FROM scratch
ONBUILD COPY a /
#--- based.dockerfile
FROM base
COPY b /
#--- copies.dockerfile
FROM scratch
COPY --from=base b /
COPY b /
#--- stage.dockerfile
ARG BASE
FROM $BASE AS first
FROM scratch
COPY --from=first x /
COPY b /
#--- .dockerignore
*.dockerfile
BUILD.toml
.dockerignore
Dockerfile
#--- a
#--- b
"#;
    let expanded = Workspace::of(text).on_disk().expand(&["//:all"], &[]);
    assert_eq!(messages(&expanded), Vec::<String>::new());
    for (label, expected) in [
        ("//:trigger", &[][..]),
        ("//:based", &["/a", "/b"]),
        ("//:grandchild", &["/b"]),
        ("//:copies", &["/b"]),
        ("//:through-a-stage", &["/a", "/b"]),
        ("//:apart", &["/b"]),
    ] {
        assert_eq!(read(&expanded, label), expected, "{label}");
    }
}

#[test]
fn what_cannot_be_is_told() {
    insta::assert_snapshot!("ambiguous", draw(&app("", "FROM ghcr.io/acme/two:3").diagnostics, false));
    insta::assert_snapshot!(
        "no_image_name",
        draw(&app("", "FROM scratch\nCOPY --from=Bad/Name a b").diagnostics, false)
    );
    insta::assert_snapshot!(
        "no_stage",
        draw(&app("target = 'buld'", "FROM scratch AS build").diagnostics, false)
    );
    insta::assert_snapshot!(
        "ignore_file",
        draw(
            &app(
                "contexts = { f = { dir = 'bad' } }",
                "FROM scratch\nCOPY --from=f . /\n#--- bad/.dockerignore\nfine\n["
            )
            .diagnostics,
            false
        )
    );
    let unused = app("args = { PROFLE = 'x' }", "FROM scratch\nARG PROFILE");
    assert_eq!(unused.graph.roots.len(), 1, "a warning does not stop anything");
    insta::assert_snapshot!("unused_argument", draw(&unused.diagnostics, false));
}

/// What is said of a target whose Dockerfile mounts secrets and agents, and whether it can be built.
fn mounts(fields: &str, mounts: &[&str]) -> (String, bool) {
    let run: String = mounts.iter().map(|mount| format!("RUN --mount=type={mount} true\n")).collect();
    let expanded = app(fields, &format!("FROM debian:12\n{run}"));
    (draw(&expanded.diagnostics, false), !expanded.graph.nodes.is_empty())
}

#[test]
fn mounts_of_what_nobody_gives_are_told_before_the_build() {
    let given = "secrets = [{ id = 'npm', env = 'NPM' }, { id = 'key', env = 'KEY' }]";
    for (fields, list, said, is_built) in [
        (given, &["secret,id=npm", "secret,id=key,required", "secret,target=/run/key"][..], "", true),
        // An unknown variable may be anything.
        (given, &["secret,id=$UNKNOWN,required"], "", true),
        (given, &["secret,required=false,id=npn"], "secret_misspelt", true),
        ("", &["secret,id=npm", "secret,id=npm,required=true"], "secret_required", false),
        (given, &["secret,id=a,required", "secret,id=b", "ssh,required"], "several_mounts", false),
        ("platforms = ['linux/amd64', 'linux/arm64']", &["ssh", "ssh,id=git"], "agents", true),
        ("ssh = ['default', { id = 'git', socket = '~/git' }]", &["ssh", "ssh,id=git,required"], "", true),
        ("ssh = ['gti']", &["ssh,id=$UNKNOWN,required", "ssh,id=git,required"], "agent_misspelt", false),
    ] {
        let (found, can_be_built) = mounts(fields, list);
        assert_eq!(can_be_built, is_built, "{list:?}: {found}");
        if said.is_empty() {
            assert_eq!(found, "", "{list:?}");
        } else {
            insta::assert_snapshot!(said, found);
        }
    }
    let foreign = app("", "# syntax=acme/other\nFROM scratch\nRUN --mount=type=ssh,required true");
    assert_eq!(messages(&foreign), Vec::<String>::new());
}

/// A mistake in a Dockerfile that several targets share is told once.
#[test]
fn a_mistake_is_told_once() {
    let text = "[workspace]\nname = 'shop'\n[image.a]\n[image.b]\n#--- Dockerfile\nFROM scratch\nCOPPY a b\n";
    assert_eq!(Workspace::of(text).on_disk().expand(&["//:all"], &[]).diagnostics.len(), 1);
}

#[test]
fn a_group_is_not_built_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("BUILD.toml"), "[workspace]\nname = 'shop'\n[group.g]\ntargets = []\n")
        .unwrap();
    let snapshot = Snapshot::of_disk(folder.path()).unwrap();
    let loaded: Loaded = Workspace::of("[workspace]\nname = 'shop'\n[group.g]\ntargets = []\n").load();
    let group: Vec<_> = loaded.targets.ids().collect();
    let build_platform: &Platform = &"linux/amd64".parse().unwrap();
    let (graph, problems) =
        expand(&snapshot, &loaded, Wanted { targets: &group, platforms: &[], build_platform });
    assert!(graph.nodes.is_empty());
    insta::assert_snapshot!("group", draw(&problems, false));
}

/// Targets in packages of their own, each based on the one that it names.
fn circle(needs: &[(&str, &str)]) -> String {
    let mut text = "[workspace]\nname = 'shop'\n".to_owned();
    for (name, needed) in needs {
        text.push_str(&format!(
            "#--- {name}/BUILD.toml\n[image.{name}]\ncontexts = {{ next = '//{needed}' }}\n#--- {name}/Dockerfile\n# The next.\nFROM next\n"
        ));
    }
    let expanded = Workspace::of(&text).on_disk().expand(&["//..."], &[]);
    assert!(expanded.graph.nodes.is_empty(), "a graph has no cycle");
    draw(&expanded.diagnostics, false)
}

#[test]
fn a_trigger_that_reads_from_elsewhere_makes_no_edge_and_is_refused() {
    let text = "[workspace]\n[base.parent]\ndockerfile = \"parent.dockerfile\"\n\
                [image.lib]\ndockerfile = \"lib.dockerfile\"\ntags = [\"acme/lib:1\"]\n\
                [image.child]\ndockerfile = \"child.dockerfile\"\ncontexts = { parent = \":parent\" }\n\
                [image.copier]\ndockerfile = \"copier.dockerfile\"\ncontexts = { parent = \":parent\" }\n\
                #--- parent.dockerfile\nFROM scratch\nONBUILD RUN make\nONBUILD COPY --from=acme/lib:1 /l /l\n\
                #--- lib.dockerfile\nFROM scratch\n\
                #--- copier.dockerfile\nFROM scratch\nCOPY --from=parent / /\n\
                #--- child.dockerfile\n# Based on it.\nFROM parent\n";
    let expanded = Workspace::of(text).on_disk().expand(&["//:child"], &[]);
    assert!(expanded.graph.nodes.is_empty(), "what is wrong is not built");
    insta::assert_snapshot!("trigger_from_elsewhere", draw(&expanded.diagnostics, false));
    assert_eq!(messages(&Workspace::of(text).on_disk().expand(&["//:copier"], &[])), Vec::<String>::new());
}

#[test]
fn a_circle_is_told_with_every_label_and_place() {
    insta::assert_snapshot!("circle_of_one", circle(&[("a", "a")]));
    insta::assert_snapshot!("circle_of_two", circle(&[("a", "b"), ("b", "a")]));
    insta::assert_snapshot!("circle_of_three", circle(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]));
    insta::assert_snapshot!("two_circles", circle(&[("a", "b"), ("b", "a"), ("x", "y"), ("y", "x")]));
}

#[test]
fn a_circle_through_a_name_says_whose_name_it_is() {
    let circle = |fields: &str, from: &str| draw(&app(fields, &format!("FROM {from}\n")).diagnostics, false);
    insta::assert_snapshot!(
        "circle_through_a_tag",
        circle("tags = ['acme/base:1', 'acme/base:${source-key}']", "acme/base:1")
    );
    insta::assert_snapshot!(
        "circle_through_publishes",
        circle("publishes = 'ghcr.io/acme/base'\ntags = ['acme/base:1']", "ghcr.io/acme/base:7")
    );
    // The way out that the help names.
    assert_eq!(circle("tags = ['acme/base:1']", &format!("acme/base:1{DIGEST}")), "");
    let context = circle("contexts = { 'acme/base' = ':app' }\ntags = ['acme/base:1']", "acme/base");
    assert!(context.contains("//:app needs itself") && !context.contains("because of"), "{context}");
}
