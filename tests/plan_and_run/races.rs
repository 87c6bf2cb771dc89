//! What changes while it is built is not recorded.

use std::fs;
use std::path::Path;

use imgraph::build::builder::BuildError;
use imgraph::types::workspace_path::WorkspacePath;

use crate::shop::Shop;

const TEXT: &str =
    "[image.a]\n#--- Dockerfile\nFROM scratch\nCOPY src /\n#--- src/one\n1\n#--- src/two\n2\n#--- aside\n1\n";

fn said(paths: &str) -> String {
    format!("//:a inputs changed: {paths} changed while the target was built: nothing was recorded")
}

/// A name, a change, and the path that is named.
type Case = (&'static str, fn(&Path), Option<&'static str>);

/// What somebody does to the sources during the build, and which paths are named.
#[test]
fn a_file_that_changes_meanwhile_spoils_the_build() {
    let cases: &[Case] = &[
        ("another text", |root| fs::write(root.join("src/one"), "11\n").unwrap(), Some("`src/one`")),
        (
            "a text of the same length",
            |root| fs::write(root.join("src/one"), "3\n").unwrap(),
            Some("`src/one`"),
        ),
        ("one more file", |root| fs::write(root.join("src/more"), "").unwrap(), Some("`src/more`")),
        ("one file less", |root| fs::remove_file(root.join("src/two")).unwrap(), Some("`src/two`")),
        ("the same text", |root| fs::write(root.join("src/one"), "1\n").unwrap(), None),
        ("a file that is not read", |root| fs::write(root.join("aside"), "2\n").unwrap(), None),
    ];
    for (what, change, expected) in cases {
        let shop = Shop::new(TEXT);
        let (root, change) = (shop.disk.path().to_path_buf(), *change);
        shop.builder.on("//:a", move |_, _| {
            change(&root);
            Ok(None)
        });
        let ran = shop.run("//:a");
        let expected = expected.map_or_else(|| "//:a built".to_owned(), said);
        assert_eq!(ran.lines().join("\n"), expected, "{what}");
        let again = if expected == "//:a built" { "//:a cached" } else { "//:a built" };
        shop.builder.on("//:a", |_, _| Ok(None));
        assert_eq!(shop.run("//:a").lines(), [again], "{what}");
    }
}

#[test]
fn a_builder_that_sees_the_change_says_the_same() {
    let shop = Shop::new(TEXT);
    shop.builder.on("//:a", |_, _| {
        Err(BuildError::InputChanged { path: WorkspacePath::root().resolve(b"src/one").unwrap() })
    });
    assert_eq!(shop.run("//:a").lines(), [said("`src/one`")]);
    assert_eq!(shop.plan("//:a"), ["//:a dirty: build neverbuilt"]);
}

const BASED: &str = "[image.a]\n#--- Dockerfile\nFROM base:1\n";

#[test]
fn a_base_that_moves_meanwhile_spoils_the_build() {
    let shop = std::sync::Arc::new(Shop::new(BASED));
    shop.builder.name("base:1", "old");
    let weak = std::sync::Arc::downgrade(&shop);
    shop.builder.on("//:a", move |_, _| {
        weak.upgrade().unwrap().builder.name("base:1", "new");
        Ok(None)
    });
    let ran = shop.run("//:a");
    let expected = "inputs changed: `base:1` stands for another image than when the build began";
    assert_eq!(ran.ended["//:a"], expected);
    shop.builder.on("//:a", |_, _| Ok(None));
    assert_eq!(shop.run("//:a").lines(), ["//:a built", "base:1 cached"]);
    assert_eq!(shop.run("//:a").lines(), ["//:a cached", "base:1 cached"]);
}

#[test]
fn a_base_that_was_fetched_is_asked_for_by_its_digest() {
    let shop = Shop::new(BASED);
    shop.builder.elsewhere("base:1", "fetched");
    let exact = format!("base:1@{}", crate::scripted::digest("fetched"));
    shop.builder.on("//:a", move |request, _| {
        let contexts: Vec<String> = request.contexts.values().map(|context| format!("{context:?}")).collect();
        assert_eq!(contexts, [format!("Image({exact:?})")]);
        Ok(None)
    });
    assert_eq!(shop.run("//:a").lines(), ["//:a built", "base:1 built"]);
    assert_eq!(shop.run("//:a").lines(), ["//:a cached", "base:1 cached"]);
}
