//! Indexes on disk, and tars of other writers.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::{layer, listing, tar};
use crate::oci::blob_digest::{BlobDigest, DiffId};
use crate::oci::layers::coming_index::ComingIndex;
use crate::oci::layers::error::LayerError;
use crate::oci::layers::layer::Layer;
use crate::oci::layers::root_view::RootView;

fn load_or_make(indexes: &Path, tar: &Path, id: DiffId) -> Result<Arc<Layer>, LayerError> {
    Layer::load(indexes, tar, id).map_or_else(|| Layer::make(indexes, tar, id, None), Ok)
}

#[test]
fn an_index_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = tar(&["folder a", "file a/b 1", "hard c a/b", "link d a", "file .wh.e "]);
    let id = DiffId(BlobDigest::of(&bytes));
    let (indexes, tar_path) = (folder.path().join("indexes"), folder.path().join("tar"));
    fs::write(&tar_path, &bytes).unwrap();
    let made = load_or_make(&indexes, &tar_path, id).unwrap();
    let saved = indexes.join(id.0.hex());
    let written = fs::read(&saved).unwrap();
    // Only the index is read: the entries are no more in the tar.
    fs::write(&tar_path, [0; 4096]).unwrap();
    assert_eq!(load_or_make(&indexes, &tar_path, id).unwrap().index(), made.index());
    fs::write(&tar_path, &bytes).unwrap();
    for at in 0..written.len() {
        let mut damaged = written.clone();
        damaged[at] ^= 1;
        fs::write(&saved, &damaged).unwrap();
        let again = load_or_make(&indexes, &tar_path, id).unwrap();
        assert_eq!(again.index(), made.index(), "byte {at}");
        assert_eq!(fs::read(&saved).unwrap(), written, "byte {at}");
    }
    let other = DiffId(BlobDigest::of(b"other"));
    fs::rename(&saved, indexes.join(other.0.hex())).unwrap();
    fs::write(&tar_path, [0; 4096]).unwrap();
    assert!(load_or_make(&indexes, &tar_path, other).unwrap().index().is_empty());
}

/// What is read while it comes is what is read from the file, wherever it ends; or nothing is.
#[test]
fn an_index_is_the_same_while_the_tar_comes() {
    let bytes = tar(&[
        "folder a",
        "file a/b 1",
        "hard c a/b",
        "link d a",
        "file empty ",
        "file .wh.e ",
        "file a/b 23",
    ]);
    let coming = |bytes: &[u8], piece: usize| {
        let mut coming = ComingIndex::begin(DiffId(BlobDigest::of(bytes))).unwrap();
        bytes.chunks(piece).for_each(|piece| coming.write_all(piece).unwrap());
        coming.finish()
    };
    for piece in [1, 100, 512, 1 << 20] {
        assert_eq!(coming(&bytes, piece).as_ref(), Some(layer(&bytes).unwrap().index()), "{piece}");
    }
    for end in (0..bytes.len()).step_by(64) {
        let (found, expected) = (coming(&bytes[..end], 1000), layer(&bytes[..end]));
        match (found, expected) {
            (Some(found), expected) => assert_eq!(&found, expected.unwrap().index(), "{end}"),
            // At least where a block ends, nothing has to be read again.
            (None, expected) => assert!(end % 512 != 0 || expected.is_err(), "{end}"),
        }
    }
    assert_eq!(coming(&tar(&["file ../a 1"]), 100), None);
}

/// A tree that GNU tar writes in each of its forms reads as the same.
#[test]
fn tars_of_gnu_tar_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    let long = "long".repeat(20);
    let deep = tree.join(&long).join("deep");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join(format!("{long}.txt")), "text").unwrap();
    fs::hard_link(deep.join(format!("{long}.txt")), tree.join("again")).unwrap();
    std::os::unix::fs::symlink(format!("{long}/{long}/{long}"), tree.join("ünïcode")).unwrap();
    let expected = [
        "again = text".to_owned(),
        format!("{long}/"),
        format!("{long}/deep/"),
        format!("{long}/deep/{long}.txt = text"),
        format!("ünïcode -> {long}/{long}/{long}"),
    ];
    for (format, holds_long_links) in
        [("gnu", true), ("oldgnu", true), ("pax", true), ("posix", true), ("ustar", false)]
    {
        let archive = folder.path().join(format);
        let mut command = Command::new("tar");
        command.args(["--format", format, "--mode", "700", "-cf"]).arg(&archive);
        let output = command.arg("-C").arg(&tree).arg(".").output().unwrap();
        assert_eq!(output.status.success(), holds_long_links, "{format}");
        let expected = if holds_long_links { &expected[..] } else { &expected[..4] };
        assert_eq!(contents(&archive)[..expected.len()], *expected, "{format}");
    }
}

fn contents(archive: &Path) -> Vec<String> {
    let mut view = RootView::default();
    view.apply(layer(&fs::read(archive).unwrap()).unwrap());
    listing(&view)
}

#[test]
fn attributes_and_large_numbers_are_read() {
    let mut bytes = Vec::new();
    let mut records = Vec::new();
    for (key, value) in [
        (&b"SCHILY.xattr.user.b"[..], &b"a\nb\0c"[..]),
        (b"SCHILY.xattr.security.capability", b"\x01\0\0\x02"),
        (b"SCHILY.xattr.trusted.overlay.opaque", b"y"),
        (b"LIBARCHIVE.xattr.user.c", b"eA=="),
        (b"uid", b"3000000"),
        (b"gid", b"4000000000"),
        (b"mtime", b"12.5"),
        (b"path", b"\xff\xfe"),
    ] {
        let length = key.len() + value.len() + 5;
        let length = if length > 99 { length + 1 } else { length };
        write!(records, "{length} ").unwrap();
        records.extend_from_slice(&[key, b"=", value, b"\n"].concat());
    }
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::XHeader);
    header.set_size(records.len() as u64);
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(&records);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes.extend_from_slice(&tar(&["file x 1"]));
    let layer = layer(&bytes).unwrap();
    let record = layer.index().child(0, b"\xff\xfe").unwrap();
    let entry = layer.index().entry(record, b"x");
    let names: Vec<_> = entry.xattrs.iter().map(|(name, _value)| String::from_utf8_lossy(name)).collect();
    assert_eq!((entry.uid, entry.gid), (3_000_000, 4_000_000_000));
    assert_eq!(layer.index().changed_at(record), (12, 500_000_000));
    assert_eq!(names, ["security.capability", "user.b"]);
    assert_eq!(&*entry.xattrs[1].1, b"a\nb\0c");
}
