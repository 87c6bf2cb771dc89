//! A workspace in a folder of its own, and the program that is run in it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::engine::Engine;

/// A workspace, a cache, and an engine. Nothing of the caller's environment reaches the program.
pub(crate) struct Trial {
    folder: TempDir,
    workspace: PathBuf,
    pub(crate) engine: Engine,
    environment: Vec<(String, String)>,
}

impl Trial {
    /// A workspace of these files, path and text in turn.
    pub(crate) fn of(engine: &Engine, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().join("workspace");
        let trial = Self { folder, workspace, engine: engine.clone(), environment: Vec::new() };
        for (path, text) in files {
            trial.write(path, text);
        }
        trial
    }

    /// The example `name`, where it lies.
    pub(crate) fn of_example(engine: &Engine, name: &str) -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        Self { workspace, ..Self::of(engine, &[]) }
    }

    /// With a variable in the program's environment, in place of one of that name.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Where a file of the workspace lies.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.workspace.join(path)
    }

    /// A place beside the workspace.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the program keeps its caches.
    pub(crate) fn cache(&self) -> PathBuf {
        self.beside("cache")
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces a text that is there.
    pub(crate) fn replace(&self, path: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(old), "{path} does not say `{old}`");
        fs::write(self.path(path), text.replace(old, new)).unwrap();
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        // A link that is not there yet is none to take away.
        let _missing = fs::remove_file(self.path(path));
        std::os::unix::fs::symlink(target, self.path(path)).unwrap();
    }

    pub(crate) fn set_permissions(&self, path: &str, permissions: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(permissions)).unwrap();
    }

    pub(crate) fn remove_workspace(&self) {
        fs::remove_dir_all(&self.workspace).unwrap();
    }

    /// The program, about to run in the workspace.
    pub(crate) fn program<Argument: AsRef<OsStr>>(&self, arguments: &[Argument]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
        command.current_dir(&self.workspace).env_clear().args(arguments);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path()).env("IMGRAPH_CACHE_DIR", self.cache());
        command.env("DOCKER_HOST", &self.engine.host).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end. Arguments are words between spaces.
    pub(crate) fn run(&self, arguments: &str) -> Outcome {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        Outcome::of(arguments, &self.program(&words).output().unwrap())
    }

    /// Builds, and expects it to work: the targets' states in the result.
    pub(crate) fn build(&self, targets: &str) -> Vec<(String, String)> {
        self.run(&format!("build {targets} --format json")).succeeded().states()
    }

    /// The targets that a plan does not call cached.
    pub(crate) fn plan(&self, targets: &str) -> Vec<(String, String)> {
        let mut states = self.run(&format!("plan {targets} --format json")).succeeded().states();
        states.retain(|(_label, state)| state != "cached");
        states
    }

    /// What a command writes inside a container of an image.
    pub(crate) fn inside(&self, image: &str, command: &[&str]) -> String {
        let run = ["run", "--rm", "--network", "none", image];
        let output = self.engine.run(run.iter().chain(command).copied());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{image} {command:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// What the program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    arguments: String,
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn of(arguments: &str, output: &Output) -> Self {
        Self {
            arguments: arguments.to_owned(),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Expects this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        let Self { arguments, stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "imgraph {arguments}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        self
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        self.exits(0)
    }

    /// Expects all of these texts on standard error.
    #[track_caller]
    pub(crate) fn says(self, expected: &[&str]) -> Self {
        for text in expected {
            assert!(
                self.stderr.contains(text),
                "imgraph {} does not say `{text}`:\n{}",
                self.arguments,
                self.stderr
            );
        }
        self
    }

    /// The document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("imgraph {}: {error}:\n{}", self.arguments, self.stdout))
    }

    /// Label and state of each target in the document on standard output.
    #[track_caller]
    pub(crate) fn states(&self) -> Vec<(String, String)> {
        let document = self.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let targets = document["targets"].as_array().unwrap();
        targets.iter().map(|target| (text(&target["label"]), text(&target["state"]))).collect()
    }
}

/// Labels and states as one text: `//a cached, //b built`.
pub(crate) fn said(states: &[(String, String)]) -> String {
    let words: Vec<String> = states.iter().map(|(label, state)| format!("{label} {state}")).collect();
    words.join(", ")
}

/// A word that no other test, and no other run of the tests, uses.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    format!("{name}-{}-{count}-{now}", std::process::id())
}

/// Every file below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    files
}
