//! Which files a command with a cache has to see as new.
//!
//! All files of a layer that was made here have one time, so that layers are the same everywhere. But programs
//! with a cache of their own (make, cargo) do again only what looks later than what they made from it, and would
//! take a changed file for an old one. So beside each cache stands what layers its last command saw, and a layer
//! that is not among them is unpacked with the time of that moment. What was there the last time looks as it did.
//!
//! Some programs compare whole seconds (the `test` of some shells, old makes). So a command that sees something
//! new waits, less than a second, when the last one with the same cache ended in the second that it is. Times a second ahead would do as
//! well for those, but make warns of files from the future, and what it makes from them looks old until then.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use super::root::{Layers, Root};
use super::rootfs::unpacked_times::UnpackedTimes;
use super::trouble;
use crate::build::builder::BuildError;
use crate::oci::blob_digest::DiffId;
use crate::oci::temporary;

/// Layers with the names of their folders.
type Names = BTreeMap<DiffId, u64>;

/// How far the times that the kernel gives to files may be behind its clock: a tick of the slowest timer.
const TICK: Duration = Duration::from_millis(10);

/// How the line of a note begins that names the command, by the nanoseconds at which it began.
const BEGAN: &str = "began";

/// How the line of a note begins that says which command ended, and in which second.
const ENDED: &str = "ended";

/// The layers that a command with caches sees, with the times of their files.
#[derive(Clone, Debug, Default)]
pub struct LateLayers {
    names: Names,
    made: i64,
    /// When the command began, in nanoseconds since 1970.
    began: u64,
    /// The files beside the caches.
    notes: Vec<PathBuf>,
}

impl LateLayers {
    /// Those of `roots` that hold files with the time `made`. `notes` are the files beside the caches. When a layer has
    /// to look new, or `sees_new` says that other files do, it may have to wait for the next second.
    ///
    /// # Errors
    /// When a layer cannot be read.
    pub fn of(
        roots: &[&Root],
        layers: &Layers,
        made: i64,
        notes: Vec<PathBuf>,
        sees_new: bool,
    ) -> Result<Self, BuildError> {
        let known: Vec<Note> = notes.iter().map(|note| Note::read(note)).collect();
        let mut names: BTreeMap<DiffId, Option<u64>> = BTreeMap::new();
        for layer in roots.iter().flat_map(|root| root.layers()) {
            let opened = layers.layer(layer)?;
            let index = opened.index();
            if !(0..index.len() as u32).any(|record| index.changed_at(record).0 == made) {
                continue;
            }
            let mut before = known.iter().map(|note| note.names.get(&layer.diff_id));
            let first = before.next().flatten();
            let name = first.filter(|first| before.all(|other| other == Some(*first))).copied();
            names.insert(layer.diff_id, name);
        }
        if sees_new || names.values().any(Option::is_none) {
            wait_for_later_second(known.iter().filter_map(|note| note.last_second).max());
        }
        // Two commands that begin in one moment are of two processes: the clock is finer than their start.
        let began = u64::try_from(now().as_nanos()).unwrap_or(u64::MAX);
        let names = names.into_iter().map(|(layer, name)| (layer, name.unwrap_or(began))).collect();
        Ok(Self { names, made, began, notes })
    }

    /// Writes down that a command begins that sees them.
    ///
    /// # Errors
    /// When that cannot be written: then the command must not run.
    pub fn keep(&self) -> Result<(), BuildError> {
        let lines: String = self.names.iter().map(|(layer, name)| format!("{layer} {name}\n")).collect();
        let lines = format!("{lines}{BEGAN} {}\n", self.began);
        let write = |note: &Path| -> io::Result<()> {
            let folder = note.parent().unwrap_or(Path::new("."));
            let mut file = temporary::create(folder)?;
            file.write_all(lines.as_bytes())?;
            file.persist(note).map(drop).map_err(|error| error.error)
        };
        let kept = self.notes.iter().try_for_each(|note| write(note));
        kept.map_err(|cause| trouble::of_disk("write down what a cache has seen", &cause))
    }

    /// Writes down that the command ended: it writes no more to its caches.
    pub fn end(&self) {
        for note in &self.notes {
            let line = format!("{ENDED} {} {}\n", self.began, now().as_secs());
            let file = fs::OpenOptions::new().append(true).open(note);
            // Without the line the command counts as one that may have written until it is looked at.
            let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
        }
    }

    /// The times of the layers.
    pub fn times(&self) -> BTreeMap<DiffId, UnpackedTimes> {
        let since = |name: &u64| UnpackedTimes::Since { made: self.made, name: *name };
        self.names.iter().map(|(layer, name)| (*layer, since(name))).collect()
    }

    /// The times of files that are copied for this command alone.
    pub fn times_of_copy(&self) -> UnpackedTimes {
        match self.names.values().next() {
            Some(name) => UnpackedTimes::Since { made: self.made, name: *name },
            None => UnpackedTimes::OfTar,
        }
    }
}

/// What stands beside a cache. A note that cannot be read says nothing: all is new then.
#[derive(Debug, Default, PartialEq, Eq)]
struct Note {
    names: Names,
    /// The last second, since 1970, in which a command may have written to the cache; `None` where none began.
    last_second: Option<u64>,
}

impl Note {
    fn read(note: &Path) -> Self {
        let Ok(text) = fs::read_to_string(note) else { return Self::default() };
        let (mut names, mut began, mut ended) = (Names::new(), None, BTreeMap::new());
        for line in text.lines() {
            match *line.split(' ').collect::<Vec<_>>() {
                [BEGAN, command] => began = Some(command),
                [ENDED, command, second] => {
                    ended.insert(command, second.parse::<u64>().ok());
                }
                [layer, name] => {
                    let layer = layer.parse().ok().map(DiffId);
                    names.extend(layer.zip(name.parse::<u64>().ok()));
                }
                _ => {}
            }
        }
        // A command of which no end is written died, or is still at work.
        let has_ended = began.is_some_and(|began| ended.get(began).is_some_and(Option::is_some));
        let last = if has_ended { ended.into_values().flatten().max() } else { None };
        Self { names, last_second: last.or_else(|| Some(now().as_secs())) }
    }
}

/// Waits until it is later than the second `last`, but not for a clock that was set back.
fn wait_for_later_second(last: Option<u64>) {
    let now = now();
    if last.is_some_and(|last| last >= now.as_secs()) {
        let left = Duration::from_secs(1).saturating_sub(Duration::from_nanos(now.subsec_nanos().into()));
        thread::sleep(left + TICK);
    }
}

/// The time since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_digest::BlobDigest;

    #[test]
    fn what_was_kept_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note");
        assert_eq!(Note::read(&note), Note::default());
        let names: Names = [(DiffId(BlobDigest::of(b"a")), 7), (DiffId(BlobDigest::of(b"b")), 8)].into();
        let late = LateLayers { names: names.clone(), made: 0, began: 5, notes: vec![note.clone()] };
        late.keep().unwrap();
        assert_eq!(Note::read(&note).names, names);
        fs::write(&note, "garbage\n").unwrap();
        assert_eq!(Note::read(&note).names, Names::new());
    }

    #[test]
    fn a_command_without_an_end_may_have_written_until_now() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note");
        let check = |text: &str, expected: Option<u64>| {
            fs::write(&note, text).unwrap();
            let before = now().as_secs();
            let found = Note::read(&note).last_second.unwrap();
            match expected {
                Some(second) => assert_eq!(found, second, "{text}"),
                None => assert!((before..=now().as_secs()).contains(&found), "{text}"),
            }
        };
        check("began 5\n", None);
        check("began 5\nended 5 9\n", Some(9));
        // Another command, with which it shared the cache.
        check("began 5\nended 4 9\n", None);
        check("began 5\nended 5 9\nended 4 10\n", Some(10));
        check("began 5\nended 5 x\n", None);
        check("", None);
    }

    #[test]
    fn an_end_is_written_beside_every_cache() {
        let folder = tempfile::tempdir().unwrap();
        let notes = ["a", "b"].map(|name| folder.path().join(name)).to_vec();
        let late = LateLayers { began: 5, notes: notes.clone(), ..LateLayers::default() };
        late.keep().unwrap();
        late.end();
        for note in notes {
            assert!(fs::read_to_string(note).unwrap().starts_with("began 5\nended 5 "));
        }
    }
}
