//! The forms in which an answer is shown.

use imgraph::export::query_answer::{Answer, Line};

use crate::shop::Shop;

fn check(query: &str, form: impl Fn(&Answer<'_>) -> String, expected: &[&str]) {
    let found = Shop::new().ask(query, "", true, |answer: Answer<'_>| form(&answer)).unwrap();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{query}");
}

fn check_lines(query: &str, line: Line, expected: &[&str]) {
    check(query, |answer| answer.lines(line), expected);
}

#[test]
fn kinds() {
    check_lines(
        "deps(//web:admin, 1) + inputs(//docker:tools) + //web:frontends",
        Line::LabelKind,
        &[
            "image //web:admin",
            "group //web:frontends",
            "image //web:site",
            "base busybox:1.36",
            "file docker/stages.Dockerfile",
            "file docker/tools/lint.sh",
        ],
    );
    check_lines("//api - //api", Line::LabelKind, &[]);
}

#[test]
fn places() {
    check_lines(
        "deps(//web:admin, 1) + inputs(//docker:tools)",
        Line::Location,
        &[
            "web/BUILD.toml:3:8: image //web:admin",
            "web/BUILD.toml:1:8: image //web:site",
            "web/admin.Dockerfile:4:6: base busybox:1.36",
            "docker/stages.Dockerfile:1:1: file docker/stages.Dockerfile",
            "docker/tools/lint.sh:1:1: file docker/tools/lint.sh",
        ],
    );
}

#[test]
fn packages() {
    let packages = |answer: &Answer<'_>| answer.packages();
    check("deps(//api)", packages, &["//", "//api", "//docker"]);
    check("buildfiles(deps(//web:admin))", packages, &["//", "//docker", "//web"]);
    check("inputs(//web/mock)", packages, &["//web", "//web/mock"]);
    check("node:22", packages, &[]);
}

#[test]
fn ranks_are_lengths_of_ways_inside_the_answer() {
    let query = "deps(//web:admin) + deps(//api)";
    let least = [
        "0 //api:api",
        "0 //web:admin",
        "1 //:debian",
        "1 //docker:builder",
        "1 //docker:tools",
        "1 //web:site",
        "1 busybox:1.36",
        "2 //docker:assets",
        "2 nginx:1.27",
        "3 node:22",
    ];
    check_lines(query, Line::MinRank, &least);
    let most = [
        "0 //api:api",
        "0 //web:admin",
        "1 //docker:tools",
        "1 //web:site",
        "1 busybox:1.36",
        "2 //docker:assets",
        "2 //docker:builder",
        "2 nginx:1.27",
        "3 //:debian",
        "3 node:22",
    ];
    check_lines(query, Line::MaxRank, &most);
    check_lines(
        "//api + //:debian + inputs(//docker:tools)",
        Line::MaxRank,
        &["0 //api:api", "0 docker/stages.Dockerfile", "0 docker/tools/lint.sh", "1 //:debian"],
    );
    check_lines("//:debian + //docker:tools", Line::MinRank, &["0 //:debian", "0 //docker:tools"]);
}

#[test]
fn what_needs_may_be_shown_before_what_it_needs() {
    let users_first = |answer: &Answer<'_>| Answer { users_first: true, ..*answer }.lines(Line::Label);
    check("deps(//api)", users_first, &["//api:api", "//docker:tools", "//docker:builder", "//:debian"]);
    // The way between them is not in the answer, and orders it all the same.
    check("//:debian + //docker:tools", users_first, &["//docker:tools", "//:debian"]);
    check(
        "inputs(//docker:tools) + //docker:tools",
        users_first,
        &["//docker:tools", "docker/stages.Dockerfile", "docker/tools/lint.sh"],
    );
}

#[test]
fn documents() {
    let query = "deps(//web:admin, 1) + inputs(//docker:tools) + //web:frontends";
    insta::assert_snapshot!(
        Shop::new().ask(query, "", true, |answer: Answer<'_>| answer.document()).unwrap()
    );
    let empty = Shop::new().ask("set()", "", true, |answer: Answer<'_>| answer.document()).unwrap();
    assert_eq!(empty, "{\n  \"schema\": 1,\n  \"targets\": []\n}\n");
}
