//! What a folder and an inode tell about an entry without its content being read.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// Seconds: no file system in use has a coarser clock.
const COARSEST_TICK: i64 = 2;

/// What an entry is, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// None of these.
    Special(SpecialKind),
}

/// What has a name in a folder and no content of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SpecialKind {
    /// A Unix socket.
    Socket,
    /// A named pipe.
    Pipe,
    /// A block or character device.
    Device,
}

impl SpecialKind {
    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Pipe => "named pipe",
            Self::Device => "device",
        }
    }
}

/// A moment as a file system stores it. Seconds since 1970, and nanoseconds of that second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds after them, below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// This moment, by the clock of this machine.
    pub fn now() -> Self {
        Self::of(SystemTime::now())
    }

    /// The moment `time`; one before 1970 is 1970.
    fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { seconds: since.as_secs().cast_signed(), nanoseconds: since.subsec_nanos() }
    }
}

/// The facts by which a file is taken as unchanged, and its permissions.
///
/// Times and inode numbers never enter a digest: they only save reading a file again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// What it is.
    pub kind: EntryKind,
    /// The lower twelve bits of `st_mode`.
    pub permissions: u32,
    /// Bytes.
    pub size: u64,
    /// When the content was last written.
    pub modified: Timestamp,
    /// When the inode was last changed: this cannot be set back by a program.
    pub changed: Timestamp,
    /// The inode's number.
    pub inode: u64,
    /// The file system's number.
    pub device: u64,
}

impl Stat {
    /// Whether a change after `moment` must show in these facts.
    ///
    /// A file that was changed shortly before may be changed a second time within one tick of the
    /// file system's clock, which leaves no trace; so may one whose times lie ahead. A file system that
    /// keeps no times or no inode numbers gives zeros, which say nothing at all.
    pub(super) fn settled_before(&self, moment: Timestamp) -> bool {
        let first = self.modified.seconds.min(self.changed.seconds);
        let last = self.modified.seconds.max(self.changed.seconds);
        self.inode != 0 && first > 0 && last.saturating_add(COARSEST_TICK) < moment.seconds
    }
}
