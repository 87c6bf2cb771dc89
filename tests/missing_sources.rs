//! Sources of Dockerfiles that are not there: told before the build, and only where the builder fails.
//!
//! The answers of the table were recorded from Docker Engine 26.1 with its own frontend.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::os::unix::fs::symlink;

use imgraph::cli::diagnostics::draw;
use imgraph::graph::missing_sources;
use imgraph::graph::node_views::NodeViews;
use imgraph::types::diagnostic::Diagnostic;
use workspace::Workspace;

#[path = "support/workspace.rs"]
mod workspace;

const FILES: &str = "#--- ctx/a1\n1\n#--- ctx/b2\n2\n#--- ctx/dir/sub/f\nf\n#--- ctx/assets/logo\nl\n";

/// What is said of a target whose context is the folder `ctx`, with links and an empty folder in it.
fn told(fields: &str, dockerfile: &str, ignore: &str) -> Vec<Diagnostic> {
    let text = format!(
        "[workspace]\n[image.t]\ncontext = 'ctx'\n{fields}\n{FILES}#--- ctx/.dockerignore\n{ignore}\n#--- Dockerfile\n{dockerfile}\n"
    );
    let disk = Workspace::of(&text).on_disk();
    let context = disk.path().join("ctx");
    std::fs::create_dir(context.join("empty")).unwrap();
    for (target, link) in [("dir", "link"), ("gone", "dangling"), ("/dir/sub", "absolute"), ("loop", "loop")]
    {
        symlink(target, context.join(link)).unwrap();
    }
    symlink("../../../b2", context.join("dir/above")).unwrap();
    let expanded = disk.expand(&["//:t"], &[]);
    assert!(!expanded.graph.nodes.is_empty(), "{}", draw(&expanded.diagnostics, false));
    let views = NodeViews::new(&expanded.graph, &expanded.snapshot).unwrap();
    missing_sources::check(&expanded.graph, &views, &expanded.snapshot)
}

/// The sources that are refused.
fn check(line: &str, ignore: &str, refused: &[&str]) {
    let dockerfile = format!("FROM debian\n{line}");
    let said = told("", &dockerfile, ignore);
    let sources: Vec<&str> = said.iter().map(|said| said.message.split('`').nth(1).unwrap()).collect();
    assert_eq!(sources, refused, "{line}\n{ignore}");
}

#[test]
fn a_path_that_is_not_there_is_refused_and_a_pattern_is_not() {
    check("COPY a1 dir dir/sub/f empty /d/", "", &[]);
    check("COPY nofile /", "", &["nofile"]);
    check("COPY a1 nofile b3 /d/", "", &["b3", "nofile"]);
    check("COPY --link --chown=1 ./nofile/ /", "", &["nofile"]);
    check("COPY a1/ ../a1 dir/../a1 /d/", "", &[]);
    check("COPY a1/x dir/sub/g A1 /d/", "", &["A1", "a1/x", "dir/sub/g"]);
    check("COPY z* a1 y? x[1] dir/*/g /d/", "", &[]);
    check("COPY a\\1 /", "", &[]);
    check("COPY . /\nCOPY nofile /", "", &["nofile"]);
    check("COPY <<F nofile /d/\nhi\nF", "", &["nofile"]);
    check("ADD a1 nofile https://example.com/x /d/", "", &["nofile"]);
    // Patterns choose here: which versions of the frontend mind is not one answer.
    check("COPY --parents nofile /", "", &[]);
    check("COPY --exclude=*.md nofile /", "", &[]);
    // What an unknown variable stands for may be there.
    check("COPY $UNKNOWN nofile$UNKNOWN /", "", &[]);
    check("ARG NAME=nofile\nCOPY $NAME /", "", &["nofile"]);
}

/// BuildKit's `dispatchRunMounts` mounts it as it is written (`llb.SourcePath`), but has it sent as a pattern
/// (`llb.FollowPaths`): it is there only where another instruction has all sent.
#[test]
fn a_mount_of_a_folder_that_looks_like_a_pattern_is_explained() {
    let check = |line: &str, expected: &[&str]| {
        let text = format!(
            "[workspace]\n[image.t]\n#--- a[1]/f\n1\n#--- a1/f\n1\n#--- Dockerfile\nFROM debian\n{line}\n"
        );
        let disk = Workspace::of(&text).on_disk();
        let expanded = disk.expand(&["//:t"], &[]);
        let views = NodeViews::new(&expanded.graph, &expanded.snapshot).unwrap();
        let said = missing_sources::check(&expanded.graph, &views, &expanded.snapshot);
        let helps: Vec<&str> = said.iter().flat_map(|said| &said.help).map(String::as_str).collect();
        assert_eq!(helps, expected, "{line}");
    };
    let help = "files are chosen as if `a[1]` were a pattern, which does not match its own name, and mounted \
                as if it were none: rename it, or mount the folder that it is in";
    check("RUN --mount=source=a[1],target=/m true", &[help]);
    check("COPY . /c\nRUN --mount=source=a[1],target=/m true", &[]);
    check("RUN --mount=source=.,target=/m true", &[]);
}

#[test]
fn a_mount_takes_no_pattern() {
    check("RUN --mount=source=a1,target=/m --mount=source=dir/sub,target=/n true", "", &[]);
    check("RUN --mount=source=nofile,target=/m true", "", &["nofile"]);
    check("RUN --mount=type=bind,source=a*,target=/m,rw true", "", &["a*"]);
    check("RUN --mount=target=/m true", "", &[]);
    check("RUN --mount=type=cache,source=nofile,target=/m true", "", &[]);
}

#[test]
fn links_are_followed() {
    check("COPY link link/sub/f absolute/f dir/above link/../a1 /d/", "", &[]);
    check("COPY link/no dangling absolute/g /d/", "", &["absolute/g", "dangling", "link/no"]);
    check("RUN --mount=source=link/sub,target=/m --mount=source=dangling,target=/n true", "", &["dangling"]);
    check("COPY loop /", "", &[]);
}

#[test]
fn what_is_ignored_is_not_there() {
    check("COPY a1 /", "a1", &["a1"]);
    check("COPY dir /", "dir", &["dir"]);
    check("COPY dir /", "dir/*", &[]);
    check("COPY dir /", "dir/sub/f", &[]);
    check("COPY dir dir/sub/f /d/", "**\n!dir/sub", &[]);
    check("COPY dir/sub/f /", "*\n!dir/sub/x", &["dir/sub/f"]);
    check("COPY link/sub /", "dir", &["link/sub"]);
    check("RUN --mount=source=dir,target=/m true", "dir/**", &[]);
}

#[test]
fn only_what_is_built_counts() {
    let stage = "FROM scratch AS unreached\nCOPY nofile /\nFROM scratch\nCOPY a1 /";
    assert_eq!(told("", stage, ""), []);
    assert_eq!(told("", "# syntax=acme/other\nFROM scratch\nCOPY nofile /", ""), []);
    let trigger = "FROM scratch AS base\nONBUILD COPY nofile /\nFROM base";
    assert_eq!(told("", trigger, "").len(), 1);
    // One place is told once, for whatever platforms.
    assert_eq!(
        told("platforms = ['linux/amd64', 'linux/arm64']", "FROM scratch\nCOPY nofile /", "").len(),
        1
    );
}

#[test]
fn people_are_told_why() {
    let assets = "contexts = { assets = { dir = 'ctx/assets' } }";
    for (name, fields, lines, ignore) in [
        ("misspelt", "", "COPY dir/sbu/f /", ""),
        ("nothing_near", "", "COPY Dockerfile /", ""),
        ("ignored", "", "COPY a1 dir/sub/f /d/", "# build\n*1\n!b2\ndir/**\n"),
        ("inputs", "inputs = ['dir/**']", "COPY dir a1 /d/", ""),
        ("link", "", "RUN --mount=source=link/subb,target=/m true", ""),
        ("named_folder", assets, "COPY --from=assets logo lgo /d/", ""),
    ] {
        let said = told(fields, &format!("FROM scratch\n{lines}"), ignore);
        insta::assert_snapshot!(name, draw(&said, false));
    }
}
