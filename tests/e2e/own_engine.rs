//! An engine that one test has for itself: names move in it when that test moves them, and at no other time.

use std::path::Path;
use std::process::{Command, Output};

use crate::engine::Engine;

/// An engine with a classic store, ended when this goes.
pub(crate) struct OwnEngine {
    name: String,
    pub(crate) engine: Engine,
}

impl OwnEngine {
    /// Starts one of that name.
    pub(crate) fn start(name: &str) -> Self {
        let (other, name) = (Engine::classic(), format!("{name}-{}", std::process::id()));
        let said = support(&["start", &name]);
        let host = said.lines().find_map(|line| line.strip_prefix(&format!("engine: {name}: ")));
        let engine = Engine { host: host.unwrap().to_owned(), ..other };
        Self { name, engine }
    }

    /// Ends it and starts it again, with what it had.
    pub(crate) fn restart(&self) {
        support(&["restart", &self.name]);
    }

    /// Ends it and starts another at the same place.
    pub(crate) fn replace(&self) {
        support(&["restart", &self.name, "--fresh"]);
        support(&["start", &self.name]);
    }

    /// Runs the docker client, and expects it to work.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output = self.engine.run(arguments.iter().copied());
        assert!(output.status.success(), "docker {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        // What cannot be ended or removed is in the way of no other run.
        let _stopped = script().args(["stop", &self.name, "--force"]).output();
        let socket = self.engine.host.strip_prefix("unix://").map(Path::new);
        // The log of a test that failed stays.
        if let Some(folder) = socket.and_then(Path::parent)
            && !std::thread::panicking()
        {
            let _removed = std::fs::remove_dir_all(folder);
            let _removed = std::fs::remove_file(folder.with_extension("lock"));
        }
    }
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/engine"))
}

/// What the script says on its way.
fn support(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = script().args(arguments).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "engine {arguments:?}: {said}");
    said
}
