//! The cache as its callers see it. Each test has a folder of its own.

mod damage;
mod processes;
mod round_trips;
mod unusable;

use std::sync::Arc;

use super::action_record::{ActionRecord, SCHEMA};
use super::folder::CacheFolder;
use super::last_build::LastBuild;
use crate::types::digest::{ActionKey, ContentHash, SourceKey, TreeDigest};
use crate::types::event::Subject;
use crate::types::file_entry::{FileEntry, FileKind};
use crate::types::label::Label;
use crate::types::workspace_path::WorkspacePath;

/// A cache in a folder that goes away with the first value.
fn fresh() -> (tempfile::TempDir, CacheFolder) {
    let folder = tempfile::tempdir().unwrap();
    let cache = CacheFolder::new(&folder.path().join("cache"));
    (folder, cache)
}

fn key(number: u8) -> ActionKey {
    ActionKey::from_bytes([number; 32])
}

fn tree(number: u8) -> TreeDigest {
    TreeDigest::from_bytes([number; 32])
}

fn subject(label: &str, platform: &str) -> Subject {
    let label = Label::parse(label, &Arc::new(WorkspacePath::root())).unwrap();
    Subject { label, platform: platform.parse().unwrap() }
}

fn record(number: u8) -> ActionRecord {
    ActionRecord {
        schema: SCHEMA,
        action_key: key(number),
        source_key: SourceKey::from_bytes([number; 32]),
        label: "//a:b".to_owned(),
        platform: "linux/arm/v7".parse().unwrap(),
        digest: format!("sha256:{}", "ab".repeat(32)).parse().unwrap(),
        facts: vec![("arg PROFILE".to_owned(), "release \"ü\"\n\0".to_owned())],
        views: vec![(String::new(), tree(1)), ("assets".to_owned(), tree(2))],
        seconds: 12.5,
        built_at: 1_790_000_000,
        builder: "Docker Engine 26.1.5 (overlay2)".to_owned(),
        log: Some("ab.log".to_owned()),
    }
}

fn last_build(number: u8) -> LastBuild {
    LastBuild {
        action_key: key(number),
        digest: record(number).digest,
        seconds: 0.25,
        built_at: 1_790_000_000,
    }
}

fn file(path: &[u8], size: u64, number: u8) -> FileEntry {
    let kind = FileKind::File { size, content: ContentHash::from_bytes([number; 32]) };
    entry(path, 0o644, kind)
}

fn entry(path: &[u8], permissions: u32, kind: FileKind) -> FileEntry {
    FileEntry { path: WorkspacePath::root().resolve(path).unwrap(), permissions, kind }
}

fn listing() -> Vec<FileEntry> {
    vec![
        entry(b"src", 0o755, FileKind::Folder),
        file(b"src/a.rs", 0, 7),
        file(b"src/a/\xff\n", u64::MAX, 8),
        entry(b"src/link", 0o7777, FileKind::Link { target: b"../\xfe".as_slice().into() }),
        entry(b"t", 0, FileKind::Link { target: Box::default() }),
    ]
}
