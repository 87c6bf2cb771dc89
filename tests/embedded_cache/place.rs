//! A workspace and a cache folder that go away, and the program run in them with the embedded builder.
//!
//! Images begin with nothing but a static busybox: no test needs a registry or an archive of a base.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What Dockerfiles begin with: a stage `tools` whose shell is busybox.
const TOOLS: &str = "FROM scratch AS tools\nCOPY busybox /bin/busybox\n\
                     RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";

/// A workspace, and a cache folder.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a run gave.
pub(crate) struct Outcome {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// What was said, all of it.
    pub(crate) fn said(&self) -> String {
        format!("{}{}exit {}", self.stdout, self.stderr, self.exit)
    }

    /// How the first target ended, and its digest.
    pub(crate) fn first(&self) -> (String, String) {
        let document: serde_json::Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.said()));
        let target = &document["targets"].as_array().unwrap().last().unwrap();
        let text = |name: &str| target[name].as_str().unwrap_or_default().to_owned();
        (text("state"), text("digest"))
    }
}

impl Place {
    /// A workspace with these targets, each with the file `NAME.Dockerfile`.
    pub(crate) fn new(build_file: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.write("BUILD.toml", format!("[workspace]\nname = \"cases\"\n\n{build_file}"));
        fs::copy("/bin/busybox", place.workspace().join("busybox")).expect("`busybox-static` is installed");
        place
    }

    /// A workspace with one image, `//:case`, made by `dockerfile` on top of the stage `tools`.
    pub(crate) fn with_case(dockerfile: &str) -> Self {
        let place = Self::new("[image.case]\ndockerfile = \"case.Dockerfile\"\n");
        place.dockerfile("case", dockerfile);
        place
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.workspace().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes `NAME.Dockerfile`: the stage `tools`, and `text`.
    pub(crate) fn dockerfile(&self, name: &str, text: &str) {
        self.write(&format!("{name}.Dockerfile"), format!("{TOOLS}{text}"));
    }

    /// Builds with `arguments`.
    pub(crate) fn build(&self, arguments: &str) -> Outcome {
        self.build_with(arguments, &[])
    }

    /// As [`Self::build`], with variables.
    pub(crate) fn build_with(&self, arguments: &str, variables: &[(&str, &str)]) -> Outcome {
        let mut command = self.command();
        command.envs(variables.iter().copied());
        command.args(["build", "--progress", "plain", "--format", "json"]).args(arguments.split_whitespace());
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let exit = output.status.code().unwrap();
        Outcome { exit, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The program, with the builder and the cache folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.command_of(env!("CARGO_BIN_EXE_imgraph"));
        command.arg("--cache-dir").arg(self.cache()).args(["--builder", "embedded"]);
        command
    }

    /// A program in the workspace, with as few variables as it needs.
    pub(crate) fn command_of(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.workspace()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command
    }

    /// The blobs that hold `text` as it is.
    pub(crate) fn blobs_with(&self, text: &str) -> Vec<PathBuf> {
        let holds = |path: &Path| {
            let bytes = fs::read(path).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        let blobs = fs::read_dir(self.cache().join("oci/blobs/sha256")).unwrap();
        blobs.map(|entry| entry.unwrap().path()).filter(|path| holds(path)).collect()
    }
}
