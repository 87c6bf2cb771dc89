//! A layer in the making: its tar goes into the store, and beside it the same tar compressed, where an image will
//! name that.
//!
//! Compressing takes longer than all else that is done to a layer. While the tar is written, threads compress what
//! is there of it already, and in the end the disk is waited for once. The bytes are those that
//! [`CompressedLayers::in_form`] would make of the tar, which is where they are looked for later.

use std::io::{self, Read, Write};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::blob_digest::DiffId;
use super::compressed_layers::CompressedLayers;
use super::layers::compression::Compression;
use super::store::{Blob, BlobWriter, Store, StoreError};

/// Bytes that change threads at once. A smaller layer is compressed without a thread.
const PIECE: usize = 256 << 10;

/// Pieces that wait to be compressed.
const WAITING: usize = 8;

/// A layer in the making. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct NewLayer {
    tar: BlobWriter,
    beside: Option<Beside>,
}

impl NewLayer {
    /// A layer whose tar goes into `store`; also in the form `wanted`, if that is another, which `notes` remember.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin(store: &Store, notes: &CompressedLayers, wanted: Compression) -> Result<Self, StoreError> {
        let beside = match wanted {
            Compression::None => None,
            form => Some(Beside {
                store: store.clone(),
                notes: notes.clone(),
                form,
                piece: Vec::new(),
                at_work: None,
            }),
        };
        Ok(Self { tar: store.writer()?, beside })
    }

    /// Puts what was written into the store; the blob of the tar.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn finish(self) -> Result<Blob, StoreError> {
        let Self { tar, beside } = self;
        let Some(beside) = beside else { return tar.finish() };
        let (notes, form) = (beside.notes.clone(), beside.form);
        let (tar, packed) = thread::scope(|scope| {
            let packing = scope.spawn(|| beside.finish());
            let tar = tar.finish();
            (tar, packing.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let (tar, packed) = (tar?, packed?);
        notes.remember(&DiffId(tar.digest), form, &packed.digest)?;
        Ok(tar)
    }
}

impl Write for NewLayer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.tar.write(bytes)?;
        if let Some(beside) = &mut self.beside {
            beside.take(&bytes[..written])?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tar.flush()
    }
}

/// The compressed form.
#[derive(Debug)]
struct Beside {
    store: Store,
    notes: CompressedLayers,
    form: Compression,
    /// What was not handed over yet.
    piece: Vec<u8>,
    at_work: Option<AtWork>,
}

/// Threads that compress. When the sender is dropped before [`Piece::End`], they make nothing.
#[derive(Debug)]
struct AtWork {
    sender: SyncSender<Piece>,
    thread: JoinHandle<Result<Blob, StoreError>>,
}

enum Piece {
    Bytes(Vec<u8>),
    End,
}

impl Beside {
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.piece.capacity() == 0 {
                self.piece.reserve_exact(PIECE);
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
            if self.piece.len() == PIECE {
                self.hand_over()?;
            }
        }
        Ok(())
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.piece);
        if self.at_work.is_none() {
            self.at_work = Some(self.begin()?);
        }
        if let Some(at_work) = &self.at_work {
            // Nobody takes it any more when the disk did not take the compressed form: `finish` tells why.
            let _ = at_work.sender.send(Piece::Bytes(piece));
        }
        Ok(())
    }

    fn begin(&self) -> io::Result<AtWork> {
        let (sender, receiver) = sync_channel(WAITING);
        let (store, form) = (self.store.clone(), self.form);
        let mut pieces = Pieces { receiver, piece: Vec::new(), at: 0, is_ended: false };
        let pack = move || compress(&store, form, &mut pieces);
        Ok(AtWork { sender, thread: thread::Builder::new().spawn(pack)? })
    }

    fn finish(self) -> Result<Blob, StoreError> {
        let Some(AtWork { sender, thread }) = self.at_work else {
            return compress(&self.store, self.form, &mut &*self.piece);
        };
        for piece in [Piece::Bytes(self.piece), Piece::End] {
            let _ = sender.send(piece);
        }
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

fn compress(store: &Store, form: Compression, content: &mut dyn Read) -> Result<Blob, StoreError> {
    let mut writer = store.writer()?;
    form.compress(content, &mut writer)
        .map_err(|cause| StoreError::disk("write into", store.folder(), cause))?;
    writer.finish()
}

/// The pieces as one content, which fails where they end without [`Piece::End`].
struct Pieces {
    receiver: Receiver<Piece>,
    piece: Vec<u8>,
    at: usize,
    is_ended: bool,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.is_ended {
            match self.receiver.recv() {
                Ok(Piece::Bytes(piece)) => (self.piece, self.at) = (piece, 0),
                Ok(Piece::End) => self.is_ended = true,
                Err(_dropped) => return Err(io::Error::other("the layer was not written to its end")),
            }
        }
        let count = (&self.piece[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::image::LayerBlob;

    fn house(folder: &tempfile::TempDir, name: &str) -> (Store, CompressedLayers) {
        let place = folder.path().join(name);
        (Store::open(&place.join("oci")).unwrap(), CompressedLayers::new(&place.join("compressed")))
    }

    /// Both forms are what they would be, one made after the other.
    fn check(content: &[u8], form: Compression) {
        let folder = tempfile::tempdir().unwrap();
        let (store, notes) = house(&folder, "one");
        let mut layer = NewLayer::begin(&store, &notes, form).unwrap();
        content.chunks(100_000).for_each(|part| layer.write_all(part).unwrap());
        let tar = layer.finish().unwrap();
        let diff_id = DiffId(tar.digest);
        assert_eq!(store.read(&tar.digest, 1 << 30).unwrap().as_deref(), Some(content));
        let (other, other_notes) = house(&folder, "other");
        let blob = other.put(content).unwrap();
        let plain =
            LayerBlob { digest: blob.digest, size: blob.size, diff_id, compression: Compression::None };
        let expected = other_notes.in_form(&other, &plain, form).unwrap();
        assert_eq!(notes.in_form(&store, &plain, form).unwrap(), expected);
        assert_eq!(store.blobs().unwrap(), other.blobs().unwrap());
        assert_eq!(notes.find(&store, &diff_id, form).is_some(), form != Compression::None);
    }

    #[test]
    fn a_layer_is_there_in_both_forms_whatever_its_length() {
        let content: Vec<u8> = (0..9 * PIECE as u64 + 7).map(|at| (at.wrapping_mul(at) >> 9) as u8).collect();
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 4 * PIECE, content.len()] {
            for form in [Compression::None, Compression::Gzip, Compression::Zstd] {
                check(&content[..length], form);
            }
        }
    }

    #[test]
    fn a_layer_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, notes) = house(&folder, "one");
        for length in [1, 5 * PIECE] {
            let mut layer = NewLayer::begin(&store, &notes, Compression::Gzip).unwrap();
            layer.write_all(&vec![7; length]).unwrap();
            // What compresses is waited for: it must not make a blob of a part.
            let at_work = layer.beside.as_mut().and_then(|beside| beside.at_work.take());
            drop(layer);
            if let Some(AtWork { sender, thread }) = at_work {
                drop(sender);
                assert!(thread.join().unwrap().is_err());
            }
            assert!(store.blobs().unwrap().is_empty());
        }
    }
}
