//! How circles of targets and of groups are told, in terminals of two widths.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use imgraph::cli::diagnostics::draw_within;
use imgraph::types::diagnostic::Diagnostic;
use workspace::Workspace;

#[path = "support/workspace.rs"]
mod workspace;

/// Packages whose images need each other, in order and back to the first.
fn circle_of(folders: &[&str]) -> Vec<Diagnostic> {
    let mut text = "[workspace]\nname = 'shop'\n".to_owned();
    for (index, folder) in folders.iter().enumerate() {
        let next = folders[(index + 1) % folders.len()];
        text.push_str(&format!(
            "#--- {folder}/BUILD.toml\n[image.server]\ncontexts = {{ next = '//{next}:server' }}\n\
             #--- {folder}/Dockerfile\n# The next.\nFROM next\n"
        ));
    }
    Workspace::of(&text).on_disk().expand(&["//..."], &[]).diagnostics
}

fn check(name: &str, diagnostics: &[Diagnostic]) {
    for columns in [80, 120] {
        let drawn = draw_within(diagnostics, false, columns);
        let picture = drawn.lines().filter(|line| line.contains(['│', '┌', '└']));
        for line in picture {
            assert!(line.chars().count() <= columns, "{line}");
        }
        insta::assert_snapshot!(format!("{name}_{columns}"), drawn);
    }
}

#[test]
fn a_circle_of_targets_is_drawn() {
    check("of_two", &circle_of(&["api", "web"]));
    let long =
        "platform/services/international-settlement/reconciliation-of-ledgers/nightly-batch-processing";
    check("of_three_with_long_names", &circle_of(&["api", long, "web"]));
}

#[test]
fn a_circle_of_groups_is_drawn() {
    let text = "[workspace]\n[group.everything]\ntargets = [':services']\n[group.services]\ntargets = [':web']\n\
                [group.web]\ntargets = [':everything']\n";
    check("of_groups", &Workspace::of(text).load().diagnostics);
}

#[test]
fn one_that_needs_itself_is_told_without_a_picture() {
    let drawn = draw_within(&circle_of(&["api"]), false, 80);
    assert!(drawn.contains("//api:server needs itself") && !drawn.contains('┌'), "{drawn}");
}
