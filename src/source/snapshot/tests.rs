//! Snapshots of small trees on disk.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

mod changed;
mod on_disk;
mod script;
mod scripted;

fn path(text: &str) -> WorkspacePath {
    WorkspacePath::root().resolve(text.as_bytes()).unwrap()
}

/// A tree with files `a/b` and `c`, and the links that are given.
fn snapshot(links: &[(&str, &str)]) -> (tempfile::TempDir, Snapshot) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    fs::write(root.path().join("a/b"), "text").unwrap();
    fs::write(root.path().join("c"), "").unwrap();
    for (link, target) in links {
        symlink(target, root.path().join(link)).unwrap();
    }
    let snapshot = Snapshot::of_disk(root.path()).unwrap();
    (root, snapshot)
}

/// Reads `text`; an error is shown without the path of the temporary folder.
fn check_read(links: &[(&str, &str)], text: &str, expected: Result<&str, &str>) {
    let (_root, snapshot) = snapshot(links);
    let found = snapshot.read(&path(text)).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
    let found = found.map_err(|error| error.to_string());
    assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text} with {links:?}");
}

#[test]
fn reading_follows_links_inside_the_workspace_only() {
    check_read(&[], "a/b", Ok("text"));
    check_read(&[("l", "a/b")], "l", Ok("text"));
    check_read(&[("l", "a")], "l/b", Ok("text"));
    check_read(&[("a/l", "../a/./b")], "a/l", Ok("text"));
    check_read(&[("l", "m"), ("m", "a")], "l/b", Ok("text"));
    check_read(&[], "x", Err("`x` does not exist"));
    check_read(&[], "c/x", Err("`c/x` does not exist"));
    check_read(&[], "a", Err("`a` is not a file"));
    check_read(&[], "", Err("`.` is not a file"));
    check_read(&[("l", "nowhere")], "l", Err("`l` does not exist"));
    check_read(&[("l", "m"), ("m", "l")], "l", Err("too many links on the way to `l`"));
    check_read(
        &[("l", "/etc/passwd")],
        "l",
        Err("the link `l` points out of the workspace, at `/etc/passwd`"),
    );
    check_read(&[("l", "../x")], "l", Err("the link `l` points out of the workspace, at `../x`"));
    check_read(&[("a/l", "../../x")], "a/l", Err("the link `a/l` points out of the workspace, at `../../x`"));
}

#[test]
fn entries_are_sorted_and_links_are_not_followed() {
    let (_root, snapshot) = snapshot(&[("l", "a"), ("a-", "c")]);
    let names: Vec<&[u8]> = snapshot.root().entries().unwrap().iter().map(EntryRef::name).collect();
    assert_eq!(names, [&b"a"[..], b"a-", b"c", b"l"]);
    let link = snapshot.entry(&path("l")).unwrap().unwrap();
    assert_eq!((link.kind(), link.link_target().unwrap()), (EntryKind::Link, &b"a"[..]));
    assert!(snapshot.entry(&path("l/b")).unwrap().is_none());
    assert!(snapshot.entry(&path("")).unwrap().is_none());
    assert_eq!(snapshot.folder(&path("l")).unwrap().unwrap().path(), &path("a"));
    assert!(snapshot.folder(&path("x")).unwrap().is_none());
    assert!(matches!(snapshot.folder(&path("c")), Err(ReadError::WrongKind { .. })));
}

#[test]
fn a_snapshot_never_looks_twice() {
    let (root, snapshot) = snapshot(&[]);
    let entry = snapshot.entry(&path("a/b")).unwrap().unwrap();
    let (content, stat) = (entry.content().unwrap(), entry.stat().unwrap());
    assert_eq!(content.size, 4);
    let text = snapshot.read(&path("a/b")).unwrap();
    fs::write(root.path().join("a/b"), "other").unwrap();
    fs::write(root.path().join("a/new"), "").unwrap();
    assert_eq!((entry.content().unwrap(), entry.stat().unwrap()), (content, stat));
    assert_eq!(snapshot.read(&path("a/b")).unwrap(), text);
    assert!(snapshot.entry(&path("a/new")).unwrap().is_none());
    let again = snapshot.look_again();
    assert_eq!(again.entry(&path("a/b")).unwrap().unwrap().content().unwrap().size, 5);
    assert!(again.entry(&path("a/new")).unwrap().is_some());
}

#[test]
fn what_vanishes_or_turns_into_something_else_is_noticed() {
    let (root, snapshot) = snapshot(&[]);
    let (file, folder) =
        (snapshot.entry(&path("c")).unwrap().unwrap(), snapshot.folder(&path("a")).unwrap().unwrap());
    fs::remove_file(root.path().join("c")).unwrap();
    assert_eq!(file.stat().unwrap(), None);
    assert_eq!(file.content().unwrap_err().to_string(), "`c` does not exist");
    fs::remove_dir_all(root.path().join("a")).unwrap();
    let error = folder.entries().err().unwrap().to_string();
    assert!(error.starts_with("cannot read `a`: No such file"), "{error}");
    let again = snapshot.look_again();
    fs::write(root.path().join("x"), "").unwrap();
    let file = again.entry(&path("x")).unwrap().unwrap();
    fs::remove_file(root.path().join("x")).unwrap();
    symlink("/etc/passwd", root.path().join("x")).unwrap();
    assert_eq!(file.content().unwrap_err().to_string(), "`x` changed while it was read");
}

#[test]
fn a_root_must_be_a_folder() {
    let (root, _snapshot) = snapshot(&[]);
    assert!(matches!(Snapshot::of_disk(&root.path().join("c")), Err(ReadError::WrongKind { .. })));
    assert!(matches!(Snapshot::of_disk(&root.path().join("x")), Err(ReadError::Io { .. })));
}
