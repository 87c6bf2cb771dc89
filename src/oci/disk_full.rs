//! What to say when a disk has no room: the system's own words name neither the disk nor the way out.

use std::io::{self, ErrorKind};

/// How to make room.
const HELP: &str = "make room on the disk of the cache, with `imgraph cache gc` too, or name a folder on another one with --cache-dir";

/// What helps, when `cause` is that there is no room, or that the user may have no more of it.
pub fn help(cause: &io::Error) -> Option<&'static str> {
    matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded).then_some(HELP)
}
