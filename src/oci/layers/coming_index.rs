//! The index of a tar that still comes: what is written here is read on another thread at the same time.
//!
//! It is only a faster way. A tar of which no index can be made like this is read again from its file, which says
//! what is wrong with it.

use std::io::{self, Read, Write};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::index::LayerIndex;
use super::index_builder::index_of;
use crate::oci::blob_digest::DiffId;

/// Pieces that wait to be read.
const WAITING: usize = 8;

/// An index in the making.
pub struct ComingIndex {
    sender: SyncSender<Vec<u8>>,
    thread: JoinHandle<Option<LayerIndex>>,
}

impl ComingIndex {
    /// The index of the tar of `layer`, of which nothing came yet.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn begin(layer: DiffId) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let pieces = Pieces { receiver, piece: Vec::new(), at: 0 };
        let thread = thread::Builder::new().spawn(move || index_of(pieces, layer, None).ok())?;
        Ok(Self { sender, thread })
    }

    /// The index, when all of the tar was written and is as it should be.
    pub fn finish(self) -> Option<LayerIndex> {
        let Self { sender, thread } = self;
        drop(sender);
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Write for ComingIndex {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Nobody reads any more what comes behind the end of the tar, or behind a mistake in it.
        let _ = self.sender.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What came.
struct Pieces {
    receiver: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.receiver.recv() {
                Ok(piece) => (self.piece, self.at) = (piece, 0),
                Err(_ended) => return Ok(0),
            }
        }
        let count = (&self.piece[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}
