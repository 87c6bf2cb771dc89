//! The cases: Dockerfiles with their contexts, as text in `tests/data/embedded/SUBJECT.txt`.
//!
//! A case begins with a line `=== NAME`. The lines up to the first `--- ` say why it exists. Then follow:
//!
//! ```text
//! --- Dockerfile                  its lines, up to the next directive
//! --- file PATH [MODE]            its lines (0644 where no mode is given)
//! --- folder PATH [MODE]          an empty folder (0755)
//! --- link PATH TARGET            a symbolic link
//! --- hard PATH OTHER             one more name of a file
//! --- pipe PATH                   a named pipe
//! --- archive PATH [COMPRESSION]  a tar archive; `archive.rs` says what its lines are
//! --- arg NAME=VALUE              and so for label, secret (ID=VALUE), context (NAME=FOLDER)
//! --- target STAGE
//! ```
//!
//! Words in a directive are between spaces; `\xNN` in one is a byte. What a case must give is not in the
//! text: the Engine says it, and `tests/data/embedded/recorded` keeps what it said.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::archive;

/// A Dockerfile, its context, and what the builder is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    /// The file of the corpus in which it stands.
    pub(crate) subject: String,
    pub(crate) name: String,
    why: String,
    dockerfile: String,
    files: Vec<ContextFile>,
    pub(crate) args: BTreeMap<String, String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, String>,
    /// Further contexts: folders inside the main one.
    pub(crate) contexts: BTreeMap<String, String>,
    pub(crate) target: Option<String>,
}

#[derive(Clone, Debug)]
struct ContextFile {
    kind: String,
    path: PathBuf,
    /// The mode, target or compression.
    detail: Option<Vec<u8>>,
    text: String,
}

/// What lines belong to until the next directive.
enum Open {
    Why,
    Dockerfile,
    File,
    Nothing,
}

/// Every case of the corpus, by subject and in the order in which they stand.
pub(crate) fn all() -> Vec<Case> {
    let mut subjects: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    subjects.sort();
    let read = |path: &PathBuf| {
        let subject = path.file_stem().unwrap().to_str().unwrap();
        parse(subject, &fs::read_to_string(path).unwrap())
    };
    subjects.iter().flat_map(read).collect()
}

/// Where the corpus lies.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/embedded")
}

/// Takes the text of one subject apart.
pub(crate) fn parse(subject: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut open = Open::Nothing;
    // The empty line before a case is there for the reader.
    let text = text.replace("\n\n=== ", "\n=== ");
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("=== ") {
            let (subject, name) = (subject.to_owned(), name.trim().to_owned());
            cases.push(Case { subject, name, ..Case::default() });
            open = Open::Why;
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(directive) = line.strip_prefix("--- ") {
            open = case.directive(directive.trim_end());
            continue;
        }
        match open {
            Open::Why => case.why.push_str(line),
            Open::Dockerfile => case.dockerfile.push_str(line),
            Open::File => case.files.last_mut().unwrap().text.push_str(line),
            Open::Nothing => assert_eq!(line.trim(), "", "{subject}/{}: a line of nothing", case.name),
        }
    }
    cases
}

impl Case {
    /// Subject and name, as it is spoken of.
    pub(crate) fn label(&self) -> String {
        format!("{}/{}", self.subject, self.name)
    }

    /// Whether it says why it exists.
    pub(crate) fn has_reason(&self) -> bool {
        !self.why.trim().is_empty()
    }

    fn directive(&mut self, directive: &str) -> Open {
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        let pair = || {
            let (name, value) = rest.split_once('=').unwrap_or_else(|| panic!("no `=`: {directive}"));
            (name.to_owned(), value.to_owned())
        };
        match word {
            "Dockerfile" => return Open::Dockerfile,
            "arg" => self.args.extend([pair()]),
            "label" => self.labels.extend([pair()]),
            "secret" => self.secrets.extend([pair()]),
            "context" => self.contexts.extend([pair()]),
            "target" => self.target = Some(rest.to_owned()),
            "file" | "folder" | "link" | "hard" | "pipe" | "archive" => {
                let mut words = rest.split(' ').map(bytes_of);
                let path = PathBuf::from(OsString::from_vec(words.next().unwrap()));
                let detail = words.next();
                assert!(words.next().is_none(), "{}: too many words: {directive}", self.name);
                self.files.push(ContextFile { kind: word.to_owned(), path, detail, text: String::new() });
                let has_lines = matches!(word, "file" | "archive");
                return if has_lines { Open::File } else { Open::Nothing };
            }
            _ => panic!("{}: no such directive: {directive}", self.label()),
        }
        Open::Nothing
    }

    /// Writes Dockerfile and context into a folder, which it makes.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("Dockerfile"), &self.dockerfile).unwrap();
        for file in &self.files {
            file.write(folder);
        }
        // The modes of folders come last: a folder without the bit for writing takes no file.
        for file in self.files.iter().rev().filter(|file| file.kind == "folder") {
            set_mode(&folder.join(&file.path), file.mode(0o755));
        }
    }
}

impl ContextFile {
    fn mode(&self, default: u32) -> u32 {
        let octal = |text: &[u8]| u32::from_str_radix(std::str::from_utf8(text).unwrap(), 8).unwrap();
        self.detail.as_deref().map_or(default, octal)
    }

    fn write(&self, folder: &Path) {
        let path = folder.join(&self.path);
        make_folders(folder, self.path.parent().unwrap());
        let detail = || PathBuf::from(OsString::from_vec(self.detail.clone().unwrap()));
        match self.kind.as_str() {
            "folder" => make_folders(folder, &self.path),
            "link" => symlink(detail(), path).unwrap(),
            "hard" => fs::hard_link(folder.join(detail()), path).unwrap(),
            "pipe" => rustix::fs::mknodat(
                rustix::fs::CWD,
                &path,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::from_raw_mode(0o644),
                0,
            )
            .unwrap(),
            "archive" => fs::write(path, archive::make(&self.text, self.detail.as_deref())).unwrap(),
            _ => {
                fs::write(&path, &self.text).unwrap();
                set_mode(&path, self.mode(0o644));
            }
        }
    }
}

/// Makes the folders of a path, each with the same mode whatever the caller's mask is.
fn make_folders(root: &Path, path: &Path) {
    let mut folder = root.to_owned();
    for name in path {
        folder.push(name);
        if !folder.exists() {
            fs::create_dir(&folder).unwrap();
            set_mode(&folder, 0o755);
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The bytes of a word, in which `\xNN` is one.
pub(crate) fn bytes_of(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
