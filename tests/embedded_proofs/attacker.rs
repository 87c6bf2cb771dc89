//! A server that answers in a registry's place, as it likes: also with bytes that never end, with half an answer,
//! or with no HTTP at all.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// With the query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

type Writer = dyn Fn(&mut dyn Write) -> io::Result<()> + Send + Sync;

/// What goes over the wire, from the first byte to the last.
#[derive(Clone)]
pub(crate) struct Reply(Arc<Writer>);

impl Reply {
    /// Whatever is written.
    pub(crate) fn raw(write: impl Fn(&mut dyn Write) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// An answer as it should be.
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len().to_string();
        Self::begun(status, &[headers, &[("Content-Length", &length)]].concat(), move |writer| {
            writer.write_all(&body)
        })
    }

    /// An answer whose body is what is written, and ends with the connection where no header says otherwise.
    pub(crate) fn begun(
        status: u16,
        headers: &[(&str, &str)],
        write: impl Fn(&mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
        headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        Self::raw(move |writer| {
            writer.write_all(format!("{head}\r\n").as_bytes())?;
            write(writer)
        })
    }

    /// Sends on to another place.
    pub(crate) fn sent_on(status: u16, place: &str) -> Self {
        Self::new(status, &[("Location", place)], "")
    }
}

/// A server on a port of this machine. Its threads end with the process.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) port: u16,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), log: Arc::default() };
        let (answer, log) = (Arc::new(answer), Arc::clone(&server.log));
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                // Whoever asked may be gone before the answer is written.
                thread::spawn(move || connection.and_then(|connection| serve(connection, &*answer, &log)));
            }
        });
        server
    }

    /// What was asked since the last time.
    pub(crate) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

/// One request; whoever asks again connects again.
fn serve(
    connection: TcpStream,
    answer: &dyn Fn(&Request) -> Reply,
    log: &Mutex<Vec<Request>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let Some(path) = lines.first().and_then(|line| line.split(' ').nth(1)) else { return Ok(()) };
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let request = Request { path: path.to_owned(), headers, body };
    log.lock().unwrap().push(request.clone());
    let mut connection = reader.into_inner();
    (answer(&request).0)(&mut connection)
}
