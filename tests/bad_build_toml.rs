//! What is said of `BUILD.toml` files that are wrong: one snapshot beside each fixture.
//!
//! A fixture is a workspace as `support/workspace.rs` reads it.

use std::path::Path;

use imgraph::cli::diagnostics::draw;
use workspace::Workspace;

#[path = "support/workspace.rs"]
mod workspace;

#[test]
fn every_mistake_is_told_with_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad_build_toml");
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    assert!(paths.len() >= 30, "only {} fixtures", paths.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("fixtures/bad_build_toml");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            let said = draw(&Workspace::of(&text).load().diagnostics, false);
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(said.contains("error") || said.contains("warning"), "{name}: nothing is said");
            insta::assert_snapshot!(name, said);
        }
    });
}
