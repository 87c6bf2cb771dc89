//! `imgraph refs --predict`: what images will be called, without an engine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/program.rs"]
mod program;
#[path = "support/workspace.rs"]
mod workspace;

use imgraph::engine::lookup;
use imgraph::engine::refs::{PredictedName, predict};
use imgraph::graph::key::Keyed;
use imgraph::graph::node_views::NodeViews;
use program::run;
use workspace::Workspace;

/// Images with and without an export name, with and without a tag that tells what is in them.
const SHOP: &str = r#"[workspace]
[image.api]
tags = ["acme/api:latest", "acme/api:${source-key}", "acme/api:v-${source-key}"]
export = "API_URI"
[image.job]
tags = ["acme/job:1-${source-key}"]
[image.plain]
tags = ["acme/plain:latest"]
export = "PLAIN_URI"
[image.nameless]
export = "NAMELESS_URI"
[image.both]
tags = ["acme/both:${source-key}"]
platforms = ["linux/amd64", "linux/arm64"]
export = "BOTH_URI"
[stage.stage]
tags = ["acme/stage:${source-key}"]
[group.all-of-them]
targets = [":api", ":job"]
#--- x
1
#--- Dockerfile
FROM scratch
COPY x /
"#;

#[test]
fn a_prediction_is_a_name_that_a_build_gives() {
    let disk = Workspace::of(SHOP).on_disk();
    let shop = disk.expand(&["//..."], &[]);
    let views = NodeViews::new(&shop.graph, &shop.snapshot).unwrap();
    let keys = Keyed { graph: &shop.graph, views: &views }.source_keys();
    let predicted = predict(&shop.graph, &keys);
    let labels: Vec<String> = predicted.iter().map(|one| one.target.label.to_string()).collect();
    assert_eq!(labels, ["//:api", "//:both", "//:job", "//:nameless", "//:plain"]);
    let mut known = 0;
    for one in &predicted {
        let PredictedName::Known(name) = &one.name else { continue };
        let (id, node) =
            shop.graph.nodes.iter().find(|(_, node)| node.label() == Some(&one.target.label)).unwrap();
        let tags = lookup::tags(node.build().unwrap(), &keys[id]);
        assert!(tags.contains(name), "{name} is none of {tags:?}");
        assert!(name.contains(&keys[id].short().to_string()), "{name}");
        known += 1;
    }
    assert_eq!(known, 2);
}

/// What is shown, with the keys taken out.
fn shown(arguments: &str) -> String {
    let disk = Workspace::of(SHOP).on_disk();
    let shown = run(disk.path(), 80, arguments).shown();
    let is_key = |text: &str| text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = shown.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .map(|word| {
            let bare = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
            if is_key(bare) { word.replace(bare, "KEY") } else { word.to_owned() }
        })
        .collect()
}

fn snapshot(name: &str, arguments: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_description(format!("imgraph {arguments}"));
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, shown(arguments)));
}

#[test]
fn predictions_are_told_in_many_forms() {
    snapshot("text", "refs --predict");
    snapshot("json", "refs --predict --format json");
    snapshot("json_all", "refs --predict --format json --all");
    snapshot("env", "refs --predict --format env");
    snapshot("github_of_one", "refs --predict --format github :api");
    snapshot("one_platform", "refs --predict --platform linux/arm64 :both");
}

#[test]
fn what_cannot_be_told_is_said() {
    snapshot("no_prediction", "refs");
    snapshot("labels_as_variables", "refs --predict --all --format env");
    snapshot("no_image", "refs --predict :stage");
    snapshot("misspelt", "refs --predict :apa");
}

#[test]
fn a_prediction_changes_with_what_is_in_the_image() {
    let disk = Workspace::of(SHOP).on_disk();
    let told = || run(disk.path(), 80, "refs --predict :api --format env").stdout;
    let before = told();
    assert_eq!(before, told());
    // A tag and an export name are in no key.
    let build = std::fs::read_to_string(disk.path().join("BUILD.toml")).unwrap();
    std::fs::write(disk.path().join("BUILD.toml"), build.replace("API_URI", "OTHER_URI")).unwrap();
    assert_eq!(told(), before.replace("API_URI", "OTHER_URI"));
    std::fs::write(disk.path().join("x"), "2").unwrap();
    assert_ne!(told(), before.replace("API_URI", "OTHER_URI"));
}
