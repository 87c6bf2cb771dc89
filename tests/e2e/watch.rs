//! Building again and again, while files change.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::engine::Engine;
use crate::trial::{Trial, unique};

/// A watch that runs, and what it says.
struct Watch {
    process: Child,
    said: Receiver<String>,
}

impl Watch {
    fn start(trial: &Trial, targets: &str) -> Self {
        let mut command = trial.program(&["watch", targets, "--progress", "plain"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, said) = mpsc::channel();
        let out: [Box<dyn BufRead + Send>; 2] = [
            Box::new(BufReader::new(process.stdout.take().unwrap())),
            Box::new(BufReader::new(process.stderr.take().unwrap())),
        ];
        for stream in out {
            let sender = sender.clone();
            thread::spawn(move || {
                stream.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        }
        Self { process, said }
    }

    /// What it says until a line begins with `end`.
    #[track_caller]
    fn until(&self, end: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.said.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line.starts_with(end) => return lines,
                Ok(line) => lines.push(line),
                Err(_silence) => panic!("it never said `{end}`: {lines:#?}"),
            }
        }
    }

    /// The targets that it built until it waits again.
    #[track_caller]
    fn built(&self) -> Vec<String> {
        let lines = self.until("watching for changes");
        let built = lines.iter().filter(|line| line.contains("  built in "));
        let mut built: Vec<String> = built.map(|line| line.split("  ").next().unwrap().to_owned()).collect();
        built.sort();
        built
    }

    #[track_caller]
    fn interrupted(mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(130));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        let _ended = self.process.kill();
    }
}

#[test]
fn a_change_builds_what_it_dirties() {
    let name = unique("watch");
    let build = "[workspace]\n[image.one]\ndockerfile = \"one.dockerfile\"\n\
                 [image.two]\ndockerfile = \"two.dockerfile\"\n";
    let one = format!("FROM busybox:1.36\nLABEL of={name}\nCOPY one /one\nRUN cat /one/*\n");
    let two = format!("FROM busybox:1.36\nLABEL of={name}\nCOPY two /two\n");
    let files = [
        ("BUILD.toml", build),
        ("one.dockerfile", one.as_str()),
        ("two.dockerfile", &two),
        ("one/file", "1"),
        ("two/file", "1"),
        ("unread/deep/file", "1"),
    ];
    let trial = Trial::of(&Engine::classic(), &files);
    let watch = Watch::start(&trial, "//...");
    assert_eq!(watch.built(), ["//:one", "//:two"]);
    trial.write("one/file", "2");
    assert_eq!(watch.built(), ["//:one"]);
    // A folder that was not there before is watched too.
    trial.write("two/new/file", "1");
    assert_eq!(watch.built(), ["//:two"]);
    trial.write("two/new/file", "2");
    assert_eq!(watch.built(), ["//:two"]);
    // What is wrong is told, and does not end the watch.
    trial.write("one.dockerfile", "FROM busybox:1.36\nCPOY one /one\n");
    let said = watch.until("watching for changes");
    assert!(said.iter().any(|line| line.contains("CPOY")), "{said:#?}");
    trial.write("one.dockerfile", &one.replace("cat /one/*", "false"));
    let said = watch.until("watching for changes");
    assert!(said.iter().any(|line| line.starts_with("error: //:one failed")), "{said:#?}");
    trial.write("one.dockerfile", &one.replace("cat /one/*", "true"));
    assert_eq!(watch.built(), ["//:one"]);
    trial.write("two/one", "");
    trial.write("one/one", "");
    assert_eq!(watch.built(), ["//:one", "//:two"], "changes that come together are one");
    watch.interrupted();
}

#[test]
fn what_no_target_reads_starts_no_round() {
    let name = unique("unread");
    let dockerfile = format!("FROM busybox:1.36\nLABEL of={name}\nCOPY d /d\n");
    let files = [("BUILD.toml", "[workspace]\n[image.one]\n"), ("Dockerfile", dockerfile.as_str())];
    let trial = Trial::of(&Engine::classic(), &files);
    let log = trial.path("log");
    trial.write("log", "");
    // What was written just before cannot be told unchanged.
    thread::sleep(Duration::from_millis(3200));
    let mut command = trial.program(&["watch", "//:one", "--progress", "plain"]);
    let (out, err) = (append(&log), append(&log));
    let watch = Logged(command.stdout(out).stderr(err).spawn().unwrap(), log);
    // The target has nothing to copy, and what is said of that is in a file of the workspace.
    watch.rounds(1);
    trial.write("unread", "1");
    trial.write("unread", "2");
    trial.write("d/file", "1");
    let said = watch.rounds(2);
    assert_eq!(said.matches("\nchanged: ").count(), 1, "{said}");
    trial.write("unread", "3");
    thread::sleep(Duration::from_secs(1));
    trial.write("d/file", "2");
    let said = watch.rounds(3);
    assert_eq!(said.matches("\nchanged: ").count(), 2, "{said}");
    assert_eq!(said.matches("  built in ").count(), 2, "{said}");
}

/// A watch that says what it says in a file of the workspace.
struct Logged(Child, PathBuf);

impl Logged {
    /// Waits until it waits for the `count`th time, and then for what it should not do. Gives all that it said.
    #[track_caller]
    fn rounds(&self, count: usize) -> String {
        for _ in 0..600 {
            let said = fs::read_to_string(&self.1).unwrap();
            if said.matches("watching for changes").count() >= count {
                thread::sleep(Duration::from_millis(700));
                return fs::read_to_string(&self.1).unwrap();
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("it never waited for the {count}th time: {}", fs::read_to_string(&self.1).unwrap());
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).open(path).unwrap()
}

#[test]
fn outside_of_a_workspace_there_is_nothing_to_watch() {
    let trial = Trial::of(&Engine::classic(), &[("file", "")]);
    trial.run("watch //...").exits(2).says(&["[workspace]"]);
}
