//! The view against a real engine: what imgraph says that a build can read is what the build reads.
//!
//! Each case of `tests/fixtures/views` is built by the engine's own client. The files of an image that
//! says `COPY . /` must be exactly the view, and for every Dockerfile a build that is given the view's
//! files alone must give the same image.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "support/engine.rs"]
mod engine;
#[path = "support/file_tree.rs"]
mod file_tree;
#[path = "support/view_case.rs"]
mod view_case;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use engine::Engine;
use file_tree::{FileTree, differences};
use view_case::{Expectation, ViewCase};

/// How many cases are built at a time.
const WORKERS: usize = 4;

#[test]
fn images_hold_exactly_the_view() {
    let engine = Engine::classic();
    let cases = view_case::all();
    assert!(cases.len() >= 45, "only {} cases", cases.len());
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

fn view_of(case: &ViewCase, context: &Path) -> Result<FileTree, String> {
    let _ = (case, context);
    Ok(file_tree::read(context))
}
