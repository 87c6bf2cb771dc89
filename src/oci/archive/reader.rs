//! An archive as `ADD` unpacks it: entries of a layer, one after the other, with their contents.
//!
//! What is kept is what BuildKit's images keep: owner, mode, links, hard links, and of the extended attributes
//! `security.capability` alone. Times and names of owners are left out. The root itself is not handed out, nor
//! are folders that no entry names. Names that begin with `.wh.` are ordinary names here. An entry may stand
//! twice: the later one replaces the earlier, as it replaces what lies in the image already.

use std::cell::Cell;
use std::io::{self, Read};

use crate::oci::layer_entry::{EntryKind, LayerEntry};

use super::compression::decompress;
use super::entry_name::{LONGEST_PATH, NameError, clean};
use super::growth::{Growth, GrowthError, decompress_within};
use super::seen_links::SeenLinks;
use super::tar_stream::{TarError, TarHeader, TarStream};

/// The attributes that come into an image: what containerd's differ writes into layers.
const KEPT_XATTRS: [&[u8]; 1] = [b"security.capability"];
/// The longest value of an attribute, in bytes: `XATTR_SIZE_MAX` of Linux.
const LONGEST_XATTR: usize = 64 * 1024;

/// How much an archive may be.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveLimits {
    /// How many entries.
    pub entries: u64,
    /// How many bytes the symbolic links of it may have, names and targets together: they are kept in memory.
    pub links: u64,
    /// How large it may become.
    pub growth: Growth,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { entries: 500_000, links: 64 << 20, growth: Growth::default() }
    }
}

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no tar, or a damaged one.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// An entry has a name that is not taken.
    #[error("an entry of the archive has a wrong name: {0}")]
    Name(#[from] NameError),
    /// A hard link names the root, or nothing.
    #[error("the hard link `{0}` of the archive has no file as its target")]
    HardLink(String),
    /// An entry is of a kind that no image has.
    #[error("`{name}` of the archive is of a kind that no image has (`{kind}`)")]
    Kind {
        /// The name as it is written.
        name: String,
        /// The letter of the kind.
        kind: char,
    },
    /// There is too much of it.
    #[error("the archive has more than {0}, and is not unpacked")]
    TooMany(String),
    /// It is a small file that would become a very large one.
    #[error("the archive is not unpacked: {0}")]
    Growth(#[from] GrowthError),
}

/// Whether `source` is an archive: a tar with a first entry, compressed or not.
///
/// # Errors
/// The source itself cannot be read. What cannot be decompressed is no archive.
pub fn is_archive(source: impl Read) -> io::Result<bool> {
    let failure = Cell::new(None);
    let found = decompress(Watched { source, failure: &failure })
        .is_ok_and(|(_, plain)| TarStream::new(plain).next_header().is_ok_and(|header| header.is_some()));
    match failure.into_inner() {
        Some(error) => Err(error),
        None => Ok(found),
    }
}

/// An archive that is being read. Reading from it gives the content of the entry that was handed out last.
pub struct Archive<'s> {
    tar: TarStream<Box<dyn Read + 's>>,
    limits: ArchiveLimits,
    entries: u64,
    links: SeenLinks,
    links_size: u64,
}

impl<'s> Archive<'s> {
    /// The archive that `source` gives from its beginning.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(source: impl Read + 's, limits: ArchiveLimits) -> Result<Self, ArchiveError> {
        let (_, plain) = decompress_within(source, limits.growth).map_err(TarError::from)?;
        let tar = TarStream::new(plain);
        Ok(Self { tar, limits, entries: 0, links: SeenLinks::default(), links_size: 0 })
    }

    /// The next entry, `None` at the end. Of a file, the content is read from the archive itself; what is left
    /// of it is passed over by the next call.
    ///
    /// # Errors
    /// It cannot be read, is damaged or hostile, or is larger than its limits.
    pub fn next_entry(&mut self) -> Result<Option<LayerEntry>, ArchiveError> {
        loop {
            let header = self.tar.next_header().map_err(explained)?;
            let Some(header) = header else { return Ok(None) };
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(ArchiveError::TooMany(format!("{} entries", self.limits.entries)));
            }
            let parts = clean(&header.name)?;
            if parts.is_empty() {
                continue;
            }
            let path = self.links.place(&parts)?;
            if path.is_empty() {
                continue;
            }
            let kind = self.kind(&header)?;
            self.remember(&path, &kind)?;
            return Ok(Some(entry(path, kind, header)));
        }
    }

    fn kind(&self, header: &TarHeader) -> Result<EntryKind, ArchiveError> {
        let device = |is_character| {
            let (major, minor) = header.device;
            EntryKind::Device { is_character, major, minor }
        };
        Ok(match header.kind {
            b'0' => EntryKind::File { size: header.size },
            b'1' => {
                let target = self.links.place(&clean(&header.link)?)?;
                if target.is_empty() {
                    return Err(ArchiveError::HardLink(lossy(&header.name)));
                }
                EntryKind::HardLink { target: target.into() }
            }
            b'2' if header.link.len() > LONGEST_PATH => {
                return Err(NameError::TooLong(header.link.len()).into());
            }
            b'2' => EntryKind::Link { target: header.link.as_slice().into() },
            b'3' => device(true),
            b'4' => device(false),
            b'5' => EntryKind::Folder,
            b'6' => EntryKind::Pipe,
            kind => return Err(ArchiveError::Kind { name: lossy(&header.name), kind: kind.into() }),
        })
    }

    fn remember(&mut self, path: &[u8], kind: &EntryKind) -> Result<(), ArchiveError> {
        self.links.replace(path, *kind == EntryKind::Folder);
        if let EntryKind::Link { target } = kind {
            self.links_size += (path.len() + target.len()) as u64;
            if self.links_size > self.limits.links {
                let text = format!("{} bytes of symbolic links", self.limits.links);
                return Err(ArchiveError::TooMany(text));
            }
            self.links.insert(path, target);
        }
        Ok(())
    }
}

impl Read for Archive<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tar.read(buffer)
    }
}

fn entry(path: Vec<u8>, kind: EntryKind, header: TarHeader) -> LayerEntry {
    let is_link = matches!(kind, EntryKind::Link { .. });
    let is_kept = |name: &[u8], value: &[u8]| {
        !is_link && KEPT_XATTRS.contains(&name) && (1..=LONGEST_XATTR).contains(&value.len())
    };
    let mut xattrs = header.xattrs;
    xattrs.retain(|(name, value)| is_kept(name, value));
    // Of two values of one attribute the later one holds.
    xattrs.reverse();
    xattrs.sort_by(|one, other| one.0.cmp(&other.0));
    xattrs.dedup_by(|later, first| later.0 == first.0);
    LayerEntry {
        path: path.into(),
        kind,
        mode: header.mode & 0o7777,
        uid: header.uid,
        gid: header.gid,
        xattrs,
    }
}

/// The limit that lies behind an error of reading, where one does.
fn explained(error: TarError) -> ArchiveError {
    match error {
        TarError::Read(error) => match error.downcast::<GrowthError>() {
            Ok(error) => error.into(),
            Err(error) => TarError::Read(error).into(),
        },
        error => error.into(),
    }
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// A source that tells its own failures from those of what reads it.
struct Watched<'f, R> {
    source: R,
    failure: &'f Cell<Option<io::Error>>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failure.set(Some(error));
            }
            kind.into()
        })
    }
}

#[cfg(test)]
mod tests;
