//! The command: what is typed, what is printed where, and how it ends.

use std::fmt::Write;
use std::process::Command;

use crate::shop::TEXT;
use crate::workspace::{OnDisk, Workspace};

/// A shop and a cache of its own.
struct Place {
    shop: OnDisk,
    cache: tempfile::TempDir,
}

struct Ended {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Place {
    fn new(text: &str) -> Self {
        Self { shop: Workspace::of(text).on_disk(), cache: tempfile::tempdir().unwrap() }
    }

    fn query(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
        command.arg("query").args(arguments).current_dir(self.shop.path()).env_clear();
        let output = command.env("IMGRAPH_CACHE_DIR", self.cache.path()).output().unwrap();
        Ended {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// Checks the result of a query that goes well.
    fn check(&self, arguments: &[&str], expected: &str) {
        let Ended { out, err, code } = self.query(arguments);
        assert_eq!((out.as_str(), err.as_str(), code), (expected, "", Some(0)), "{arguments:?}");
    }

    /// Checks that a query is refused, and that this is said.
    fn check_refused(&self, arguments: &[&str], said: &str) {
        let Ended { out, err, code } = self.query(arguments);
        assert_eq!((out.as_str(), code), ("", Some(2)), "{arguments:?}: {err}");
        assert!(err.contains(said), "{arguments:?}: {err}");
    }
}

#[test]
fn answers_go_to_standard_output() {
    let place = Place::new(TEXT);
    place.check(&["//web/mock"], "//web/mock:mock\n");
    place.check(&["bases(//...) - //..."], "busybox:1.36\nnginx:1.27\nnode:22\nredis:7\n");
    place.check(&["//api ^ //web/..."], "");
    place.check(&["//api ^ //web/...", "--format", "package"], "");
    place.check(&["//api ^ //web/...", "--format", "tree"], "");
    place.check(&["//:debian", "--output", "label_kind"], "base //:debian\n");
    place.check(&["//:debian", "--output", "label-kind"], "base //:debian\n");
    place.check(&["//:debian", "--output=label"], "//:debian\n");
    place.check(&["//:debian", "--output=location"], "BUILD.toml:7:7: base //:debian\n");
    place.check(&["deps(//web/mock)", "--output=maxrank"], "0 //web/mock:mock\n");
    place.check(&["//:debian + //docker:builder", "--order=deps"], "//docker:builder\n//:debian\n");
    place.check(&["somepath(//docker:builder, //:debian)"], "//docker:builder\n//:debian\n");
    place.check(&["somepath(//docker:builder, //:debian)", "--order=label"], "//:debian\n//docker:builder\n");
    place.check(&["-C", "web", "mock/..."], "//web/mock:mock\n");
    place.check(&["-C", "web", "owner(site.conf)"], "//web:site\n//web/mock:mock\n");
}

#[test]
fn pictures_hold_the_answer_and_the_edges_in_it() {
    let place = Place::new(TEXT);
    let mut all = String::new();
    for query in ["deps(//web:admin) + //web:frontends", "//web:admin + node:22 + inputs(//docker:tools)"] {
        for format in ["tree", "dot", "mermaid"] {
            let drawn = place.query(&[query, "--format", format]).out;
            writeln!(all, "{query} as {format}\n{drawn}").unwrap();
        }
    }
    insta::assert_snapshot!(all);
    let svg = place.query(&["deps(//docker:tools) + inputs(//docker:tools)", "--format", "svg"]).out;
    assert!(svg.starts_with("<svg") && svg.contains("docker/tools/lint.sh"), "{svg}");
    let dot = |format| place.query(&["deps(//api)", "--output", format]).out;
    assert_eq!(dot("graph"), dot("dot"));
}

#[test]
fn a_query_may_stand_in_a_file() {
    let place = Place::new(TEXT);
    std::fs::write(place.shop.path().join("web/q"), "let x = //web/...\n  in $x -\n  //web:all\n").unwrap();
    place.check(&["--query-file", "web/q"], "//web/mock:mock\n");
    place.check(&["-C", "web", "--query-file", "q"], "//web/mock:mock\n");
    std::fs::write(place.shop.path().join("q"), "//web/... +\n  //web:sit\n").unwrap();
    place.check_refused(&["--query-file", "q"], "--> q:2:3");
    let absolute = place.shop.path().join("web").join("q");
    std::fs::write(&absolute, "(").unwrap();
    place.check_refused(&["--query-file", absolute.to_str().unwrap()], "--> q:1:2");
    std::fs::write(place.shop.path().join("bytes"), b"//api + \xff").unwrap();
    place.check_refused(&["--query-file", "bytes"], "--> bytes:1:9");
    place.check_refused(&["--query-file", "absent"], "cannot read the query in `absent`");
    place.check_refused(&["--query-file", "."], "cannot read the query in `.`");
    place.check_refused(&["--query-file", "q", "//api"], "cannot be used with");
    place.check_refused(&[], "<EXPR>");
}

#[test]
fn what_is_wrong_goes_to_standard_error() {
    let place = Place::new(TEXT);
    place.check_refused(&[""], "the query is empty");
    place.check_refused(&["dpes(//api)"], "did you mean `deps`?");
    place.check_refused(&["//apo"], "did you mean `//api`?");
    place.check_refused(&["deps(//api", "--output", "json"], "the query ends too early");
    place.check_refused(&["//api", "--output", "proto"], "possible values");
}

#[test]
fn commits_are_compared_with_the_files_as_they_are() {
    let place = Place::new(TEXT);
    place.check_refused(&["affected(HEAD)"], "it cannot be said what differs from `HEAD`");
    let script =
        "git init -q -b trunk . && git config user.email a@b && git config user.name a && git add . &&
        git commit -qm first";
    let mut git = Command::new("sh");
    assert!(git.arg("-ec").arg(script).current_dir(place.shop.path()).status().unwrap().success());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let ask = |query: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
        command.args(["query", query]).current_dir(place.shop.path()).env_clear().env("PATH", &path);
        let output = command.env("IMGRAPH_CACHE_DIR", place.cache.path()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.code())
    };
    let well = |out: &str| (out.to_owned(), String::new(), Some(0));
    assert_eq!(ask("affected(HEAD)"), well(""));
    std::fs::write(place.shop.path().join("web/admin.conf"), "new").unwrap();
    assert_eq!(ask("affected(HEAD)"), well("//web:admin\n"));
    assert_eq!(
        ask("kind(group, allrdeps(affected('HEAD')))"),
        well("//:all-but-the-site\n//web:frontends\n")
    );
    let (out, err, code) = ask("//api + affected(nowhere)");
    assert_eq!((out.as_str(), code), ("", Some(2)), "{err}");
    assert!(err.contains("nowhere") && err.contains("--> expression:1:18"), "{err}");
}

/// A Dockerfile that is wrong, of a target that nothing else has to do with.
const BROKEN: &str = "[workspace]
[image.fine]
[image.broken]
dockerfile = \"broken.Dockerfile\"
[image.fails-to-list]
dockerfile = \"copies.Dockerfile\"
inputs = [\"[\"]
#--- copies.Dockerfile
FROM scratch
COPY . /
#--- broken.Dockerfile
FRM scratch
";

#[test]
fn only_what_the_query_can_speak_of_has_to_be_right() {
    let place = Place::new(BROKEN);
    place.check(&["deps(//:fine)"], "//:fine\n");
    place.check_refused(&["deps(//:broken)"], "broken.Dockerfile:1:1");
    place.check_refused(&["allrdeps(//:fine)"], "broken.Dockerfile:1:1");
    place.check_refused(&["deps(//...)"], "broken.Dockerfile:1:1");
    place.check_refused(&["//...", "--output", "tree"], "broken.Dockerfile:1:1");
    let all = "//:broken\n//:fails-to-list\n//:fine\n";
    place.check(&["//..."], all);
    place.check(&["kind(image, siblings(//:fine))"], all);
    place.check(&["attr(dockerfile, broken, //...)"], "//:broken\n");
    place.check_refused(&["inputs(//:fails-to-list)"], "BUILD.toml:7:11");
}
