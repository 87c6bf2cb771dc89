//! What of a view arrives in an image.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use imgraph::types::cancellation::Cancellation;
use imgraph::types::event::Silence;

use crate::support::{Case, Engine, Proxy, View, unique, write};

const COPY_ALL: &str = "FROM scratch\nCOPY . /\n";

/// Builds the view into an image and looks into that.
fn look(engine: &Engine, view: &View, command: &str) -> String {
    let tag = unique("contents");
    Case { dockerfile: COPY_ALL, context: Some(view), tags: &[&tag], ..Case::default() }.output(engine);
    engine.look(&tag, command)
}

fn files(engine: &Engine, view: &View) -> Vec<String> {
    let found = look(engine, view, "sh -c 'cd /image; find . -mindepth 1'");
    let mut lines: Vec<String> = found.lines().map(|line| line.trim_start_matches("./").to_owned()).collect();
    lines.sort();
    lines
}

pub(crate) fn an_image_holds_the_view_and_nothing_else(engine: &Engine) {
    let mut view =
        View::of(&[("a-b", "1"), ("a/b", "2"), ("a.c", "3"), ("unwanted", "4"), ("d/unwanted", "5")]);
    view.entries.retain(|entry| !entry.path.to_string().ends_with("unwanted"));
    assert_eq!(files(engine, &view), ["a", "a-b", "a.c", "a/b", "d"]);
}

pub(crate) fn odd_names_kinds_and_permissions_arrive(engine: &Engine) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
    for name in
        [&b"not-\xff-utf8"[..], b"sp ace", b"new\nline", "grüße".as_bytes(), b"*", b"back\\slash", b"%41"]
    {
        fs::write(path(name), name).unwrap();
    }
    fs::create_dir_all(path(b"empty/inner")).unwrap();
    symlink("sp ace", path(b"link")).unwrap();
    symlink("/no/where", path(b"dangling")).unwrap();
    fs::write(path(b"program"), "").unwrap();
    fs::set_permissions(path(b"program"), fs::Permissions::from_mode(0o4750)).unwrap();
    fs::set_permissions(path(b"empty/inner"), fs::Permissions::from_mode(0o1777)).unwrap();
    let view = View::whole(folder);
    let tag = unique("odd");
    Case { dockerfile: COPY_ALL, context: Some(&view), tags: &[&tag], ..Case::default() }.output(engine);
    let stat = |name: &str| engine.look(&tag, &format!("stat -c '%a %F %s %u:%g %Y' '/image/{name}'"));
    assert_eq!(stat("program"), "4750 regular empty file 0 0:0 315619200\n");
    assert_eq!(stat("empty/inner"), stat("empty/inner"));
    assert!(stat("empty/inner").starts_with("1777 directory"));
    assert!(stat("sp ace").contains("regular file 6"));
    assert_eq!(engine.look(&tag, "readlink /image/link; readlink /image/dangling"), "sp ace\n/no/where\n");
    let names = engine.look(&tag, "sh -c 'cd /image; for n in *; do echo \"$n\"; done | od -An -c'");
    let names: String = names.split_whitespace().collect();
    let expected = "%41\\n*\\nback\\slash\\ndangling\\nempty\\ngr303274303237e\\nlink\\nnew\\nline\\nnot-377-utf8\\nprogram\\nspace\\n";
    assert_eq!(names, expected);
    let content = engine.look(&tag, "sh -c 'cat /image/not-* | od -An -c'");
    assert_eq!(content.split_whitespace().collect::<String>(), "not-377-utf8");
}

pub(crate) fn a_change_of_the_same_size_and_time_arrives(engine: &Engine) {
    let mut view = View::of(&[("file", "AAAA"), ("other", "same")]);
    let label = format!("//stale:{}", std::process::id());
    let time = fs::metadata(view.folder.path().join("file")).unwrap().modified().unwrap();
    let mut build = |content: &str| {
        write(view.folder.path(), "file", content);
        let file = fs::File::options().write(true).open(view.folder.path().join("file")).unwrap();
        file.set_modified(time).unwrap();
        view.read();
        let tag = unique("stale");
        let case = Case {
            label: &label,
            dockerfile: COPY_ALL,
            context: Some(&view),
            tags: &[&tag],
            ..Case::default()
        };
        let digest = case.output(engine).digest;
        (engine.look(&tag, "cat /image/file"), digest)
    };
    let (first, first_digest) = build("AAAA");
    let (second, second_digest) = build("BBBB");
    let (third, third_digest) = build("AAAA");
    assert_eq!((first.as_str(), second.as_str(), third.as_str()), ("AAAA", "BBBB", "AAAA"));
    assert_ne!(first_digest, second_digest);
    assert_eq!(first_digest, third_digest);
}

pub(crate) fn a_large_file_and_many_files_arrive(engine: &Engine) {
    let folder = tempfile::tempdir().unwrap();
    let large: Vec<u8> =
        (0..20_000_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    fs::write(folder.path().join("large"), &large).unwrap();
    for number in 0..2000 {
        write(folder.path(), &format!("many/{}/{number}", number % 50), &number.to_string());
    }
    let view = View::whole(folder);
    let tag = unique("many");
    Case { dockerfile: COPY_ALL, context: Some(&view), tags: &[&tag], ..Case::default() }.output(engine);
    let counted = engine.look(&tag, "sh -c 'find /image/many -type f | busybox wc -l; cat /image/many/7/1007; busybox sha256sum </image/large'");
    let sum = std::process::Command::new("sha256sum").arg(view.folder.path().join("large")).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(counted, format!("2000\n1007{}  -\n", sum.split(' ').next().unwrap()));
}

pub(crate) fn a_build_without_a_context_works(engine: &Engine) {
    let tag = unique("none");
    let dockerfile = "FROM scratch\nCOPY <<EOF /file\nfrom here\nEOF\n";
    Case { dockerfile, tags: &[&tag], ..Case::default() }.output(engine);
    assert_eq!(engine.look(&tag, "cat /image/file"), "from here\n");
}

pub(crate) fn what_is_removed_or_changes_its_kind_is_gone(engine: &Engine) {
    let mut view = View::of(&[("gone", "1"), ("kind/inner", "2"), ("link", "3"), ("kept", "4")]);
    let label = format!("//kinds:{}", std::process::id());
    let build = |view: &View| {
        let tag = unique("kinds");
        Case { label: &label, dockerfile: COPY_ALL, context: Some(view), tags: &[&tag], ..Case::default() }
            .output(engine);
        engine
            .look(&tag, "sh -c 'cd /image; find . -mindepth 1 -exec stat -c \"%F %a %N\" {} +'")
            .lines()
            .count()
    };
    assert_eq!(build(&view), 5);
    let at = |name: &str| view.folder.path().join(name);
    fs::remove_file(at("gone")).unwrap();
    fs::remove_dir_all(at("kind")).unwrap();
    fs::write(at("kind"), "a file").unwrap();
    fs::remove_file(at("link")).unwrap();
    symlink("kept", at("link")).unwrap();
    fs::set_permissions(at("kept"), fs::Permissions::from_mode(0o755)).unwrap();
    view.read();
    let look = |view: &View| {
        let tag = unique("kinds");
        Case { label: &label, dockerfile: COPY_ALL, context: Some(view), tags: &[&tag], ..Case::default() }
            .output(engine);
        engine.look(&tag, "sh -c 'cd /image; stat -c \"%n %F %a\" *; readlink link'")
    };
    assert_eq!(look(&view), "kept regular file 755\nkind regular file 644\nlink symbolic link 777\nkept\n");
    fs::remove_file(view.folder.path().join("link")).unwrap();
    symlink("kind", view.folder.path().join("link")).unwrap();
    view.read();
    assert!(look(&view).ends_with("\nkind\n"), "a link's target of the same length is another target");
}

pub(crate) fn ignore_files_in_a_view_are_files(engine: &Engine) {
    let view = View::of(&[(".dockerignore", "secret\n"), ("secret", "kept, because the view has it")]);
    assert_eq!(files(engine, &view), [".dockerignore", "secret"]);
    let tag = unique("ignore");
    let dockerfile = "FROM scratch\nCOPY .dockerignore /\n";
    Case { dockerfile, context: Some(&view), tags: &[&tag], ..Case::default() }.output(engine);
    assert_eq!(engine.look(&tag, "cat /image/.dockerignore"), "secret\n");
}

pub(crate) fn only_what_changed_travels_again(engine: &Engine) {
    let proxy = Proxy::before(engine);
    let noise: Vec<u8> =
        (0..3_000_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("large"), noise).unwrap();
    let mut view = View::whole(folder);
    let label = format!("//again:{}", std::process::id());
    let travelled = |view: &View| {
        let before = proxy.sent();
        let case = Case { label: &label, dockerfile: COPY_ALL, context: Some(view), ..Case::default() };
        case.run_with(&proxy.builder, &Silence, &Cancellation::default()).unwrap();
        proxy.sent() - before
    };
    assert!(travelled(&view) > 3_000_000);
    assert!(travelled(&view) < 100_000);
    write(view.folder.path(), "small", "a new file");
    view.read();
    assert!(travelled(&view) < 100_000);
}
