//! States and reasons.

use crate::runs::DIAMOND;
use crate::shop::Shop;

fn cached(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| format!("//:{label} cached")).collect()
}

#[test]
fn nothing_was_ever_built() {
    let shop = Shop::new(DIAMOND);
    let never = |label: &str| format!("//:{label} dirty: build neverbuilt");
    assert_eq!(shop.plan("//:a"), ["a", "b", "c", "d"].map(never));
    assert_eq!(shop.builder.calls(), Vec::<String>::new(), "a plan starts nothing");
    shop.run("//:a");
    assert_eq!(shop.plan("//:a"), cached(&["a", "b", "c", "d"]));
}

#[test]
fn what_needs_a_dirty_target_waits() {
    let shop = Shop::new(DIAMOND);
    shop.run("//:a");
    shop.write("file", "2\n");
    assert_eq!(
        shop.plan("//:a"),
        [
            "//:a waits: image one changed (the output of //:b, which runs first); \
             image two changed (the output of //:c, which runs first)",
            "//:b waits: image one changed (the output of //:d, which runs first)",
            "//:c waits: image one changed (the output of //:d, which runs first)",
            "//:d dirty: files changed",
        ]
    );
}

/// A target that is dirty by itself does not wait.
#[test]
fn a_change_of_its_own_is_reason_enough() {
    let shop = Shop::new(DIAMOND);
    shop.run("//:a");
    shop.write("file", "2\n");
    shop.write("two.dockerfile", "FROM one\nCOPY --from=two x /x\nUSER 1\n");
    assert_eq!(shop.plan("//:a")[0], "//:a dirty: instruction 2 added (0 USER 1)");
}

/// One dependency is dirty, the output of another is known and differs from that of the last success.
#[test]
fn a_known_output_that_moved_is_reason_enough() {
    let shop = Shop::new(DIAMOND);
    shop.builder.constant("//:b", "b");
    shop.builder.constant("//:c", "c");
    shop.run("//:a");
    shop.builder.constant("//:b", "another b");
    shop.write("file", "2\n");
    shop.run("//:b");
    shop.builder.constant("//:c", "whatever");
    assert_eq!(
        shop.plan("//:a"),
        ["//:a dirty: image one changed", "//:b cached", "//:c dirty: image one changed", "//:d cached",]
    );
}

#[test]
fn each_kind_of_fact_is_a_reason() {
    let text = "[image.a]\nargs = { V = '1' }\nlabels = { l = '1' }\ncontexts = { f = { dir = 'f' } }\nstamp = { S = '1' }\n";
    let files = "#--- f/x\n1\n#--- y\n1\n#--- Dockerfile\nFROM base:1\nARG V\nARG S\nCOPY --from=f . /\nCOPY y /\nRUN one\n";
    let edit = |name: &'static str, from: &'static str, to: &'static str| (name, from, to);
    let cases = [
        (edit("BUILD.toml", "V = '1'", "V = '2'"), "argument V changed"),
        (edit("BUILD.toml", "V = '1'", ""), "argument V removed; argument V without a value added"),
        (edit("BUILD.toml", "l = '1'", "l = '2'"), "label l changed"),
        (edit("BUILD.toml", "l = '1'", "m = '1'"), "label l removed; label m added"),
        (edit("BUILD.toml", "S = '1'", ""), "argument S without a value added; stamp S removed"),
        (edit("BUILD.toml", "stamp", "network = 'none'\nstamp"), "network added"),
        (edit("f/x", "1", "2"), "files f changed"),
        (edit("y", "1", "2"), "files changed"),
        (edit("Dockerfile", "RUN one", "RUN two"), "instruction 5 changed (0 RUN two)"),
        (edit("Dockerfile", "RUN one\n", ""), "instruction 5 removed"),
        (edit("Dockerfile", "ARG V\n", "USER 1\nARG V\n"), "instruction 1 added (0 USER 1)"),
    ];
    for ((path, from, to), expected) in cases {
        let shop = Shop::new(&format!("{text}{files}"));
        shop.builder.elsewhere("base:1", "base");
        shop.run("//:a");
        let before = std::fs::read_to_string(shop.disk.path().join(path)).unwrap();
        assert!(before.contains(from), "{path} {from}");
        shop.write(path, &before.replacen(from, to, 1));
        assert_eq!(shop.plan("//:a"), [format!("//:a dirty: {expected}"), "base:1 cached".to_owned()]);
        assert_eq!(shop.run("//:a").lines(), ["//:a built", "base:1 cached"]);
    }
}

#[test]
fn a_base_that_is_not_there_is_fetched_and_one_that_moved_is_a_reason() {
    let shop = Shop::new("[image.a]\n#--- Dockerfile\nFROM base:1\n");
    shop.builder.elsewhere("base:1", "old");
    let fetched = "base:1 dirty: image base:1 changed (not in the builder's store: it is fetched)";
    assert_eq!(shop.plan("//:a"), ["//:a dirty: build neverbuilt", fetched]);
    shop.run("//:a");
    shop.builder.name("base:1", "new");
    assert_eq!(shop.plan("//:a"), ["//:a dirty: image base:1 changed", "base:1 cached"]);
    let pinned = format!("base:1@{}", crate::scripted::digest("pinned"));
    shop.write("Dockerfile", &format!("FROM {pinned}\n"));
    assert_eq!(shop.plan("//:a").last().unwrap(), &format!("{pinned} cached"), "a pin is known at once");
}

#[test]
fn what_nothing_pins_is_looked_at_each_time() {
    let pin = crate::scripted::digest("frontend");
    let cases = [
        ("ADD https://x/y /", Some("remote https://x/y changed (may have changed: no `--checksum` pins it")),
        (
            "# syntax=acme/frontend:1",
            Some("frontend acme/frontend:1 changed (may have changed: no digest pins it"),
        ),
        (&format!("# syntax=acme/frontend:1@{pin}"), None),
        ("# syntax=docker/dockerfile:1", None),
    ];
    for (line, expected) in cases {
        let shop = Shop::new("[image.a]\n");
        let lines = if line.starts_with('#') { [line, "FROM scratch"] } else { ["FROM scratch", line] };
        shop.write("Dockerfile", &lines.join("\n"));
        shop.run("//:a");
        let expected = expected.map_or_else(
            || "//:a cached".to_owned(),
            |reason| format!("//:a dirty: {reason}, so the builder looks)"),
        );
        assert_eq!(shop.plan("//:a"), [expected], "{line}");
    }
}

#[test]
fn no_cache_and_force_are_reasons() {
    let shop = Shop::new("[image.a]\nno-cache = true\n[image.b]\n");
    shop.run("//:all");
    let expected = ["//:a dirty: no-cache changed (it is set on the target)", "//:b cached"];
    assert_eq!(shop.plan("//:all"), expected);
    assert_eq!(shop.forced_plan("//:b"), ["//:b dirty: no-cache changed (asked for)"]);
    assert_eq!(shop.run("//:all").lines(), ["//:a built", "//:b cached"]);
}
