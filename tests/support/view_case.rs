//! Build contexts as text: one file of `tests/fixtures/views` is one context and what is built of it.
//!
//! A case is made of sections, each begun by a line `=== NAME [WORD]`; lines before the first are
//! comments.
//!
//! - `tree`: one entry a line: `file MODE NAME [CONTENT]`, `dir MODE NAME`, `link NAME TARGET`,
//!   `hard NAME FILE`. Names and contents know `\xNN`, `\n`, `\r`, `\t`; a content may stand in double
//!   quotes; without one a file holds its own name. Folders that are not named have mode 0755.
//! - `ignore`: the `.dockerignore`, as it is; with the word `escaped`, the escapes are known there too,
//!   and a backslash at the end of a line takes the newline away.
//! - `dockerfile`: the Dockerfile; the word is its path, otherwise `Dockerfile`.
//! - `dockerfile-ignore`: the ignore file beside the Dockerfile.
//! - `target`: the wanted stage. `args`: build arguments, `NAME=VALUE` a line.
//! - `view`: the paths that BuildKit's client sends, one a line, as were found in an engine's copy of the
//!   context (Engine 26.1); but for cache mounts, which read nothing.
//! - `expect`: `whole`: the image holds exactly the view. `refused`: nothing can be built. Without it,
//!   a build of the view's files alone gives the same image.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::file_tree::{self, Entry, FileTree};

/// What is to hold of a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// A build of the view's files alone gives the same image.
    #[default]
    SameImage,
    /// That, and the image holds exactly the view.
    WholeView,
    /// Nothing can be built.
    Refused,
}

/// One context and what is built of it.
#[derive(Debug, Default)]
pub(crate) struct ViewCase {
    /// The name of the case's file, without its ending.
    pub(crate) name: String,
    /// The files of the context, Dockerfile and ignore files among them.
    pub(crate) tree: FileTree,
    /// Where the Dockerfile lies in the context.
    pub(crate) dockerfile: String,
    /// The wanted stage, when it is not the last.
    pub(crate) target: Option<String>,
    /// The build arguments.
    pub(crate) args: Vec<(String, String)>,
    /// What is to hold.
    pub(crate) expectation: Expectation,
    /// The paths of the view, where they are known.
    pub(crate) view: Option<BTreeSet<Vec<u8>>>,
    /// Second names of files: the name, and the file.
    pub(crate) hard_links: Vec<(Vec<u8>, Vec<u8>)>,
}

impl ViewCase {
    /// Reads the text of a case. A mistake in it is a mistake in the test: it panics.
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let mut case = Self { name: name.to_owned(), dockerfile: "Dockerfile".to_owned(), ..Self::default() };
        let mut sections: Vec<(&str, String)> = Vec::new();
        for line in text.split_inclusive('\n') {
            match (line.strip_prefix("=== "), sections.last_mut()) {
                (Some(header), _) => sections.push((header.trim_end(), String::new())),
                (None, Some((_, body))) => body.push_str(line),
                (None, None) => assert!(line.starts_with('#'), "{name}: only comments before a section"),
            }
        }
        for (header, body) in &sections {
            case.section(header, body);
        }
        case
    }

    fn section(&mut self, header: &str, body: &str) {
        let (kind, word) = header.split_once(' ').unwrap_or((header, ""));
        match (kind, word) {
            ("tree", "") => body.lines().for_each(|line| self.entry(line)),
            ("ignore", "") => self.file(b".dockerignore".to_vec(), body.as_bytes().to_vec()),
            ("ignore", "escaped") => self.file(b".dockerignore".to_vec(), unescape(body)),
            ("dockerfile", path) => {
                if !path.is_empty() {
                    path.clone_into(&mut self.dockerfile);
                }
                self.file(self.dockerfile.clone().into_bytes(), body.as_bytes().to_vec());
            }
            ("dockerfile-ignore", "") => {
                let path = format!("{}.dockerignore", self.dockerfile);
                self.file(path.into_bytes(), body.as_bytes().to_vec());
            }
            ("view", "") => self.view = Some(body.lines().map(unescape).collect()),
            ("target", "") => self.target = Some(body.trim_end().to_owned()),
            ("args", "") => self.args.extend(body.lines().map(argument)),
            ("expect", "whole") => self.expectation = Expectation::WholeView,
            ("expect", "refused") => self.expectation = Expectation::Refused,
            _ => panic!("{}: no section is called {header:?}", self.name),
        }
    }

    fn file(&mut self, path: Vec<u8>, bytes: Vec<u8>) {
        self.tree.insert(path, Entry::File(0o644, bytes));
    }

    fn entry(&mut self, line: &str) {
        let fields: Vec<&str> = line.splitn(4, ' ').collect();
        let mode = |text: &str| u32::from_str_radix(text, 8).unwrap();
        match fields[..] {
            ["file", permissions, name] => {
                let name = unescape(name);
                self.tree.insert(name.clone(), Entry::File(mode(permissions), name));
            }
            ["file", permissions, name, content] => {
                let content =
                    content.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(content);
                self.tree.insert(unescape(name), Entry::File(mode(permissions), unescape(content)));
            }
            ["dir", permissions, name] => {
                self.tree.insert(unescape(name), Entry::Folder(mode(permissions)));
            }
            ["link", name, target] => {
                self.tree.insert(unescape(name), Entry::Link(unescape(target)));
            }
            ["hard", name, file] => self.hard_links.push((unescape(name), unescape(file))),
            _ => panic!("{}: no entry is written {line:?}", self.name),
        }
    }

    /// Writes the context into a folder that is there.
    pub(crate) fn write(&self, folder: &Path) {
        use std::os::unix::ffi::OsStrExt;
        file_tree::write(&self.tree, folder);
        let on_disk = |path: &[u8]| folder.join(std::ffi::OsStr::from_bytes(path));
        for (name, file) in &self.hard_links {
            fs::create_dir_all(on_disk(name).parent().unwrap()).unwrap();
            fs::hard_link(on_disk(file), on_disk(name)).unwrap();
        }
    }
}

/// All cases, by name.
pub(crate) fn all() -> Vec<ViewCase> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/views");
    let mut cases: Vec<ViewCase> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            ViewCase::parse(&path.file_stem().unwrap().to_string_lossy(), &fs::read_to_string(&path).unwrap())
        })
        .collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

fn argument(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').unwrap();
    (name.to_owned(), value.to_owned())
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, length) = match (first, after) {
            (b'\\', [b'\n', after @ ..]) => {
                rest = after;
                continue;
            }
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [b'x', high, low, ..]) => (hexadecimal(*high) * 16 + hexadecimal(*low), 4),
            (other, _) => (*other, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes
}

fn hexadecimal(digit: u8) -> u8 {
    u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap()
}
