//! No text makes the Dockerfile front end panic: neither random ones nor broken real ones.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use imgraph::graph::slice::{SliceRequest, slice};
use imgraph::syntax::dockerfile::parse;
use imgraph::types::platform::Platform;
use imgraph::types::sorted_map::SortedMap;
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;
use proptest::prelude::*;

const SEED: &str = "# syntax=docker/dockerfile:1\n# escape=\\\nARG V=1\nFROM --platform=$BUILDPLATFORM debian:${V:-2} AS base\nENV A=\"b c\" D='é'\nRUN --mount=type=cache,target=/c,\"id=a,b\" --mount=type=bind,source=${A%%b*},target=/m <<EOF cat <<-'X'\nhello $A\nEOF\n\tX\nONBUILD COPY --from=base [\"a\", \"/b\"]\nHEALTHCHECK --interval=3s CMD x\nEXPOSE 80-81/tcp 1.2.3.4:1:2\nFROM base\nCOPY --chmod=u+x --parents a/./b \\\n # c\n\n c <<F /d/\n${A//b/$0}\nF\nADD --checksum=sha256:aa https://x/y.git?ref=a /\nSTOPSIGNAL 9\nVOLUME [\"/v\"]\nSHELL [\"a\"]\n";

fn run(text: String) {
    let path = WorkspacePath::root().resolve(b"Dockerfile").unwrap();
    let source = Arc::new(SourceText { path, text });
    let platform: Platform = "linux/amd64".parse().unwrap();
    let args = SortedMap::from_iter([("A".to_owned(), "x*é".to_owned())]);
    let contexts = BTreeSet::from(["debian".to_owned()]);
    let request = SliceRequest {
        stage: None,
        args: &args,
        platform: &platform,
        build_platform: &platform,
        contexts: &contexts,
    };
    let found = parse(&source).and_then(|dockerfile| slice(&dockerfile, &request));
    for diagnostic in found.err().into_iter().flatten() {
        for annotation in diagnostic.annotations {
            let span = annotation.location.span;
            assert!(source.text.get(span.range()).is_some(), "{span:?} cuts a character");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        run(String::from_utf8_lossy(&bytes).into_owned());
    }

    #[test]
    fn random_letters_of_dockerfiles(text in "(FROM|RUN|COPY|ARG|ENV|ONBUILD|ADD|[ -~\n\t]|é|à|ㅋ|\r\n| --|<<|\\$\\{){0,80}") {
        run(format!("FROM scratch\n{text}"));
    }

    #[test]
    fn broken_real_ones(edits in proptest::collection::vec((any::<prop::sample::Index>(), "[ -~\n\tàㅋ]{0,3}", 0..4_usize), 1..6)) {
        let mut letters: Vec<char> = SEED.chars().collect();
        for (at, new, removed) in edits {
            let at = at.index(letters.len());
            let end = (at + removed).min(letters.len());
            letters.splice(at..end, new.chars());
        }
        run(letters.into_iter().collect());
    }
}

#[test]
fn substitutions_nested_without_end_are_refused() {
    let path = WorkspacePath::root().resolve(b"Dockerfile").unwrap();
    let text = format!("FROM scratch\nCOPY {}x{} /\n", "${A:-".repeat(8_000), "}".repeat(8_000));
    let platform: Platform = "linux/amd64".parse().unwrap();
    let request = SliceRequest {
        stage: None,
        args: &SortedMap::new(),
        platform: &platform,
        build_platform: &platform,
        contexts: &BTreeSet::new(),
    };
    let found =
        parse(&Arc::new(SourceText { path, text })).and_then(|dockerfile| slice(&dockerfile, &request));
    let said = format!("{:?}", found.unwrap_err());
    assert!(said.contains("more than 250 substitutions"), "{said}");
}
