//! Reads one file of a view in pieces, and checks that it is the file that was keyed.
//!
//! The key was made from a hash; what is read is hashed again on the way. The end of a file is told only
//! when all of it was as it was keyed, so that nobody takes a file for whole that differs from its key.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::PathBuf;

use prost::bytes::Bytes;
use rustix::fs::OFlags;

use crate::build::builder::BuildError;
use crate::types::digest::ContentHash;
use crate::types::workspace_path::WorkspacePath;

/// How much is read at once, in bytes. Far below the 4 MB that gRPC allows a message.
const PIECE: usize = 128 * 1024;

/// A file as the key has it, and where it lies.
#[derive(Clone, Debug)]
pub struct KeyedFile {
    /// Where it lies on this machine.
    pub(in crate::build) on_disk: PathBuf,
    /// Its path in the view, for messages.
    pub(in crate::build) path: WorkspacePath,
    /// How many bytes it had.
    pub(in crate::build) size: u64,
    /// The hash that it had.
    pub(in crate::build) content: ContentHash,
}

impl KeyedFile {
    /// Gives the bytes to `take`, piece by piece, until it answers `false`. Blocks.
    ///
    /// # Errors
    /// [`BuildError::InputChanged`] when the file is gone, of another kind or of other content;
    /// [`BuildError::Surroundings`] when it cannot be read.
    pub(in crate::build) fn send(&self, mut take: impl FnMut(Bytes) -> bool) -> Result<(), BuildError> {
        let mut reader = self.reader()?;
        let mut piece = vec![0; PIECE];
        loop {
            let length = reader.read_piece(&mut piece)?;
            if length == 0 || !take(Bytes::copy_from_slice(&piece[..length])) {
                return Ok(());
            }
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(in crate::build) fn reader(&self) -> Result<KeyedReader<'_>, BuildError> {
        let file = if self.is_socket() { None } else { Some(self.open()?) };
        Ok(KeyedReader { keyed: self, file, hasher: blake3::Hasher::new(), read: 0 })
    }

    /// Whether a socket lies there, which a view holds as an empty file (fsutil's walk does too).
    fn is_socket(&self) -> bool {
        self.size == 0 && self.on_disk.symlink_metadata().is_ok_and(|found| found.file_type().is_socket())
    }

    /// Opens without following a link that took the file's place, and without waiting for the other
    /// end of a pipe that did.
    fn open(&self) -> Result<File, BuildError> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).expect("flags of open(2) are an int");
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&self.on_disk);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => self.changed(),
            _ if is_link(&error) => self.changed(),
            _ => self.cannot_read(&error),
        })?;
        let metadata = file.metadata().map_err(|error| self.cannot_read(&error))?;
        if metadata.is_file() { Ok(file) } else { Err(self.changed()) }
    }

    fn changed(&self) -> BuildError {
        BuildError::InputChanged { path: self.path.clone() }
    }

    fn cannot_read(&self, error: &io::Error) -> BuildError {
        BuildError::Surroundings { message: format!("cannot read `{}`: {error}", self.path), help: None }
    }
}

/// Gives the bytes of a file, and its end when they were what was keyed.
pub(in crate::build) struct KeyedReader<'f> {
    keyed: &'f KeyedFile,
    /// `None` for what has no bytes.
    file: Option<File>,
    hasher: blake3::Hasher,
    read: u64,
}

impl KeyedReader<'_> {
    fn read_piece(&mut self, piece: &mut [u8]) -> Result<usize, BuildError> {
        let Some(file) = &mut self.file else { return Ok(0) };
        let length = file.read(piece).map_err(|error| self.keyed.cannot_read(&error))?;
        self.read += length as u64;
        self.hasher.update(&piece[..length]);
        let is_whole = || {
            let hash = self.hasher.finalize();
            self.read == self.keyed.size && hash.as_bytes() == self.keyed.content.as_bytes()
        };
        if self.read > self.keyed.size || (length == 0 && !is_whole()) {
            return Err(self.keyed.changed());
        }
        Ok(length)
    }
}

impl Read for KeyedReader<'_> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        self.read_piece(piece).map_err(io::Error::other)
    }
}

/// What opening a link without following it gives.
fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(on_disk: PathBuf, content: &[u8]) -> KeyedFile {
        KeyedFile {
            on_disk,
            path: WorkspacePath::root().join_name(b"file"),
            size: content.len() as u64,
            content: ContentHash::from_bytes(*blake3::hash(content).as_bytes()),
        }
    }

    fn check(prepare: impl FnOnce(&std::path::Path), expected: Result<&[u8], &str>) {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let mut sent = Vec::new();
        let result = keyed(folder.path().join("file"), b"content").send(|piece| {
            sent.extend_from_slice(&piece);
            true
        });
        let found = result.map(|()| sent.as_slice()).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn a_file_is_sent_only_as_it_was_keyed() {
        const CHANGED: Result<&[u8], &str> = Err("`file` changed while it was being built");
        let write = |content: &'static str| {
            move |folder: &std::path::Path| std::fs::write(folder.join("file"), content).unwrap()
        };
        check(write("content"), Ok(b"content"));
        check(write("CONTENT"), CHANGED);
        check(write("conten"), CHANGED);
        check(write("contents"), CHANGED);
        check(|_| (), CHANGED);
        check(|folder| std::fs::create_dir(folder.join("file")).unwrap(), CHANGED);
        check(
            |folder| {
                std::fs::write(folder.join("other"), "content").unwrap();
                std::os::unix::fs::symlink("other", folder.join("file")).unwrap();
            },
            CHANGED,
        );
    }

    #[test]
    fn a_socket_is_an_empty_file() {
        let folder = tempfile::tempdir().unwrap();
        let on_disk = folder.path().join("file");
        let _socket = std::os::unix::net::UnixListener::bind(&on_disk).unwrap();
        assert!(keyed(on_disk, b"").send(|_| panic!("a socket has no bytes")).is_ok());
    }

    #[test]
    fn nobody_waits_for_a_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(keyed(path, b"").send(|_| true), Err(BuildError::InputChanged { .. })));
    }
}
