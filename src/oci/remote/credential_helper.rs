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
    ask_program(Command::new(&program), &program, server, limit)
}

fn ask_program(
    command: Command,
    program: &str,
    server: &str,
    limit: Duration,
) -> Result<Option<Credential>, String> {
    let (is_success, answer) = run(command, program, server, limit)?;
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
fn run(
    mut command: Command,
    program: &str,
    server: &str,
    limit: Duration,
) -> Result<(bool, Vec<u8>), String> {
    let failed = |error: io::Error| format!("{program} cannot be run: {error}");
    let mut child = command
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a helper that is this script.
    fn check(script: &str, expected: &str) {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]);
        let begin = Instant::now();
        let found = match ask_program(command, "docker-credential-x", "a.example", Duration::from_secs(1)) {
            Ok(None) => "nothing".to_owned(),
            Ok(Some(Credential::Password { user, password })) => format!("{user}:{password}"),
            Ok(Some(Credential::IdentityToken(token))) => format!("token {token}"),
            Err(reason) => reason,
        };
        assert_eq!(found, expected, "{script}");
        assert!(begin.elapsed() < Duration::from_secs(10), "{script}");
    }

    #[test]
    fn helpers_answer_or_are_told_of() {
        let echo = r#"read -r host; printf '{"ServerURL":"x","Username":"%s %s","Secret":"s"}' "$1" "$host""#;
        check(echo, "get a.example:s");
        check(r#"echo '{"Username":"<token>","Secret":"s"}'"#, "token s");
        check(r#"echo '{"Username":"","Secret":""}'"#, "nothing");
        check("echo credentials not found in native keychain; exit 1", "nothing");
        check("echo hunter2; echo hunter2 >&2; exit 1", "docker-credential-x failed");
        check("echo hunter2", "docker-credential-x answered with something else than a credential");
        check("exec sleep 60", "docker-credential-x did not answer within 1 s");
        check("sleep 60 & exit 0", "docker-credential-x did not answer within 1 s");
        check("yes", "docker-credential-x failed");
    }

    #[test]
    fn a_helper_that_is_not_there_is_told_of() {
        let missing = ask("imgraph-test-none", "a.example", HELPER_TEST_LIMIT).unwrap_err();
        assert!(missing.starts_with("docker-credential-imgraph-test-none cannot be run"), "{missing}");
        assert!(ask("../x", "a.example", HELPER_TEST_LIMIT).unwrap_err().contains("is not right"));
    }

    const HELPER_TEST_LIMIT: Duration = Duration::from_secs(5);
}
