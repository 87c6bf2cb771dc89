//! A connection of a build to an SSH agent of the user.
//!
//! A build may ask for the public keys and have something signed. All else that an agent can do (take keys, forget them,
//! lock itself) is refused, as BuildKit's own client refuses it (`session/sshforward/sshprovider`): whoever gives a
//! build the use of his keys gives it nothing more. The messages are those of `draft-ietf-sshm-ssh-agent`: the length
//! in four bytes, the type in one, and what the type says. One is answered before the next is read.
//!
//! It does not read what is signed, and keeps nothing.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The types of messages that a build may send: what keys there are, and a signature.
const ALLOWED: [u8; 2] = [11, 13];
/// What an agent answers that does not do what it is asked for.
const FAILURE: [u8; 1] = [5];
/// The longest message, in bytes: OpenSSH's own limit (`AGENT_MAX_LEN`).
const LONGEST: u32 = 256 * 1024;

/// Answers what `asking` asks, with the help of the agent that listens at `agent`, until one of them hangs up.
///
/// # Errors
/// When the agent cannot be reached, or one of them breaks off or does not speak the protocol.
pub(in crate::build) fn serve(mut asking: UnixStream, agent: &Path) -> io::Result<()> {
    let mut answering = UnixStream::connect(agent)?;
    while let Some(message) = read(&mut asking)? {
        if !ALLOWED.iter().any(|allowed| message.first() == Some(allowed)) {
            write(&mut asking, &FAILURE)?;
            continue;
        }
        write(&mut answering, &message)?;
        let answer = read(&mut answering)?.ok_or(ErrorKind::UnexpectedEof)?;
        write(&mut asking, &answer)?;
    }
    Ok(())
}

/// The next message without its length; `None` at the end.
fn read(from: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_be_bytes(length);
    if length == 0 || length > LONGEST {
        return Err(io::Error::new(ErrorKind::InvalidData, "a message of an SSH agent has a wrong length"));
    }
    let mut message = Vec::new();
    from.take(length.into()).read_to_end(&mut message)?;
    if message.len() < length as usize {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(message))
}

fn write(to: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_too_long| ErrorKind::InvalidData)?;
    let mut whole = length.to_be_bytes().to_vec();
    whole.extend(message);
    to.write_all(&whole)
}

#[cfg(test)]
mod tests {
    use std::net::Shutdown;
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    fn message(content: &[u8]) -> Vec<u8> {
        let mut whole = (content.len() as u32).to_be_bytes().to_vec();
        whole.extend(content);
        whole
    }

    /// Sends `asked` to an agent that answers each message with its own bytes in reverse, and gives what comes back.
    fn check(asked: &[u8], expected: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("agent");
        let listener = UnixListener::bind(&place).unwrap();
        thread::spawn(move || {
            let (mut asking, _) = listener.accept().unwrap();
            while let Ok(Some(mut message)) = read(&mut asking) {
                message.reverse();
                write(&mut asking, &message).unwrap();
            }
        });
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let serving = thread::spawn(move || serve(theirs, &place));
        ours.write_all(asked).unwrap();
        ours.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // Who hangs up before he has read all resets the connection.
        let _read = ours.read_to_end(&mut answer);
        assert_eq!(answer, expected, "{asked:?}");
        // Whether it is an error is for nobody but a reader of this test.
        let _ended = serving.join().unwrap();
    }

    #[test]
    fn keys_are_listed_and_used_and_nothing_else_is_done() {
        let failure = message(&FAILURE);
        check(&message(&[11]), &message(&[11]));
        check(&message(&[13, 1, 2]), &message(&[2, 1, 13]));
        check(
            &[message(&[11, 7]), message(&[13, 8])].concat(),
            &[message(&[7, 11]), message(&[8, 13])].concat(),
        );
        // To add a key, to remove one or all, to lock, and an extension.
        for kind in [1, 17, 18, 19, 20, 22, 23, 25, 26, 27, 255] {
            check(&message(&[kind, 9]), &failure);
        }
        check(&[message(&[19]), message(&[11, 7])].concat(), &[failure, message(&[7, 11])].concat());
    }

    #[test]
    fn what_is_no_message_ends_the_connection() {
        check(b"", b"");
        check(&[0, 0], b"");
        check(&message(b""), b"");
        check(&[0, 0, 0, 9, 11, 1], b"");
        check(b"GET / HTTP/1.1\r\n\r\n", b"");
    }
}
