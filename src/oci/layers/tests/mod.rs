//! Layers as a whole: written, read, put upon each other, and made to do harm.

mod hostile;
mod indexes;
mod paths;
mod round_trip;
mod views;

use std::io::Write;
use std::sync::Arc;

use super::error::LayerError;
use super::layer::Layer;
use super::root_view::RootView;
use crate::oci::blob_digest::{BlobDigest, DiffId};
use crate::oci::layer_entry::EntryKind;

/// The layer of `tar`.
fn layer(tar: &[u8]) -> Result<Arc<Layer>, LayerError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(tar).unwrap();
    Layer::read(file, DiffId(BlobDigest::of(tar)))
}

/// A tar of entries that are each a word for the kind, a path, and a target or a content where there is one:
/// `folder a`, `file a text`, `link a target`, `hard a target`, `pipe a`, `null a`, `disk a`. The mode of
/// folders is 0700, that of all else 0640, the owner 7:8. Names are written as they are.
fn tar(entries: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let mut words = entry.splitn(3, ' ');
        let [kind, path, rest] = [(); 3].map(|()| words.next().unwrap_or_default());
        let mut header = tar::Header::new_gnu();
        header.set_mode(if kind == "folder" { 0o700 } else { 0o640 });
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(9);
        header.set_entry_type(match kind {
            "folder" => tar::EntryType::Directory,
            "file" => tar::EntryType::Regular,
            "link" => tar::EntryType::Symlink,
            "hard" => tar::EntryType::Link,
            "pipe" => tar::EntryType::Fifo,
            "null" => tar::EntryType::Char,
            "disk" => tar::EntryType::Block,
            "sparse" => tar::EntryType::GNUSparse,
            _ => panic!("{entry}"),
        });
        let (major, minor) = if kind == "null" { (1, 3) } else { (8, 0) };
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        let content = if kind == "file" { rest.as_bytes() } else { b"" };
        header.set_size(content.len() as u64);
        let old = header.as_old_mut();
        old.name[..path.len()].copy_from_slice(path.as_bytes());
        if matches!(kind, "link" | "hard") {
            old.linkname[..rest.len()].copy_from_slice(rest.as_bytes());
        }
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

/// The view of layers that are each written as for [`tar`].
fn view(layers: &[&[&str]]) -> RootView {
    let mut view = RootView::default();
    layers.iter().for_each(|entries| view.apply(layer(&tar(entries)).unwrap()));
    view
}

/// All of a view as lines: a path with `/` for folders, ` -> target` for links, ` = content` for files, and the
/// mode of a folder when it is not 0700.
fn listing(view: &RootView) -> Vec<String> {
    let line = |(path, found): (Box<[u8]>, super::root_view::Found<'_>)| {
        let path = String::from_utf8_lossy(&path).into_owned();
        match found.kind() {
            EntryKind::Folder if found.owner().0 == 0o700 => format!("{path}/"),
            EntryKind::Folder => format!("{path}/ {:o}", found.owner().0),
            EntryKind::File { .. } => {
                let mut content = String::new();
                std::io::Read::read_to_string(&mut found.open().unwrap(), &mut content).unwrap();
                format!("{path} = {content}")
            }
            EntryKind::Link { target } => format!("{path} -> {}", String::from_utf8_lossy(&target)),
            kind => format!("{path} {kind:?}"),
        }
    };
    view.walk(b"").map(line).collect()
}
