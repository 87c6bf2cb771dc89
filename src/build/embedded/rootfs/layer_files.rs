//! The files of a layer, written into an empty folder.
//!
//! Making files is most of the work, and system calls are most of that: several threads do it, which are handed a few
//! files of one folder at a time. Folders are made by one, in order, and get their owners and modes when nothing
//! is left to be written into them; further names of a file come when all files are there.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::error::RootfsError;
use super::handle::Handle;
use super::ownership::Ownership;
use super::surroundings::Surroundings;
use super::unpacked_times::UnpackedTimes;
use crate::oci::layer_entry::EntryKind;
use crate::oci::layers::index::ROOT;
use crate::oci::layers::layer::Layer;

/// Bytes that are copied at once.
const COPIED_AT_ONCE: usize = 256 << 10;

/// More threads wait for each other in the file system.
const MOST_THREADS: usize = 4;

/// Files that a thread is handed at once.
const HANDED_OVER: usize = 16;

/// How often files may wait for a thread. Their folders are open all the while.
const WAITING: usize = 32;

/// What is to be written, and how.
pub(super) struct LayerFiles<'w> {
    /// The layer.
    pub(super) layer: &'w Arc<Layer>,
    /// What the layers below have to do with it.
    pub(super) surroundings: &'w Surroundings<'w>,
    /// The folder.
    pub(super) root: &'w Handle,
    /// Who owns files.
    pub(super) ownership: Ownership,
    /// When they were changed.
    pub(super) times: UnpackedTimes,
}

/// Entries of one folder that are no folders.
struct Batch {
    folder: Arc<Handle>,
    records: Range<u32>,
}

impl LayerFiles<'_> {
    /// Writes all of it.
    pub(super) fn write(&self) -> Result<(), RootfsError> {
        let index = self.layer.index();
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
        let helpers = (threads - 1).min(index.len() / HANDED_OVER);
        let first_names = self.first_names();
        let (sender, receiver) = sync_channel(if helpers == 0 { 0 } else { WAITING });
        let receiver = Mutex::new(receiver);
        let help = || self.help(&receiver, &first_names);
        thread::scope(|scope| {
            let helping: Vec<_> = (0..helpers).map(|_| scope.spawn(help)).collect();
            let made = self.make_folders(sender, &first_names);
            let helped = helping.into_iter().map(|it| it.join().unwrap_or_else(|panic| resume_unwind(panic)));
            helped.fold(made, Result::and)
        })?;
        self.link_further_names(&first_names)?;
        self.dress_folders()
    }

    /// Of each file with several names, the record whose name is written first.
    fn first_names(&self) -> HashMap<u32, u32> {
        let index = self.layer.index();
        let mut first_names = HashMap::new();
        for record in 0..index.len() as u32 {
            if let Some(group) = index.link_group(record) {
                first_names.entry(group).or_insert(record);
            }
        }
        first_names
    }

    /// Makes the folders, and hands over what is in them; does it where nobody is free to take it.
    fn make_folders(
        &self,
        sender: SyncSender<Batch>,
        first_names: &HashMap<u32, u32>,
    ) -> Result<(), RootfsError> {
        let mut buffer = vec![0; COPIED_AT_ONCE];
        let index = self.layer.index();
        let root = self.root.folder(b"").map_err(|cause| self.error("open", ROOT, cause))?;
        // Folders that are open, with what is left to be made in each.
        let mut open = vec![(Arc::new(root), index.children(ROOT))];
        while let Some((folder, left)) = open.last_mut() {
            let Some(record) = left.next() else {
                open.pop();
                continue;
            };
            if index.is_folder(record) {
                let made = folder.make_folder(index.name(record));
                let made = made.map_err(|cause| self.error("make", record, cause))?;
                open.push((Arc::new(made), index.children(record)));
                continue;
            }
            let mut end = record + 1;
            while end < left.end && (end - record) < HANDED_OVER as u32 && !index.is_folder(end) {
                end += 1;
            }
            left.start = end;
            let batch = Batch { folder: Arc::clone(folder), records: record..end };
            if let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) = sender.try_send(batch)
            {
                self.write_batch(&batch, first_names, &mut buffer)?;
            }
        }
        Ok(())
    }

    /// Writes what is handed over, until no more comes.
    fn help(
        &self,
        receiver: &Mutex<Receiver<Batch>>,
        first_names: &HashMap<u32, u32>,
    ) -> Result<(), RootfsError> {
        let mut buffer = vec![0; COPIED_AT_ONCE];
        loop {
            let batch = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(batch) = batch else { return Ok(()) };
            self.write_batch(&batch, first_names, &mut buffer)?;
        }
    }

    fn write_batch(
        &self,
        batch: &Batch,
        first_names: &HashMap<u32, u32>,
        buffer: &mut [u8],
    ) -> Result<(), RootfsError> {
        let index = self.layer.index();
        for record in batch.records.clone() {
            let first = index.link_group(record).and_then(|group| first_names.get(&group));
            if first.is_none_or(|first| *first == record) {
                self.write_one(&batch.folder, record, buffer)?;
            }
        }
        Ok(())
    }

    fn write_one(&self, folder: &Handle, record: u32, buffer: &mut [u8]) -> Result<(), RootfsError> {
        let index = self.layer.index();
        let name = index.name(record);
        match index.kind(record) {
            EntryKind::File { .. } => self.copy(folder, record, buffer),
            EntryKind::Link { target } => folder.make_link(name, &target).map_err(io::Error::from),
            EntryKind::Whiteout if self.surroundings.idle_marks.contains(&record) => return Ok(()),
            EntryKind::Whiteout => {
                let made = folder.make_node(name, FileType::CharacterDevice, 0, 0);
                return made.map_err(|cause| self.error("make", record, cause));
            }
            EntryKind::Pipe => folder.make_node(name, FileType::Fifo, 0, 0).map_err(io::Error::from),
            EntryKind::Device { .. } if self.ownership != Ownership::Root => {
                // Nobody but root can make one; Docker leaves them out in the same case.
                return Ok(());
            }
            EntryKind::Device { is_character, major, minor } => {
                let kind = if is_character { FileType::CharacterDevice } else { FileType::BlockDevice };
                folder.make_node(name, kind, major, minor).map_err(io::Error::from)
            }
            // Folders do not come here, and other marks are no records.
            EntryKind::Folder | EntryKind::HardLink { .. } | EntryKind::Opaque => Ok(()),
        }
        .map_err(|cause| self.error("write", record, cause))?;
        self.dress_one(folder, record)
    }

    fn copy(&self, folder: &Handle, record: u32, buffer: &mut [u8]) -> io::Result<()> {
        let mut file = folder.create(self.layer.index().name(record))?;
        let mut bytes = self.layer.open(record)?;
        loop {
            let read = bytes.read(buffer)?;
            if read == 0 {
                return Ok(());
            }
            file.write_all(&buffer[..read])?;
        }
    }

    fn link_further_names(&self, first_names: &HashMap<u32, u32>) -> Result<(), RootfsError> {
        let index = self.layer.index();
        if first_names.is_empty() {
            return Ok(());
        }
        for record in 0..index.len() as u32 {
            let first = index.link_group(record).and_then(|group| first_names.get(&group));
            if let Some(first) = first.filter(|first| **first != record) {
                self.link(&index.path(record), &index.path(*first))
                    .map_err(|cause| self.error("link", record, cause))?;
            }
        }
        Ok(())
    }

    fn link(&self, path: &[u8], first: &[u8]) -> Result<(), Errno> {
        let (folder, name) = split(path);
        let (parent, other) = split(first);
        self.root.folder(folder)?.make_hard_link(name, &self.root.folder(parent)?, other)
    }

    /// Owner, attributes, time and mode of what was written.
    fn dress_one(&self, folder: &Handle, record: u32) -> Result<(), RootfsError> {
        let index = self.layer.index();
        let name = index.name(record);
        let (mode, uid, gid) = index.owner(record);
        let (seconds, nanoseconds) = self.times.of(index.changed_at(record));
        folder
            .give(name, (uid, gid), index.attributes(record), self.ownership)
            .and_then(|()| folder.set_time(name, seconds, nanoseconds))
            .and_then(|()| match index.link_target(record) {
                Some(_target) => Ok(()),
                None => folder.set_mode(name, mode),
            })
            .map_err(|cause| self.error("change", record, cause))
    }

    /// What folders are like, the deepest first: before, they have to let in whoever writes into them.
    fn dress_folders(&self) -> Result<(), RootfsError> {
        let index = self.layer.index();
        // A folder's record stands behind that of the folder that it is in.
        for record in (0..index.len() as u32).rev().filter(|record| index.is_folder(*record)) {
            let known = self.surroundings.implied.get(&record).copied();
            let own = (index.owner(record), index.attributes(record));
            let ((mode, uid, gid), attributes) = known.unwrap_or(own);
            let (seconds, nanoseconds) = self.times.of(index.changed_at(record));
            let dress = || {
                let folder = self.root.folder(&index.path(record))?;
                if index.is_opaque(record) {
                    folder.set_attribute(b".", self.ownership.opaque_attribute().as_bytes(), b"y")?;
                }
                folder.give(b".", (uid, gid), attributes, self.ownership)?;
                folder.set_time(b".", seconds, nanoseconds)?;
                folder.set_mode(b".", mode)
            };
            dress().map_err(|cause| self.error("change", record, cause))?;
        }
        Ok(())
    }

    fn error(&self, action: &'static str, record: u32, cause: impl Into<io::Error>) -> RootfsError {
        RootfsError::system(action, &self.layer.index().path(record), cause)
    }
}

/// The folder that `path` is in, and its last name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let at = path.iter().rposition(|byte| *byte == b'/');
    at.map_or((&b""[..], path), |at| (&path[..at], &path[at + 1..]))
}
