//! An SSH agent that answers with a fixed text, and a program that asks one.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

/// Connects to `$SSH_AUTH_SOCK`, sends a message of each type that is an argument, and writes the types and the texts
/// of the answers.
const ASK: &str = r#"
socket(S, 1, 1, 0) or die;
connect(S, pack("Sa108", 1, $ENV{SSH_AUTH_SOCK})) or die "no agent: $!\n";
for (@ARGV) {
    syswrite(S, pack("NC", 1, $_));
    sysread(S, $length, 4) == 4 or die "hung up\n";
    sysread(S, $answer, unpack("N", $length));
    print unpack("C", $answer), " ", substr($answer, 1), "\n";
}
"#;

/// The type of message that asks for keys.
pub(crate) const LIST: u8 = 11;

/// An agent that listens.
pub(crate) struct SshAgent {
    folder: TempDir,
    asked: Arc<Mutex<Vec<u8>>>,
}

impl SshAgent {
    /// One that answers each message with `text`.
    pub(crate) fn new(text: &str) -> Self {
        let agent = Self { folder: tempfile::tempdir().unwrap(), asked: Arc::default() };
        let listener = UnixListener::bind(agent.socket()).unwrap();
        let mut answer = (text.len() as u32 + 1).to_be_bytes().to_vec();
        answer.push(12);
        answer.extend(text.as_bytes());
        let asked = Arc::clone(&agent.asked);
        std::thread::spawn(move || {
            for mut asking in listener.incoming().flatten() {
                let (asked, answer) = (Arc::clone(&asked), answer.clone());
                std::thread::spawn(move || {
                    let mut length = [0; 4];
                    while asking.read_exact(&mut length).is_ok() {
                        let mut message = vec![0; u32::from_be_bytes(length) as usize];
                        asking.read_exact(&mut message).unwrap();
                        asked.lock().unwrap().push(message[0]);
                        asking.write_all(&answer).unwrap();
                    }
                });
            }
        });
        agent
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("agent")
    }

    /// The types of messages that came since this was asked last.
    pub(crate) fn asked(&self) -> Vec<u8> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// Puts the machine's perl into `folder`, with what it needs, and the script `ask.pl`.
pub(crate) fn lay_out_asking(folder: &Path) {
    let needed = Command::new("ldd").arg("/usr/bin/perl").output().expect("`ldd` is installed");
    let needed = String::from_utf8(needed.stdout).unwrap();
    let files = needed.split_whitespace().filter(|word| word.starts_with('/')).chain(["/usr/bin/perl"]);
    for file in files {
        let place = folder.join(file.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).expect("perl is installed");
    }
    fs::write(folder.join("ask.pl"), ASK).unwrap();
}
