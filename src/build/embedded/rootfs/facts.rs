//! What the system says of the files of an unpacked layer: written down when they are whole, and compared before they
//! are used.
//!
//! A file that somebody alters, cuts short or removes would reach the layers that commands make. To read all files
//! again would take as long as to unpack them. But the system notes when anything of a file was last changed (its
//! content, mode, owner, attributes, and the names in a folder), which no program can set. So it is enough to look at
//! each entry once, which takes a few microseconds. Bytes that a disk loses by itself are not seen so.
//!
//! The facts lie beside the files, in a folder that gets its name with both: files without facts are not whole.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::Stat;
use rustix::io::Errno;

use super::handle::Handle;
use crate::oci::layers::index::{LayerIndex, ROOT};

/// The name of the folder of the files.
const FILES: &str = "files";

/// The name of the file of the facts: a hash in 64 digits.
const FACTS: &str = "facts";

/// A layer that is unpacked, or is being so.
pub(super) struct UnpackedLayer<'u> {
    /// Where its folder is.
    pub(super) place: &'u Path,
    /// What is in it.
    pub(super) index: &'u LayerIndex,
}

impl UnpackedLayer<'_> {
    /// The folder of its files.
    pub(super) fn files(&self) -> PathBuf {
        self.place.join(FILES)
    }

    /// Writes down what the system says of the files, which are whole.
    pub(super) fn write_down(&self) -> io::Result<()> {
        fs::write(self.place.join(FACTS), self.look()?.to_hex().as_bytes())
    }

    /// Whether the files are what they were when they were whole.
    pub(super) fn is_whole(&self) -> bool {
        let mut known = String::new();
        let read =
            File::open(self.place.join(FACTS)).and_then(|file| file.take(65).read_to_string(&mut known));
        read.is_ok() && self.look().is_ok_and(|found| found.to_hex().as_str() == known)
    }

    /// A hash of what the system says of all entries.
    fn look(&self) -> Result<blake3::Hash, Errno> {
        let root = Handle::open(&self.files())?;
        let mut hasher = blake3::Hasher::new_derive_key("imgraph unpacked layer 1");
        for record in 0..self.index.len() as u32 {
            let path = if record == ROOT { b".".to_vec() } else { self.index.path(record) };
            match root.facts(&path) {
                Ok(stat) => hash(&mut hasher, &stat),
                // Devices are left out where they cannot be made, and marks that hide nothing.
                Err(Errno::NOENT) => hasher.update(b"nothing"),
                Err(error) => return Err(error),
            };
        }
        Ok(hasher.finalize())
    }
}

fn hash<'h>(hasher: &'h mut blake3::Hasher, stat: &Stat) -> &'h mut blake3::Hasher {
    let numbers = [stat.st_ino, stat.st_rdev, stat.st_size.cast_unsigned()];
    let changed = [stat.st_ctime, stat.st_ctime_nsec as i64].map(i64::cast_unsigned);
    for number in numbers.into_iter().chain(changed) {
        hasher.update(&number.to_le_bytes());
    }
    for number in [stat.st_mode, stat.st_uid, stat.st_gid] {
        hasher.update(&number.to_le_bytes());
    }
    hasher
}
