//! The times of the files of an unpacked layer: those of its tar, or later ones.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// The times that unpacked files get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnpackedTimes {
    /// Those of the tar.
    OfTar,
    /// Those of the tar, but now for what has the time of everything that is made here. Programs with a cache of
    /// their own find out by times what they have to do again: what came to be here later than their cache has to
    /// look later.
    Since {
        /// The time of everything that is made here, in seconds since 1970.
        made: i64,
        /// The name of the folder with these times: another name, later times.
        name: u64,
    },
}

impl UnpackedTimes {
    /// What distinguishes the folders.
    pub(super) fn mark(self) -> String {
        match self {
            Self::OfTar => String::new(),
            Self::Since { name, .. } => format!(".late-{name:x}"),
        }
    }

    /// The time of a file that has this one in its tar.
    pub(super) fn of(self, (seconds, nanoseconds): (i64, u32)) -> (i64, u32) {
        match self {
            Self::Since { made, .. } if seconds == made => now(),
            _ => (seconds, nanoseconds),
        }
    }
}

/// A clock before 1970 is taken for its beginning.
fn now() -> (i64, u32) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}
