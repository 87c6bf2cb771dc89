//! Orders, twins, early cutoff, names.

use crate::scripted::digest;
use crate::shop::{Asked, Shop};

/// `a` is based on `b` and `c`, which are based on `d`.
pub(crate) const DIAMOND: &str = r#"
[image.a]
dockerfile = "two.dockerfile"
contexts = { one = ":b", two = ":c" }
labels = { is = "a" }
[image.b]
dockerfile = "one.dockerfile"
contexts = { one = ":d" }
labels = { is = "b" }
[image.c]
dockerfile = "one.dockerfile"
contexts = { one = ":d" }
labels = { is = "c" }
[image.d]
dockerfile = "d.dockerfile"
#--- one.dockerfile
FROM one
#--- two.dockerfile
FROM one
COPY --from=two x /x
#--- d.dockerfile
FROM scratch
COPY file /
#--- file
1
"#;

fn before(calls: &[String], one: &str, other: &str) -> bool {
    let at = |wanted: &str| calls.iter().position(|call| call == wanted).unwrap();
    at(one) < at(other)
}

#[test]
fn what_is_needed_is_built_first_and_once() {
    for jobs in [1, 2, 8] {
        let shop = Shop::new(DIAMOND);
        let ran = shop.run_as("//:a", &Asked { jobs: Some(jobs), ..Asked::default() });
        assert_eq!(ran.lines(), ["//:a built", "//:b built", "//:c built", "//:d built"]);
        let calls = shop.builder.calls();
        for (needed, by) in [("d", "b"), ("d", "c"), ("b", "a"), ("c", "a")] {
            assert!(before(&calls, &format!("done //:{needed}"), &format!("build //:{by}")), "{calls:?}");
        }
        assert_eq!(calls.iter().filter(|call| call.starts_with("build")).count(), 4);
        assert_eq!(shop.builder.links(), 4);
        assert_eq!(shop.run("//:a").lines(), ["//:a cached", "//:b cached", "//:c cached", "//:d cached"]);
        assert_eq!(shop.builder.calls(), Vec::<String>::new(), "nothing is asked for a second time");
        assert_eq!(shop.builder.links(), 0);
    }
}

#[test]
fn no_more_run_at_once_than_there_are_jobs() {
    let targets: String = (0..6).map(|n| format!("[image.t{n}]\nlabels = {{ n = \"{n}\" }}\n")).collect();
    let shop = Shop::new(&targets);
    let running = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for n in 0..6 {
        let running = std::sync::Arc::clone(&running);
        shop.builder.on(&format!("//:t{n}"), move |_, _| {
            let others = running.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(10));
            running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            if others < 2 { Ok(None) } else { Err(crate::scripted::failed("too many")) }
        });
    }
    let ran = shop.run_as("//:all", &Asked { jobs: Some(2), ..Asked::default() });
    assert!(ran.ended.values().all(|how| how == "built"), "{:?}", ran.ended);
}

/// Two targets of one key.
const TWINS: &str = r#"
[image.one]
tags = ["acme/one:1"]
[image.two]
tags = ["acme/two:1"]
[image.user]
dockerfile = "user.dockerfile"
contexts = { two = ":two" }
#--- user.dockerfile
FROM two
#--- Dockerfile
FROM scratch
COPY Dockerfile /
"#;

#[test]
fn twins_are_built_once_and_each_has_its_names() {
    let shop = Shop::new(TWINS);
    let ran = shop.run("//:all");
    let calls = shop.builder.calls();
    let builds: Vec<_> = calls.iter().filter(|call| call.starts_with("build")).collect();
    assert_eq!(builds.len(), 2, "{calls:?}");
    let mut ended: Vec<_> = ran.lines();
    ended.sort();
    assert!(ended.contains(&"//:user built".to_owned()), "{ended:?}");
    let twins: Vec<_> = ["//:one", "//:two"].iter().map(|label| ran.ended[*label].as_str()).collect();
    assert!(twins == ["built", "cached"] || twins == ["cached", "built"], "{twins:?}");
    let named = |name: &str| {
        let inventory = imgraph::build::builder::Builder::inventory(&shop.builder).unwrap();
        inventory.references.get(name).cloned()
    };
    assert_eq!(named("acme/one:1"), named("acme/two:1"));
    assert!(named("acme/one:1").is_some());
    let again = shop.run("//:all");
    assert!(again.ended.values().all(|how| how == "cached"), "{:?}", again.ended);
}

#[test]
fn twins_fail_together() {
    let shop = Shop::new(TWINS);
    for label in ["//:one", "//:two"] {
        shop.builder.on(label, |_, _| Err(crate::scripted::failed("no")));
    }
    let ran = shop.run_as("//:all", &Asked { keep_going: true, ..Asked::default() });
    assert_eq!(ran.lines(), ["//:one failed: no", "//:two failed: no", "//:user skipped: //:two failed"]);
    assert_eq!(shop.builder.calls().len(), 1);
}

#[test]
fn a_dependency_that_comes_out_the_same_dirties_nobody() {
    let shop = Shop::new(DIAMOND);
    shop.builder.constant("//:d", "the same");
    shop.run("//:a");
    shop.write("file", "2\n");
    let ran = shop.run("//:a");
    assert_eq!(ran.lines(), ["//:a cached", "//:b cached", "//:c cached", "//:d built"]);
    shop.builder.constant("//:d", "another");
    shop.write("file", "3\n");
    let ran = shop.run("//:a");
    assert_eq!(ran.lines(), ["//:a built", "//:b built", "//:c built", "//:d built"]);
}

/// What was built before is known again, however much was built since.
#[test]
fn an_edit_that_is_taken_back_is_cached() {
    let shop = Shop::new(DIAMOND);
    shop.run("//:a");
    shop.write("file", "2\n");
    shop.run("//:a");
    shop.write("file", "1\n");
    assert!(shop.run("//:a").ended.values().all(|how| how == "cached"));
}

#[test]
fn an_output_that_is_gone_is_built_again() {
    let shop = Shop::new(DIAMOND);
    shop.run("//:a");
    shop.builder.prune();
    let gone = "output removed (is no longer in the builder's store)";
    assert_eq!(shop.plan("//:d"), [format!("//:d dirty: {gone}")]);
    let ran = shop.run("//:a");
    assert!(ran.ended.values().all(|how| how == "built"), "{:?}", ran.ended);
}

#[test]
fn what_is_forced_is_built_and_nothing_else() {
    let shop = Shop::new(DIAMOND);
    shop.run("//:a");
    let ran = shop.run_as("//:b", &Asked { forced: true, ..Asked::default() });
    assert_eq!(ran.lines(), ["//:b built", "//:d cached"]);
}

#[test]
fn a_cached_target_is_given_the_names_that_it_lacks() {
    let text = |tags: &str| format!("[workspace]\nname = \"shop\"\n[image.a]\ntags = [{tags}]\n");
    let shop = Shop::new("[image.a]\ntags = ['acme/a:1']\n");
    shop.run("//:a");
    shop.builder.calls();
    shop.write("BUILD.toml", &text("'acme/a:1', 'acme/a:2', 'acme/a:${source-key}'"));
    let ran = shop.run("//:a");
    assert_eq!(ran.lines(), ["//:a cached"]);
    let calls = shop.builder.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(calls[0], "tag acme/a:2");
    assert!(calls[1].starts_with("tag acme/a:") && calls[1].len() == "tag acme/a:".len() + 12, "{calls:?}");
    // A name that somebody moved is put right.
    shop.builder.name("acme/a:1", "another image");
    shop.run("//:a");
    assert_eq!(shop.builder.calls(), ["tag acme/a:1"]);
}

#[test]
fn outputs_are_linked_by_their_digests() {
    let shop = Shop::new(
        "[image.a]\ncontexts = { dep = ':lib' }\nargs = { LIB = { target = ':lib' } }\n[image.lib]\ndockerfile = 'lib.dockerfile'\n#--- lib.dockerfile\nFROM scratch\n#--- Dockerfile\nFROM dep\nARG LIB\n",
    );
    shop.builder.constant("//:lib", "lib");
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let writes = std::sync::Arc::clone(&seen);
    shop.builder.on("//:a", move |request, _| {
        *writes.lock().unwrap() = format!("{:?} {:?}", request.contexts, request.args);
        Ok(None)
    });
    shop.run("//:a");
    let name = format!("imgraph.local/lib:{}", digest("lib").hex());
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen, format!("{{\"dep\": Image(\"{name}\")}} {{\"LIB\": \"{name}\"}}"));
}

#[test]
fn a_name_that_cannot_be_given_is_a_failure() {
    let text = "[image.a]\ntags = [\"acme/a:1\"]\n[image.b]\ndockerfile = \"b.dockerfile\"\ncontexts = { a = \":a\" }\n\
                #--- Dockerfile\nFROM scratch\n#--- b.dockerfile\nFROM a\n";
    let shop = Shop::new(text);
    shop.run("//:b");
    shop.write(
        "BUILD.toml",
        &format!("[workspace]\n{}", text.replace("acme/a:1", "acme/a:2").split("#---").next().unwrap()),
    );
    shop.builder.refuse("acme/a:2");
    let ran = shop.run("//:b");
    assert_eq!(ran.lines(), ["//:a surroundings: cannot name acme/a:2", "//:b skipped: //:a failed"]);
    shop.builder.refuse("another");
    assert_eq!(shop.run("//:b").lines(), ["//:a cached", "//:b cached"]);
}

#[test]
fn what_is_forced_is_built_though_its_twin_is_cached() {
    let shop = Shop::new(
        "[image.first]\n[image.second]\n[image.user]\ndockerfile = \"user.dockerfile\"\n\
         contexts = { first = \":first\" }\n[group.both]\ntargets = [\":second\", \":user\"]\n\
         #--- Dockerfile\nFROM scratch\n#--- user.dockerfile\nFROM first\n",
    );
    shop.run("//:all");
    shop.builder.calls();
    let ran = shop.run_as("//:both", &Asked { forced: true, jobs: Some(1), ..Asked::default() });
    assert_eq!(ran.lines(), ["//:first cached", "//:second built", "//:user built"]);
    assert!(shop.builder.calls().contains(&"build //:second".to_owned()));
}
