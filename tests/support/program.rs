//! The program itself, run in a workspace that goes away, without an engine.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each user takes a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a run gave.
pub struct Outcome {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Everything that a person sees.
    pub fn shown(&self) -> String {
        format!("{}{}exit {}\n", self.stdout, self.stderr, self.exit)
    }

    /// The document on standard output.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.shown()))
    }
}

/// Runs `imgraph` with the words of `arguments` in `folder`, on a screen of so many columns.
pub fn run(folder: &Path, columns: usize, arguments: &str) -> Outcome {
    let cache: PathBuf = std::env::temp_dir().join("imgraph-no-cache");
    let output = Command::new(env!("CARGO_BIN_EXE_imgraph"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("COLUMNS", columns.to_string())
        // No engine answers there: who asks one fails.
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .args(["--no-index", "--cache-dir"])
        .arg(cache)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let place = folder.canonicalize().unwrap().display().to_string();
    Outcome {
        exit: output.status.code().unwrap(),
        stdout: text(output.stdout).replace(&place, "WORKSPACE"),
        stderr: text(output.stderr).replace(&place, "WORKSPACE"),
    }
}
