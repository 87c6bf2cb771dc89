//! What is written is what is read, and equal entries are equal bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::layer;
use crate::oci::layer_entry::{EntryKind, LayerEntry};
use crate::oci::layers::index::LayerIndex;
use crate::oci::layers::layer::Layer;
use crate::oci::layers::writer::LayerWriter;

type Written = (LayerEntry, Vec<u8>);

fn written(entries: &[Written]) -> Vec<u8> {
    let mut writer = LayerWriter::new(Vec::new(), 1_700_000_000);
    for (entry, content) in entries {
        writer.append(entry, &mut &**content).unwrap();
    }
    writer.finish().unwrap()
}

/// The entries that an index says a writer would have to write.
fn read(layer: &std::sync::Arc<Layer>) -> Vec<Written> {
    let index = layer.index();
    let mut entries: Vec<Written> = Vec::new();
    for record in 1..index.len() as u32 {
        let path = index.path(record);
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut layer.open(record).unwrap(), &mut content).unwrap();
        let mut entry = index.entry(record, &path);
        let first = index.first_name(record);
        if first != record {
            entry.kind = EntryKind::HardLink { target: index.path(first).into() };
            content.clear();
        }
        if index.is_opaque(record) {
            entries.push((mark(&path, EntryKind::Opaque), Vec::new()));
        }
        if index.is_whiteout(record) {
            entry = mark(&path, EntryKind::Whiteout);
        }
        entries.push((entry, content));
    }
    entries.sort_by(|a, b| {
        a.0.path.cmp(&b.0.path).then((a.0.kind == EntryKind::Opaque).cmp(&(b.0.kind == EntryKind::Opaque)))
    });
    entries
}

fn mark(path: &[u8], kind: EntryKind) -> LayerEntry {
    LayerEntry { path: path.into(), kind, mode: 0, uid: 0, gid: 0, xattrs: Vec::new() }
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let bytes = proptest::collection::vec(1_u8.., 1..6);
    let bytes =
        bytes.prop_map(|name| name.into_iter().map(|byte| if byte == b'/' { b'_' } else { byte }).collect());
    prop_oneof![
        4 => "[a-c.]{0,2}[a-c]".prop_map(String::into_bytes),
        1 => "[a-zäß]{60,110}".prop_map(String::into_bytes),
        1 => bytes,
    ]
    .prop_filter("is a name", |name: &Vec<u8>| !matches!(&**name, b"." | b"..") && !name.starts_with(b".wh."))
}

fn kind() -> impl Strategy<Value = (EntryKind, Vec<u8>)> {
    let file = proptest::collection::vec(any::<u8>(), 0..1100)
        .prop_map(|content| (EntryKind::File { size: content.len() as u64 }, content));
    let target = prop_oneof!["[a-z/.]{1,20}", "[a-zé]{95,140}"];
    let link = target.prop_map(|target| EntryKind::Link { target: target.into_bytes().into() });
    let device = EntryKind::Device { is_character: true, major: 1, minor: 3 };
    let others = [
        EntryKind::Folder,
        EntryKind::Folder,
        EntryKind::Pipe,
        EntryKind::Whiteout,
        EntryKind::Opaque,
        device,
    ];
    prop_oneof![
        3 => file,
        1 => link.prop_map(|kind| (kind, Vec::new())),
        4 => proptest::sample::select(others.to_vec()).prop_map(|kind| (kind, Vec::new())),
    ]
}

fn entry() -> impl Strategy<Value = Written> {
    let path = proptest::collection::vec(name(), 1..4).prop_map(|names| names.join(&b'/'));
    let owner = prop_oneof![Just(0_u32), 0..70_000_u32, any::<u32>()];
    let value = proptest::collection::vec(any::<u8>(), 0..120);
    let xattrs = proptest::collection::btree_map("(user|security)\\.[a-z]{1,9}", value, 0..3);
    (path, kind(), 0..0o10000_u32, owner.clone(), owner, xattrs).prop_map(
        |(path, (kind, content), mode, uid, gid, xattrs)| {
            let xattrs = xattrs.into_iter().map(|(name, value)| (name.into_bytes().into(), value.into()));
            let xattrs = xattrs.collect();
            (LayerEntry { path: path.into(), kind, mode, uid, gid, xattrs }, content)
        },
    )
}

/// Entries that can be one layer: folders above all, marks without owners, and hard links for some.
fn entries() -> impl Strategy<Value = Vec<Written>> {
    proptest::collection::vec((entry(), any::<bool>()), 0..30).prop_map(|drawn| {
        let mut tree: BTreeMap<Vec<u8>, Written> = BTreeMap::new();
        for ((entry, content), _is_link) in &drawn {
            let path = entry.path.to_vec();
            for (at, _) in path.iter().enumerate().filter(|(_at, byte)| **byte == b'/') {
                let folder = path[..at].to_vec();
                let above =
                    LayerEntry { path: folder.clone().into(), kind: EntryKind::Folder, ..entry.clone() };
                tree.entry(folder)
                    .and_modify(|there| there.0.kind = EntryKind::Folder)
                    .or_insert((above, Vec::new()));
            }
            tree.entry(path).or_insert((entry.clone(), content.clone()));
        }
        let mut first: Option<Written> = None;
        let mut made = Vec::new();
        for (path, (mut entry, mut content)) in tree {
            match entry.kind {
                EntryKind::Folder => content.clear(),
                EntryKind::Whiteout => entry = mark(&path, EntryKind::Whiteout),
                EntryKind::Opaque => {
                    made.push((LayerEntry { kind: EntryKind::Folder, ..entry.clone() }, Vec::new()));
                    entry = mark(&path, EntryKind::Opaque);
                }
                EntryKind::File { size } if size % 3 == 0 => match &first {
                    Some((first, _content)) => {
                        let target = first.path.clone();
                        entry = LayerEntry {
                            path: path.into(),
                            kind: EntryKind::HardLink { target },
                            ..first.clone()
                        };
                        content.clear();
                    }
                    None => first = Some((entry.clone(), content.clone())),
                },
                _ => {}
            }
            made.push((entry, content));
        }
        made
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn entries_come_back(entries in entries()) {
        let bytes = written(&entries);
        let layer = layer(&bytes).unwrap();
        let back = read(&layer);
        prop_assert_eq!(&back, &entries);
        prop_assert_eq!(written(&back), bytes);
        let stored: LayerIndex =
            postcard::from_bytes(&postcard::to_stdvec(layer.index()).unwrap()).unwrap();
        prop_assert!(stored.is_sound() && &stored == layer.index());
    }

    #[test]
    fn the_tar_crate_reads_the_same(entries in entries()) {
        // It takes a record for lines.
        let has_lines = |entry: &LayerEntry| {
            entry.path.contains(&b'\n') || entry.xattrs.iter().any(|(_name, value)| value.contains(&b'\n'))
        };
        if entries.iter().any(|(entry, _content)| has_lines(entry)) {
            return Ok(());
        }
        let bytes = written(&entries);
        let mut archive = tar::Archive::new(&*bytes);
        let mut count = 0;
        for (found, (entry, content)) in archive.entries().unwrap().zip(&entries) {
            let mut found = found.unwrap();
            let header = found.header();
            prop_assert_eq!(header.mtime().unwrap(), 1_700_000_000);
            prop_assert_eq!(found.size(), content.len() as u64);
            let is_mark = matches!(entry.kind, EntryKind::Whiteout | EntryKind::Opaque);
            if !is_mark {
                let path = found.path_bytes().into_owned();
                prop_assert_eq!(path.strip_suffix(b"/").unwrap_or(&path), &*entry.path);
            }
            let mut back = Vec::new();
            std::io::Read::read_to_end(&mut found, &mut back).unwrap();
            prop_assert_eq!(&back, content);
            count += 1;
        }
        prop_assert_eq!(count, entries.len());
    }
}
