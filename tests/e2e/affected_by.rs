//! `build --affected-by`: what differs from a commit is built, and nothing else.

use std::process::Command;

use crate::engine::Engine;
use crate::trial::{Trial, said};

const FILES: [(&str, &str); 7] = [
    (
        "BUILD.toml",
        "[workspace]\n[base.common]\ndockerfile = 'common.dockerfile'\npublishes = 'acme/common'\n",
    ),
    ("common.dockerfile", "FROM scratch\nCOPY shared /\n"),
    ("shared", "1\n"),
    ("api/BUILD.toml", "[image.api]\n"),
    ("api/Dockerfile", "FROM acme/common:1\nCOPY main /\n"),
    ("api/main", "1\n"),
    ("web/BUILD.toml", "[image.web]\ndockerfile = 'web.dockerfile'\n"),
];

fn git(trial: &Trial, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments);
    assert!(command.current_dir(trial.path("")).status().unwrap().success(), "{arguments:?}");
}

pub(crate) fn only_what_differs_is_built(engine: &Engine) {
    let trial = Trial::of(engine, &FILES);
    trial.write("web/web.dockerfile", "FROM scratch\nCOPY page /\n");
    trial.write("web/page", "1\n");
    git(&trial, &["init", "-q", "-b", "main", "."]);
    git(&trial, &["add", "."]);
    git(&trial, &["commit", "-q", "-m", "first"]);
    assert_eq!(said(&trial.build("--affected-by HEAD //...")), "");
    trial.write("web/page", "2\n");
    assert_eq!(said(&trial.build("--affected-by HEAD //...")), "//web:web built");
    assert_eq!(said(&trial.build("--affected-by HEAD //api/...")), "");
    trial.write("shared", "2\n");
    git(&trial, &["commit", "-qam", "second"]);
    let all = "//:common built, //api:api built, //web:web cached";
    assert_eq!(said(&trial.build("--affected-by HEAD~1 //...")), all);
    assert_eq!(said(&trial.build("--affected-by HEAD //...")), "");
}
