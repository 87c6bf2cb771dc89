//! The real engines that tests build on, and the docker client that compares with imgraph.
//!
//! `tests/support/engine` starts them and says in the environment where they are. A test that finds
//! none fails: a skipped test would look like one that passed.

use std::path::Path;
use std::process::{Command, Output};

/// A Docker Engine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// Where it listens, such as `unix:///…`.
    pub(crate) host: String,
    pub(crate) client: String,
}

impl Engine {
    /// The engine with the classic image store.
    pub(crate) fn classic() -> Self {
        Self::named_by("IMGRAPH_TEST_DOCKER")
    }

    /// The engine with the containerd image store.
    pub(crate) fn containerd() -> Self {
        Self::named_by("IMGRAPH_TEST_DOCKER_CONTAINERD")
    }

    fn named_by(variable: &str) -> Self {
        Self { host: required(variable), client: required("IMGRAPH_TEST_DOCKER_CLIENT") }
    }

    /// The docker client, about to talk to this engine.
    pub(crate) fn docker(&self) -> Command {
        let mut command = Command::new(&self.client);
        command.env("DOCKER_HOST", &self.host).env_remove("DOCKER_CONTEXT");
        command
    }

    /// Runs the docker client to its end.
    pub(crate) fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        self.docker().args(arguments).output().unwrap()
    }

    /// Builds with the engine's own client and unpacks the image's files into `into`; what it said
    /// when it refused.
    pub(crate) fn build_files(&self, context: &Path, options: &[String], into: &Path) -> Result<(), String> {
        let archive = into.with_extension("tar");
        let mut command = self.docker();
        command.args(["buildx", "build", "--progress", "plain", "--provenance=false"]);
        command.args(options).arg("--output").arg(format!("type=tar,dest={}", archive.display()));
        let output = command.arg(context).output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        unpack(&archive, into);
        Ok(())
    }
}

fn unpack(archive: &Path, into: &Path) {
    std::fs::create_dir(into).unwrap();
    let status = Command::new("tar")
        .args(["--warning=no-timestamp", "-xpf"])
        .arg(archive)
        .arg("-C")
        .arg(into)
        .status()
        .unwrap();
    assert!(status.success(), "tar could not unpack {}", archive.display());
    std::fs::remove_file(archive).unwrap();
}

fn required(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_missing| {
        panic!("{variable} is not set: run tests/run, or start the engines and `eval \"$(tests/support/engine env)\"`")
    })
}
