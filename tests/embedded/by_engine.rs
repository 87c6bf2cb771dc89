//! The Engine's side: a case built by a real Docker Engine.

use std::path::Path;

use crate::answer::{Answer, Base};
use crate::case::Case;
use crate::engine::Engine;
use crate::image::Image;

/// What the Engine makes of a case.
pub(crate) fn answer(engine: &Engine, case: &Case, bases: &[Base]) -> Answer {
    match image(engine, case) {
        Ok(image) => Answer::of(&image, bases),
        Err(message) => Answer::failure(message),
    }
}

fn image(engine: &Engine, case: &Case) -> Result<Image, String> {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("image.tar");
    let output = format!("--output=type=oci,compression=uncompressed,dest={}", archive.display());
    build(engine, case, folder.path(), &[&output])?;
    Ok(Image::of_archive(&archive))
}

/// Builds a case into the engine's own store, under a name.
pub(crate) fn keep(engine: &Engine, case: &Case, name: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    build(engine, case, folder.path(), &["--load", "--tag", name])
}

fn build(engine: &Engine, case: &Case, folder: &Path, output: &[&str]) -> Result<(), String> {
    let context = folder.join("context");
    case.write(&context);
    let mut command = engine.docker();
    command.args(["buildx", "build", "--progress", "plain", "--provenance=false"]).args(output);
    for (option, pairs) in [("--build-arg", &case.args), ("--label", &case.labels)] {
        for (name, value) in pairs {
            command.arg(option).arg(format!("{name}={value}"));
        }
    }
    for (name, value) in &case.contexts {
        command.arg("--build-context").arg(format!("{name}={}", context.join(value).display()));
    }
    for (name, value) in &case.secrets {
        command.arg("--secret").arg(format!("id={name},env=SECRET_{name}"));
        command.env(format!("SECRET_{name}"), value);
    }
    if let Some(target) = &case.target {
        command.arg("--target").arg(target);
    }
    let output = command.arg(&context).output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    let message = message(&String::from_utf8_lossy(&output.stderr), folder);
    let lost =
        ["Cannot connect to the Docker daemon", "error reading from server", "OCI exporter is not supported"];
    assert!(
        !lost.iter().any(|text| message.contains(text)),
        "{}: the engine is lost: {message}",
        case.label()
    );
    Err(message)
}

/// The last line that says what is wrong, without what differs from run to run.
fn message(log: &str, folder: &Path) -> String {
    let line = log.lines().rev().find(|line| line.starts_with("ERROR: ")).unwrap_or(log);
    let line = line.replace(&folder.display().to_string(), "…");
    let passing = regex::Regex::new(r"of ref \S+: |/engine/data/\S*?(buildkit|snapshots/)\d+").unwrap();
    passing.replace_all(&line, "…").trim_start_matches("ERROR: ").to_owned()
}
