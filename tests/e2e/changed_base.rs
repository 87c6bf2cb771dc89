//! A base without a pin is what its name stands for in the engine, and the name may move.

use crate::engine::Engine;
use crate::trial::{Trial, said, unique};

/// Gives the engine an image `name` that differs from all others by `content`.
fn make_base(engine: &Engine, name: &str, content: &str) {
    let label = format!("LABEL content={content}");
    let source = "busybox:1.36";
    let dockerfile = format!("FROM {source}\n{label}\n");
    let maker = Trial::of(engine, &[("BUILD.toml", ""), ("Dockerfile", &dockerfile)]);
    maker.write("BUILD.toml", &format!("[workspace]\n[image.base]\ntags = [\"{name}\"]\n"));
    maker.build(":base");
}

pub(crate) fn an_image_that_moves_behind_its_name_is_a_reason(engine: &Engine) {
    let base = format!("e2e.test/{}:1", unique("base"));
    make_base(engine, &base, "one");
    let user = format!("# Two lines up.\n\nFROM {base}\nRUN true\n");
    let build = "[workspace]\n[image.user]\n[image.other]\ndockerfile = \"other.dockerfile\"\n";
    let files = [("BUILD.toml", build), ("Dockerfile", &user), ("other.dockerfile", "FROM busybox:1.36\n")];
    let trial = Trial::of(engine, &files);
    assert_eq!(said(&trial.build("//...")), "//:other built, //:user built");
    assert_eq!(said(&trial.plan("//...")), "");
    make_base(engine, &base, "two");
    assert_eq!(said(&trial.plan("//...")), "//:user dirty");
    let explained = trial.run("explain :user").succeeded().stdout;
    assert!(explained.contains(&base) && explained.contains("Dockerfile:3"), "{explained}");
    assert_eq!(said(&trial.build("//...")), "//:other cached, //:user built");
    make_base(engine, &base, "one");
    assert_eq!(said(&trial.build("//...")), "//:other cached, //:user cached");
}
