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
