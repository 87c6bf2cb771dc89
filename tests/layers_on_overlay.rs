//! Layers on a real overlay: what a view says of a chain of layers is what the kernel shows when they are
//! unpacked, and what a command changes there is what the layer made of it says.
//!
//! As root it mounts in a mount namespace of its own; otherwise in a user namespace with one user, as the
//! builder does without root.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use imgraph::build::embedded::rootfs::copy::copy_root;
use imgraph::build::embedded::rootfs::difference::{Written, write_difference};
use imgraph::build::embedded::rootfs::ownership::Ownership;
use imgraph::build::embedded::rootfs::sweep::{remove_tree, sweep_unpacked};
use imgraph::build::embedded::rootfs::unpack::{Unpacked, dress_root, unpack};
use imgraph::build::embedded::rootfs::unpacked_times::UnpackedTimes;
use imgraph::oci::blob_digest::{BlobDigest, DiffId};
use imgraph::oci::layer_entry::{EntryKind, LayerEntry};
use imgraph::oci::layers::layer::Layer;
use imgraph::oci::layers::root_view::RootView;
use imgraph::oci::layers::writer::LayerWriter;
use proptest::prelude::*;

/// Trees of layers that are tried.
const CASES: u32 = 60;

/// Lists everything: path, kind, mode, owner, target, and for files the size and the inode.
const LIST: &str = "LC_ALL=C find . -mindepth 1 \
    \\( -type f -printf '%P|%y|%m|%U:%G|%l|%s|%i\\n' -exec cat {} \\; -printf '\\n' \\) \
    -o -printf '%P|%y|%m|%U:%G|%l||\\n'";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn ownership() -> Ownership {
    if is_root() { Ownership::Root } else { Ownership::Single }
}

struct Chain {
    folder: PathBuf,
    view: RootView,
    lower: Vec<PathBuf>,
}

impl Drop for Chain {
    fn drop(&mut self) {
        remove_tree(&self.folder).unwrap();
    }
}

/// The folder of the files of a layer, in the folder of a chain; none of those that were there was damaged.
fn unpacked(layer: &Arc<Layer>, below: &RootView, chain: &Path) -> PathBuf {
    let (files, damaged) = unpacked_again(layer, below, chain);
    assert_eq!(damaged, Vec::<PathBuf>::new());
    files
}

/// As [`unpacked`], with the damaged ones.
fn unpacked_again(layer: &Arc<Layer>, below: &RootView, chain: &Path) -> (PathBuf, Vec<PathBuf>) {
    let (folder, trusted, mut damaged) = (chain.join("unpacked"), BTreeSet::new(), Vec::new());
    let place = Unpacked { folder: &folder, ownership: ownership(), trusted: &trusted };
    let files = unpack(layer, below, place, UnpackedTimes::OfTar, &mut damaged).unwrap();
    (files, damaged)
}

impl Chain {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("imgraph-layers-").tempdir().unwrap().keep();
        for name in ["upper", "work", "mount", "bottom"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        let lower = vec![folder.join("bottom")];
        Self { folder, view: RootView::default(), lower }
    }

    fn push(&mut self, tar: &[u8]) {
        let layer = layer(tar);
        let place = unpacked(&layer, &self.view, &self.folder);
        self.lower.insert(0, place);
        self.view.apply(layer);
    }

    /// Runs `script` in the mounted chain and lists what is there afterwards.
    fn run(&self, script: &str) -> BTreeMap<String, String> {
        dress_root(&self.view, &self.folder.join("upper"), ownership()).unwrap();
        // Each place once: an overlay refuses the same folder twice.
        let mut lower: Vec<&str> = Vec::new();
        let hidden = self.view.layers().len() - self.view.visible_layers().len();
        for place in &self.lower[..self.lower.len() - 1 - hidden] {
            let place = place.strip_prefix(&self.folder).unwrap().to_str().unwrap();
            if !lower.contains(&place) {
                lower.push(place);
            }
        }
        lower.push("bottom");
        // With `userxattr` the others are off.
        let privilege = if is_root() { "metacopy=off,redirect_dir=off" } else { "userxattr" };
        let options =
            format!("{privilege},index=off,lowerdir={},upperdir=upper,workdir=work", lower.join(":"));
        let all = format!(
            "umask 022; mount -t overlay overlay -o {options} mount && cd mount && {INSIDE} && {{ :\n{script}\n}} >/dev/null 2>&1; {LIST}"
        );
        let flags: &[&str] = if is_root() { &["-m"] } else { &["-Urm"] };
        let output = Command::new("unshare")
            .args(flags)
            .args(["sh", "-c", &all])
            .current_dir(&self.folder)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{options}: {errors}");
        lines(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Listed lines by path, each with the content that follows it, and the first path of its inode for the inode.
fn lines(text: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once('|') {
            Some((path, facts)) => {
                last = path.to_owned();
                let (facts, inode) = facts.rsplit_once('|').unwrap();
                found.insert(last.clone(), (facts.to_owned(), inode.to_owned()));
            }
            None => found.get_mut(&last).unwrap().0.push_str(&format!("|{line}")),
        }
    }
    let first = |inode: &str| found.iter().find(|(_path, facts)| facts.1 == inode).unwrap().0;
    let named = |inode: &str| if inode.is_empty() { "" } else { first(inode) };
    found.iter().map(|(path, (facts, inode))| (path.clone(), format!("{facts}|{}", named(inode)))).collect()
}

/// What [`LIST`] says of a view. Without root, everything is root's.
fn listed(view: &RootView) -> BTreeMap<String, String> {
    let mut names: BTreeMap<(DiffId, u32), String> = BTreeMap::new();
    for (path, found) in view.walk(b"") {
        if let Some(file) = found.same_file() {
            names.entry(file).or_insert_with(|| String::from_utf8_lossy(&path).into_owned());
        }
    }
    let line = |(path, found): (Box<[u8]>, imgraph::oci::layers::root_view::Found<'_>)| {
        let (mode, uid, gid) = found.owner();
        let (uid, gid) = if is_root() { (uid, gid) } else { (0, 0) };
        let shown = match found.kind() {
            EntryKind::Folder => format!("d|{mode:o}|{uid}:{gid}|||"),
            EntryKind::Pipe => format!("p|{mode:o}|{uid}:{gid}|||"),
            EntryKind::Link { target } => format!("l|777|{uid}:{gid}|{}||", String::from_utf8_lossy(&target)),
            EntryKind::File { size } => {
                let path = String::from_utf8_lossy(&path).into_owned();
                let first = found.same_file().map_or(path, |file| names[&file].clone());
                let mut content = String::new();
                found.open().unwrap().read_to_string(&mut content).unwrap();
                let content = if content.is_empty() { content } else { format!("|{content}") };
                format!("f|{mode:o}|{uid}:{gid}||{size}{content}|{first}")
            }
            kind => panic!("{kind:?}"),
        };
        (String::from_utf8_lossy(&path).into_owned(), shown)
    };
    view.walk(b"").map(line).collect()
}

fn layer(tar: &[u8]) -> Arc<Layer> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(tar).unwrap();
    Layer::read(file, DiffId(BlobDigest::of(tar))).unwrap()
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec("[abc]", 1..4).prop_map(|names| names.join("/"))
}

/// Path, kind, low bits of the mode, target, and owner of an entry.
type Wild = (String, u8, u32, String, u64);

fn wild_entries() -> impl Strategy<Value = Vec<Wild>> {
    let entry = (path(), 0..9_u8, 0..8_u32, "[abc/.]{1,4}", 0..3_u64);
    proptest::collection::vec(entry, 0..12)
}

/// A tar in any order, without the folders that it needs, with marks, links below links and repeated names.
fn wild_tar(entries: &[Wild]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &(ref path, kind, low, ref target, owner) in entries {
        let (folder, name) = path.rsplit_once('/').map_or(("", &**path), |(folder, name)| (folder, name));
        let mut header = tar::Header::new_ustar();
        let content = format!("c{low}");
        let (entry_type, path, size) = match kind {
            0 | 1 => (tar::EntryType::Directory, path.clone(), 0),
            2 | 3 => (tar::EntryType::Regular, path.clone(), content.len()),
            4 => (tar::EntryType::Symlink, path.clone(), 0),
            5 => (tar::EntryType::Fifo, path.clone(), 0),
            6 => (tar::EntryType::Link, path.clone(), 0),
            7 => (tar::EntryType::Regular, format!("{folder}/.wh.{name}"), 0),
            _ => (tar::EntryType::Regular, format!("{folder}/.wh..wh..opq"), 0),
        };
        header.set_entry_type(entry_type);
        let old = header.as_old_mut();
        old.name[..path.len()].copy_from_slice(path.as_bytes());
        if matches!(kind, 4 | 6) {
            old.linkname[..target.len()].copy_from_slice(target.as_bytes());
        }
        header.set_mode(0o700 | low);
        header.set_uid(owner);
        header.set_gid(owner * 1000);
        header.set_mtime(5);
        header.set_size(size as u64);
        header.set_cksum();
        let one = [header.as_bytes().as_slice(), &content.as_bytes()[..size]].concat();
        let mut with_one = [&*bytes, &*one].concat();
        with_one.resize(with_one.len().next_multiple_of(512), 0);
        // What a layer cannot have is left out.
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&with_one).unwrap();
        if Layer::read(file, DiffId(BlobDigest::of(b""))).is_ok() {
            bytes = with_one;
        }
    }
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

/// Something that a command does to a root folder. What does not work is left undone, and so is what would follow a link
/// out of the folder: the script sees the whole machine.
fn change() -> impl Strategy<Value = String> {
    let path = path;
    let inside = |paths: &str, change: &str| format!("inside {paths} && {{ {change}; }}");
    prop_oneof![
        path().prop_map(move |path| inside(&path, &format!("rm -rf {path}"))),
        path().prop_map(move |path| inside(&path, &format!("mkdir -p {path}"))),
        path().prop_map(move |path| inside(&path, &format!("rm -rf {path}; mkdir -p {path}"))),
        (path(), 0..9).prop_map(move |(path, number)| {
            inside(&path, &format!("[ -p {path} ] || printf n{number} > {path}"))
        }),
        (path(), path())
            .prop_map(move |(from, to)| inside(&format!("{from} {to}"), &format!("mv {from} {to}"))),
        (path(), path())
            .prop_map(move |(from, to)| inside(&format!("{from} {to}"), &format!("ln {from} {to}"))),
        (path(), path()).prop_map(move |(from, to)| inside(&to, &format!("ln -s {from} {to}"))),
        (path(), 0..8).prop_map(move |(path, low)| inside(&path, &format!("chmod 70{low} {path}"))),
        path().prop_map(move |path| inside(&path, &format!("touch {path}"))),
        path().prop_map(move |path| inside(&path, &format!("mkfifo {path}"))),
        (path(), 0..3)
            .prop_map(move |(path, owner)| { inside(&path, &format!("chown -h {owner}:{owner} {path}")) }),
    ]
}

/// A function of the shell: whether paths lead to places below the folder that it is in. Links that lead nowhere
/// do not: programs that follow them by hand may never come to an end.
const INSIDE: &str = r#"inside() {
    for path; do
        if [ -e "$path" ]; then at=$path; elif [ -L "$path" ]; then return 1; else at=$(dirname "$path"); fi
        [ -e "$at" ] || return 1
        case $(readlink -f "$at")/ in "$(pwd -P)"/*) ;; *) return 1 ;; esac
    done
}"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_view_is_what_an_overlay_shows(tars in proptest::collection::vec(wild_entries(), 1..5)) {
        let mut chain = Chain::new();
        tars.iter().for_each(|tar| chain.push(&wild_tar(tar)));
        prop_assert_eq!(chain.run(""), listed(&chain.view));
    }

    #[test]
    fn a_difference_is_what_was_changed(
        tars in proptest::collection::vec(wild_entries(), 0..3),
        changes in proptest::collection::vec(change(), 0..12),
    ) {
        let mut chain = Chain::new();
        tars.iter().for_each(|tar| chain.push(&wild_tar(tar)));
        let shown = chain.run(&changes.join("\n"));
        let mut writer = LayerWriter::new(Vec::new(), 0);
        let upper = chain.folder.join("upper");
        let is_anything = write_difference(Written::Upper(&upper), &chain.view, ownership(), &mut writer).unwrap();
        let tar = writer.finish().unwrap();
        let layer = layer(&tar);
        prop_assert_eq!(is_anything, !layer.index().is_empty());
        let mut after = chain.view.clone();
        after.apply(layer);
        prop_assert_eq!(shown, listed(&after), "{:?}", changes);
    }
}

/// A copy of a chain is changed by a command, and the layer that is made of it puts the same upon the chain.
#[test]
fn a_difference_of_a_copy_is_what_was_changed() {
    let file = EntryKind::File { size: 3 };
    let base = written(
        &[
            ("a", EntryKind::Folder, 0o755),
            ("a/b", file.clone(), 0o644),
            ("a/c", EntryKind::Link { target: (*b"b").into() }, 0o777),
            ("d", file.clone(), 0o4755),
            ("e", EntryKind::HardLink { target: (*b"d").into() }, 0o4755),
            ("f", EntryKind::HardLink { target: (*b"d").into() }, 0o4755),
            ("g", EntryKind::Folder, 0o700),
            ("g/h", file, 0o600),
        ],
        &[],
    );
    let check = |script: &str, expected: &str| {
        let mut chain = Chain::new();
        chain.push(&base);
        let copy = chain.folder.join("copy");
        fs::create_dir(&copy).unwrap();
        copy_root(&chain.view, &copy, ownership(), UnpackedTimes::OfTar).unwrap();
        let list = format!("umask 022; {script}; {LIST}");
        let output = Command::new("sh").args(["-c", &list]).current_dir(&copy).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{script}: {output:?}");
        let mut writer = LayerWriter::new(Vec::new(), 0);
        write_difference(Written::Copy(&copy), &chain.view, ownership(), &mut writer).unwrap();
        let tar = writer.finish().unwrap();
        let layer = layer(&tar);
        let index = layer.index();
        let entries = (1..index.len() as u32).map(|record| {
            let mark = if index.is_whiteout(record) { "-" } else { "" };
            format!("{mark}{}", String::from_utf8_lossy(&index.path(record)))
        });
        let mut entries: Vec<String> = entries.collect();
        entries.sort();
        assert_eq!(entries.join(" "), expected, "{script}");
        // Of a file with several names an overlay copies one up, and the others stay as they were.
        if !expected.ends_with("d e f") {
            chain.run(&format!("umask 022; {script}"));
            let mut on_overlay = LayerWriter::new(Vec::new(), 0);
            let upper = chain.folder.join("upper");
            write_difference(Written::Upper(&upper), &chain.view, ownership(), &mut on_overlay).unwrap();
            assert!(on_overlay.finish().unwrap() == tar, "{script}: an overlay gives another layer");
        }
        let mut after = chain.view.clone();
        after.apply(layer);
        if is_root() {
            assert_eq!(lines(&String::from_utf8_lossy(&output.stdout)), listed(&after), "{script}");
        }
    };
    check(":", "");
    check("cat a/b > /dev/null; ls -R > /dev/null", "");
    check("touch a/b", "a a/b");
    // Neither the size nor the time says that the content is another.
    check("printf xyz > new; touch -r a/b new; cat new > a/b; touch -r new a/b; rm new", "a a/b");
    check("rm a/b; mkdir a/b; ln -sfn x a/c", "a a/b a/c");
    check("rm -r a; printf x > a", "a");
    check("rm -r g", "-g");
    check("rm -r g; mkdir -m 700 g", "-g/h g");
    check("rm -r a; mkdir -p a/d; printf x > a/d/f", "-a/b -a/c a a/d a/d/f");
    check("rm -r a; mkdir a; printf x > a/b; ln -s y a/c", "a a/b a/c");
    check("rm -r a g; mkdir a g; mkdir a/c g/i", "-a/b -g/h a a/c g g/i");
    check("chmod 711 g", "g");
    // Of a file with several names.
    check("rm e", "-e");
    check("printf abcd > d", "d e f");
    check("ln a/b z", "a a/b z");
    check("mkfifo p; mkdir -p q/r", "p q q/r");
}

/// The entries of a layer, written.
fn written(entries: &[(&str, EntryKind, u32)], xattrs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = LayerWriter::new(Vec::new(), 7);
    for (path, kind, mode) in entries {
        let xattrs = xattrs.iter().map(|(name, value)| (name.as_bytes().into(), (*value).into())).collect();
        let (path, kind) = (path.as_bytes().into(), kind.clone());
        let entry = LayerEntry { path, kind, mode: *mode, uid: 0, gid: 0, xattrs };
        writer.append(&entry, &mut &b"abc"[..]).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn what_is_unpacked_and_packed_is_the_same_tar() {
    let file = EntryKind::File { size: 3 };
    let entries = [
        ("a", EntryKind::Folder, 0o1777),
        ("a.b", file.clone(), 0o4755),
        ("a/b", file, 0o644),
        ("a/c", EntryKind::Link { target: (*b"../x").into() }, 0o777),
        ("d", EntryKind::Folder, 0o700),
        ("d/p", EntryKind::Pipe, 0o600),
        ("e", EntryKind::HardLink { target: (*b"a.b").into() }, 0o4755),
    ];
    let tar = written(&entries, &[]);
    let mut chain = Chain::new();
    chain.push(&tar);
    let mut writer = LayerWriter::new(Vec::new(), 7);
    write_difference(Written::Upper(&chain.lower[0]), &RootView::default(), ownership(), &mut writer)
        .unwrap();
    assert!(writer.finish().unwrap() == tar);
}

#[test]
fn attributes_come_back_but_for_an_overlays_own() {
    let xattrs: &[(&str, &[u8])] = &[("user.a", b"x\0\n"), ("user.b", b"")];
    let tar =
        written(&[("f", EntryKind::Folder, 0o755), ("f/a", EntryKind::File { size: 3 }, 0o644)], xattrs);
    let mut chain = Chain::new();
    chain.push(&tar);
    let shown = |place: &Path| {
        let mut writer = LayerWriter::new(Vec::new(), 7);
        write_difference(Written::Upper(place), &RootView::default(), ownership(), &mut writer)
            .map_err(|error| error.to_string())?;
        Ok::<_, String>(writer.finish().unwrap())
    };
    assert!(shown(&chain.lower[0]).unwrap() == tar);
    let folder = chain.lower[0].join("f");
    let set = |name: &str, value: &[u8]| {
        rustix::fs::setxattr(&folder, name, value, rustix::fs::XattrFlags::empty()).unwrap();
    };
    set("user.overlay.origin", b"z");
    assert!(shown(&chain.lower[0]).unwrap() == tar);
    set("user.overlay.redirect", b"/etc");
    let message = "`f` in the upper folder of an overlay has the attribute `user.overlay.redirect`";
    assert_eq!(shown(&chain.lower[0]).unwrap_err(), message);
}

#[test]
fn unpacked_layers_are_found_again_and_swept() {
    let mut chain = Chain::new();
    let tar = written(&[("a", EntryKind::Folder, 0o000), ("b", EntryKind::Folder, 0o755)], &[]);
    chain.push(&tar);
    let files = chain.lower[0].clone();
    let place = files.parent().unwrap().to_owned();
    let before = fs::metadata(&place).unwrap();
    std::thread::scope(|scope| {
        let unpack_again = || {
            assert_eq!(unpacked(&layer(&tar), &RootView::default(), &chain.folder), files);
        };
        (0..4).for_each(|_thread| drop(scope.spawn(unpack_again)));
    });
    assert_eq!(fs::metadata(&place).unwrap().created().ok(), before.created().ok());
    let of_another_run = place.with_extension("00000000");
    fs::rename(&place, &of_another_run).unwrap();
    let left_over = place.parent().unwrap().join(".tmp-x");
    fs::create_dir(&left_over).unwrap();
    fs::File::open(&left_over).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    chain.push(&tar);
    sweep_unpacked(&chain.folder.join("unpacked"), ownership()).unwrap();
    let names = fs::read_dir(place.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(names.collect::<Vec<_>>(), [place]);
}

/// Whatever somebody does to the files of an unpacked layer is seen, and mended.
#[test]
fn what_was_changed_from_outside_is_unpacked_again() {
    type Change = fn(&Path) -> std::io::Result<()>;
    let mut chain = Chain::new();
    let entries = [
        ("d", EntryKind::Folder, 0o755),
        ("d/f", EntryKind::File { size: 3 }, 0o644),
        ("l", EntryKind::Link { target: b"d/f".as_slice().into() }, 0o777),
    ];
    let tar = written(&entries, &[]);
    chain.push(&tar);
    let files = chain.lower[0].clone();
    let changes: [(&str, Change); 11] = [
        ("altered, time put back", |files| {
            let before = fs::metadata(files.join("d/f"))?.modified()?;
            fs::write(files.join("d/f"), "ABC")?;
            fs::File::options().write(true).open(files.join("d/f"))?.set_modified(before)
        }),
        ("cut short", |files| fs::write(files.join("d/f"), "ab")),
        ("removed", |files| fs::remove_file(files.join("d/f"))),
        ("put in its place", |files| {
            fs::write(files.join("new"), "ABC")?;
            fs::rename(files.join("new"), files.join("d/f"))
        }),
        ("added", |files| fs::write(files.join("d/g"), "")),
        ("added on top", |files| fs::write(files.join("g"), "")),
        ("another mode", |files| fs::set_permissions(files.join("d/f"), fs::Permissions::from_mode(0o600))),
        ("another link", |files| {
            fs::remove_file(files.join("l"))?;
            std::os::unix::fs::symlink("d/g", files.join("l"))
        }),
        ("all gone", |files| fs::remove_dir_all(files)),
        ("facts gone", |files| fs::remove_file(files.with_file_name("facts"))),
        ("facts cut short", |files| fs::write(files.with_file_name("facts"), "0")),
    ];
    for (name, change) in changes {
        change(&files).unwrap();
        let (again, damaged) = unpacked_again(&layer(&tar), &RootView::default(), &chain.folder);
        assert_eq!((&again, damaged), (&files, vec![files.parent().unwrap().to_owned()]), "{name}");
        assert_eq!(fs::read_to_string(files.join("l")).unwrap(), "abc", "{name}");
        assert_eq!(fs::read_dir(files.join("d")).unwrap().count(), 1, "{name}");
        unpacked(&layer(&tar), &RootView::default(), &chain.folder);
    }
}

/// A folder that a layer does not list has the owner and mode of the layers below, in the overlay too.
#[test]
fn folders_that_a_layer_leaves_out_are_as_below() {
    let mut chain = Chain::new();
    chain.push(&written(&[("a", EntryKind::Folder, 0o711)], &[]));
    let mut header = tar::Header::new_ustar();
    header.set_path("a/b").unwrap();
    header.set_mode(0o644);
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    chain.push(&[header.as_bytes().as_slice(), &[0; 1024]].concat());
    let shown = chain.run("");
    assert_eq!(shown["a"], "d|711|0:0|||");
    assert_eq!(shown, listed(&chain.view));
    let other = unpacked(chain.view.layers().last().unwrap(), &RootView::default(), &chain.folder);
    assert!(other.as_os_str().as_bytes() != chain.lower[0].as_os_str().as_bytes());
}
