//! Workspaces that are extreme in one way each, for benches: one wide context, very many targets, or
//! nothing but copies.
//!
//! As with `monorepo.rs`, the same options give the same bytes on every machine. Here too no `RUN`
//! stands in a Dockerfile and every image begins from nothing.
//!
//! ```text
//! one-context   BUILD.toml Dockerfile files/...       all targets copy the whole root, to ten images in all
//! bare          groups/000/00000/{BUILD.toml,Dockerfile}   no file but these
//! copies        copies/0000/{BUILD.toml,Dockerfile,file.txt} docker-bake.hcl   one COPY a target
//! ```

#![allow(dead_code, unreachable_pub, reason = "each user takes a part of it")]

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::monorepo::{self, Numbers, in_parallel, write};

/// In what way a workspace is extreme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All targets read one root context, through one Dockerfile that copies all of it.
    OneContext,
    /// Very many targets in many folders that hold nothing else.
    Bare,
    /// Each target copies one file; a `docker-bake.hcl` says the same for bake.
    Copies,
}

/// How large a workspace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// In what way it is extreme.
    pub shape: Shape,
    /// How many images there are; of a bare workspace, in each folder.
    pub targets: usize,
    /// How many folders with a `BUILD.toml` a bare workspace has; the others do not ask.
    pub folders: usize,
    /// How many files the one context has; the others do not ask.
    pub files: usize,
    /// How large files are in the mean, in bytes.
    pub mean_file_bytes: usize,
    /// Another seed gives other contents.
    pub seed: u64,
    /// Whether the tree becomes a git repository with one commit.
    pub commit: bool,
}

/// Makes the workspace in `root`, which is created.
///
/// # Errors
/// When a file cannot be written, or git is wanted and fails.
pub fn generate(root: &Path, options: &Options) -> io::Result<()> {
    match options.shape {
        Shape::OneContext => one_context(root, options)?,
        Shape::Bare => bare(root, options)?,
        Shape::Copies => copies(root, options)?,
    }
    if options.commit { monorepo::commit(root) } else { Ok(()) }
}

fn numbers(options: &Options, kind: u64, number: usize) -> Numbers {
    let seed = monorepo::Options { seed: options.seed, ..monorepo::Options::default() };
    Numbers::of(&seed, kind, number)
}

/// Kinds 1 and 2 are the libraries and services of a monorepo.
const CONTEXT_FILE: u64 = 3;
const COPIED_FILE: u64 = 4;

/// How many different images all targets of one context are.
pub const CONTEXT_KINDS: usize = 10;

fn one_context(root: &Path, options: &Options) -> io::Result<()> {
    let mut packages = String::from("[workspace]\nname = \"one-context\"\n");
    for number in 0..options.targets {
        let name = format!("image-{number:04}");
        // A build takes seconds for so large a context: most images are the same as one of a few.
        let kind = number % CONTEXT_KINDS;
        let _infallible = writeln!(packages, "\n[image.{name}]\nargs = {{ NUMBER = \"{kind}\" }}");
    }
    write(&root.join("BUILD.toml"), &packages)?;
    write(&root.join("Dockerfile"), "FROM scratch\nARG NUMBER\nENV NUMBER=${NUMBER}\nCOPY . /\n")?;
    write(&root.join(".dockerignore"), ".git\nBUILD.toml\nDockerfile\n.dockerignore\n")?;
    in_parallel(options.files, |number| {
        let mut numbers = numbers(options, CONTEXT_FILE, number);
        let (folder, part) = (number / 50, number % 50 / 10);
        let size = numbers.size(options.mean_file_bytes);
        write(
            &root.join(format!("files/folder-{folder:04}/part-{part}/file-{number:06}.txt")),
            &numbers.text(size),
        )
    })
}

fn bare(root: &Path, options: &Options) -> io::Result<()> {
    write(&root.join("BUILD.toml"), "[workspace]\nname = \"bare\"\n")?;
    in_parallel(options.folders, |number| {
        let folder = root.join(bare_folder(number));
        write(&folder.join("BUILD.toml"), &bare_package(number, options.targets))?;
        write(&folder.join("Dockerfile"), BARE_DOCKERFILE)
    })
}

fn bare_folder(number: usize) -> String {
    format!("groups/{:03}/{number:05}", number / 100)
}

/// Of ten targets seven stand alone, and three are based: on one beside it, on one of another folder,
/// and on one that is itself based on another.
fn bare_package(folder: usize, targets: usize) -> String {
    let mut package = String::new();
    for number in 0..targets {
        let below = match number % 10 {
            7 if number + 1 < targets => Some(format!(":part-{}", number + 1)),
            8 => Some(format!("//{}:part-0", bare_folder(folder / 10))),
            9 => Some(":part-0".to_owned()),
            _ => None,
        };
        let below = below.map_or_else(String::new, |label| format!(", BELOW = {{ target = \"{label}\" }}"));
        let _infallible = writeln!(
            package,
            "[image.part-{number}]\ncontext = \".\"\nargs = {{ NUMBER = \"{folder}-{number}\"{below} }}\n"
        );
    }
    package
}

const BARE_DOCKERFILE: &str = "ARG BELOW=scratch\nFROM ${BELOW}\nARG NUMBER\nENV NUMBER=${NUMBER}\n";

fn copies(root: &Path, options: &Options) -> io::Result<()> {
    write(&root.join("BUILD.toml"), "[workspace]\nname = \"copies\"\n")?;
    in_parallel(options.targets, |number| {
        let folder = root.join(format!("copies/{number:04}"));
        let mut numbers = numbers(options, COPIED_FILE, number);
        let size = numbers.size(options.mean_file_bytes);
        write(&folder.join("file.txt"), &numbers.text(size))?;
        write(&folder.join("Dockerfile"), "FROM scratch\nCOPY file.txt /file.txt\n")?;
        write(&folder.join("BUILD.toml"), &format!("[image.copy-{number:04}]\ncontext = \".\"\n"))
    })?;
    write(&root.join("docker-bake.hcl"), &bake_file(options.targets))
}

/// Nothing is exported: what is compared is the way to "all of it is cached".
fn bake_file(targets: usize) -> String {
    let target = |number| {
        format!(
            "\ntarget \"copy-{number:04}\" {{\n  context = \"copies/{number:04}\"\n  \
             output = [\"type=cacheonly\"]\n}}\n"
        )
    };
    let names: Vec<String> = (0..targets).map(|number| format!("\"copy-{number:04}\"")).collect();
    let group = format!("group \"default\" {{\n  targets = [{}]\n}}\n", names.join(", "));
    group + &(0..targets).map(target).collect::<String>()
}
