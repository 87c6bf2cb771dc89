//! `imgraph explain` of files and of paths between targets: no engine is asked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/program.rs"]
mod program;
#[path = "support/workspace.rs"]
mod workspace;

use program::run;
use workspace::{OnDisk, Workspace};

/// A service of two stages, one based on it, and one that reads everything but what it ignores.
const SHOP: &str = r#"[workspace]
[defaults.image]
context = "//"

[base.runtime]
image = "busybox:1.36"

[base.builder]
dockerfile = "builder.dockerfile"
publishes = "ghcr.io/acme/builder"
#--- builder.dockerfile
FROM busybox:1.36
#--- .dockerignore
docs
**/*.log
#--- docs/guide.md
#--- services/api/BUILD.toml
[image.api]
contexts = { library = "//library", assets = { dir = "//assets" } }
secrets = [{ id = "npm", file = "token.txt" }]
#--- services/api/Dockerfile
FROM ghcr.io/acme/builder:1 AS build
COPY services/api/src/ ./
COPY --from=library /out /
RUN --mount=type=secret,id=npm true
FROM busybox:1.36
COPY --from=assets img/ /img/
COPY --from=build / /
#--- services/api/src/main.go
#--- services/api/src/a.log
#--- assets/img/logo.svg
#--- library/BUILD.toml
[stage.library]
[image.whole]
inputs = ["docs/**", "library/**"]
dockerfile = "whole.dockerfile"
#--- library/Dockerfile
FROM ghcr.io/acme/builder:1
COPY part.rs /
#--- library/whole.dockerfile
FROM scratch
COPY . /
#--- library/part.rs
#--- services/web/BUILD.toml
[image.web]
args = { API = { target = "//services/api" } }
#--- services/web/Dockerfile
ARG API
FROM $API
COPY services/web/index.html /
#--- services/web/index.html
"#;

fn shop() -> OnDisk {
    Workspace::of(SHOP).on_disk()
}

fn snapshot(name: &str, folder: &str, arguments: &str) {
    let shop = shop();
    let folder = shop.path().join(folder);
    let mut shown = String::new();
    for columns in [80, 120] {
        let outcome = run(&folder, columns, arguments).shown();
        let rule = "-".repeat(columns);
        shown.push_str(&format!("{rule}\n{outcome}"));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_description(format!("imgraph {arguments}"));
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, shown));
}

#[test]
fn a_file_is_explained() {
    snapshot("file_read", "", "explain --file services/api/src/main.go");
    snapshot("file_read_all", "services/api", "explain --file src/main.go --all");
    snapshot("file_of_everybody", "", "explain --file BUILD.toml");
    snapshot("file_of_a_named_folder", "assets/img", "explain --file ../img/logo.svg");
    snapshot("file_secret", "", "explain --file //services/api/token.txt");
    snapshot("file_not_there", "services/api/src", "explain --file mein.go");
    snapshot("folder", "", "explain --file services");
}

#[test]
fn a_file_that_nobody_reads_is_explained() {
    snapshot("file_ignored", "", "explain --file services/api/src/a.log");
    snapshot("file_ignored_folder", "docs", "explain --file guide.md");
    snapshot("file_not_copied", "", "explain --file services/web/package.json");
    snapshot("file_outside", "", "explain --file /etc/passwd");
}

#[test]
fn what_is_in_no_context_is_told_as_that() {
    let text = "[workspace]\n#--- a/BUILD.toml\n[image.a]\n#--- a/x\n#--- b/y\n";
    let disk = Workspace::of(text).on_disk();
    let outcome = run(disk.path(), 80, "explain --file b/y");
    assert_eq!(outcome.shown(), "nobody reads b/y: it is in no target's context\nexit 0\n");
    // A Dockerfile that copies nothing has a context all the same.
    let outcome = run(disk.path(), 80, "explain --file a/x");
    let expected = "nobody reads a/x:\n  //a:a  no line of a/Dockerfile that it needs copies it\nexit 0\n";
    assert_eq!(outcome.shown(), expected);
}

#[test]
fn a_file_is_a_document_for_programs() {
    let shop = shop();
    let document = run(shop.path(), 80, "explain --file services/api/src/main.go --format json").json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["path"], "services/api/src/main.go");
    assert_eq!(document["exists"], true);
    let reader = &document["readers"][0];
    assert_eq!(reader["label"], "//services/api:api");
    assert_eq!(reader["as"], "content");
    assert_eq!(reader["context"], "");
    assert_eq!(reader["place"], "services/api/Dockerfile:2");
    assert_eq!(reader["keyed"], true);
    assert_eq!(document["dirties"], serde_json::json!(["//services/api:api", "//services/web:web"]));
    assert_eq!(document["unread"][0]["reason"], "inputs");
    assert_eq!(document["unread"][0]["targets"], serde_json::json!(["//library:whole"]));
    // What needs a reader is dirtied through it, and what needs that in turn.
    let base = run(shop.path(), 80, "explain --file builder.dockerfile --format json").json();
    let all = ["//:builder", "//library:library", "//services/api:api", "//services/web:web"];
    assert_eq!(base["dirties"], serde_json::json!(all));
    let secret = run(shop.path(), 80, "explain --file services/api/token.txt --format json").json();
    let reader = &secret["readers"][0];
    assert_eq!((&reader["as"], &reader["name"]), (&"secret".into(), &"npm".into()));
    assert_eq!((&reader["keyed"], &secret["exists"]), (&false.into(), &false.into()));
    assert_eq!(secret["dirties"], serde_json::json!([]));
}

#[test]
fn a_path_between_two_targets_is_explained() {
    snapshot("path", "", "explain //services/web //library");
    snapshot("path_backwards", "services/web", "explain //:builder :web");
    snapshot("path_all", "", "explain //services/web //:runtime --all");
    snapshot("path_none", "", "explain //services/web //library:whole");
    snapshot("path_of_many", "", "explain //services/... //library");
    snapshot("path_misspelt", "", "explain //services/wab //library");
    snapshot("path_to_itself", "", "explain //library //library:library");
}

#[test]
fn a_path_is_a_document_for_programs() {
    let shop = shop();
    let outcome = run(shop.path(), 80, "explain //:builder //services/web --format json --all");
    let document = outcome.json();
    assert_eq!((outcome.exit, &document["schema"]), (0, &1.into()));
    assert_eq!((&document["from"], &document["to"]), (&"//services/web:web".into(), &"//:builder".into()));
    assert_eq!(document["count"], 2);
    assert_eq!(document["paths"][0][2]["why"], "ghcr.io/acme/builder:1");
    assert_eq!(document["paths"][0][2]["place"], "services/api/Dockerfile:1");
    let none = run(shop.path(), 80, "explain //library:whole //services/web --format json");
    assert_eq!((none.exit, &none.json()["count"]), (1, &0.into()));
    assert_eq!(none.json()["paths"], serde_json::json!([]));
}

#[test]
fn what_does_not_go_together_is_wrong_usage() {
    let shop = shop();
    for arguments in ["explain", "explain --file x //library", "explain //a //b //c"] {
        let outcome = run(shop.path(), 80, arguments);
        assert_eq!(outcome.exit, 2, "{arguments}: {}", outcome.shown());
    }
}
