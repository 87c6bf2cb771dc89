//! The view against a real engine: what imgraph says that a build can read is what the build reads.
//!
//! Each case of `tests/fixtures/views` is built by the engine's own client. The files of an image that
//! says `COPY . /` must be exactly the view, and for every Dockerfile a build that is given the view's
//! files alone must give the same image.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/engine.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod engine;
#[path = "support/file_tree.rs"]
mod file_tree;
#[path = "support/view_case.rs"]
mod view_case;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use engine::Engine;
use file_tree::{Entry, FileTree, differences};
use imgraph::graph::dockerfiles::Dockerfiles;
use imgraph::graph::slice::{SliceRequest, slice};
use imgraph::graph::view::{ReadSources, ViewSpec};
use imgraph::source::snapshot::Snapshot;
use imgraph::types::diagnostic::Diagnostic;
use imgraph::types::file_entry::{FileEntry, FileKind};
use imgraph::types::workspace_path::WorkspacePath;
use view_case::{Expectation, ViewCase};

/// How many cases are built at a time.
const WORKERS: usize = 4;

/// Every Dockerfile of the examples: the folder that is its context, and where it lies in it.
const EXAMPLES: [(&str, &str); 12] = [
    ("quickstart/theme", "Dockerfile"),
    ("quickstart/site", "Dockerfile"),
    ("quickstart/docs", "Dockerfile"),
    ("quickstart/status", "Dockerfile"),
    ("market/docker", "builder-base.dockerfile"),
    ("market", "docker/builders.dockerfile"),
    ("market", "slasher/Dockerfile"),
    ("market", "distributor/Dockerfile"),
    ("market", "order-stream/stream.dockerfile"),
    ("market", "order-generator/Dockerfile"),
    ("market", "indexer/indexer.dockerfile"),
    ("market", "indexer/backfill/Dockerfile"),
];

#[test]
fn images_hold_exactly_the_view() {
    let cases = view_case::all();
    assert!(cases.len() >= 45, "only {} cases", cases.len());
    check_all(&cases);
}

#[test]
fn whole_contexts_of_the_examples_are_their_views() {
    check_all(&EXAMPLES.map(|(context, dockerfile)| example(context, dockerfile)));
}

/// A case that copies the whole context of an example's Dockerfile.
fn example(context: &str, dockerfile: &str) -> ViewCase {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(context);
    let mut tree = file_tree::read(&folder);
    let replaced = tree.insert(dockerfile.into(), Entry::File(0o644, b"FROM scratch\nCOPY . /\n".into()));
    assert!(replaced.is_some(), "{context} has no {dockerfile}");
    let name = format!("{context} {dockerfile}");
    let dockerfile = dockerfile.to_owned();
    ViewCase { name, tree, dockerfile, expectation: Expectation::WholeView, ..ViewCase::default() }
}

fn check_all(cases: &[ViewCase]) {
    let engine = Engine::classic();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failures = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = check(&engine, case).err();
            failures.extend(found.map(|message| format!("{}: {message}", case.name)));
        }
        failures
    };
    let failures: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

fn check(engine: &Engine, case: &ViewCase) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let context = folder.path().join("context");
    fs::create_dir(&context).unwrap();
    case.write(&context);
    let dockerfile = context.join(&case.dockerfile);
    let built = build(engine, case, &context, &dockerfile, &folder.path().join("image"));
    let view = view_of(case, &context);
    let (image, view) = match (case.expectation, built, view) {
        (Expectation::Refused, Ok(_), _) => return Err("the engine built it".to_owned()),
        (Expectation::Refused, Err(_), Err(_)) => return Ok(()),
        (Expectation::Refused, Err(_), Ok(view)) => return refuses(engine, case, &view, folder.path()),
        (_, Err(message), _) => return Err(format!("the engine refused it: {message}")),
        (_, _, Err(message)) => return Err(format!("no view: {message}")),
        (_, Ok(image), Ok(view)) => (image, view),
    };
    if case.expectation == Expectation::WholeView {
        same("the image is not the view", &view, &image)?;
    }
    if let Some(expected) = &case.view {
        same_paths(expected, &view)?;
    }
    let again = build_of_view(engine, case, &view, folder.path())
        .map_err(|message| format!("the view alone is refused: {message}"))?;
    same("the view alone gives another image", &image, &again)
}

fn refuses(engine: &Engine, case: &ViewCase, view: &FileTree, folder: &Path) -> Result<(), String> {
    match build_of_view(engine, case, view, folder) {
        Ok(_) => Err("the view alone can be built".to_owned()),
        Err(_) => Ok(()),
    }
}

fn same(heading: &str, expected: &FileTree, found: &FileTree) -> Result<(), String> {
    let differences = differences(expected, found);
    if differences.is_empty() { Ok(()) } else { Err(format!("{heading}:\n  {}", differences.join("\n  "))) }
}

fn same_paths(expected: &BTreeSet<Vec<u8>>, view: &FileTree) -> Result<(), String> {
    let found: BTreeSet<Vec<u8>> = view.keys().cloned().collect();
    let names = |paths: &BTreeSet<Vec<u8>>| -> Vec<String> {
        paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    };
    if *expected == found {
        return Ok(());
    }
    Err(format!("the engine is sent {:?}, the view holds {:?}", names(expected), names(&found)))
}

/// Builds from a folder that holds the view's files and nothing else; no ignore file takes part.
fn build_of_view(
    engine: &Engine,
    case: &ViewCase,
    view: &FileTree,
    folder: &Path,
) -> Result<FileTree, String> {
    let only = folder.join("only");
    fs::create_dir(&only).unwrap();
    file_tree::write(view, &only);
    let recipe = folder.join("recipe");
    fs::create_dir(&recipe).unwrap();
    let dockerfile = recipe.join("Dockerfile");
    fs::copy(folder.join("context").join(&case.dockerfile), &dockerfile).unwrap();
    // An empty one of its own takes the place of one that is among the files.
    fs::write(recipe.join("Dockerfile.dockerignore"), "").unwrap();
    build(engine, case, &only, &dockerfile, &folder.join("image-of-view"))
}

fn build(
    engine: &Engine,
    case: &ViewCase,
    context: &Path,
    dockerfile: &Path,
    into: &Path,
) -> Result<FileTree, String> {
    let mut options = vec!["--file".to_owned(), dockerfile.display().to_string()];
    options.extend(case.target.iter().map(|target| format!("--target={target}")));
    options.extend(case.args.iter().map(|(name, value)| format!("--build-arg={name}={value}")));
    engine.build_files(context, &options, into)?;
    Ok(file_tree::read(into))
}

/// What imgraph says that the build can read, as the files of the context that it names.
fn view_of(case: &ViewCase, context: &Path) -> Result<FileTree, String> {
    let snapshot = Snapshot::of_disk(context).map_err(|error| error.to_string())?;
    let dockerfiles = Dockerfiles::new(&snapshot);
    let path = WorkspacePath::root().resolve(case.dockerfile.as_bytes()).unwrap();
    let parsed = dockerfiles.dockerfile(&path).map_err(messages)?;
    let platform = "linux/amd64".parse().unwrap();
    let request = SliceRequest {
        stage: case.target.as_deref(),
        args: &case.args.iter().cloned().collect(),
        platform: &platform,
        build_platform: &platform,
        contexts: &BTreeSet::new(),
    };
    let slice = slice(&parsed.dockerfile, &request).map_err(messages)?;
    let sources =
        if slice.widened.is_some() { ReadSources::Whole } else { ReadSources::from(&slice.sources) };
    let ignore = dockerfiles.ignore_file(&WorkspacePath::root(), Some(&path)).map_err(messages)?.rules;
    let spec = ViewSpec { context: WorkspacePath::root(), ignore, sources, inputs: None };
    let view = spec.view(&snapshot).map_err(|error| error.to_string())?;
    Ok(view.entries.iter().map(|entry| (entry.path.as_bytes().to_vec(), file_of(entry, context))).collect())
}

/// The entry as the view has it. A file's bytes are read anew, and must be those that were hashed.
fn file_of(entry: &FileEntry, context: &Path) -> Entry {
    match &entry.kind {
        FileKind::Folder => Entry::Folder(entry.permissions),
        FileKind::Link { target } => Entry::Link(target.to_vec()),
        FileKind::File { size, content } => {
            let bytes = fs::read(entry.path.on_disk(context)).unwrap();
            assert_eq!(*size, bytes.len() as u64, "{}", entry.path);
            assert_eq!(content.as_bytes(), blake3::hash(&bytes).as_bytes(), "{}", entry.path);
            Entry::File(entry.permissions, bytes)
        }
    }
}

fn messages(diagnostics: Vec<Diagnostic>) -> String {
    diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect::<Vec<_>>().join("; ")
}
