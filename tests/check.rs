//! What `imgraph check` finds: for each lint something that it finds, and something near that it must not.
//!
//! A workspace is a text as `support/workspace.rs` reads it; what is expected is `code path:line` for each
//! finding.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use imgraph::export::findings::lints_markdown;
use imgraph::graph::check::{Checked, Finding, check as check_workspace};
use imgraph::graph::expand::{Wanted, expand_to_look_at};
use imgraph::graph::lint;
use imgraph::graph::load::{Options, load};
use imgraph::graph::node_views::NodeViews;
use imgraph::source::snapshot::Snapshot;
use imgraph::types::environment::Environment;
use imgraph::types::platform::Platform;
use imgraph::types::workspace_path::WorkspacePath;
use workspace::Workspace;

#[path = "support/workspace.rs"]
mod workspace;

/// What is found in the workspace `text`.
fn findings(text: &str, patterns: &[&str]) -> Vec<Finding> {
    let on_disk = Workspace::of(text).on_disk();
    let snapshot = Snapshot::of_disk(on_disk.path()).unwrap();
    let environment = Environment::default();
    let options = Options { set: &BTreeMap::new(), environment: &environment, version: "0.1.0" };
    let loaded = load(&snapshot, &options);
    let said: Vec<_> = loaded.diagnostics.iter().map(|diagnostic| &diagnostic.message).collect();
    assert!(!loaded.has_errors(), "{text}: {said:?}");
    let targets = loaded.select(patterns, &Arc::new(WorkspacePath::root())).unwrap();
    let build_platform: Platform = "linux/amd64".parse().unwrap();
    let wanted = Wanted { targets: &targets, platforms: &[], build_platform: &build_platform };
    let (graph, problems) = expand_to_look_at(&snapshot, &loaded, wanted);
    assert!(!graph.nodes.is_empty(), "{text}: {problems:?}");
    let views = NodeViews::new(&graph, &snapshot).unwrap();
    check_workspace(Checked { snapshot: &snapshot, loaded: &loaded, graph: &graph, views: &views })
}

fn shown(finding: &Finding) -> String {
    let place = &finding.diagnostic.annotations[0].location;
    format!("{} {}", finding.lint, place.path_line())
}

/// Asserts what is found in a workspace whose root holds `text`, less the codes in `besides`.
fn check_but(text: &str, besides: &[&str], expected: &[&str]) {
    let found = findings(&format!("[workspace]\n{text}"), &["//..."]);
    let found = found.iter().filter(|finding| !besides.contains(&finding.lint.code));
    let found: Vec<String> = found.map(shown).collect();
    assert_eq!(found, expected, "{text}");
}

fn check(text: &str, expected: &[&str]) {
    check_but(text, &[], expected);
}

/// Asserts the codes that are found in one Dockerfile, with their lines, whatever its bases are.
fn check_dockerfile(text: &str, expected: &[&str]) {
    let workspace = format!("[workspace]\n[image.app]\n#--- f\n#--- Dockerfile\n{text}");
    let besides = ["unpinned-base", "latest-tag", "missing-ignore-file"];
    let found = findings(&workspace, &["//..."]);
    let found = found.iter().filter(|finding| !besides.contains(&finding.lint.code));
    let found: Vec<String> = found.map(|found| shown(found).replace("Dockerfile:", "")).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn casing() {
    check_dockerfile("FROM a AS Build\nCOPY f /\n", &["stage-name-casing 1"]);
    check_dockerfile("FROM a AS build\nCOPY f /\n", &[]);
    check_dockerfile("FROM a as b\n", &["as-casing 1"]);
    check_dockerfile("from a AS b\n", &["as-casing 1"]);
    check_dockerfile("from a as b\n", &[]);
    check_dockerfile("FROM a\nrun b\nRUN c\n", &["instruction-casing 2"]);
    check_dockerfile("from a\nrun b\nRun c\n", &["instruction-casing 3"]);
    check_dockerfile("from a\nrun b\n", &[]);
    check_dockerfile("FROM a\nEXPOSE 53/UDP 80/tcp\n", &["protocol-casing 2"]);
    check_dockerfile("FROM a\nARG P=TCP\nEXPOSE 53/udp 80 80/$P\n", &[]);
}

#[test]
fn single_instructions() {
    check_dockerfile("FROM a\nEXPOSE 127.0.0.1:80:80 8080:80\n", &["exposed-address 2", "exposed-address 2"]);
    check_dockerfile("FROM a\nEXPOSE 8000-8010 80/tcp\n", &[]);
    check_dockerfile("FROM a\nRUN b \\\n\n  c\n", &["empty-continuation 3"]);
    check_dockerfile("FROM a\nRUN b \\\n# said\n  c\n\nRUN d\n", &[]);
    check_dockerfile("FROM a\nRUN <<E\nb \\\n\nc\nE\n", &[]);
    check_dockerfile("# escape=`\nFROM a\nRUN b `\n\n  c\n", &["empty-continuation 4"]);
    check_dockerfile("FROM a\nENV A b c\nLABEL d e\n", &["legacy-key-value 2", "legacy-key-value 3"]);
    check_dockerfile("FROM a\nENV A=\"b c\" B=\"d e\"\n", &[]);
    check_dockerfile("FROM a\nMAINTAINER b\n", &["deprecated-maintainer 2"]);
    check_dockerfile("FROM a\nCMD b\n", &["shell-form 2"]);
    check_dockerfile("FROM a\nENTRYPOINT b\nCMD [ \"c\" ]\n", &["shell-form 2"]);
    check_dockerfile("FROM a AS s\nSHELL [\"/bin/b\"]\nFROM s\nCMD c\n", &[]);
    check_dockerfile("FROM a\nCMD [\"b\"]\nRUN c\nCMD [\"d\"]\n", &["repeated-instruction 2"]);
    check_dockerfile("FROM a AS s\nCMD [\"b\"]\nFROM s\nCMD [\"d\"]\n", &[]);
    check_dockerfile("FROM a\nWORKDIR b\nWORKDIR c\n", &["relative-workdir 2"]);
    check_dockerfile("FROM a AS s\nWORKDIR /b\nFROM s\nWORKDIR c\n", &[]);
    check_dockerfile("FROM a\nARG D=/b\nWORKDIR $D/c\n", &[]);
}

#[test]
fn from_lines() {
    check_dockerfile("FROM a AS s\nFROM b AS S\n", &["stage-name-casing 2", "duplicate-stage 2"]);
    check_dockerfile("FROM a AS s\nFROM b AS t\n", &[]);
    check_dockerfile("FROM a AS context\n", &["reserved-stage 1"]);
    check_dockerfile("FROM scratch AS contexts\n", &[]);
    check_dockerfile("ARG TAG=1\nFROM a:1$TGA\n", &["undefined-base-argument 2"]);
    check_dockerfile("ARG TAG\nFROM --platform=$BUILDPLATFORM a:1$TAG\n", &[]);
    check_dockerfile("FROM --platform=$TARGETPLATFORM a\n", &["redundant-platform 1"]);
    check_dockerfile("FROM --platform=linux/amd64 a\n", &["constant-platform 1"]);
    check_dockerfile("FROM --platform=linux/amd64 a AS of-amd64\n", &[]);
    let needs_tag = |default: &str| {
        format!("[image.app]\nargs = {{ TAG = '1' }}\n#--- Dockerfile\nARG TAG{default}\nFROM a:$TAG\n")
    };
    let besides = ["unpinned-base"];
    check_but(&needs_tag(""), &besides, &["invalid-default-base Dockerfile:2"]);
    check_but(&needs_tag("=2"), &besides, &[]);
}

#[test]
fn variables() {
    check_dockerfile("FROM scratch\nCOPY $NOPE f /\n", &["undefined-variable 2"]);
    check_dockerfile("FROM scratch\nARG NOPE\nCOPY $NOPE f /\nENV PATH=$PATH:/a\n", &[]);
    check_dockerfile("FROM scratch\nLABEL a=${NOPE:-b} c='$NOPE'\n", &[]);
    check_dockerfile("FROM a\nLABEL a=$NOPE\n", &[]);
    check_dockerfile("FROM a\nARG VERSION=1\nLABEL a=$VERSOIN\n", &["undefined-variable 3"]);
    check_dockerfile("FROM a\nLABEL a=$VERSION\nARG VERSION=1\n", &[]);
    check_dockerfile(
        "ARG A=1\nFROM a\nLABEL a=$A b=$TARGETARCH\n",
        &["undefined-variable 3", "undefined-variable 3"],
    );
    check_dockerfile("ARG A=1\nFROM a\nARG A TARGETARCH\nLABEL a=$A b=$TARGETARCH\n", &[]);
    check_dockerfile("FROM a AS s\nENV WORD=1\nFROM s\nLABEL a=$WORD\n", &[]);
}

#[test]
fn names_of_secrets() {
    check_dockerfile("FROM a\nARG NPM_TOKEN\n", &["secret-in-argument 2"]);
    check_dockerfile(
        "ARG PASSWORD=x\nFROM a\nENV DB_PASSWORD=x\n",
        &["secret-in-argument 1", "secret-in-argument 3"],
    );
    check_dockerfile("FROM a\nARG PUBLIC_KEY\nENV TOKENIZER=x\n", &[]);
    let given =
        |field: &str| format!("[image.app]\n{field}\n#--- Dockerfile\nFROM scratch\nARG NPM_TOKEN=\n");
    let expected = ["secret-in-argument BUILD.toml:3", "secret-in-argument Dockerfile:2"];
    check(&given("args = { NPM_TOKEN = 'x' }"), &expected);
    check(&given("stamp = { NPM_TOKEN = 'x' }"), &expected);
    check(&given(""), &expected[1..]);
}

#[test]
fn mounted_secrets() {
    let mounts = |fields: &str, options: &str| {
        let run = format!("FROM scratch\nRUN --mount=type=secret,id=npm{options} true\n");
        format!("[image.app]\n{fields}\n#--- Dockerfile\n{run}")
    };
    check(&mounts("", ""), &["secret-not-given Dockerfile:2"]);
    check(&mounts("", ",required=true"), &["secret-required Dockerfile:2"]);
    check(&mounts("secrets = [{ id = 'npm', env = 'NPM' }]", ""), &[]);
    check(
        &mounts("secrets = [{ id = 'npm', env = 'A' }, { id = 'nmp', env = 'B' }]", ""),
        &["unused-secret BUILD.toml:3"],
    );
    let default = "[defaults.image]\nsecrets = [{ id = 'other', env = 'A' }, { id = 'npm', env = 'B' }]\n";
    check(&mounts("", "").replace("[image.app]", &format!("{default}[image.app]")), &[]);
    let agent = |options: &str| {
        format!("[image.app]\n#--- Dockerfile\nFROM scratch\nRUN --mount=type=ssh{options} true\n")
    };
    check(&agent(""), &["agent-not-given Dockerfile:2"]);
    check(&agent(",required=true"), &["agent-required Dockerfile:2"]);
    let given =
        |ssh: &str| agent(",required").replace("[image.app]\n", &format!("[image.app]\nssh = [{ssh}]\n"));
    check(&given("'default'"), &[]);
    check(&given("'default', 'other'"), &["unused-agent BUILD.toml:3"]);
    let default = "[defaults.image]\nssh = ['other', 'default']\n[image.app]";
    check(&agent("").replace("[image.app]", default), &[]);
}

#[test]
fn images_from_elsewhere() {
    let digest = "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let from = |image: &str| format!("[image.app]\n#--- Dockerfile\nFROM {image}\n");
    check(&from("debian:12"), &["unpinned-base Dockerfile:1"]);
    check(&from("debian"), &["latest-tag Dockerfile:1"]);
    check(&from("debian:latest"), &["latest-tag Dockerfile:1"]);
    check(&from(&format!("debian:12{digest}")), &[]);
    check(&from(&format!("debian{digest}")), &[]);
    check(&from("scratch"), &[]);
    // A base that a target declares is told where it is declared, once.
    let declared = |image: &str| format!("[base.b]\nimage = '{image}'\n[image.c]\n{}", from("debian:12"));
    check(&declared("debian:12"), &["unpinned-base BUILD.toml:3"]);
    check(&declared(&format!("debian:12{digest}")), &[]);
    let context = "[image.app]\ncontexts = { d = { image = 'debian:12' } }\n#--- Dockerfile\nFROM d\n";
    check(context, &["unpinned-base BUILD.toml:3"]);
    let add =
        |flag: &str| format!("[image.app]\n#--- Dockerfile\nFROM scratch\nADD {flag}https://a.example/b /\n");
    check(&add(""), &["unpinned-remote Dockerfile:2"]);
    check(&add(&format!("--checksum={} ", &digest[1..])), &[]);
}

#[test]
fn names_that_are_nearly_right() {
    let copy = |name: &str| {
        format!(
            "[image.app]\n#--- Dockerfile\nFROM scratch AS builder\nFROM scratch\nCOPY --from={name} / /\n"
        )
    };
    check(&copy("bulider"), &["misspelt-name Dockerfile:3"]);
    check(&copy("builder"), &[]);
    check(&copy("busybox"), &["latest-tag Dockerfile:3"]);
    let publishes = |image: &str| {
        let targets = "[base.b]\ndockerfile = 'b'\npublishes = 'ghcr.io/acme/builder'\n[image.app]\n";
        format!("{targets}#--- b\nFROM scratch\n#--- Dockerfile\nFROM {image}\n")
    };
    check(&publishes("ghcr.io/acme/bulider:1"), &["misspelt-name Dockerfile:1"]);
    check(&publishes("ghcr.io/acme/builder:1"), &[]);
    check(&publishes("ghcr.io/acme/runner:1"), &["unpinned-base Dockerfile:1"]);
}

#[test]
fn fields_that_nothing_asks_for() {
    let app = |fields: &str, lines: &str| {
        format!(
            "[image.app]\n{fields}\n#--- d/f\n#--- Dockerfile\nFROM scratch\n{lines}\nFROM scratch AS other\n"
        )
    };
    let target = |fields: &str, lines: &str| app(&format!("target = 'other'\n{fields}"), lines);
    let context = "contexts = { assets = { dir = 'd' } }";
    check(&app(context, ""), &["unused-context BUILD.toml:3"]);
    check(&target(context, "COPY --from=assets f /"), &["unused-context BUILD.toml:4"]);
    check(
        &format!("[image.app]\n{context}\n#--- d/f\n#--- Dockerfile\nFROM scratch\nCOPY --from=assets f /\n"),
        &[],
    );
    check(&format!("[defaults.image]\n{context}\n{}", app("", "")), &[]);
    check(&app("args = { NOPE = '1' }", "ARG NOP"), &["unused-argument BUILD.toml:3"]);
    check(&app("stamp = { NOPE = '1' }", ""), &["unused-argument BUILD.toml:3"]);
    check(&app("args = { NOPE = '1' }", "ARG NOPE"), &[]);
}

#[test]
fn git_variables() {
    let label = |field: &str| {
        format!(
            "[image.app]\n{field} = {{ A = '${{git.sha:-none}}' }}\n#--- Dockerfile\nFROM scratch\nARG A\n"
        )
    };
    check(&label("labels"), &["git-in-key BUILD.toml:3"]);
    check(&label("stamp"), &[]);
}

#[test]
fn tags() {
    let tags =
        |one: &str, other: &str| format!("[image.a]\ntags = ['{one}']\n[image.b]\ntags = ['{other}']\n");
    check(&tags("acme/x:1", "acme/x:1"), &["tag-clash BUILD.toml:5"]);
    check(&tags("acme/x:1", "acme/x:2"), &[]);
}

#[test]
fn sources() {
    let copy = |ignore: &str| {
        format!(
            "[image.app]\n#--- a/f\n#--- b/g\n#--- .dockerignore\n{ignore}\n#--- Dockerfile\nFROM scratch\nCOPY a b /\n"
        )
    };
    check(&copy(""), &[]);
    check(&copy("a"), &["ignored-source Dockerfile:2"]);
    check(&copy("*\n!a\n!b\n!c/d"), &["unmatched-exception .dockerignore:4"]);
    check(&copy("*\n!a\n!b\n!c/*"), &[]);
    check(
        "[image.app]\n#--- a/f\n#--- Dockerfile\nFROM scratch\nCOPY a b /\n",
        &["missing-source Dockerfile:2"],
    );
    let narrowed =
        "[image.app]\ninputs = ['b/**']\n#--- a/f\n#--- b/g\n#--- Dockerfile\nFROM scratch\nCOPY a b /\n";
    check(narrowed, &["ignored-source Dockerfile:2"]);
}

#[test]
fn whole_contexts() {
    let all = |more: &str| format!("[image.app]\n#--- Dockerfile\nFROM scratch\nCOPY . /\n{more}");
    check(&all(""), &["missing-ignore-file Dockerfile:2"]);
    check(&all("#--- .dockerignore\nBUILD.toml\n"), &[]);
    check(&all("").replace("COPY .", "COPY BUILD.toml"), &[]);
    check(&all("").replace("[image.app]", "[image.app]\ninputs = ['src']"), &[]);
    // Nothing at the top of the context is unwanted there.
    check("[image.app]\ncontext = 'd'\n#--- d/f\n#--- Dockerfile\nFROM scratch\nCOPY . /\n", &[]);
}

#[test]
fn contexts_of_others() {
    let two = |copy: &str, fields: &str, files: &str| {
        format!(
            "#--- .dockerignore\n**/BUILD.toml\n**/Dockerfile\n#--- a/BUILD.toml\n[image.a]\ncontext = '//'\n{fields}\n\
             #--- a/Dockerfile\nFROM scratch\nCOPY {copy} /\n#--- a/f\n#--- b/BUILD.toml\n{files}"
        )
    };
    let most = "#--- b/f\n#--- b/g\n#--- b/h\n";
    let found = "broad-context a/Dockerfile:2";
    check(&two(".", "", most), &[found]);
    check(&two("a", "", most), &[]);
    check(&two(".", "inputs = ['a']", most), &[]);
    check(&two(".", "", "#--- b/f\n#--- g\n"), &[]);
    // What no package is said to own is everybody's.
    check(&two(".", "", "#--- c/f\n#--- c/g\n#--- c/h\n"), &[]);
    let both = two(".", "[image.a2]\ncontext = '//'", most);
    let found = findings(&format!("[workspace]\n{both}"), &["//..."]);
    assert_eq!(found.len(), 1);
    assert_eq!(labels(&found[0]), ["//a:a", "//a:a2"]);
}

fn labels(finding: &Finding) -> Vec<String> {
    finding.targets.iter().map(ToString::to_string).collect()
}

#[test]
fn a_target_may_live_with_a_finding() {
    let two = |one: &str, other: &str| {
        format!("[workspace]\n[image.a]\n{one}\n[image.b]\n{other}\n#--- Dockerfile\nFROM scratch\nCMD b\n")
    };
    let allow = "allow = ['shell-form']";
    let found = |text: &str| -> Vec<(String, Vec<String>)> {
        findings(text, &["//..."]).iter().map(|found| (shown(found), labels(found))).collect()
    };
    let of = |labels: &[&str]| {
        ("shell-form Dockerfile:2".to_owned(), labels.iter().map(|l| (*l).to_owned()).collect())
    };
    assert_eq!(found(&two("", "")), [of(&["//:a", "//:b"])]);
    assert_eq!(found(&two(allow, "")), [of(&["//:b"])]);
    assert_eq!(found(&two(allow, allow)), []);
    check("[defaults.image]\nallow = ['shell-form']\n[image.a]\n#--- Dockerfile\nFROM scratch\nCMD b\n", &[]);
    check("[base.b]\nimage = 'debian:12'\nallow = ['unpinned-base']\n", &[]);
    check("[image.app]\nallow = ['unused-context']\n", &["unused-allow BUILD.toml:3"]);
    // What comes from defaults is meant for other targets, too.
    check("[defaults.image]\nallow = ['shell-form']\n[image.a]\n", &[]);
}

#[test]
fn what_a_target_allows_is_not_told_elsewhere() {
    let said = |allow: &str| {
        let text = format!("[workspace]\n[image.app]\nlabels = {{ A = '${{git.sha:-none}}' }}\n{allow}\n");
        let loaded = Workspace::of(&text).load();
        (loaded.diagnostics.len(), loaded.remarks.len())
    };
    assert_eq!(said(""), (1, 1));
    assert_eq!(said("allow = ['git-in-key']"), (0, 1));
    let warned = |allow: &str| {
        let text = format!("[workspace]\n[image.app]\nargs = {{ A = '1' }}\n{allow}\n");
        Workspace::of(&text).on_disk().expand(&["//..."], &[]).diagnostics.len()
    };
    assert_eq!((warned(""), warned("allow = ['unused-argument']")), (1, 0));
}

#[test]
fn directives_of_the_dockerfile_are_honoured() {
    let found = |directive: &str| -> Vec<(String, bool)> {
        let text =
            format!("[workspace]\n[image.a]\n#--- Dockerfile\n{directive}FROM debian:12 as b\nCMD c\n");
        findings(&text, &["//..."])
            .iter()
            .map(|found| (found.lint.code.to_owned(), found.is_error()))
            .collect()
    };
    let of = |found: &[(&str, bool)]| {
        found.iter().map(|(code, error)| ((*code).to_owned(), *error)).collect::<Vec<_>>()
    };
    let all = [("unpinned-base", false), ("as-casing", false), ("shell-form", false)];
    assert_eq!(found(""), of(&all));
    assert_eq!(found("# check=skip=FromAsCasing\n"), of(&[all[0], all[2]]));
    assert_eq!(found("# check=skip=all\n"), of(&all[..1]));
    assert_eq!(
        found("# check=skip=FromAsCasing;error=true\n"),
        of(&[all[0], ("shell-form", true)]),
        "only what BuildKit itself looks for is an error"
    );
}

#[test]
fn only_what_is_asked_about_is_told() {
    let text = "[workspace]\n[image.a]\n[image.b]\ndockerfile = 'b'\n#--- Dockerfile\nFROM scratch\nCMD c\n\
                #--- b\nFROM scratch\nCMD d\n";
    let found: Vec<String> = findings(text, &["//:b"]).iter().map(shown).collect();
    assert_eq!(found, ["shell-form b:2"]);
}

#[test]
fn foreign_frontends_read_in_their_own_way() {
    check_dockerfile("# syntax=acme/frontend:1\nFROM scratch\nCMD b\n", &[]);
    check_dockerfile("# syntax=docker/dockerfile:1\nFROM scratch\nCMD b\n", &["shell-form 3"]);
}

/// Each lint is found by a case above.
#[test]
fn every_lint_has_a_case() {
    let cases = include_str!("check.rs");
    let missing: Vec<&str> = lint::ALL
        .iter()
        .map(|lint| lint.code)
        .filter(|code| !cases.contains(&format!("\"{code} ")))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_readme_has_the_table_of_lints() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(readme.contains(&lints_markdown()), "README.md should hold:\n{}", lints_markdown());
}
