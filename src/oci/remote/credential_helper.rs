//! A program that keeps credentials: `docker-credential-…`.
//!
//! It is given the server's name on its input and answers with JSON. It gets a time limit, for it may ask a
//! person and wait, and its answer has a size limit. What it says on its error output is not shown.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::credential::Credential;

const LONGEST_ANSWER: u64 = 256 * 1024;
const POLL: Duration = Duration::from_millis(10);
/// What a helper says, and fails, where it knows no credential of the server.
const NOT_FOUND: &str = "credentials not found in native keychain";
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks the helper `name` (`pass` for `docker-credential-pass`) for the credential of a server.
///
/// # Errors
/// The reason, without a secret: it is not there, fails, takes too long, or answers wrongly.
pub(super) fn ask(name: &str, server: &str, limit: Duration) -> Result<Option<Credential>, String> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || !name.chars().all(is_name) {
        return Err("the name of the credential helper is not right".to_owned());
    }
    let program = format!("docker-credential-{name}");
    let (is_success, answer) = run(&program, server, limit)?;
    if !is_success {
        let said = String::from_utf8_lossy(&answer);
        return if said.trim() == NOT_FOUND { Ok(None) } else { Err(format!("{program} failed")) };
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(&answer) else {
        return Err(format!("{program} answered with something else than a credential"));
    };
    Ok(match answer {
        Answer { secret, .. } if secret.is_empty() => None,
        Answer { username, secret } if username == TOKEN_USER => Some(Credential::IdentityToken(secret)),
        Answer { username, secret } => Some(Credential::Password { user: username, password: secret }),
    })
}

/// Whether it succeeded, and what it wrote.
fn run(program: &str, server: &str, limit: Duration) -> Result<(bool, Vec<u8>), String> {
    let failed = |error: io::Error| format!("{program} cannot be run: {error}");
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read its input says so by its answer.
        let _ = input.write_all(server.as_bytes());
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        // A thread of its own: something that the helper started may keep the output open for ever.
        thread::spawn(move || {
            let mut answer = Vec::new();
            let read = output.take(LONGEST_ANSWER).read_to_end(&mut answer);
            let _ = sender.send(read.map(|_| answer));
        });
    }
    let end = Instant::now() + limit;
    let too_long = || format!("{program} did not answer within {} s", limit.as_secs());
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None if Instant::now() >= end => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(too_long());
            }
            None => thread::sleep(POLL),
        }
    };
    let rest = end.saturating_duration_since(Instant::now()).max(POLL);
    let answer = receiver.recv_timeout(rest).map_err(|_| too_long())?.map_err(failed)?;
    Ok((status.success(), answer))
}
