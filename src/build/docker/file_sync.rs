//! Sends folders to BuildKit by its file transfer protocol (`tonistiigi/fsutil`, `send.go`).
//!
//! The gRPC service must own what it holds, and a request borrows, so the two are apart: the service
//! only hands each call over a channel, and [`serve`], which runs inside the call of `build`, answers
//! it from the borrowed entries. Files are read on threads for blocking work.
//!
//! **Invariant:** a receiver is shown exactly the entries of the view. The patterns that it sends along
//! (BuildKit's own reading of the Dockerfile and the ignore file) are not applied: the view is the
//! truth that was keyed.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::MetadataExt;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use prost::bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::wire::{Packet, PacketKind, Stat};
use crate::build::builder::{BuildError, FileTimes, SentFolder};
use crate::build::keyed_file::KeyedFile;
use crate::types::file_entry::{FileEntry, FileKind};

/// How many packets wait for the network: with [`KeyedFile`]'s pieces, about 2 MB a transfer.
const PACKETS_IN_FLIGHT: usize = 16;
/// How many files of one transfer are read at once.
const FILES_AT_ONCE: usize = 4;
const IGNORE_FILE: &str = ".dockerignore";

/// What BuildKit can ask for under one name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Served<'r> {
    /// A view. With the times that its files have where something compares them with those of a cache.
    Folder(SentFolder<'r>, FileTimes),
    /// A folder that holds one file, which lies in memory.
    File {
        /// The file's name.
        name: &'r str,
        /// What it holds.
        bytes: &'r [u8],
    },
    /// A folder that holds nothing.
    Empty,
}

/// The way to the receiver. When the receiver is gone packets go nowhere, which is no error here:
/// BuildKit says in its own answer what is wrong.
#[derive(Clone)]
struct Outgoing(mpsc::Sender<Result<Packet, Status>>);

impl Outgoing {
    /// Whether the receiver is still there.
    async fn send(&self, packet: Packet) -> bool {
        self.0.send(Ok(packet)).await.is_ok()
    }

    /// As [`Self::send`], for a thread that may block.
    fn send_from_thread(&self, packet: Packet) -> bool {
        self.0.blocking_send(Ok(packet)).is_ok()
    }

    async fn refuse(&self, status: Status) -> bool {
        self.0.send(Err(status)).await.is_ok()
    }
}

/// One call of `DiffCopy`.
pub(super) struct Transfer {
    folder: String,
    only_ignore_file: bool,
    incoming: Streaming<Packet>,
    outgoing: Outgoing,
}

/// The part of the service that gRPC owns.
#[derive(Clone)]
pub(super) struct TransferDesk(pub(super) mpsc::Sender<Transfer>);

impl TransferDesk {
    /// Takes a call of `DiffCopy` and hands it over.
    pub(super) async fn diff_copy(
        self,
        request: Request<Streaming<Packet>>,
    ) -> Result<Response<ReceiverStream<Result<Packet, Status>>>, Status> {
        let values = |key: &str| -> Vec<String> {
            let values = request.metadata().get_all(key).iter();
            values.filter_map(|value| value.to_str().ok().map(str::to_owned)).collect()
        };
        let folder = values("dir-name").into_iter().next().unwrap_or_default();
        let only_ignore_file = values("followpaths") == [IGNORE_FILE];
        let (outgoing, packets) = mpsc::channel(PACKETS_IN_FLIGHT);
        let transfer = Transfer {
            folder,
            only_ignore_file,
            incoming: request.into_inner(),
            outgoing: Outgoing(outgoing),
        };
        self.0.send(transfer).await.map_err(|_gone| Status::cancelled("the build is over"))?;
        Ok(Response::new(ReceiverStream::new(packets)))
    }
}

/// Answers transfers until one shows that the build is not to go on, and says why.
pub(super) async fn serve(
    folders: &BTreeMap<String, Served<'_>>,
    mut transfers: mpsc::Receiver<Transfer>,
) -> BuildError {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(transfer) = transfers.recv() => running.push(answer(folders, transfer)),
            Some(result) = running.next() => if let Err(error) = result {
                return error;
            },
            else => std::future::pending().await,
        }
    }
}

async fn answer(folders: &BTreeMap<String, Served<'_>>, mut transfer: Transfer) -> Result<(), BuildError> {
    let Some(served) = folders.get(&transfer.folder) else {
        transfer
            .outgoing
            .refuse(Status::not_found(format!("there is no folder {:?}", transfer.folder)))
            .await;
        return Ok(());
    };
    let served = if transfer.only_ignore_file { &served.ignore_file() } else { served };
    let (entries, requests) = (
        send_entries(served, &transfer.outgoing),
        answer_requests(served, &mut transfer.incoming, &transfer.outgoing),
    );
    // After an error neither an end of a file nor of the transfer is sent, so that nothing is kept.
    tokio::join!(entries, requests).1
}

async fn send_entries(served: &Served<'_>, outgoing: &Outgoing) {
    for stat in served.stats() {
        if !outgoing.send(Packet::entry(stat)).await {
            return;
        }
    }
    outgoing.send(Packet::end_of_entries()).await;
}

async fn answer_requests(
    served: &Served<'_>,
    incoming: &mut Streaming<Packet>,
    outgoing: &Outgoing,
) -> Result<(), BuildError> {
    let mut waiting = VecDeque::new();
    let mut reading = FuturesUnordered::new();
    loop {
        while let Some(id) = (reading.len() < FILES_AT_ONCE).then(|| waiting.pop_front()).flatten() {
            reading.push(send_content(served, id, outgoing));
        }
        tokio::select! {
            Some(result) = reading.next() => result?,
            packet = incoming.message() => match packet {
                Ok(Some(packet)) => match packet.kind() {
                    PacketKind::Request => waiting.push_back(packet.id),
                    PacketKind::Finish => {
                        outgoing.send(Packet::finish()).await;
                        return Ok(());
                    }
                    PacketKind::Error => return Ok(()),
                    PacketKind::Stat | PacketKind::Data => {}
                },
                Ok(None) | Err(_) => return Ok(()),
            },
        }
    }
}

async fn send_content(served: &Served<'_>, id: u32, outgoing: &Outgoing) -> Result<(), BuildError> {
    match served.content(id) {
        Some(Content::Memory(bytes)) => {
            for piece in bytes.chunks(128 * 1024) {
                outgoing.send(Packet::bytes(id, Bytes::copy_from_slice(piece))).await;
            }
        }
        Some(Content::Disk(file)) => {
            let pieces = outgoing.clone();
            let read = move || file.send(|piece| pieces.send_from_thread(Packet::bytes(id, piece)));
            tokio::task::spawn_blocking(read).await.map_err(|error| BuildError::Surroundings {
                message: format!("reading a file stopped unexpectedly: {error}"),
                help: None,
            })??;
        }
        None => {
            let message = format!("entry {id} was asked for and is not a file");
            outgoing.send(Packet::error(&message)).await;
            return Ok(());
        }
    }
    outgoing.send(Packet::bytes(id, Bytes::new())).await;
    Ok(())
}

/// Where the bytes of an entry are.
enum Content<'r> {
    Memory(&'r [u8]),
    Disk(KeyedFile),
}

impl<'r> Served<'r> {
    /// The ignore file alone. BuildKit reads it before it asks for the folder, and sends its patterns
    /// back with that; both requests look alike when a Dockerfile copies nothing but this file.
    fn ignore_file(&self) -> Self {
        let Self::Folder(folder, times) = self else { return Self::Empty };
        let is_ignore_file = |entry: &FileEntry| entry.path.as_bytes() == IGNORE_FILE.as_bytes();
        match folder.entries.iter().position(is_ignore_file) {
            Some(at) => Self::Folder(SentFolder { entries: &folder.entries[at..=at], ..*folder }, *times),
            None => Self::Empty,
        }
    }

    fn entries(&self) -> &'r [FileEntry] {
        match self {
            Self::Folder(folder, _) => folder.entries,
            Self::File { .. } | Self::Empty => &[],
        }
    }

    fn stats(&self) -> impl Iterator<Item = Stat> {
        let file = match self {
            Self::File { name, bytes } => Some(Stat::of_bytes(name, bytes)),
            Self::Folder(..) | Self::Empty => None,
        };
        file.into_iter().chain(self.entries().iter().map(|entry| self.stat(entry)))
    }

    fn stat(&self, entry: &FileEntry) -> Stat {
        match self {
            Self::Folder(folder, FileTimes::OfDisk) => {
                let facts = entry.path.on_disk(folder.on_disk).symlink_metadata();
                Stat::of(entry, facts.ok().map(|facts| facts.mtime()))
            }
            _ => Stat::of(entry, None),
        }
    }

    fn content(&self, id: u32) -> Option<Content<'r>> {
        match self {
            Self::File { bytes, .. } => (id == 0).then_some(Content::Memory(bytes)),
            Self::Empty => None,
            Self::Folder(folder, _) => {
                let entry = folder.entries.get(usize::try_from(id).ok()?)?;
                let FileKind::File { size, content } = entry.kind else { return None };
                let on_disk = entry.path.on_disk(folder.on_disk);
                Some(Content::Disk(KeyedFile { on_disk, path: entry.path.clone(), size, content }))
            }
        }
    }
}
