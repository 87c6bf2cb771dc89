//! No text makes the loading of a `BUILD.toml` panic, and every mistake has a place in its text.

use std::sync::Arc;

use imgraph::cli::diagnostics::draw;
use imgraph::syntax::build_toml::file;
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;
use proptest::prelude::*;
use workspace::Workspace;

#[path = "support/workspace.rs"]
mod workspace;

/// A file with every table and field.
const EVERYTHING: &str = r#"
[workspace]
name = "shop"
requires = ">=0.1, <1"
exclude = ["third_party/**"]

[vars]
REPO = { env = "IMAGE_REPO", default = "ghcr.io/acme" }
PROFILE = { default = "release", values = ["release", "performance"] }
PREFIX = { switch = "${PROFILE}", cases = { release = "" }, default = "${PROFILE}_" }
PLAIN = 'x${REPO:-${PREFIX:+"}}$$'

[defaults.image]
context = "//"
platforms = ["linux/amd64"]
tags = ["${REPO}/${name}:${source-key}", { tag = "${REPO}/${name}:n-${git.sha:-x}", when = "${CI}" }]

[base.debian]
image = "debian:bookworm-slim"

[base.rust-builder]
dockerfile = "Dockerfile"
publishes = "ghcr.io/acme/builder-base"

[stage.node-builder]
target = "node"
inputs = ["Cargo.lock", "crates/node/**"]

[image.validator]
contexts = { node-builder = ":node-builder", all = { dir = "//" }, tini = { image = "krallin/tini:v0.19" } }
args = { PROFILE = "${PROFILE}", BUILDER_BASE = { target = ":rust-builder" } }
stamp = { GIT_SHA = "${git.sha:-none}" }
secrets = [{ id = "npm", env = "NPM_TOKEN", optional = true }, { id = "b", file = "b" }]
ssh = ["default", { id = "git", socket = "~/${PROFILE}", optional = true }, { id = "b", env = "B" }]
labels = { "org.opencontainers.image.source" = "https://example.com/shop" }
network = "none"
no-cache = true

[group.services]
targets = ["//:all", "//...", "-:validator", ":more"]

[group.more]
targets = []

[alias]
"//slasher" = "//:validator"
"#;

/// [`EVERYTHING`] with pieces taken out, doubled, and put in.
fn damaged() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z${}=\\[\\]\"'.:/@#, \\n\\\\-]{0,6}",
        "\\PC{0,3}",
        Just("\u{feff}".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("\r".to_owned()),
    ];
    let change = (any::<prop::sample::Index>(), 0_usize..40, piece);
    prop::collection::vec(change, 1..6).prop_map(|changes| {
        let mut letters: Vec<char> = EVERYTHING.chars().collect();
        for (at, taken, put) in changes {
            let start = at.index(letters.len() + 1);
            let end = (start + taken).min(letters.len());
            letters.splice(start..end, put.chars());
        }
        letters.into_iter().collect()
    })
}

#[test]
fn the_whole_file_is_right() {
    let loaded = Workspace::of(EVERYTHING).load();
    assert_eq!(draw(&loaded.diagnostics, false), "");
    assert_eq!(loaded.targets.len(), 6);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_text_is_read(text in "\\PC{0,120}") {
        read(&text);
    }

    #[test]
    fn a_damaged_text_is_read(text in damaged()) {
        read(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_damaged_workspace_is_loaded(text in damaged()) {
        let loaded = Workspace::of(&text).load();
        draw(&loaded.diagnostics, false);
        if !loaded.has_errors() {
            let root = Arc::new(WorkspacePath::root());
            prop_assert!(loaded.targets.is_empty() || loaded.select(&["//..."], &root).is_ok());
        }
    }
}

fn read(text: &str) {
    let source = Arc::new(SourceText { path: WorkspacePath::root(), text: text.to_owned() });
    let (_file, diagnostics) = file::parse(&source);
    for annotation in diagnostics.iter().flat_map(|diagnostic| &diagnostic.annotations) {
        assert!(annotation.location.span.start() <= annotation.location.span.end());
        assert!(annotation.location.span.end() <= text.len());
    }
    draw(&diagnostics, false);
}

#[test]
fn depth_is_refused_rather_than_followed() {
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        read(&format!("a = {}1{}", open.repeat(100_000), close.repeat(100_000)));
    }
    read(&format!("a{} = 1", ".a".repeat(100_000)));
    read(&format!("[a{}]", ".a".repeat(100_000)));
}
