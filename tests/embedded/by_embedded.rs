//! The embedded builder's side: a case built by the program itself, in a workspace of its own.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::answer::{Answer, Base};
use crate::case::Case;
use crate::image::Image;

/// What the embedded builder makes of a case. `cache` has the bases in its store.
pub(crate) fn answer(case: &Case, cache: &Path, bases: &[Base]) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    case.write(&workspace.join("context"));
    fs::write(
        workspace.join("BUILD.toml"),
        format!("[workspace]\nname = \"corpus\"\n\n{}", image(case, &[])),
    )
    .unwrap();
    let mut command = command(&workspace, cache, std::slice::from_ref(case));
    let output = command.args(["--format", "json", "//:case"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => {
            let document: Value = serde_json::from_slice(&output.stdout).unwrap();
            let digest = document["targets"][0]["digest"].as_str().unwrap();
            Answer::of(&Image::of_folder(&cache.join("oci"), digest), bases)
        }
        // A Dockerfile that cannot be built, or a file that is wrong.
        Some(1 | 2) => Answer::failure(reason(&said)),
        code => Answer::failure(format!("not as a failure of the case: {code:?} {said}")),
    }
}

/// A build by the embedded builder in a workspace of cases, all but its last words.
pub(crate) fn command(workspace: &Path, cache: &Path, cases: &[Case]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
    command.current_dir(workspace).env_clear().stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", workspace);
    for case in cases {
        command.envs(case.secrets.iter().map(|(id, value)| (secret_variable(case, id), value)));
    }
    command.arg("--cache-dir").arg(cache).args(["--builder", "embedded", "build", "--progress", "plain"]);
    command
}

/// The variable that a secret of a case is in: two cases may have other values for one id.
fn secret_variable(case: &Case, id: &str) -> String {
    let name = format!("SECRET_{}_{id}", case.label());
    name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_").to_ascii_uppercase()
}

/// The line that says what is wrong.
fn reason(said: &str) -> String {
    said.lines().find(|line| line.starts_with("error: ")).unwrap_or(said).to_owned()
}

/// The image `case` of a package whose folder `context` is the case's context.
pub(crate) fn image(case: &Case, tags: &[&str]) -> String {
    let text = |value: &str| toml::Value::String(value.replace('$', "$$")).to_string();
    let mut lines = "[image.case]\n".to_owned();
    lines.push_str("context = \"context\"\ndockerfile = \"context/Dockerfile\"\n");
    if let Some(target) = &case.target {
        writeln!(lines, "target = {}", text(target)).unwrap();
    }
    for (field, pairs) in [("args", &case.args), ("labels", &case.labels)] {
        let pairs: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{} = {}", text(name), text(value))).collect();
        writeln!(lines, "{field} = {{ {} }}", pairs.join(", ")).unwrap();
    }
    for (name, folder) in &case.contexts {
        let folder = text(&format!("context/{folder}"));
        writeln!(lines, "contexts.{} = {{ dir = {folder} }}", text(name)).unwrap();
    }
    let secret = |id: &String| format!("{{ id = {}, env = {} }}", text(id), text(&secret_variable(case, id)));
    let secrets: Vec<String> = case.secrets.keys().map(secret).collect();
    writeln!(lines, "secrets = [{}]", secrets.join(", ")).unwrap();
    writeln!(lines, "tags = {tags:?}").unwrap();
    lines
}
