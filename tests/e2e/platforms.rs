//! One target for two platforms in one build: each `FROM --platform` gets its own.

use crate::engine::Engine;
use crate::trial::{Trial, unique};

pub(crate) fn each_platform_of_a_linked_target_is_its_own(engine: &Engine) {
    let tag = format!("e2e.test/{}:1", unique("platforms"));
    let build = format!(
        "[workspace]\n[base.part]\ndockerfile = \"part.dockerfile\"\npublishes = \"e2e.test/part\"\n\
         [image.app]\nargs = {{ BASE = {{ target = \":part\" }} }}\ntags = [\"{tag}\"]\nplatforms = [\"linux/amd64\"]\n"
    );
    let dockerfile = "ARG BASE\n\
                      FROM --platform=linux/arm64 e2e.test/part:1 AS foreign\n\
                      FROM --platform=linux/amd64 e2e.test/part:1 AS own\n\
                      FROM --platform=linux/arm64 ${BASE} AS argument\n\
                      FROM busybox:1.36\n\
                      COPY --from=foreign /f /foreign\n\
                      COPY --from=own /f /own\n\
                      COPY --from=argument /f /argument\n";
    let files = [
        ("BUILD.toml", build.as_str()),
        ("Dockerfile", dockerfile),
        ("part.dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH.txt /f\n"),
        ("amd64.txt", "amd64 "),
        ("arm64.txt", "arm64 "),
    ];
    let trial = Trial::of(engine, &files);
    trial.build(":app");
    assert_eq!(trial.inside(&tag, &["cat", "/foreign", "/own", "/argument"]).trim(), "arm64 amd64 arm64");
}
