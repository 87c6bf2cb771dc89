//! A root folder with a shell in it, and commands that run in a sandbox over it.
//!
//! The shell is Debian's static busybox: `apt-get install busybox-static`, or `IMGRAPH_TEST_BUSYBOX`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use imgraph::build::embedded::sandbox::{
    Network, Outcome, Privileges, Root, Sandbox, SandboxError, SandboxSpec, Stream, User,
};
use imgraph::types::cancellation::Cancellation;
use tempfile::TempDir;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A layer of busybox and the folders of one step.
pub(crate) struct Place {
    folder: PathBuf,
    /// Removes it; a place that another process has is not removed.
    _removed: Option<TempDir>,
}

/// What a command gave.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = Self { folder: folder.path().to_path_buf(), _removed: Some(folder) };
        for name in ["base", "upper", "work"] {
            fs::create_dir(place.path(name)).unwrap();
        }
        fill(&place.path("base"));
        place
    }

    /// The place in `folder`, which another process made.
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self { folder, _removed: None }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command of the shell in it, as root.
    pub(crate) fn spec(&self, script: &str) -> SandboxSpec {
        SandboxSpec {
            root: Root::Layers { lower: vec![self.path("base")], upper: self.path("upper") },
            work: self.path("work"),
            args: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            env: vec![PATH.to_owned()],
            cwd: "/".to_owned(),
            user: User::default(),
            hostname: "buildkitsandbox".to_owned(),
            network: Network::None,
            mounts: Vec::new(),
            extra_hosts: Vec::new(),
            privileges: privileges(),
            read_only_root: false,
        }
    }

    /// Everything that lies in the upper folder, as sorted relative paths.
    pub(crate) fn written(&self) -> Vec<String> {
        let upper = self.path("upper");
        let mut found = Vec::new();
        list(&upper, &upper, &mut found);
        found.sort();
        found
    }
}

/// Root's own, or what an ordinary user has in any case, or what the test of an ordinary user asks for.
pub(crate) fn privileges() -> Privileges {
    if std::env::var_os("IMGRAPH_TEST_MAPPED").is_some() {
        return Privileges::Mapped;
    }
    if rustix::process::geteuid().is_root() { Privileges::Root } else { Privileges::Single }
}

/// This test's program, or the copy that another user can read.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("IMGRAPH_TEST_PROGRAM")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_imgraph")), PathBuf::from)
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::of_program(program())
}

pub(crate) fn try_run(spec: SandboxSpec) -> Result<Ran, SandboxError> {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let mut hear = |stream: Stream, bytes: &[u8]| match stream {
        Stream::Output => output.extend_from_slice(bytes),
        Stream::Error => errors.extend_from_slice(bytes),
    };
    let outcome = sandbox().run(spec, &mut hear, &Cancellation::default())?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ok(Ran { outcome, output: text(output), errors: text(errors) })
}

pub(crate) fn run(spec: SandboxSpec) -> Ran {
    try_run(spec).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a script that has to succeed, and returns what it writes.
pub(crate) fn output(spec: SandboxSpec) -> String {
    let ran = run(spec);
    assert_eq!(ran.outcome, Outcome::Exited(0), "{}{}", ran.output, ran.errors);
    ran.output
}

fn list(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        if path.is_dir() && !path.is_symlink() {
            list(root, &path, found);
        }
    }
}

fn fill(base: &Path) {
    let busybox =
        std::env::var_os("IMGRAPH_TEST_BUSYBOX").map_or_else(|| "/bin/busybox".into(), PathBuf::from);
    for folder in ["bin", "etc", "root", "tmp", "usr/bin", "dev", "proc", "sys"] {
        fs::create_dir_all(base.join(folder)).unwrap();
    }
    fs::copy(&busybox, base.join("bin/busybox"))
        .unwrap_or_else(|error| panic!("{}: {error}: `apt-get install busybox-static`", busybox.display()));
    let applets = std::process::Command::new(&busybox).arg("--list").output().unwrap().stdout;
    for applet in String::from_utf8(applets).unwrap().lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", base.join("bin").join(applet)).unwrap();
    }
    fs::set_permissions(base.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    for file in ["etc/hosts", "etc/resolv.conf"] {
        fs::write(base.join(file), "").unwrap();
    }
    fs::write(base.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nann:x:5:6::/home/ann:/bin/sh\n")
        .unwrap();
}
