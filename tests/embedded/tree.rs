//! The files of an image: its layers, laid on each other in memory.
//!
//! It shares no code with imgraph, so that a fault of imgraph's own readers cannot hide here.

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is at a path. Times are left out: the two builders differ in them by design.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) kind: String,
    /// Octal, with the bits for set-user-id, set-group-id and sticky.
    pub(crate) mode: String,
    /// `user:group`, as numbers.
    pub(crate) owner: String,
    /// A symbolic link's target, or a device's numbers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) target: String,
    /// A file's text where it is short, else its size and digest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) content: String,
    /// The first of the paths that are names of the same file, where there is more than one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) same_as: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) xattrs: BTreeMap<String, String>,
}

impl Entry {
    /// Whether it is a file of which only size and digest are kept.
    pub(crate) fn is_large(&self) -> bool {
        self.kind == "file" && !self.content.starts_with("text ")
    }
}

/// Path → entry. The root is ``, other paths have no slash at either end. Bytes that are no printable
/// text are `\xNN`.
pub(crate) type Tree = BTreeMap<String, Entry>;

/// Layers, laid on each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    /// The number of the file beside each entry: names with one number are one file.
    nodes: BTreeMap<String, (usize, Entry)>,
    count: usize,
}

impl Layers {
    /// Lays one more layer, a tar that is not compressed, on top.
    pub(crate) fn add(&mut self, layer: &[u8]) {
        let mut hidden = Vec::new();
        each_entry(layer, |path, entry, _link| {
            let _of_no_use_here = entry;
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            if let Some(name) = name.strip_prefix(".wh.") {
                hidden.push((folder.to_owned(), name.to_owned()));
            }
        });
        for (folder, name) in hidden {
            if name == ".wh..opq" {
                self.remove_below(&folder);
            } else {
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                self.remove_below(&path);
                self.nodes.remove(&path);
            }
        }
        each_entry(layer, |path, entry, link| {
            let name = path.rsplit('/').next().unwrap_or_default();
            if !name.starts_with(".wh.") {
                self.put(path, entry, link);
            }
        });
    }

    fn put(&mut self, path: &str, entry: Entry, link: Option<&str>) {
        if entry.kind != "folder" {
            self.remove_below(path);
        }
        let node = match link {
            Some(link) => self.nodes.get(link).unwrap_or_else(|| panic!("{path}: no {link}")).clone(),
            None => (self.count, entry),
        };
        self.count += 1;
        self.nodes.insert(path.to_owned(), node);
    }

    fn remove_below(&mut self, folder: &str) {
        let start = format!("{folder}/");
        self.nodes.retain(|path, _| !(path.starts_with(&start) || folder.is_empty() && !path.is_empty()));
    }

    /// The files as they are seen.
    pub(crate) fn tree(&self) -> Tree {
        let mut names: BTreeMap<usize, Vec<&String>> = BTreeMap::new();
        for (path, (node, _entry)) in &self.nodes {
            names.entry(*node).or_default().push(path);
        }
        let seen = |(path, (node, entry)): (&String, &(usize, Entry))| {
            let mut entry = entry.clone();
            if names[node].len() > 1 {
                entry.same_as.clone_from(names[node][0]);
            }
            (path.clone(), entry)
        };
        let mut tree: Tree = self.nodes.iter().map(seen).collect();
        tree.entry(String::new()).or_insert_with(|| Entry {
            kind: "folder".to_owned(),
            mode: "755".to_owned(),
            owner: "0:0".to_owned(),
            target: String::new(),
            content: String::new(),
            same_as: String::new(),
            xattrs: BTreeMap::new(),
        });
        tree
    }
}

/// Calls with path, entry and, for a hard link, the path that it is a name of.
fn each_entry(layer: &[u8], mut call: impl FnMut(&str, Entry, Option<&str>)) {
    let mut archive = tar::Archive::new(layer);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = printable(trimmed(&entry.path_bytes()));
        let link = entry.link_name_bytes().map(|link| link.into_owned());
        let mut xattrs = BTreeMap::new();
        if let Ok(Some(extensions)) = entry.pax_extensions() {
            for extension in extensions.map(Result::unwrap) {
                if let Some(name) = extension.key().unwrap().strip_prefix("SCHILY.xattr.") {
                    xattrs.insert(name.to_owned(), printable(extension.value_bytes()));
                }
            }
        }
        let header = entry.header().clone();
        let kind = match header.entry_type() {
            tar::EntryType::Directory => "folder",
            tar::EntryType::Symlink => "link",
            tar::EntryType::Fifo => "pipe",
            tar::EntryType::Char => "character device",
            tar::EntryType::Block => "block device",
            tar::EntryType::Regular | tar::EntryType::Link => "file",
            other => panic!("{path}: an entry of type {other:?}"),
        };
        let target = match kind {
            "link" => printable(link.as_deref().unwrap_or_default()),
            "character device" | "block device" => format!(
                "{} {}",
                header.device_major().unwrap().unwrap_or_default(),
                header.device_minor().unwrap().unwrap_or_default()
            ),
            _ => String::new(),
        };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let hard = (header.entry_type() == tar::EntryType::Link)
            .then(|| printable(trimmed(link.as_deref().unwrap_or_default())));
        let entry = Entry {
            kind: kind.to_owned(),
            mode: if kind == "link" {
                "777".to_owned()
            } else {
                format!("{:o}", header.mode().unwrap() & 0o7777)
            },
            owner: format!("{}:{}", header.uid().unwrap(), header.gid().unwrap()),
            target,
            content: if kind == "file" { content(&bytes) } else { String::new() },
            same_as: String::new(),
            xattrs,
        };
        call(&path, entry, hard.as_deref());
    }
}

/// Without `./` or `/` before it, or `/` after it.
fn trimmed(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let Some(rest) = path.strip_prefix(b"./").or_else(|| path.strip_prefix(b"/")) {
        path = rest;
    }
    while let Some(rest) = path.strip_suffix(b"/") {
        path = rest;
    }
    if path == b"." { b"" } else { path }
}

fn content(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= 600 && !text.contains('\0') => format!("text {text}"),
        _ => format!("{} bytes, sha256 {}", bytes.len(), hex(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() || letter == '\\' {
                text.push_str(&format!("\\x{:02x}", u32::from(letter)));
            } else {
                text.push(letter);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
