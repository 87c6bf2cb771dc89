//! The log of one action: everything that its build wrote, kept whether it succeeded or not.
//!
//! It is written as the build goes, under its final name, so that `tail -f` works and a killed run
//! leaves what there was. It has no checksum: it is for people, and nothing is decided by it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::folder::{CacheError, CacheFolder, Kind};
use crate::types::digest::ActionKey;

/// An open log file. Each write reaches the system at once.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    path: PathBuf,
    name: String,
}

impl LogFile {
    /// Begins the log of `key` anew. When another process does so at the same time, each has a whole
    /// log, and the name leads to the later one.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn create(folder: &CacheFolder, key: &ActionKey) -> Result<Self, CacheError> {
        let name = name(key);
        let place = Kind::Logs.place(&name);
        Ok(Self { file: folder.create(&place)?, path: folder.on_disk(&place), name })
    }

    /// Where the log lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name within the logs, as action records keep it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Where the log of `key` lies, when there is one.
pub fn find(folder: &CacheFolder, key: &ActionKey) -> Option<PathBuf> {
    let path = folder.on_disk(&Kind::Logs.place(&name(key)));
    path.is_file().then_some(path)
}

fn name(key: &ActionKey) -> String {
    format!("{key}.log")
}
