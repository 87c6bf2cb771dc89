//! An image in an engine's store, started: what its own command does, and what a program inside sees.
//!
//! An image may have no program at all, or no command, so a busybox is mounted beside the image's files. The same
//! script goes to the standard input of whatever is started: a shell that the image names runs it. Where nothing
//! did, the busybox does, once as the image's user and once as root. All that is said must be the same of two
//! images that are equal: no id, no name of an image, nothing that depends on the order of a folder.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::engine::Engine;

/// Where the busybox is seen.
const PLACE: &str = "/imgraph-probe";

/// Says who runs where and with what, and all that is there: kind, mode, owner, names, size, device, content.
/// Folders have the size of their file system, and large contents take long: those of layers are compared by
/// their digests elsewhere.
const SCRIPT: &str = r#"
b=/imgraph-probe/busybox
$b id; $b pwd; umask; $b env | $b sort; $b ulimit -c 2>/dev/null
all() { $b find / \( -path /proc -o -path /sys -o -path /dev -o -path /imgraph-probe \) -prune -o "$@" | $b sort; }
all -type d -exec $b stat -c '%N %f %u:%g' '{}' +
all ! -type d -exec $b stat -c '%N %f %u:%g %h %s %t:%T' '{}' +
all -type f -size -100k -exec $b sha256sum '{}' +
$b echo "the probe ended"
"#;

/// The volume with the programs of a busybox, filled by an engine.
pub(crate) struct Probe<'e> {
    engine: &'e Engine,
    volume: String,
}

impl<'e> Probe<'e> {
    /// Fills the volume: a new one takes what the image has at its place.
    pub(crate) fn new(engine: &'e Engine, volume: &str) -> Self {
        let filled = ["create", "-v", &format!("{volume}:/bin"), "--name", volume, "busybox:1.36"];
        done(&engine.run(filled));
        done(&engine.run(["rm", volume]));
        Self { engine, volume: volume.to_owned() }
    }

    /// What comes of starting the image: by what was started, all that it said and how it ended.
    pub(crate) fn starts(&self, name: &str, config: &Value) -> BTreeMap<&'static str, String> {
        let is_set = |field: &str| config[field].as_array().is_some_and(|words| !words.is_empty());
        let mut found = BTreeMap::new();
        if is_set("Entrypoint") || is_set("Cmd") {
            found.insert("its command", self.start(&[], name, &[]));
        }
        let has_ended = |said: &String| said.contains("the probe ended");
        let program = format!("{PLACE}/busybox");
        let entry = ["--entrypoint", program.as_str()];
        if !found.values().any(has_ended) {
            found.insert("a shell", self.start(&entry, name, &["sh"]));
        }
        if config["User"].as_str().is_some_and(|user| !user.is_empty()) {
            let as_root = [&entry[..], &["--user", "0:0"]].concat();
            found.insert("a shell of root", self.start(&as_root, name, &["sh"]));
        }
        assert!(found.values().any(has_ended), "{name}: nothing of it was seen: {found:?}");
        found
    }

    fn start(&self, options: &[&str], name: &str, words: &[&str]) -> String {
        let mut command = self.engine.docker();
        command.args(["run", "--rm", "--interactive", "--network", "none", "--hostname", "probe"]);
        command.arg("--volume").arg(format!("{}:{PLACE}:ro", self.volume));
        command.args(options).arg(name).args(words);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Who does not read ends before all of it is written.
        let _ = child.stdin.take().unwrap().write_all(SCRIPT.as_bytes());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let mut errors: Vec<&str> = errors.lines().collect();
        errors.sort_unstable();
        let said = String::from_utf8_lossy(&output.stdout);
        format!("{said}{}\n{}", errors.join("\n"), output.status).replace(name, "NAME")
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.engine.run(["volume", "rm", &self.volume]);
    }
}

/// That a command of the docker client did what it should.
#[track_caller]
pub(crate) fn done(output: &std::process::Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
