//! The edits, and what each makes dirty.

use std::fs::{self, File};
use std::time::SystemTime;

use crate::trial::Trial;

/// An edit.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) edit: fn(&Trial),
    /// Options for the command line beside the edit.
    pub(super) options: &'static str,
    /// The targets that are not cached, with their states.
    pub(super) dirty: &'static str,
    /// What `explain` says of targets.
    pub(super) explained: &'static [(&'static str, &'static [&'static str])],
}

const APP: &str = "//app:app dirty, //app:plus waits";

const fn quiet(name: &'static str, edit: fn(&Trial)) -> Case {
    Case { name, edit, options: "", dirty: "", explained: &[] }
}

const fn app(
    name: &'static str,
    edit: fn(&Trial),
    explained: &'static [(&'static str, &'static [&'static str])],
) -> Case {
    Case { name, edit, options: "", dirty: APP, explained }
}

pub(super) const NOT_DIRTY: &[Case] = &[
    quiet("no edit", |_| {}),
    quiet("a file that nobody copies", |t| t.write("lib/README.md", "changed\n")),
    quiet("a file that nobody copies, beside the copied ones", |t| t.write("app/more.txt", "more\n")),
    quiet("a file of a stage that is not reached", |t| t.write("app/notes.txt", "changed\n")),
    quiet("a comment in the Dockerfile", |t| {
        t.replace("app/Dockerfile", "# The app.", "# An app.\n# Of two lines.");
    }),
    quiet("an empty line in the Dockerfile", |t| t.replace("app/Dockerfile", "ARG MODE\n", "ARG MODE\n\n\n")),
    quiet("the case of a keyword", |t| t.replace("app/Dockerfile", "RUN true", "run true")),
    quiet("a stage that is not reached", |t| {
        t.replace("app/Dockerfile", "COPY notes.txt /", "COPY notes.txt /other");
    }),
    quiet("one more stage that is not reached", |t| {
        t.replace(
            "app/Dockerfile",
            "FROM busybox:1.36\nARG",
            "FROM busybox:1.36 AS more\nRUN more\nFROM busybox:1.36\nARG",
        );
    }),
    quiet("an arg that no reached stage declares", |t| t.replace("app/BUILD.toml", "\"one\"", "\"two\"")),
    quiet("one more arg that nobody declares", |t| {
        t.replace("app/BUILD.toml", "UNUSED", "MORE = \"\", UNUSED");
    }),
    quiet("a time", |t| {
        let file = File::options().write(true).open(t.path("app/main.txt")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }),
    quiet("a file that is written anew", |t| t.write("app/main.txt", "main\n")),
    quiet("a comment in BUILD.toml", |t| {
        t.replace("app/BUILD.toml", "[image.app]", "# Ours.\n[image.app] # App.");
    }),
    quiet("the order of BUILD.toml", |t| {
        let text = fs::read_to_string(t.path("app/BUILD.toml")).unwrap();
        let (app, plus) = text.split_once("[image.plus]").unwrap();
        t.write("app/BUILD.toml", &format!("[image.plus]{plus}\n{app}"));
    }),
    quiet("a tag", |t| t.replace("app/BUILD.toml", "dirtiness:latest", "dirtiness:new")),
    quiet("a context that no reached stage uses", |t| {
        t.replace("app/BUILD.toml", "lib = ", "more = { dir = \"//whole\" }, lib = ");
    }),
    Case { options: "--set REVISION=abc", ..quiet("the value of a stamp", |_| {}) },
    quiet("a file that the ignore file takes out", |t| t.write("whole/first.log", "changed\n")),
    quiet("a line of the ignore file that takes nothing out", |t| {
        t.replace("whole/.dockerignore", "*.log", "*.log\n# Objects.\n*.o");
    }),
    quiet("a file of another package", |t| t.write("other/file", "other\n")),
];

pub(super) const DIRTY: &[Case] = &[
    app(
        "a copied file",
        |t| t.write("app/main.txt", "changed\n"),
        &[("//app", &["file app/main.txt", "app/Dockerfile:9"])],
    ),
    app(
        "content of the same size and time",
        |t| {
            let time = fs::metadata(t.path("app/main.txt")).unwrap().modified().unwrap();
            t.write("app/main.txt", "MAIN\n");
            File::options().write(true).open(t.path("app/main.txt")).unwrap().set_modified(time).unwrap();
        },
        &[("//app", &["file app/main.txt", "app/Dockerfile:9"])],
    ),
    app(
        "a permission bit",
        |t| t.set_permissions("app/run.sh", 0o644),
        &[("//app", &["file app/run.sh", "app/Dockerfile:9", "0755", "0644"])],
    ),
    app(
        "the target of a link",
        |t| t.link("app/data/link", "a/none"),
        &[("//app", &["file app/data/link", "app/Dockerfile:10", "a/file", "a/none"])],
    ),
    app(
        "a link in place of a file",
        |t| t.link("app/main.txt", "run.sh"),
        &[("//app", &["file app/main.txt", "app/Dockerfile:9"])],
    ),
    app(
        "one more file in a copied folder",
        |t| t.write("app/data/new", "new\n"),
        &[("//app", &["file app/data/new", "app/Dockerfile:10"])],
    ),
    app(
        "one less file in a copied folder",
        |t| fs::remove_file(t.path("app/data/a/file")).unwrap(),
        &[("//app", &["file app/data/a/file", "app/Dockerfile:10"])],
    ),
    app(
        "one more empty folder",
        |t| fs::create_dir(t.path("app/data/hollow")).unwrap(),
        &[("//app", &["file app/data/hollow", "app/Dockerfile:10"])],
    ),
    app(
        "one less empty folder",
        |t| fs::remove_dir(t.path("app/data/empty")).unwrap(),
        &[("//app", &["file app/data/empty", "app/Dockerfile:10"])],
    ),
    app(
        "the name of a file",
        |t| fs::rename(t.path("app/data/a/file"), t.path("app/data/a/elif")).unwrap(),
        &[("//app", &["file app/data/a/file", "file app/data/a/elif"])],
    ),
    app(
        "an instruction",
        |t| t.replace("app/Dockerfile", "RUN true", "RUN true --really"),
        &[("//app", &["RUN true --really", "app/Dockerfile:14"])],
    ),
    app(
        "one more instruction",
        |t| t.replace("app/Dockerfile", "COPY data/", "ENV X=y\nCOPY data/"),
        &[("//app", &["ENV X=y", "app/Dockerfile:10"])],
    ),
    app(
        "one less instruction",
        |t| t.replace("app/Dockerfile", "RUN true\n", ""),
        &[("//app", &["RUN true"])],
    ),
    Case {
        options: "--set MODE=slow",
        ..app(
            "an arg that a reached stage declares",
            |_| {},
            &[("//app", &["argument MODE", "fast", "slow", "app/Dockerfile:7"])],
        )
    },
    app(
        "a label",
        |t| t.replace("app/BUILD.toml", "blue", "red"),
        &[("//app", &["label team", "blue", "red", "app/BUILD.toml:5"])],
    ),
    app(
        "one less stamp",
        |t| t.replace("app/BUILD.toml", "stamp = { REVISION = \"${REVISION}\" }", ""),
        &[("//app", &["stamp REVISION"])],
    ),
    app(
        "a file of a named context",
        |t| t.write("assets/logo.svg", "<svg></svg>\n"),
        &[("//app", &["file assets/logo.svg", "app/Dockerfile:12"])],
    ),
    app(
        "the network",
        |t| t.replace("app/BUILD.toml", "labels", "network = \"none\"\nlabels"),
        &[("//app", &["network"])],
    ),
    app(
        "the base",
        |t| {
            let text = fs::read_to_string(t.path("app/Dockerfile")).unwrap();
            t.write("app/Dockerfile", &text.replace("FROM busybox:1.36\nARG", "FROM scratch\nARG"));
        },
        &[("//app", &["FROM scratch", "app/Dockerfile:6"])],
    ),
    app("an image pinned", |t| pin(t, 'a'), &[("//app", &["image tools", "app/Dockerfile:13", "aaaaaaaa"])]),
    app(
        "the ignore file of the app's Dockerfile",
        |t| t.write("app/Dockerfile.dockerignore", "data/a\n"),
        &[("//app", &["file app/data/a/file"])],
    ),
    Case {
        dirty: "//whole:whole dirty",
        ..app(
            "an ignore file that lets one more file in",
            |t| {
                t.replace("whole/.dockerignore", "*.log\n", "*.log\n!second.log\n");
            },
            &[("//whole", &["file whole/second.log", "whole/Dockerfile:3"])],
        )
    },
    Case {
        dirty: "//whole:whole dirty",
        ..app(
            "an ignore file that takes one more file out",
            |t| {
                t.replace("whole/.dockerignore", "*.log\n", "*.log\nfile\n");
            },
            &[("//whole", &["file whole/file", "whole/Dockerfile:3"])],
        )
    },
    Case {
        dirty: "//whole:whole dirty",
        ..app(
            "no ignore file",
            |t| {
                fs::remove_file(t.path("whole/.dockerignore")).unwrap();
            },
            &[("//whole", &["file whole/first.log", "file whole/second.log", "whole/Dockerfile:3"])],
        )
    },
    Case {
        dirty: "//app:app waits, //app:plus waits, //lib:lib dirty",
        ..app(
            "the content of a dependency",
            |t| {
                t.write("lib/source/one.txt", "changed\n");
            },
            &[
                ("//lib", &["file lib/source/one.txt", "lib/Dockerfile:2"]),
                ("//app", &["image lib", "//lib", "app/Dockerfile:11"]),
                ("//app:plus", &["image app", "//app", "app/plus.dockerfile:1"]),
            ],
        )
    },
    Case {
        dirty: "//app:app dirty, //app:plus waits, //lib:lib dirty",
        ..app(
            "a dependency and a copied file",
            |t| {
                t.write("lib/source/one.txt", "changed\n");
                t.write("app/main.txt", "changed\n");
            },
            &[("//app", &["file app/main.txt", "app/Dockerfile:9"])],
        )
    },
    Case {
        dirty: "//app:plus dirty",
        ..app(
            "the last of a chain",
            |t| {
                t.write("app/plus.dockerfile", "FROM app\nRUN false\n");
            },
            &[("//app:plus", &["RUN false", "app/plus.dockerfile:2"])],
        )
    },
    Case {
        dirty: "//app:twin dirty",
        ..app(
            "one more target",
            |t| {
                t.replace("app/BUILD.toml", "[image.plus]", "[image.twin]\ndockerfile = \"plus.dockerfile\"\ncontexts = { app = \":app\" }\nlabels = { new = \"yes\" }\n[image.plus]");
            },
            &[("//app:twin", &["never"])],
        )
    },
];

/// Replaces the image of a named context by one that is pinned.
fn pin(trial: &Trial, digit: char) {
    let pinned = format!("busybox:1.36@sha256:{}", digit.to_string().repeat(64));
    trial.replace("app/BUILD.toml", "{ image = \"busybox:1.36\" }", &format!("{{ image = \"{pinned}\" }}"));
}
