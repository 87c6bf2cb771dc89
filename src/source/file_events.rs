//! Changes of files, told by the operating system as they happen.
//!
//! Exactly those folders are watched that a snapshot looked into: a folder of which no target can read anything
//! costs no watch. Whoever wakes has to find out whether a target can read what changed. A folder that appears is a change of the folder that it is in, and is watched once a
//! later snapshot has looked into it.
//!
//! **Invariant:** an event says only *that* it is time to look. What has changed is found out by a snapshot,
//! so that events that come twice, late, or were lost in between decide nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::snapshot::Snapshot;

/// How long nothing must happen before what happened counts as done: a checkout writes many files.
const QUIET: Duration = Duration::from_millis(80);
/// For how long it is waited at most for quiet.
const RESTLESS: Duration = Duration::from_secs(2);
/// How often a waiting caller looks whether it is to stop.
const POLL: Duration = Duration::from_millis(50);

/// Why files cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system does not tell of changes, or of no more.
    #[error("the system does not tell of changes to files")]
    System(#[source] notify::Error),
    /// More folders than the system watches for one user.
    #[error("the workspace has more folders than the system watches for a user ({0} are wanted)")]
    TooMany(usize),
}

/// Folders that are watched.
pub struct FileEvents {
    watcher: RecommendedWatcher,
    told: Receiver<notify::Result<Event>>,
    watched: BTreeSet<PathBuf>,
}

impl FileEvents {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the system gives no way to watch.
    pub fn new() -> Result<Self, WatchError> {
        let (sender, told) = mpsc::channel();
        let watcher = notify::recommended_watcher(sender).map_err(WatchError::System)?;
        Ok(Self { watcher, told, watched: BTreeSet::new() })
    }

    /// Watches the folders that `snapshot` looked into, and no others. Whoever wants to miss nothing asks
    /// the snapshot afterwards whether it is still so.
    ///
    /// # Errors
    /// When the system cannot watch so many.
    pub fn watch(&mut self, snapshot: &Snapshot) -> Result<(), WatchError> {
        let wanted: BTreeSet<PathBuf> = snapshot
            .looked_into()
            .into_iter()
            .map(|folder| folder.on_disk(snapshot.root_on_disk()))
            .collect();
        for gone in self.watched.difference(&wanted) {
            // The system forgets a folder that was removed by itself.
            let _forgotten = self.watcher.unwatch(gone);
        }
        for new in wanted.difference(&self.watched) {
            match self.watcher.watch(new, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => {
                    return Err(WatchError::TooMany(wanted.len()));
                }
                // It vanished: that is a change of the folder that it was in.
                Err(error) if is_absence(&error) => {}
                Err(error) => return Err(WatchError::System(error)),
            }
        }
        self.watched = wanted;
        Ok(())
    }

    /// Waits until something changed and the files are quiet again; gives the paths that were named, which
    /// may be none. `None` as soon as `is_stopped` says so.
    pub fn wait(&self, is_stopped: impl Fn() -> bool) -> Option<BTreeSet<PathBuf>> {
        let mut changed = BTreeSet::new();
        let mut first: Option<Instant> = None;
        loop {
            if is_stopped() {
                return None;
            }
            let patience = if first.is_some() { QUIET } else { POLL };
            match self.told.recv_timeout(patience) {
                Ok(told) if is_change(&told) => {
                    first.get_or_insert_with(Instant::now);
                    changed.extend(told.into_iter().flat_map(|event| event.paths));
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) if first.is_some() => return Some(changed),
                Err(RecvTimeoutError::Timeout) => {}
                // The watcher's thread is gone: whoever looks again and again sees what there is.
                Err(RecvTimeoutError::Disconnected) => {
                    std::thread::sleep(QUIET);
                    return Some(changed);
                }
            }
            if first.is_some_and(|first| first.elapsed() > RESTLESS) {
                return Some(changed);
            }
        }
    }
}

/// Whether it is time to look. In doubt, and where events were lost, it is.
fn is_change(told: &notify::Result<Event>) -> bool {
    !matches!(told, Ok(Event { kind: EventKind::Access(_), .. }))
}

fn is_absence(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(cause) => cause.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Whether a change that `edit` makes is told to who watches what `see` looks at.
    fn check(edit: impl FnOnce(&std::path::Path), see: &[&str], expected: bool) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("read/deep")).unwrap();
        fs::create_dir_all(root.join("unread")).unwrap();
        fs::write(root.join("read/file"), "1").unwrap();
        let snapshot = Snapshot::of_disk(&root).unwrap();
        for path in see {
            let path = crate::types::workspace_path::WorkspacePath::root().resolve(path.as_bytes()).unwrap();
            snapshot.folder(&path).unwrap().unwrap().entries().unwrap();
        }
        let mut events = FileEvents::new().unwrap();
        events.watch(&snapshot).unwrap();
        fs::read(root.join("read/file")).unwrap();
        edit(&root);
        let end = Instant::now() + Duration::from_millis(if expected { 10_000 } else { 400 });
        let told = events.wait(|| Instant::now() > end);
        assert_eq!(told.is_some(), expected, "{told:?}");
        assert!(!snapshot.is_unchanged() || !expected, "the snapshot sees it too");
    }

    #[test]
    fn what_was_looked_at_wakes_and_nothing_else() {
        let write =
            |path: &'static str| move |root: &std::path::Path| fs::write(root.join(path), "2").unwrap();
        check(write("read/new"), &["read"], true);
        check(write("unread/file"), &["read", "read/deep"], false);
        check(write("read/deep/file"), &["read", "read/deep"], true);
        check(|_| {}, &["read"], false);
        check(|root| fs::remove_dir_all(root.join("read")).unwrap(), &["read"], true);
        check(|root| fs::create_dir(root.join("another")).unwrap(), &["read"], true);
    }
}
