//! Slices, written down. A slice is shown one fact a line: the test compares the facts that are asked for.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use imgraph::graph::slice::{Slice, SliceRequest, Sources, slice};
use imgraph::syntax::dockerfile::parse;
use imgraph::types::platform::Platform;
use imgraph::types::sorted_map::SortedMap;
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;

/// What is asked: a stage, `NAME=value` arguments, named contexts.
#[derive(Default, Clone, Copy)]
struct Ask<'a> {
    stage: &'a str,
    args: &'a [(&'a str, &'a str)],
    contexts: &'a [&'a str],
}

fn cut(text: &str, ask: Ask<'_>) -> Result<Slice, String> {
    let path = WorkspacePath::root().resolve(b"Dockerfile").unwrap();
    let source = Arc::new(SourceText { path, text: text.to_owned() });
    let platform: Platform = "linux/arm64".parse().unwrap();
    let build_platform: Platform = "linux/amd64".parse().unwrap();
    let args: SortedMap<String, String> =
        ask.args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let contexts: BTreeSet<String> = ask.contexts.iter().map(|name| (*name).to_owned()).collect();
    let request = SliceRequest {
        stage: Some(ask.stage).filter(|stage| !stage.is_empty()),
        args: &args,
        platform: &platform,
        build_platform: &build_platform,
        contexts: &contexts,
    };
    let found = parse(&source).and_then(|dockerfile| slice(&dockerfile, &request));
    found.map_err(|diagnostics| {
        diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect::<Vec<_>>().join("; ")
    })
}

fn sources(sources: &Sources) -> String {
    match sources {
        Sources::Nothing => "nothing".to_owned(),
        Sources::Whole { .. } => "whole".to_owned(),
        Sources::Paths(paths) => {
            let paths: Vec<_> = paths.iter().map(|path| String::from_utf8_lossy(&path.pattern)).collect();
            paths.join(" ")
        }
    }
}

fn texts(slice: &Slice) -> String {
    let mut text = String::new();
    for instruction in &slice.instructions {
        writeln!(text, "{} {}", instruction.stage, instruction.text).unwrap();
    }
    text
}

fn check_sources(text: &str, expected: &str) {
    let found = cut(text, Ask::default()).map(|slice| {
        let mark = if slice.widened.is_some() { "?" } else { "" };
        sources(&slice.sources) + mark
    });
    assert_eq!(found.unwrap_or_else(|error| format!("! {error}")), expected, "{text}");
}

fn check_references(text: &str, ask: Ask<'_>, expected: &[&str]) {
    let slice = cut(text, ask).unwrap();
    let found: Vec<String> = slice
        .references
        .iter()
        .map(|reference| {
            let context = reference.context.as_ref().map(|key| format!(" <{key}>")).unwrap_or_default();
            let platform = reference.platform.as_ref().map(|p| format!(" {p}")).unwrap_or_default();
            format!(
                "{:?} {}{context}{platform}: {}",
                reference.kind,
                reference.name,
                sources(&reference.sources)
            )
        })
        .collect();
    assert_eq!(found, expected, "{text}");
}

fn check_arguments(text: &str, args: &[(&str, &str)], expected: &[&str]) {
    let slice = cut(text, Ask { args, ..Ask::default() }).unwrap();
    let found: Vec<String> = slice
        .arguments
        .iter()
        .map(|(name, argument)| format!("{name}={}", argument.value.as_deref().unwrap_or("<none>")))
        .collect();
    assert_eq!(found, expected, "{text}");
}

/// The texts of two files that mean the same, or do not.
fn check_same(one: &str, other: &str, expected: bool) {
    let text = |text: &str| texts(&cut(text, Ask::default()).unwrap());
    assert_eq!(text(one) == text(other), expected, "{one:?} and {other:?}");
}

#[test]
fn sources_of_the_context() {
    check_sources("FROM scratch\nCOPY a b /\n", "a b");
    check_sources("FROM scratch\nCOPY . /\n", "whole");
    check_sources("FROM scratch\nCOPY / /\n", "whole");
    check_sources("FROM scratch\nCOPY a/.. /\n", "whole");
    check_sources("FROM scratch\nCOPY ../../a ./b//c/ /\n", "a b/c");
    check_sources("FROM scratch\nCOPY [\"a b\", \"c\", \"/\"]\n", "a b c");
    check_sources("FROM scratch\nCOPY --parents a/./b/*.rs /\n", "a/b/*.rs");
    check_sources("FROM scratch\nCOPY --exclude=*.md docs /\n", "docs");
    check_sources("FROM scratch\nCOPY <<EOF /f\nCOPY nope /\nEOF\n", "nothing");
    check_sources("FROM scratch\nCOPY <<A <<-B real /d/\nx\nA\n\ty\n\tB\n", "real");
    check_sources("FROM scratch\nRUN <<EOF\nCOPY nope /\nEOF\n", "nothing");
    check_sources("FROM scratch\nRUN cat <<A && cat <<-'B'\nCOPY a /\nA\nCOPY b /\n\tB\nCOPY c /\n", "c");
    check_sources("FROM scratch\nADD https://x/y git@x:y https://x/z.git a /\n", "a");
    check_sources("FROM scratch\nRUN --mount=target=/m make\n", "whole");
    check_sources("FROM scratch\nRUN --mount=type=bind,source=a,target=/m make\n", "a");
    check_sources("FROM scratch\nRUN --mount=type=bind,source=a,target=/m,from=x make\n", "nothing");
    check_sources(
        "FROM scratch\nRUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t make\n",
        "nothing",
    );
    check_sources("FROM scratch\nRUN --mount=type=secret,id=s --mount=type=ssh make\n", "nothing");
    check_sources("FROM scratch\nRUN \"--mount=target=/m\" make\n", "nothing");
    check_sources("FROM scratch\nCOPY a \\\n# comment\n\n  b /\n", "a b");
    check_sources("# escape=`\nFROM scratch\nCOPY a `\n  b\\c /\n", "a b\\c");
    check_sources("FROM scratch\r\nCOPY a /\r\n", "a");
    check_sources("\u{feff}FROM scratch\ncopy a /\n", "a");
}

#[test]
fn only_reached_stages_count() {
    let text = "FROM scratch AS a\nCOPY a /\nFROM scratch AS b\nCOPY b /\nFROM scratch AS c\nCOPY --from=A /x /\nCOPY c /\n";
    check_sources(text, "a c");
    let stage = |stage| sources(&cut(text, Ask { stage, ..Ask::default() }).unwrap().sources);
    assert_eq!(stage("a"), "a");
    assert_eq!(stage("B"), "b");
    check_sources("FROM scratch AS a\nCOPY a /\nFROM scratch\nCOPY --from=0 /x /\n", "a");
    check_sources("FROM scratch AS a\nCOPY a /\nFROM scratch\nRUN --mount=from=a,target=/m make\n", "a");
    check_sources("FROM scratch AS a\nCOPY a /\nFROM a AS b\nFROM b\n", "a");
    check_sources("FROM scratch AS a\nCOPY one /\nFROM scratch AS a\nCOPY two /\nFROM a\n", "two");
    assert_eq!(cut(text, Ask { stage: "0", ..Ask::default() }).unwrap_err(), "`Dockerfile` has no stage `0`");
}

#[test]
fn variables_in_sources() {
    check_sources("FROM scratch\nARG A=x\nCOPY $A ${A}/y /\n", "x x/y");
    check_sources("ARG A=x\nFROM scratch\nCOPY a$A /\n", "a");
    check_sources("ARG A=x\nFROM scratch\nARG A\nCOPY a$A /\n", "ax");
    check_sources("FROM scratch\nENV A=x B=$A\nCOPY a$B /\n", "a");
    check_sources("FROM scratch\nENV A=x\nENV B=$A\nCOPY a$B /\n", "ax");
    check_sources("FROM scratch\nARG A=x B=$A\nCOPY $B /\n", "x");
    check_sources("FROM scratch\nCOPY $A /\n", "whole");
    check_sources("FROM scratch\nARG TARGETARCH\nCOPY bin/$TARGETARCH /\n", "bin/arm64");
    check_sources("FROM scratch\nCOPY bin/$TARGETARCH /\n", "bin");
    check_sources("FROM scratch\nCOPY ${A:-d}/${A:+n}x /\n", "d/x");
    check_sources("FROM scratch\nCOPY \\$A '$B' /\n", "$A $B");
    check_sources("FROM scratch AS a\nENV D=src\nFROM a\nCOPY $D /\n", "src");
    check_sources("FROM scratch AS a\nENV D=env\nARG D=arg\nCOPY $D /\nFROM a\nCOPY 2$D /\n", "2env arg");
    check_sources("FROM scratch\nARG D=a\nRUN --mount=source=$D,target=/m make\n", "a");
    check_sources("FROM scratch\nCOPY ${A?gone} /\n", "! a value of `COPY` cannot be expanded");
}

#[test]
fn what_the_text_does_not_decide_widens() {
    check_sources("FROM debian\nCOPY a$V /\n", "a?");
    check_sources("FROM debian\nENV V=x\nCOPY a$V /\n", "ax");
    check_sources("FROM debian\nENV V=$U\nCOPY a$V /\n", "a?");
    check_sources("FROM debian\nARG V\nCOPY a$V /\n", "a?");
    check_sources("FROM debian AS b\nFROM b\nCOPY a$V /\n", "a?");
    check_sources("FROM debian\nCOPY ${V:?} /\n", "whole?");
    check_sources("# syntax=acme/other\nFROM scratch\nCOPY a /\n", "a?");
    check_sources("# syntax=docker/dockerfile:1.7\nFROM scratch\nCOPY a /\n", "a");
    check_sources("# syntax=docker.io/docker/dockerfile-upstream:master\nFROM scratch\nCOPY a /\n", "a");
    check_sources("//syntax=acme/other\n//escape=`\nFROM scratch\nCOPY a /\n", "a?");
    check_sources(
        "//syntax=docker/dockerfile:1\nFROM scratch\nCOPY a /\n",
        "! `//syntax=docker/dockerfile:1` is not an instruction",
    );
    check_sources("FROM node:18-onbuild\nCOPY a /\n", "a?");
    let given = [("BUILDKIT_SYNTAX", "acme/other")];
    let slice = cut("FROM scratch\n", Ask { args: &given, ..Ask::default() }).unwrap();
    assert!(slice.widened.is_some());
}

#[test]
fn triggers_run_in_the_stage_below() {
    check_sources("FROM scratch AS a\nONBUILD COPY x /\nFROM a\n", "x");
    check_sources("FROM scratch AS a\nONBUILD COPY x /\nFROM scratch\nCOPY --from=a / /\n", "nothing");
    check_sources("FROM scratch AS a\nONBUILD COPY x /\nFROM a AS b\nFROM b\n", "x");
    check_sources(
        "FROM scratch AS s\nCOPY deep /\nFROM scratch AS a\nONBUILD COPY --from=s / /\nFROM a\n",
        "deep",
    );
    check_sources("FROM scratch AS a\nONBUILD RUN <<EOF\nCOPY no /\nEOF\nONBUILD COPY x /\nFROM a\n", "x");
    let slice = cut("FROM scratch\nONBUILD COPY x /\n", Ask::default()).unwrap();
    assert_eq!(slice.triggers[0].value, "COPY x /");
    assert_eq!(sources(&slice.sources), "nothing");
}

#[test]
fn references_that_are_reached() {
    let plain = Ask::default();
    check_references("FROM debian:12\n", plain, &["From debian:12: whole"]);
    check_references("FROM scratch\nCOPY --from=nginx:1 /a /b /\n", plain, &["CopyFrom nginx:1: a b"]);
    check_references("FROM scratch\nRUN --mount=from=x,source=/y,target=/m z\n", plain, &["MountFrom x: y"]);
    check_references("FROM debian AS unused\nFROM scratch\n", plain, &[]);
    check_references("FROM debian AS a\nFROM a\n", plain, &["From debian: whole"]);
    check_references("ARG V=12\nFROM debian:${V}\n", plain, &["From debian:12: whole"]);
    let given = Ask { args: &[("V", "13")], ..plain };
    check_references("ARG V=12\nFROM debian:$V\n", given, &["From debian:13: whole"]);
    check_references("FROM --platform=$BUILDPLATFORM debian\n", plain, &["From debian linux/amd64: whole"]);
    check_references("FROM --platform=$TARGETPLATFORM debian\n", plain, &["From debian linux/arm64: whole"]);
    check_references(
        "FROM debian\nCOPY --from=x $U /\n",
        plain,
        &["From debian: whole", "CopyFrom x: whole"],
    );
}

#[test]
fn named_contexts_win() {
    let ask = Ask { contexts: &["base", "debian", "ghcr.io/a/b:1"], ..Ask::default() };
    check_references("FROM alpine AS base\nCOPY x /\nFROM base\n", ask, &["From base <base>: whole"]);
    check_references(
        "FROM docker.io/library/debian:latest\n",
        ask,
        &["From docker.io/library/debian:latest <debian>: whole"],
    );
    check_references("FROM debian:12\n", ask, &["From debian:12: whole"]);
    check_references("FROM ghcr.io/a/b:1\n", ask, &["From ghcr.io/a/b:1 <ghcr.io/a/b:1>: whole"]);
    check_references("FROM scratch\nCOPY --from=base /x /\n", ask, &["CopyFrom base <base>: x"]);
    let text = "FROM alpine AS base\nCOPY y /\nFROM scratch\nCOPY --from=base /x /\n";
    check_references(text, ask, &["From base <base>: whole", "CopyFrom base <base>: x"]);
    assert_eq!(sources(&cut(text, ask).unwrap().sources), "nothing");
}

#[test]
fn arguments_that_are_seen() {
    check_arguments("FROM scratch\n", &[("A", "1")], &[]);
    check_arguments("FROM scratch\nARG A\n", &[("A", "1")], &["A=1"]);
    check_arguments("FROM scratch\nARG A\n", &[], &["A=<none>"]);
    check_arguments("FROM scratch\nARG A=2\n", &[], &["A=2"]);
    check_arguments("ARG A=2\nFROM scratch\nARG A\n", &[], &["A=2"]);
    check_arguments("ARG A=2\nFROM scratch\n", &[], &[]);
    check_arguments("ARG A=12\nFROM debian:$A\n", &[], &["A=12"]);
    check_arguments("FROM scratch AS a\nARG A\nFROM scratch\n", &[("A", "1")], &[]);
    check_arguments("ARG G=1\nFROM scratch AS a\nARG G=2\nFROM a\nARG G\n", &[], &["G=1"]);
    check_arguments("FROM scratch\nARG TARGETARCH\n", &[], &["TARGETARCH=arm64"]);
    check_arguments("FROM scratch\n", &[("http_proxy", "p")], &[]);
    check_arguments("FROM scratch\nRUN x\n", &[("http_proxy", "p")], &["http_proxy=p"]);
    check_arguments("FROM scratch\n", &[("SOURCE_DATE_EPOCH", "0")], &["SOURCE_DATE_EPOCH=0"]);
    check_arguments("FROM scratch\n", &[("BUILDKIT_INLINE_CACHE", "1")], &["BUILDKIT_INLINE_CACHE=1"]);
    let ask = Ask { args: &[("A", "1"), ("NO_PROXY", "x"), ("B", "2")], ..Ask::default() };
    assert_eq!(cut("FROM scratch AS a\nARG A\nFROM scratch\n", ask).unwrap().unused_args, ["B"]);
}

#[test]
fn texts_are_normal() {
    let slice = cut(
        "FROM debian AS Base\nFROM scratch AS out\ncopy  --from=base   /a \\\n # c\n /b\nRUN --mount=from=base,target=/m  make   all\n",
        Ask::default(),
    );
    let expected =
        "0 FROM debian\n1 FROM scratch\n1 COPY --from=#0 /a /b\n1 RUN --mount=from=#0,target=/m make   all\n";
    assert_eq!(texts(&slice.unwrap()), expected);
}

#[test]
fn equal_instructions_have_equal_texts_and_others_have_not() {
    check_same("FROM scratch\nCOPY a b\n", "# c\nfrom scratch\n\ncopy  a \\\n  b\n", true);
    check_same("FROM scratch AS a\nFROM a\n", "FROM scratch AS b\nFROM b\n", true);
    check_same("FROM scratch AS x\nRUN y\nFROM scratch\n", "FROM scratch\n", true);
    check_same("FROM scratch\nCOPY [\"a\",  \"b\"]\n", "FROM scratch\nCOPY [\"a\",\"b\"]\n", true);
    check_same("FROM scratch\nRUN a  b\n", "FROM scratch\nRUN a b\n", false);
    check_same("FROM scratch\nRUN -- --network=none x\n", "FROM scratch\nRUN --network=none x\n", false);
    check_same("FROM scratch\nRUN <<A\nx\nA\n", "FROM scratch\nRUN <<A\ny\nA\n", false);
    check_same("FROM scratch\nRUN a\n", "FROM scratch\nCMD a\n", false);
    check_same(
        "FROM x AS a\nFROM y AS b\nFROM scratch\nCOPY --from=a c d\nCOPY --from=b c d\n",
        "FROM x AS a\nFROM y AS b\nFROM scratch\nCOPY --from=b c d\nCOPY --from=a c d\n",
        false,
    );
    check_same("FROM --platform=linux/amd64 x\n", "FROM x\n", false);
}

#[test]
fn what_is_mounted_and_fetched_is_known() {
    let text = "FROM scratch\nRUN --mount=type=secret,id=a --mount=type=secret,target=/run/b --mount=type=ssh x\nADD https://x/y /\n";
    let slice = cut(text, Ask::default()).unwrap();
    assert_eq!(slice.secrets.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(slice.ssh.keys().collect::<Vec<_>>(), ["default"]);
    assert_eq!(slice.remotes.iter().map(|remote| remote.value.as_str()).collect::<Vec<_>>(), ["https://x/y"]);
}

#[test]
fn sources_are_found_in_the_file() {
    let text = "FROM scratch\nCOPY one \\\n  two /\nRUN --mount=source=three,target=/m x\n";
    let Sources::Paths(paths) = cut(text, Ask::default()).unwrap().sources else {
        panic!("paths are expected")
    };
    let found: Vec<&str> = paths.iter().map(|path| &text[path.span.range()]).collect();
    assert_eq!(found, ["one", "--mount=source=three,target=/m", "two"]);
}
