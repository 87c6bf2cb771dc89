//! Texts to values: one `BUILD.toml`, one Dockerfile, one ignore file, and one pattern of it asked.

#[path = "../tests/support/monorepo.rs"]
mod monorepo;
#[path = "support/trees.rs"]
mod trees;

use std::fs;
use std::hint::black_box;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;
use imgraph::syntax::build_toml::file;
use imgraph::syntax::dockerfile;
use imgraph::syntax::dockerignore::IgnoreRules;
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;
use trees::Size;

fn main() {
    divan::main();
}

/// A file of the smallest tree.
fn source(path: &str) -> Arc<SourceText> {
    let root = trees::tree(Size { services: 100, files: 20 });
    let text = fs::read_to_string(root.join(path)).expect("the tree has the file");
    let path = WorkspacePath::root().resolve(path.as_bytes()).expect("it is a path of the tree");
    Arc::new(SourceText { path, text })
}

#[divan::bench(args = ["BUILD.toml", "docker/BUILD.toml", "services/svc-0042/BUILD.toml"])]
fn build_toml(bencher: Bencher<'_, '_>, path: &str) {
    let source = source(path);
    bencher
        .counter(BytesCount::of_str(&source.text))
        .bench(|| assert!(black_box(file::parse(&source)).1.is_empty()));
}

#[divan::bench(args = ["docker/libraries.dockerfile", "services/svc-0042/Dockerfile"])]
fn dockerfiles(bencher: Bencher<'_, '_>, path: &str) {
    let source = source(path);
    bencher.counter(BytesCount::of_str(&source.text)).bench(|| dockerfile::parse(&source).is_ok());
}

#[divan::bench]
fn ignore_file(bencher: Bencher<'_, '_>) {
    let source = source(".dockerignore");
    bencher.counter(BytesCount::of_str(&source.text)).bench(|| IgnoreRules::parse(&source).is_ok());
}

/// Whether a path of four names is ignored, its folders being asked too.
#[divan::bench]
fn ignore_rules(bencher: Bencher<'_, '_>) {
    let rules = IgnoreRules::parse(&source(".dockerignore")).expect("the ignore file is right");
    let path = WorkspacePath::root().resolve(b"services/svc-0042/src/file-001.rs").expect("it is a path");
    bencher.bench(|| rules.patterns().matches_or_parent(black_box(&path)));
}
