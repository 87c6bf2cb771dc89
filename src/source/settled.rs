//! The facts of a file or folder that is no workspace's, where a later change of it must show in them.
//!
//! Somebody who keeps such facts, and finds the same at the same place later, knows that nothing was
//! changed there. What may change without a trace has none.

use rustix::fd::AsFd;

use super::disk::stat_of;
use super::file_system::tells_of_changes;
use super::stat::{Stat, Timestamp};

/// The facts of what is opened, of which every change after `moment` tells.
pub fn settled(opened: impl AsFd, moment: Timestamp) -> Option<Stat> {
    let stat = stat_of(&rustix::fs::fstat(&opened).ok()?);
    (tells_of_changes(opened.as_fd()) && stat.settled_before(moment)).then_some(stat)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn later(seconds: i64) -> Timestamp {
        Timestamp { seconds: Timestamp::now().seconds + seconds, nanoseconds: 0 }
    }

    #[test]
    fn what_was_changed_a_moment_ago_or_lies_ahead_has_no_facts() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let opened = File::open(file.path()).unwrap();
        assert_eq!(settled(&opened, later(0)), None);
        assert_eq!(settled(&opened, later(2)), None);
        let facts = settled(&opened, later(4)).unwrap();
        assert_eq!(settled(&opened, later(4)), Some(facts));
        file.as_file().set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
        assert_eq!(settled(&opened, later(4)), None);
    }

    #[test]
    fn a_file_system_of_programs_has_no_facts() {
        let opened = File::open("/proc/self/status").unwrap();
        assert_eq!(settled(&opened, later(4)), None);
    }
}
