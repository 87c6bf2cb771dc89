//! The shape of the house, enforced: layers look only down, files open with their purpose, and
//! the heavy crates, printing and the environment stay in the rooms that own them.
//!
//! It reads the sources as text. `src/lib.rs` lists the layers, each `mod.rs` its files, lowest first.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Words that may be used only in files whose path begins with one of the folders.
const CONFINED: &[(&str, &[&str])] = &[
    ("tokio", &["build/", "oci/"]),
    ("bollard", &["build/", "oci/"]),
    ("petgraph", &["graph/"]),
    ("rayon", &["source/", "graph/"]),
    ("notify", &["source/"]),
    ("indicatif", &["cli/"]),
    ("clap", &["cli/"]),
    ("std::env::var", &["cli/"]),
    ("std::env::vars", &["cli/"]),
    ("std::process::exit", &["cli/", "main.rs"]),
    ("println!", &["cli/"]),
    ("eprintln!", &["cli/"]),
    ("std::io::stdout", &["cli/"]),
    ("std::io::stderr", &["cli/"]),
];

struct SourceFile {
    /// Relative to `src`, with `/`.
    path: String,
    /// The text up to the first test module.
    code: String,
    text: String,
}

fn sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 30, "the sources were not found");
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<SourceFile>) {
    let entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let code = without_tests_and_comments(&text);
            found.push(SourceFile { path: relative, code, text });
        }
    }
}

fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The modules that `path` declares, in the order in which they stand.
fn declared_modules(text: &str) -> Vec<String> {
    let words = |line: &str| -> Option<String> {
        let line = line.trim();
        let rest =
            ["pub mod ", "pub(crate) mod ", "mod "].iter().find_map(|start| line.strip_prefix(start))?;
        rest.strip_suffix(';').map(str::to_owned)
    };
    text.lines().filter_map(words).filter(|name| name != "tests").collect()
}

/// Paths of modules (`graph::key`) that `code` names through `crate::` and `super::`.
fn used_modules(file: &SourceFile) -> Vec<Vec<String>> {
    let mut used = Vec::new();
    let flat: String = file.code.split_whitespace().collect::<Vec<_>>().join(" ");
    for (start, base) in [("crate::", Vec::new()), ("super::", parent_module(&file.path))] {
        for (at, _) in flat.match_indices(start) {
            let before = flat[..at].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':') {
                continue;
            }
            let mut above = base.clone();
            let mut rest = &flat[at + start.len()..];
            while start == "super::" && rest.starts_with("super::") {
                above.pop();
                rest = &rest["super::".len()..];
            }
            for path in expand(rest) {
                used.push(above.iter().cloned().chain(path).collect());
            }
        }
    }
    used
}

/// The paths that begin at `rest`, with a group `{a, b::c}` at any level taken apart.
fn expand(rest: &str) -> Vec<Vec<String>> {
    if let Some(group) = rest.strip_prefix('{') {
        return split_group(group).iter().flat_map(|member| expand(member.trim())).collect();
    }
    let end = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let tails = match after.strip_prefix("::") {
        Some(after) if after.starts_with(|letter: char| letter == '{' || letter.is_alphabetic()) => {
            expand(after)
        }
        _ => vec![Vec::new()],
    };
    tails.into_iter().map(|tail| [vec![name.to_owned()], tail].concat()).collect()
}

fn split_group(group: &str) -> Vec<String> {
    let (mut depth, mut members) = (0, vec![String::new()]);
    for letter in group.chars() {
        match letter {
            '}' if depth == 0 => break,
            ',' if depth == 0 => {
                members.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        members.last_mut().unwrap().push(letter);
    }
    members.retain(|member| !member.trim().is_empty());
    members
}

/// `graph/key.rs` is the module `graph::key`; its parent is `graph`.
fn module_of(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap();
    let mut names: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|name| name == "mod" || name == "lib" || name == "main") {
        names.pop();
    }
    names
}

fn parent_module(path: &str) -> Vec<String> {
    let mut names = module_of(path);
    names.pop();
    names
}

#[test]
fn every_file_says_what_it_is() {
    for file in sources() {
        assert!(file.text.starts_with("//! "), "{} does not open with //!", file.path);
    }
}

#[test]
fn layers_and_siblings_look_only_down() {
    let files = sources();
    let order: BTreeMap<Vec<String>, Vec<String>> = files
        .iter()
        .filter(|file| file.path == "lib.rs" || file.path.ends_with("/mod.rs"))
        .map(|file| (module_of(&file.path), declared_modules(&file.text)))
        .collect();
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| file.path != "main.rs" && !is_test_file(&file.path)) {
        let own = module_of(&file.path);
        for used in used_modules(file) {
            let shared = own.iter().zip(&used).take_while(|(a, b)| a == b).count();
            let (Some(mine), Some(theirs)) = (own.get(shared), used.get(shared)) else { continue };
            let Some(siblings) = order.get(&own[..shared]) else { continue };
            let rank = |name: &String| siblings.iter().position(|sibling| sibling == name);
            if let (Some(mine_at), Some(theirs_at)) = (rank(mine), rank(theirs))
                && theirs_at > mine_at
            {
                wrong.push(format!("{} uses {}, which stands above it", file.path, used.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_and_side_effects_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| !is_test_file(&file.path)) {
        for (word, rooms) in CONFINED {
            let used = file.code.match_indices(word).any(|(at, _)| {
                let before = file.code[..at].chars().next_back();
                let after = file.code[at + word.len()..].chars().next();
                let part = |letter: Option<char>| letter.is_some_and(|l| l.is_alphanumeric() || l == '_');
                !part(before) && (!part(after) || word.ends_with('!'))
            });
            if used && !rooms.iter().any(|room| file.path.starts_with(room)) {
                wrong.push(format!("{} uses {word}, which belongs to {}", file.path, rooms.join(", ")));
            }
        }
        if file.code.contains("use super::*") {
            wrong.push(format!("{} imports everything from its parent", file.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_is_declared_and_short() {
    for file in sources() {
        let lines = file.text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines: two nouns in one room", file.path);
    }
}

#[test]
fn the_reader_of_use_lines_understands_groups() {
    let file = SourceFile {
        path: "graph/key.rs".to_owned(),
        code: "use crate::types::{label::Label, ids::{NodeId, TargetId}};\nuse super::view::View;".to_owned(),
        text: String::new(),
    };
    let used: Vec<String> = used_modules(&file).iter().map(|path| path.join("::")).collect();
    assert_eq!(
        used,
        ["types::label::Label", "types::ids::NodeId", "types::ids::TargetId", "graph::view::View"]
    );
}
