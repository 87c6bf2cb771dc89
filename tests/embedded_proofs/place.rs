//! A workspace, a cache and a home in a temporary folder, and the program run there.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::base_layout;

/// Where a build happens. It goes with this value.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// An empty workspace, with the bases in the store.
    pub(crate) fn new() -> Self {
        let place = Self::without_bases();
        base_layout::write_layout(&place.cache().join("oci"));
        place
    }

    /// An empty workspace, and no store.
    pub(crate) fn without_bases() -> Self {
        let folder = tempfile::Builder::new().prefix("imgraph-proof-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = Self { folder };
        fs::create_dir_all(place.workspace()).unwrap();
        place
    }

    /// The folder that all of it lies in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder().join("workspace")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder().join("cache")
    }

    /// Writes a file of the workspace and the folders around it.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.workspace().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The program with the embedded builder, as a user would type it.
    pub(crate) fn imgraph<Word: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = Word>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
        command.current_dir(self.workspace()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder());
        command.arg("--cache-dir").arg(self.cache()).args(["--builder", "embedded"]).args(words);
        command
    }

    /// Runs `imgraph build` with these words.
    pub(crate) fn build(&self, words: &[&str]) -> Output {
        self.imgraph(["build", "--progress", "plain", "--format", "json"]).args(words).output().unwrap()
    }
}

/// What went wrong, when something did.
#[track_caller]
pub(crate) fn succeeded(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
}

/// Label → digest of all images that a build made.
pub(crate) fn digests(output: &Output) -> Vec<(String, String)> {
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let targets = document["targets"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    targets.iter().map(|target| (text(&target["label"]), text(&target["digest"]))).collect()
}
