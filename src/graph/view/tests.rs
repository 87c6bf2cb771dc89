//! Views of small trees on disk: what is in them, and what changes their digests.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::types::file_entry::FileKind;
use crate::types::span::SourceText;

/// `a/` is a folder, `a -> b` a link, anything else a file whose content is its name.
fn tree(entries: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    entries.iter().for_each(|entry| make(root.path(), entry));
    root
}

fn make(root: &Path, entry: &str) {
    let (name, target) = entry.split_once(" -> ").unwrap_or((entry, ""));
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match (target, name.ends_with('/')) {
        ("", true) => fs::create_dir_all(path).unwrap(),
        ("", false) => fs::write(path, name).unwrap(),
        (target, _) => symlink(target, path).unwrap(),
    }
}

fn rules(text: &str) -> Arc<IgnoreRules> {
    let path = WorkspacePath::root().join_name(b".dockerignore");
    Arc::new(IgnoreRules::parse(&Arc::new(SourceText { path, text: text.to_owned() })).unwrap())
}

fn spec(sources: &[&str], ignore: &str) -> ViewSpec {
    let sources = match sources {
        [] => ReadSources::Whole,
        paths => ReadSources::Paths(paths.iter().map(|path| (*path).to_owned()).collect()),
    };
    ViewSpec { context: WorkspacePath::root(), ignore: rules(ignore), sources, inputs: None }
}

fn names(root: &Path, spec: &ViewSpec) -> Vec<String> {
    let view = spec.view(&Snapshot::of_disk(root).unwrap()).unwrap();
    view.entries.iter().map(|entry| entry.path.to_string()).collect()
}

/// Checks what a view without ignore rules holds.
fn check(entries: &[&str], sources: &[&str], expected: &[&str]) {
    let root = tree(entries);
    assert_eq!(names(root.path(), &spec(sources, "")), expected, "{sources:?} of {entries:?}");
}

#[test]
fn links_are_kept_and_followed_inside_the_context() {
    check(&["a -> b", "b", "c"], &["a"], &["a", "b"]);
    check(&["a -> d/b", "d/b", "d/c"], &["a"], &["a", "d", "d/b"]);
    check(&["a -> /d", "d/b", "c"], &["a"], &["a", "d", "d/b"]);
    check(&["d/a -> ../c", "c"], &["d/a"], &["c", "d", "d/a"]);
    check(&["a -> d", "d/b", "d/c"], &["a/b"], &["a", "d", "d/b"]);
    check(&["a -> ../../x", "x", "y"], &["a"], &["a", "x"]);
    check(&["a -> nowhere", "b"], &["a"], &["a"]);
    check(&["a -> b", "b -> a", "c"], &["a"], &["a", "b"]);
    check(&["a -> a", "c"], &["a/x"], &["a"]);
    check(&["a1 -> b", "a2", "b", "c"], &["a*"], &["a1", "a2", "b"]);
    check(&["a -> b", "b -> c", "c"], &[], &["a", "b", "c"]);
}

#[test]
fn folders_come_with_what_they_hold() {
    check(&["a/b/", "c"], &["a"], &["a", "a/b"]);
    check(&["a/b/c", "a/d"], &["a/b"], &["a", "a/b", "a/b/c"]);
    check(&["a/b/c", "a/d"], &["a/*/c"], &["a", "a/b", "a/b/c"]);
    check(&["a/b"], &["missing"], &[]);
    check(&["a/b", "c"], &["."], &["a", "a/b", "c"]);
    // BuildKit's own shortcut hides what would match.
    check(&["a/b/c"], &["a/*/**"], &[]);
}

#[test]
fn exceptions_bring_back_a_folder_with_what_it_holds() {
    let root = tree(&["a/b/c", "a/b/d", "e"]);
    assert_eq!(names(root.path(), &spec(&[], "*\n!a/b/c")), ["a", "a/b", "a/b/c"]);
    assert_eq!(names(root.path(), &spec(&["a"], "**/d")), ["a", "a/b", "a/b/c"]);
    assert_eq!(names(root.path(), &spec(&["e"], "a")), ["e"]);
}

#[test]
fn narrowing_leaves_out_what_is_not_named() {
    let root = tree(&["a/b", "a/c", "d", ".dockerignore", "Dockerfile"]);
    let narrowed = |patterns: &[&str]| ViewSpec {
        inputs: Some(Arc::new(PathPatterns::new(patterns).unwrap())),
        ..spec(&[], "a/c")
    };
    assert_eq!(names(root.path(), &narrowed(&["a/**"])), ["a", "a/b"]);
    assert_eq!(names(root.path(), &narrowed(&["a/c"])), [""; 0]);
    assert_eq!(names(root.path(), &narrowed(&["d", "a"])), ["a", "a/b", "d"]);
    assert_eq!(names(root.path(), &narrowed(&["**/b"])), ["a", "a/b"]);
}

#[test]
fn a_context_is_a_folder_of_the_workspace() {
    let root = tree(&["a/b/c", "d", "link -> a", "out -> /", "a/.dockerignore"]);
    let snapshot = Snapshot::of_disk(root.path()).unwrap();
    let of = |context: &str| ViewSpec {
        context: WorkspacePath::root().join_name(context.as_bytes()),
        ..spec(&[], ".dockerignore")
    };
    let view = of("a").view(&snapshot).unwrap();
    assert_eq!(view.entries.len(), 2);
    assert_eq!(of("link").view(&snapshot).unwrap(), view);
    assert!(matches!(of("missing").view(&snapshot), Err(ViewError::NoContext { .. })));
    let error = of("out").view(&snapshot).unwrap_err();
    assert_eq!(error.to_string(), "the link `out` points out of the workspace, at `/`");
    let nothing = ViewSpec { sources: ReadSources::Nothing, ..of("a") };
    assert_eq!(nothing.view(&snapshot).unwrap().entries, []);
}

#[test]
fn names_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let root = tree(&["d/"]);
    let name = b"\xff\xfe";
    fs::write(root.path().join("d").join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    let snapshot = Snapshot::of_disk(root.path()).unwrap();
    for (sources, ignore, count) in
        [(&["d"][..], "", 2), (&["d/?*"], "", 2), (&[], "d/*", 1), (&[], "d/a*", 2)]
    {
        let view = spec(sources, ignore).view(&snapshot).unwrap();
        assert_eq!(view.entries.len(), count, "{sources:?} less {ignore:?}");
    }
    let view = spec(&[], "").view(&snapshot).unwrap();
    assert_eq!(view.entries[1].path.file_name(), Some(&name[..]));
}

#[test]
fn what_cannot_be_an_input_is_an_error_of_the_views_that_hold_it() {
    let root = tree(&["a", "d/b"]);
    let pipe = root.path().join("d/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
    let snapshot = Snapshot::of_disk(root.path()).unwrap();
    let error = spec(&["d"], "").view(&snapshot).unwrap_err();
    assert_eq!(error.to_string(), "`d/pipe` is a named pipe, which cannot be an input of a build");
    assert_eq!(spec(&["d"], "d/pipe").view(&snapshot).unwrap().entries.len(), 2);
    let socket = spec(&["socket"], "").view(&snapshot).unwrap();
    assert!(matches!(socket.entries[0].kind, FileKind::File { size: 0, .. }));
}

#[test]
fn a_malformed_pattern_fails_the_view_that_meets_it() {
    let root = tree(&["a/b", "c"]);
    let snapshot = Snapshot::of_disk(root.path()).unwrap();
    let error = spec(&[], "x*/[a").view(&snapshot).unwrap_err();
    let ViewError::Pattern { error, origin: PatternOrigin::IgnoreFile } = error else { panic!("{error}") };
    assert_eq!(error.text, "x*/[a");
    let diagnostic = rules("# one\nx*/[a\n").diagnostic(&error);
    assert_eq!(diagnostic.annotations[0].location.path_line(), ".dockerignore:2");
    assert!(spec(&[], "!x*/[a").view(&snapshot).is_ok(), "an exception is not asked while nothing matches");
    assert!(spec(&["[a"], "").view(&snapshot).is_err());
}

/// Checks whether a change of a tree changes the digest of its whole view.
fn check_change(entries: &[&str], change: impl Fn(&Path), changes: bool) {
    let root = tree(entries);
    let spec = spec(&[], "");
    let before = spec.view(&Snapshot::of_disk(root.path()).unwrap()).unwrap();
    change(root.path());
    let after = spec.view(&Snapshot::of_disk(root.path()).unwrap()).unwrap();
    assert_eq!(before.digest != after.digest, changes, "{entries:?}");
    assert_eq!(before.entries != after.entries, changes, "{entries:?}");
}

#[test]
fn a_digest_changes_with_what_a_build_can_see_and_nothing_else() {
    let files = &["a/b", "a/c", "d -> a"];
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let relink = |root: &Path, target: &str| {
        fs::remove_file(root.join("d")).unwrap();
        symlink(target, root.join("d")).unwrap();
    };
    check_change(files, |root| fs::write(root.join("a/b"), "b/a").unwrap(), true);
    check_change(files, |root| fs::write(root.join("a/b"), "a/b").unwrap(), false);
    check_change(files, |root| chmod(&root.join("a/b"), 0o755), true);
    check_change(files, |root| chmod(&root.join("a"), 0o700), true);
    check_change(files, |root| relink(root, "b"), true);
    check_change(files, |root| relink(root, "a"), false);
    check_change(files, |root| fs::rename(root.join("a/b"), root.join("a/bb")).unwrap(), true);
    check_change(files, |root| fs::create_dir(root.join("a/e")).unwrap(), true);
    check_change(files, |root| fs::remove_file(root.join("a/c")).unwrap(), true);
    let old = std::time::SystemTime::UNIX_EPOCH;
    check_change(files, |root| fs::File::open(root.join("a/b")).unwrap().set_modified(old).unwrap(), false);
    check_change(files, |root| chmod(root, 0o711), false);
}

#[test]
fn different_trees_have_different_digests() {
    let digest = |files: &[(&str, &str)]| {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::create_dir_all(root.path().join(name).parent().unwrap()).unwrap();
            fs::write(root.path().join(name), content).unwrap();
        }
        spec(&[], "").view(&Snapshot::of_disk(root.path()).unwrap()).unwrap().digest
    };
    assert_ne!(digest(&[("ab", "c")]), digest(&[("a", "bc")]));
    assert_ne!(digest(&[("a/b", "")]), digest(&[("a", ""), ("b", "")]));
    assert_ne!(digest(&[("a", "x"), ("b", "y")]), digest(&[("a", "y"), ("b", "x")]));
    assert_ne!(digest(&[]), digest(&[("a", "")]));
}

#[test]
fn a_filtered_view_and_a_tree_that_holds_no_more_are_equal() {
    let many = tree(&["a/b", "a/x", "c/d", "y"]);
    let few = tree(&["a/b", "c/d"]);
    let whole = spec(&[], "").view(&Snapshot::of_disk(few.path()).unwrap()).unwrap();
    let snapshot = Snapshot::of_disk(many.path()).unwrap();
    for filtered in [spec(&[], "a/x\ny"), spec(&["a/b", "c"], ""), spec(&["a", "c/d"], "**/x")] {
        assert_eq!(filtered.view(&snapshot).unwrap(), whole);
        assert_eq!(filtered.paths(&snapshot).unwrap().len(), 4);
    }
}

#[test]
fn equal_specifications_share_one_view() {
    let root = tree(&["a", "b"]);
    let views = Views::new(Snapshot::of_disk(root.path()).unwrap());
    let first = views.view(&spec(&["a"], "x")).unwrap();
    assert!(Arc::ptr_eq(&first, &views.view(&spec(&["a"], "# other text\n./x/")).unwrap()));
    assert!(!Arc::ptr_eq(&first, &views.view(&spec(&["b"], "x")).unwrap()));
}

#[test]
fn the_source_that_brings_a_path_in_is_named() {
    let root = tree(&["app -> build/app", "build/app/x", "crates/a/src", "crates/b/src"]);
    let snapshot = Snapshot::of_disk(root.path()).unwrap();
    let finder = spec(&["app", "crates/*/src", "missing"], "").source_finder(&snapshot).unwrap();
    let check = |path: &str, expected: Option<&str>| {
        let path = WorkspacePath::root().resolve(path.as_bytes()).unwrap();
        assert_eq!(finder.source_of(&path), expected, "{path}");
    };
    check("app", Some("app"));
    check("build/app/x", Some("app"));
    check("build", Some("app"));
    check("crates/a/src", Some("crates/*/src"));
    check("crates", Some("crates/*/src"));
    assert_eq!(spec(&[], "").source_finder(&snapshot).unwrap().source_of(&WorkspacePath::root()), None);
}

#[test]
fn a_second_look_sees_what_changed_meanwhile() {
    let root = tree(&["a/b", "c"]);
    let snapshot = Snapshot::of_disk(root.path()).unwrap();
    let spec = spec(&[], "");
    let before = spec.view(&snapshot).unwrap();
    assert_eq!(spec.view(&snapshot.look_again()).unwrap(), before);
    fs::write(root.path().join("a/b"), "b/a").unwrap();
    assert_eq!(spec.view(&snapshot).unwrap(), before, "a snapshot never looks twice");
    assert_ne!(spec.view(&snapshot.look_again()).unwrap(), before);
    fs::write(root.path().join("a/b"), "a/b").unwrap();
    assert_eq!(spec.view(&snapshot.look_again()).unwrap(), before);
    fs::write(root.path().join("a/new"), "").unwrap();
    assert_ne!(spec.view(&snapshot.look_again()).unwrap(), before);
}

#[test]
fn deep_trees_do_not_exhaust_the_stack() {
    let root = tree(&[&"d/".repeat(1500)]);
    let snapshot = Snapshot::of_disk(root.path()).unwrap();
    assert_eq!(spec(&[], "").view(&snapshot).unwrap().entries.len(), 1500);
    assert_eq!(spec(&[], "x*").view(&snapshot).unwrap().entries.len(), 1500);
}
