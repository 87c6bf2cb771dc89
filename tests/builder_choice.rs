//! Who builds: the command line, the environment, and the workspace, in this order.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

/// The program in a workspace that asks for `builder`, with no engine anywhere.
fn build(folder: &Path, arguments: &[&str], variable: Option<&str>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
    command.arg("build").args(arguments).current_dir(folder.join("workspace")).env_clear();
    command.env("HOME", folder).env("DOCKER_HOST", format!("unix://{}/nobody.sock", folder.display()));
    if let Some(builder) = variable {
        command.env("IMGRAPH_BUILDER", builder);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.success(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

fn workspace(builder: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    fs::create_dir(&workspace).unwrap();
    fs::write(workspace.join("BUILD.toml"), format!("[workspace]\n{builder}\n[image.it]\n")).unwrap();
    fs::write(workspace.join("Dockerfile"), "FROM scratch\nCOPY BUILD.toml /\n").unwrap();
    folder
}

#[test]
fn the_nearest_word_counts() {
    let check = |builder: &str, arguments: &[&str], variable: Option<&str>, works: bool| {
        let folder = workspace(builder);
        let (worked, said) = build(folder.path(), &[arguments, &["//:it"]].concat(), variable);
        assert_eq!(worked, works, "{builder} {arguments:?} {variable:?}: {said}");
    };
    check("builder = 'embedded'", &[], None, true);
    check("builder = 'docker'", &[], None, false);
    check("builder = 'docker'", &[], Some("embedded"), true);
    check("builder = 'embedded'", &[], Some("docker"), false);
    // One that is empty says nothing.
    check("builder = 'embedded'", &[], Some(""), true);
    check("builder = 'docker'", &["--builder", "embedded"], None, true);
    check("builder = 'embedded'", &["--builder", "docker"], Some("embedded"), false);
    // An engine that is named is wanted.
    check("builder = 'auto'", &[], None, false);
    check("", &[], None, false);
}

#[test]
fn empty_variables_are_not_set() {
    let folder = workspace("builder = 'embedded'");
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
    command.args(["build", "//:it"]).current_dir(folder.path().join("workspace")).env_clear();
    for name in ["IMGRAPH_CACHE_DIR", "IMGRAPH_BUILDER", "DOCKER_HOST", "XDG_CACHE_HOME"] {
        command.env(name, "");
    }
    let Output { status, stderr, .. } = command.env("HOME", folder.path()).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    assert!(folder.path().join(".cache/imgraph").is_dir());
}

#[test]
fn what_the_workspace_asks_for_is_told_again_too() {
    let folder = workspace("builder = 'embedded'");
    let build = |arguments: &[&str]| build(folder.path(), &[arguments, &["//:it"]].concat(), None);
    assert!(build(&[]).0);
    assert!(build(&[]).1.contains("cached"));
    // What was written just before is not trusted yet.
    let is_told_again = || {
        thread::sleep(Duration::from_millis(200));
        build(&["--verbose"]).1.contains("nothing has changed since the same was asked before")
    };
    assert!((0..50).any(|_| is_told_again()));
    // Another wish is another request.
    let file = folder.path().join("workspace/BUILD.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("embedded", "docker")).unwrap();
    assert!(!build(&[]).0);
}
