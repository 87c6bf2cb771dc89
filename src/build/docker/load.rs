//! Giving an engine images in a tar: streamed, so that an image of any size takes no memory.

use std::io::{self, Write};

use bollard::errors::Error;
use bollard::models::BuildInfo;
use bollard::query_parameters::ImportImageOptions;
use futures_util::{Stream, StreamExt};
use hyper::body::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::connection::Connection;
use crate::build::builder::BuildError;

/// How many pieces wait for the engine.
const PIECES: usize = 4;
/// In bytes.
const PIECE: usize = 256 * 1024;
/// An engine answers when it has unpacked all of it, which may take long.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// A writer, and the stream of what is written.
pub(super) fn pipe() -> (PipeWriter, impl Stream<Item = io::Result<Bytes>> + Send + 'static) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (PipeWriter { sender, piece: Vec::new() }, ReceiverStream::new(receiver))
}

/// The writing end. What is not flushed is not sent.
pub(super) struct PipeWriter {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl PipeWriter {
    /// Ends the stream such that the engine does not take what it has for all.
    pub(super) fn fail(&self) {
        // When nobody reads any more there is nobody to tell.
        let _ = self.sender.blocking_send(Err(io::ErrorKind::Interrupted.into()));
    }

    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.piece);
        self.sender.blocking_send(Ok(piece.into())).map_err(|_closed| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() { Ok(()) } else { self.send() }
    }
}

/// Sends `content`, the bytes of a tar, and waits until the engine has it.
pub(super) async fn load(
    connection: &Connection,
    content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Result<(), BuildError> {
    let api = connection.api.clone().with_timeout(LONGEST);
    let options = ImportImageOptions { quiet: true, ..ImportImageOptions::default() };
    let mut answers = Box::pin(api.import_image_stream(options, content, None));
    while let Some(answer) = answers.next().await {
        let _progress: BuildInfo = answer.map_err(|error| refused(connection, &error))?;
    }
    Ok(())
}

fn refused(connection: &Connection, error: &Error) -> BuildError {
    let reason = match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        error => error.to_string(),
    };
    BuildError::Surroundings {
        message: format!("Docker Engine at {} does not load the images: {reason}", connection.address),
        help: None,
    }
}
