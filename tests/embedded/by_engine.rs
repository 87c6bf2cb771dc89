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
    let context = folder.path().join("context");
    let archive = folder.path().join("image.tar");
    case.write(&context);
    let mut command = engine.docker();
    command.args(["buildx", "build", "--progress", "plain", "--provenance=false", "--output"]);
    command.arg(format!("type=oci,compression=uncompressed,dest={}", archive.display()));
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
        return Ok(Image::of_archive(&archive));
    }
    let message = message(&String::from_utf8_lossy(&output.stderr), folder.path());
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
