//! The workspace whose files are edited: small, and with every kind of input.

use std::fs;

use crate::engine::Engine;
use crate::trial::Trial;

/// The files, path and text in turn. Dockerfiles count their lines from the first letter.
const FILES: &[(&str, &str)] = &[
    ("BUILD.toml", ROOT),
    ("lib/BUILD.toml", "[stage.lib]\n"),
    ("lib/Dockerfile", "FROM busybox:1.36\nCOPY source/ /source/\nRUN cat /source/* >/lib\n"),
    ("lib/source/one.txt", "one\n"),
    ("lib/source/two.txt", "two\n"),
    ("lib/README.md", "nobody copies this\n"),
    ("app/BUILD.toml", APP),
    ("app/Dockerfile", APP_DOCKERFILE),
    ("app/main.txt", "main\n"),
    ("app/run.sh", "#!/bin/sh\n"),
    ("app/notes.txt", "only a stage that nobody reaches copies this\n"),
    ("app/data/a/file", "a\n"),
    ("assets/logo.svg", "<svg/>\n"),
    ("whole/BUILD.toml", "[image.whole]\n"),
    ("whole/Dockerfile", "FROM scratch\n\nCOPY . /\n"),
    ("whole/.dockerignore", "Dockerfile\n.dockerignore\nBUILD.toml\n*.log\n"),
    ("whole/file", "whole\n"),
    ("whole/first.log", "log\n"),
    ("whole/second.log", "log\n"),
];

const ROOT: &str = r#"
[workspace]
name = "dirtiness"
[vars]
MODE = { default = "fast" }
REVISION = { env = "REVISION", default = "none" }
"#;

const APP: &str = r#"
[image.app]
args = { MODE = "${MODE}", UNUSED = "one" }
stamp = { REVISION = "${REVISION}" }
labels = { team = "blue" }
tags = ["e2e.test/dirtiness:latest"]
contexts = { lib = "//lib", assets = { dir = "//assets" }, tools = { image = "busybox:1.36" } }

[image.plus]
dockerfile = "plus.dockerfile"
contexts = { app = ":app" }
"#;

const APP_DOCKERFILE: &str = r"# The app.
ARG UNUSED
FROM busybox:1.36 AS unused
COPY notes.txt /

FROM busybox:1.36
ARG MODE
ARG REVISION
COPY main.txt run.sh /app/
COPY data/ /data/
COPY --from=lib /lib /lib
COPY --from=assets . /assets/
COPY --from=tools /bin/true /bin/tool
RUN true
";

/// The workspace, with all of its targets built.
pub(super) fn built(engine: &Engine) -> Trial {
    let trial = Trial::of(engine, &[]);
    write(&trial);
    trial.build("//...");
    trial
}

/// Makes the files what they were, though not their times.
pub(super) fn restore(trial: &Trial) {
    trial.remove_workspace();
    write(trial);
}

fn write(trial: &Trial) {
    for (path, text) in FILES {
        trial.write(path, text);
    }
    trial.write("app/plus.dockerfile", "FROM app\nRUN true\n");
    trial.link("app/data/link", "a/file");
    trial.set_permissions("app/run.sh", 0o755);
    fs::create_dir(trial.path("app/data/empty")).unwrap();
}
