//! A rebuilt target whose output is what it was makes nobody else work.

use crate::engine::Engine;
use crate::trial::{Trial, said};

const BUILD: &str = r#"
[workspace]
[stage.lib]
dockerfile = "lib.dockerfile"
[image.app]
contexts = { lib = ":lib" }
[image.other]
dockerfile = "other.dockerfile"
contexts = { app = ":app" }
"#;

/// Only the first line of the source reaches the output.
const LIB: &str = "
FROM busybox:1.36 AS build
COPY lib.txt /src/
RUN mkdir /out && head -n 1 /src/lib.txt >/out/lib
FROM scratch
COPY --from=build /out/ /out/
";

pub(crate) fn an_equal_output_leaves_dependents_cached(engine: &Engine) {
    let app = "FROM busybox:1.36\nCOPY --from=lib /out/lib /\n";
    let files = [
        ("BUILD.toml", BUILD),
        ("lib.dockerfile", LIB),
        ("Dockerfile", app),
        ("other.dockerfile", "FROM app\nRUN true\n"),
        ("lib.txt", "one\n"),
    ];
    let trial = Trial::of(engine, &files);
    assert_eq!(said(&trial.build(":app :other")), "//:app built, //:lib built, //:other built");
    trial.write("lib.txt", "one\nand what nobody reads\n");
    assert_eq!(said(&trial.plan(":app :other")), "//:app waits, //:lib dirty, //:other waits");
    assert_eq!(said(&trial.build(":app :other")), "//:app cached, //:lib built, //:other cached");
    assert_eq!(said(&trial.plan(":app :other")), "");
    trial.write("lib.txt", "another\n");
    assert_eq!(said(&trial.build(":app :other")), "//:app built, //:lib built, //:other built");
}
