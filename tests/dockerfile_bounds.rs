//! What is skimmed of a Dockerfile is what its parser finds in it, and nothing is skimmed of one in which the
//! parser finds a mistake.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use imgraph::graph::slice::Sources;
use imgraph::graph::slice::bounds::{Bounds, decides_what_is_read};
use imgraph::syntax::dockerfile::expansion::is_plain;
use imgraph::syntax::dockerfile::model::{Command, Instruction};
use imgraph::syntax::dockerfile::mount::{self, MountError, MountKind};
use imgraph::syntax::dockerfile::{declared_arguments, frontend, parse};
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;
use proptest::prelude::*;
use proptest::sample::select;

/// The sources of the main context, cleaned, and all names; of a name that an argument gives, `$` and the
/// argument. The whole context is the empty path, and alone.
type Read = (BTreeSet<String>, BTreeSet<String>);

fn source(text: &str) -> Arc<SourceText> {
    let path = WorkspacePath::root().resolve(b"Dockerfile").unwrap();
    Arc::new(SourceText { path, text: text.to_owned() })
}

fn skimmed(text: &str) -> Option<Read> {
    let Bounds { sources, mut names, arguments } = Bounds::of(&source(text))?;
    names.extend(arguments.iter().map(|argument| format!("${argument}")));
    let sources = match sources {
        Sources::Nothing => BTreeSet::new(),
        Sources::Whole { .. } => BTreeSet::from([String::new()]),
        Sources::Paths(paths) => {
            paths.into_iter().map(|path| String::from_utf8(path.pattern).unwrap()).collect()
        }
    };
    Some((sources, names))
}

/// The same from the whole file, parsed.
fn parsed(text: &str) -> Option<Read> {
    let dockerfile = parse(&source(text)).ok()?;
    let is_foreign = dockerfile.frontend.as_ref().is_some_and(|image| !frontend::is_known(&image.value));
    let decides = declared_arguments(&dockerfile).any(|argument| decides_what_is_read(&argument.name.value));
    if is_foreign || decides || dockerfile.escape != '\\' {
        return None;
    }
    let (mut sources, mut names) = Read::default();
    for stage in &dockerfile.stages {
        let base = match stage.base.value.as_str() {
            "$X" | "${X}" => "$X",
            base => Some(base).filter(|base| is_plain(base, '\\') && !base.contains("onbuild"))?,
        };
        names.insert(base.to_owned());
        for instruction in &stage.instructions {
            read(instruction, &mut sources, &mut names)?;
        }
    }
    if sources.contains("") {
        sources = BTreeSet::from([String::new()]);
    }
    Some((sources, names))
}

fn read(
    instruction: &Instruction,
    sources: &mut BTreeSet<String>,
    names: &mut BTreeSet<String>,
) -> Option<()> {
    match &instruction.command {
        Command::Onbuild(_) => return None,
        Command::Copy(copy) => match &copy.from {
            Some(from) => drop(names.insert(from.value.clone())),
            None => {
                for source in &copy.sources {
                    sources.insert(cleaned(Some(&source.value).filter(|source| is_plain(source, '\\'))?));
                }
            }
        },
        Command::Run(run) => {
            for raw in &run.mounts {
                if !raw.from.is_empty() {
                    names.insert(raw.from.clone());
                    continue;
                }
                let wrong = || MountError { message: String::new(), help: None };
                let value = |value: &str| {
                    Some(value.to_owned()).filter(|value| is_plain(value, '\\')).ok_or_else(wrong)
                };
                let mount = mount::read(&raw.text.value, value).ok()?;
                if mount.kind == MountKind::Bind {
                    sources.insert(cleaned(&mount.source));
                }
            }
        }
        _ => {}
    }
    Some(())
}

fn cleaned(path: &str) -> String {
    let path = path.split('/').fold(Vec::new(), |mut names, name| {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
        names
    });
    path.join("/")
}

fn check(text: &str) -> bool {
    let found = skimmed(text);
    assert_eq!(found, parsed(text), "{text:?}");
    found.is_some()
}

#[test]
fn recorded_files_are_skimmed_as_they_are_parsed() {
    let cases = include_str!("data/dockerfile-input-cases.jsonl").lines();
    let skimmed = cases.filter(|line| {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        check(case["dockerfile"].as_str().unwrap())
    });
    assert!(skimmed.count() > 100, "next to nothing was skimmed");
}

/// What comes where an instruction begins.
const BEGINNINGS: &[&str] = &[
    "FROM",
    "from",
    "RUN",
    "RUN",
    "COPY",
    "COPY",
    "ADD",
    "ARG",
    "ENV",
    "LABEL",
    "CMD",
    "ENTRYPOINT",
    "USER",
    "WORKDIR",
    "EXPOSE",
    "VOLUME",
    "HEALTHCHECK",
    "STOPSIGNAL",
    "SHELL",
    "MAINTAINER",
    "ONBUILD",
    "RUNX",
    "é",
    "# x",
    "# syntax=docker/dockerfile:1",
    "# escape=`",
    "#syntax=a/b",
    "  RUN",
    "\tCOPY",
    "E",
    "\tE",
    "",
];

const FLAGS: &[&str] = &[
    "--",
    "--from=s",
    "--from=s",
    "--from=",
    "--from=$X",
    "--chown=1:1",
    "--chmod=7",
    "--link",
    "--link=x",
    "--parents",
    "--exclude=x",
    "--checksum=x",
    "--keep-git-dir=true",
    "--mount=type=bind,source=s,target=/t",
    "--mount=type=cache,id=c,target=/c,sharing=locked",
    "--mount=src=u,dst=/v,from=w",
    "--mount=type=secret",
    "--mount=type=secret,id=k,required=false",
    "--mount=type=$X",
    "--mount=\"type=bind\",source=z",
    "--mount=tpye=x",
    "--mount=from=$X,target=/t",
    "--network=none",
    "--network=x",
    "--security=sandbox",
    "--platform=linux/arm64",
    "--interval=3s",
    "--timeout=0s",
    "--start-period=1h",
    "--interval=3",
    "--retries=2",
    "--retries=x",
    "--from=<<E",
    "--chown=\\",
];

/// What follows: words, heredocs, and what makes them odd.
const WORDS: &[&str] = &[
    "a",
    "a",
    "a",
    "b/c",
    "./d/../e",
    ".",
    "/",
    "*.rs",
    "as",
    "AS",
    "stage",
    "S",
    "scratch",
    "a:1-onbuild",
    "$X",
    "${X}",
    "${X",
    "${X:-y}",
    "A=b",
    "A=b",
    "A=$X",
    "=b",
    "SOURCE_DATE_EPOCH=1",
    "BUILDKIT_SYNTAX",
    "\"q r\"",
    "'q",
    "\"",
    "\\",
    "\\ ",
    "[",
    "]",
    "[]",
    "[\"a\", \"b\"]",
    "[\"a\",1]",
    "[\"\\u0061\", \"b\"]",
    "[\"<<E\"]",
    "<<E",
    "<<E",
    "<<-E",
    "3<<E",
    "<<\"E\"",
    "<<",
    "<",
    "<<E<",
    "CMD",
    "NONE",
    "none",
    "é",
    "\u{a0}",
    "\u{feff}",
    "#",
    "x#y",
    "git@github.com:a/b.git",
    "https://x/y",
];

const BETWEEN: &[&str] = &[
    " ",
    " ",
    " ",
    " ",
    " ",
    " ",
    "  ",
    "\t",
    "",
    " \\\n",
    " \\\n  # c\n",
    "\\\n\n",
    "\u{b}",
    "\r",
    "\\ \n",
    "\\\\\n",
];

const ENDS: &[&str] =
    &["\n", "\n", "\n", "\r\n", "\n\n", " \n", "\\\n", "\nE\n", "\n\tE\n", "\nx $y\nE\n", ""];

fn line() -> impl Strategy<Value = String> {
    let flags = proptest::collection::vec((select(BETWEEN), select(FLAGS)), 0..3);
    let words = proptest::collection::vec((select(BETWEEN), select(WORDS)), 0..5);
    (select(BEGINNINGS), flags, words, select(ENDS)).prop_map(|(beginning, flags, words, end)| {
        let pieces = flags.into_iter().chain(words);
        let pieces: String = pieces.flat_map(|(between, piece)| [between, piece]).collect();
        format!("{beginning}{pieces}{end}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_random_line_is_skimmed_as_it_is_parsed(line in line()) {
        check(&format!("FROM scratch\n{line}"));
    }

    #[test]
    fn random_lines_are_skimmed_as_they_are_parsed(lines in proptest::collection::vec(line(), 0..4)) {
        check(&lines.concat());
    }
}

#[test]
fn a_file_that_is_not_skimmed_is_parsed() {
    let long = format!("FROM scratch\nRUN {}\n", "x".repeat(70_000));
    assert_eq!(skimmed(&long), None);
    assert_eq!(skimmed("# escape=`\nFROM a\nCOPY x /\n"), None);
}
