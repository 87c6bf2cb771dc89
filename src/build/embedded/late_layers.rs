//! Which files a command with a cache has to see as new.
//!
//! All files of a layer that was made here have one time, so that layers are the same everywhere. But programs
//! with a cache of their own (make, cargo) do again only what looks later than what they made from it, and would
//! take a changed file for an old one. So beside each cache stands what layers its last command saw, and a layer
//! that is not among them is unpacked with the time of that moment. What was there the last time looks as it did.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::root::{Layers, Root};
use super::rootfs::unpacked_times::UnpackedTimes;
use super::trouble;
use crate::build::builder::BuildError;
use crate::oci::blob_digest::DiffId;
use crate::oci::temporary;

/// Layers with the names of their folders.
type Names = BTreeMap<DiffId, u64>;

/// The layers that a command with caches sees, with the times of their files.
#[derive(Clone, Debug, Default)]
pub struct LateLayers {
    names: Names,
    made: i64,
}

impl LateLayers {
    /// Those of `roots` that hold files with the time `made`. `notes` are the files beside the caches.
    ///
    /// # Errors
    /// When a layer cannot be read.
    pub fn of(roots: &[&Root], layers: &Layers, made: i64, notes: &[&Path]) -> Result<Self, BuildError> {
        let known: Vec<Names> = notes.iter().map(|note| read(note)).collect();
        // Two commands that begin in one moment are of two processes: the clock is finer than their start.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let anew = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let mut names = Names::new();
        for layer in roots.iter().flat_map(|root| root.layers()) {
            let opened = layers.layer(layer)?;
            let index = opened.index();
            if !(0..index.len() as u32).any(|record| index.changed_at(record).0 == made) {
                continue;
            }
            let mut before = known.iter().map(|names| names.get(&layer.diff_id));
            let first = before.next().flatten();
            let name = first.filter(|first| before.all(|other| other == Some(*first))).copied();
            names.insert(layer.diff_id, name.unwrap_or(anew));
        }
        Ok(Self { names, made })
    }

    /// Writes down that a command saw them.
    ///
    /// # Errors
    /// When that cannot be written: then the command must not run.
    pub fn keep(&self, notes: &[&Path]) -> Result<(), BuildError> {
        let lines: String = self.names.iter().map(|(layer, name)| format!("{layer} {name}\n")).collect();
        let write = |note: &Path| -> io::Result<()> {
            let folder = note.parent().unwrap_or(Path::new("."));
            let mut file = temporary::create(folder)?;
            io::Write::write_all(&mut file, lines.as_bytes())?;
            file.persist(note).map(drop).map_err(|error| error.error)
        };
        let kept = notes.iter().try_for_each(|note| write(note));
        kept.map_err(|cause| trouble::of_disk("write down what a cache has seen", &cause))
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

/// What a note says. One that cannot be read says nothing: all is new then.
fn read(note: &Path) -> Names {
    let text = fs::read_to_string(note).unwrap_or_default();
    let line = |line: &str| {
        let (layer, name) = line.split_once(' ')?;
        Some((DiffId(layer.parse().ok()?), name.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_digest::BlobDigest;

    #[test]
    fn what_was_kept_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note");
        let names: Names = [(DiffId(BlobDigest::of(b"a")), 7), (DiffId(BlobDigest::of(b"b")), 8)].into();
        LateLayers { names: names.clone(), made: 0 }.keep(&[&note]).unwrap();
        assert_eq!(read(&note), names);
        fs::write(&note, "garbage\n").unwrap();
        assert_eq!(read(&note), Names::new());
    }
}
