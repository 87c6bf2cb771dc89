//! Which targets `imgraph affected` looks at closely: all that a change may touch, however they read or need it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/history.rs"]
mod history;
#[path = "support/program.rs"]
mod program;
#[path = "support/repository.rs"]
mod repository;

use repository::{Repository, SHOP};

#[test]
fn whoever_may_read_a_change_is_looked_at() {
    let shop = Repository::of(SHOP);
    let read = |dockerfile: &str, expected: bool| {
        shop.change("web/Dockerfile", dockerfile);
        shop.change("web/deep/page", dockerfile);
        shop.check("--base HEAD~1 --head HEAD", if expected { &["//web:web"] } else { &[] });
    };
    for (dockerfile, expected) in [
        ("FROM scratch\nCOPY deep/page /\n", true),
        ("FROM scratch\nCOPY deep/pages /\n", false),
        ("FROM scratch\nADD [\"de?p\", \"/\"]\n", true),
        ("FROM scratch\nCOPY \"deep\" /\n", true),
        ("FROM scratch\nCOPY de\\\n# no end\nep /\n", true),
        ("FROM scratch\nARG AT=deep\nCOPY $AT/page /\n", true),
        ("FROM scratch\nARG AT=shallow\nCOPY $AT/page /\n", false),
        ("FROM scratch\nRUN --mount=source=deep,target=/d true\n", true),
        ("FROM scratch\nRUN --mount=source=deep,target=/d,from=acme/common true\n", false),
        ("FROM scratch AS other\nCOPY deep /\nFROM scratch\n", false),
        ("FROM scratch AS other\nONBUILD COPY deep /\nFROM other\n", true),
        ("# syntax=acme/other\nFROM scratch\n", true),
        ("FROM scratch\nARG SOURCE_DATE_EPOCH=yesterday\n", true),
        ("FROM acme/app:1-onbuild\n", true),
    ] {
        read(dockerfile, expected);
    }
    // A base's instructions for whoever is based on it.
    shop.change("common.Dockerfile", "FROM scratch\nONBUILD COPY . /\n");
    shop.change("api/other", "2\n");
    shop.check("--base HEAD~1 --head HEAD", &["//api:api"]);
    shop.change("docs/readme", "2\n");
    shop.check("--base HEAD~1 --head HEAD", &[]);
}

#[test]
fn whoever_may_need_a_change_is_looked_at() {
    let shop = Repository::of(SHOP);
    let need = |fields: &str, dockerfile: &str, expected: bool| {
        shop.change("web/BUILD.toml", &format!("[image.web]\n{fields}\n"));
        shop.change("web/Dockerfile", dockerfile);
        shop.change("lib/one", &format!("{fields} {dockerfile}"));
        let both = ["//:common", "//api:api", "//web:web"];
        shop.check("--base HEAD~1 --head HEAD", if expected { &both } else { &both[..2] });
    };
    for (fields, dockerfile, expected) in [
        ("", "FROM scratch\n", false),
        (
            "",
            "FROM acme/common@sha256:0123456789012345678901234567890123456789012345678901234567890123\n",
            false,
        ),
        ("", "FROM scratch AS a\nFROM docker.io/acme/common:9 AS b\nFROM b\n", true),
        ("", "FROM scratch\nCOPY --from=acme/common /lib /\n", true),
        ("", "FROM scratch\nRUN --mount=from=acme/common,target=/l true\n", true),
        ("", "ARG OF=acme\nFROM $OF/common\n", true),
        ("", "ARG OF=acme/common\nFROM $OF\n", true),
        ("args = { OF = \"acme/common\" }", "ARG OF=scratch\nFROM $OF\n", true),
        ("args = { OF = \"scratch\" }", "ARG OF=acme/common\nFROM ${OF}\n", false),
        ("stamp = { OF = \"acme/common\" }", "ARG OF\nFROM ${OF}\n", true),
        ("args = { OF = { target = \"//:common\" } }", "ARG OF\nFROM ${OF}\n", true),
        ("contexts = { shared = \"//:common\" }", "FROM scratch\nCOPY --from=shared / /\n", true),
        (
            "contexts = { shared = { image = \"acme/common\" } }",
            "FROM scratch\nCOPY --from=shared / /\n",
            true,
        ),
        ("contexts = { shared = { dir = \"//lib\" } }", "FROM scratch\nCOPY --from=shared one /\n", true),
        ("contexts = { shared = { dir = \"//lib\" } }", "FROM scratch\nCOPY --from=shared deep /\n", false),
        ("args = { OF = { target = \"//:common\" } }", "FROM scratch\nARG OF\n", true),
        ("args = { OF = { target = \"//:common\" } }", "FROM scratch\n", false),
        ("args = { BUILDKIT_SYNTAX = \"acme/other\" }\ncontext = \"//\"", "FROM scratch\n", true),
    ] {
        need(fields, dockerfile, expected);
    }
}

#[test]
fn a_place_that_was_not_there_before_makes_a_broken_base() {
    let shop = Repository::of(SHOP);
    for (number, (fields, dockerfile)) in [
        ("context = \"//NEW\"", "FROM scratch\n"),
        ("contexts = { shared = { dir = \"//NEW\" } }", "FROM scratch\n"),
        ("dockerfile = \"//NEW/file\"", "FROM scratch\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let place = format!("new-{number}");
        shop.write("web/BUILD.toml", &format!("[image.web]\n{}\n", fields.replace("NEW", &place)));
        shop.change("web/Dockerfile", dockerfile);
        shop.change(&format!("{place}/file"), dockerfile);
        shop.check("--base HEAD~1 --head HEAD", &["//:common", "//api:api", "//web:web"]);
        shop.change(&format!("{place}/other"), "1\n");
        shop.check("--base HEAD~1 --head HEAD", &[]);
    }
}

#[test]
fn what_was_wrong_before_and_is_not_touched_is_not_looked_for() {
    let shop = Repository::of(SHOP);
    shop.change("web/BUILD.toml", "[image.web]\ntarget = \"nothing\"\n");
    shop.change("lib/one", "2\n");
    shop.check("--base HEAD~1 --head HEAD", &["//:common", "//api:api"]);
    shop.change("web/page", "2\n");
    assert_eq!(shop.affected("--base HEAD~1 --head HEAD").exit, 2);
}

#[test]
fn another_text_touches_whoever_reads_it() {
    let shop = Repository::of(SHOP);
    let change = |path: &str, text: &str, expected: &[&str]| {
        shop.change(path, text);
        shop.check("--base HEAD~1 --head HEAD", expected);
        // The way back, but for what came, which is not built when it went.
        let came = ["//web/sub:third", "//web/deep:deep"];
        let back: Vec<&str> = expected.iter().copied().filter(|label| !came.contains(label)).collect();
        shop.check("--base HEAD --head HEAD~1", &back);
    };
    let web = ["//web:web"];
    // Of a Dockerfile, what it says and nothing else.
    change("web/Dockerfile", "# Pages.\nFROM scratch\nCOPY page /\n", &[]);
    change("web/Dockerfile", "FROM acme/other:1\nCOPY --from=acme/third:1 /page /\n", &web);
    change("common.Dockerfile", "FROM scratch\nCOPY lib /library\n", &["//:common", "//api:api"]);
    // A name comes to mean another target, by a text that its user does not read.
    change("api/BUILD.toml", "[image.api]\ntags = [\"acme/other:2\"]\n", &web);
    change("web/sub/BUILD.toml", "[base.third]\nimage = \"acme/third:1\"\n", &["//web/sub:third"]);
    change("api/BUILD.toml", "[image.api]\nargs = { A = \"1\" }\n", &web);
    // Ignore files, of the context and of the Dockerfile.
    change("api/.dockerignore", "src/main\n", &["//api:api"]);
    change("api/Dockerfile.dockerignore", "src/other\n", &["//api:api"]);
    change("api/.dockerignore", "src\n", &[]);
    // What a package says of those below it.
    change(
        "web/BUILD.toml",
        "[image.web]\n[stage.assets]\ndockerfile = \"assets.Dockerfile\"\n[vars]\nX = \"1\"\n",
        &[],
    );
    change(
        "web/BUILD.toml",
        "[image.web]\n[stage.assets]\ndockerfile = \"assets.Dockerfile\"\n[defaults.image]\nlabels = { a = \"1\" }\n",
        &web,
    );
    change("web/deep/BUILD.toml", "[image.deep]\ndockerfile = \"//web/Dockerfile\"\n", &["//web/deep:deep"]);
}

#[test]
fn a_text_behind_a_link_is_another_text() {
    let shop = Repository::of(SHOP);
    shop.change("lib/.dockerignore", "two\n");
    shop.change("web/BUILD.toml", "[image.web]\ncontexts = { shared = { dir = \"//lib\" } }\n");
    shop.change("web/Dockerfile", "FROM scratch\nCOPY --from=shared / /\n");
    let api = ["//api:api"];
    for (place, target, text, changed, expected) in [
        ("api/Dockerfile", "../built", "FROM scratch\nCOPY src /\n", "FROM scratch\nCOPY src /s\n", &api[..]),
        ("api/.dockerignore", "../ignored", "src/a\n", "src/main\n", &api),
        ("api/BUILD.toml", "../declared", "[image.api]\n", "[image.api]\nlabels = { a = \"1\" }\n", &api),
        ("lib/.dockerignore", "../rules", "two\n", "one\n", &["//web:web"]),
    ] {
        shop.link(place, target);
        let file = target.trim_start_matches("../");
        shop.change(file, text);
        shop.change(file, changed);
        shop.check("--base HEAD~1 --head HEAD", expected);
    }
}

/// The Dockerfile leaves instructions, so that nobody looks for the ignore file before the graph is made.
#[test]
fn an_ignore_file_that_is_read_last_is_seen_to_differ() {
    let shop = Repository::of(SHOP);
    shop.change("api/Dockerfile", "FROM scratch\nCOPY src /\nONBUILD COPY src /\n");
    shop.link("api/Dockerfile.dockerignore", "../rules");
    shop.change("docs/readme", "2\n");
    shop.change("rules", "src/main\n");
    shop.check("--base HEAD~1 --head HEAD", &["//api:api"]);
}
