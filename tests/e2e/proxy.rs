//! A socket that passes every byte on to an engine's socket, and remembers what was asked.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy. It listens for as long as the process lives.
pub(crate) struct Proxy {
    socket: PathBuf,
    asked: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    /// Listens at `socket`, in front of the engine at `unix:///…`.
    pub(crate) fn new(socket: PathBuf, engine: &str) -> Self {
        let engine =
            PathBuf::from(engine.strip_prefix("unix://").expect("the engines of the tests are sockets"));
        let listener = UnixListener::bind(&socket).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming() {
                serve(client.unwrap(), &engine, &kept);
            }
        });
        Self { socket, asked }
    }

    /// Where it listens, as `DOCKER_HOST` says it.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// The request lines since the last time that this was asked, such as `GET /v1.44/_ping`.
    pub(crate) fn requests(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.asked.lock().unwrap());
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1"));
        lines.map(str::to_owned).collect()
    }
}

fn serve(client: UnixStream, engine: &Path, asked: &Arc<Mutex<Vec<u8>>>) {
    let engine = UnixStream::connect(engine).unwrap();
    let (from_client, from_engine) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
    let asked = Arc::clone(asked);
    thread::spawn(move || pass(from_client, engine, |bytes| asked.lock().unwrap().extend_from_slice(bytes)));
    thread::spawn(move || pass(from_engine, client, |_bytes| {}));
}

/// Passes bytes on until either side has ended, and then ends the other.
fn pass(mut from: UnixStream, mut to: UnixStream, seen: impl Fn(&[u8])) {
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        seen(&bytes[..count]);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // A side that has ended already needs no end.
    let _ended = to.shutdown(Shutdown::Write);
}
