//! The files of an image on disk, in a folder or in a tar.
//!
//! A tar is gone through once, and remembered is where each file lies; a compressed one is undone first, into
//! a file without a name. Links in a tar are followed inside it, for old programs wrote a layer once and
//! links to it. Names are those of the tar: nothing is unpacked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::oci::archive::compression::Compression;
use crate::oci::archive::entry_name::clean;
use crate::oci::archive::growth::{Growth, decompress_within};
use crate::oci::archive::tar_stream::{TarError, TarStream};

use super::error::RemoteError;

const MOST_MEMBERS: usize = 100_000;
const MOST_LINKS: usize = 8;

/// The files of an image.
pub(super) enum LayoutFiles {
    /// A folder.
    Folder(PathBuf),
    /// A tar, and where its files lie.
    Tar { file: File, members: BTreeMap<Vec<u8>, Member> },
}

/// What lies under a name in a tar.
#[derive(Clone, Debug)]
pub(super) enum Member {
    File { start: u64, size: u64 },
    Link { target: Vec<u8> },
}

/// A part of a file, read without moving the file's own place.
pub(super) struct Section {
    file: File,
    at: u64,
    end: u64,
}

impl Section {
    /// How many bytes are left.
    pub(super) fn size(&self) -> u64 {
        self.end - self.at
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.size()).unwrap_or(usize::MAX));
        let count = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl LayoutFiles {
    /// The folder or the tar at `path`. A compressed tar needs a place for what is in it: the folder `scratch`.
    pub(super) fn open(path: &Path, scratch: &Path) -> Result<Self, RemoteError> {
        let local = |error| RemoteError::Local { what: path.display().to_string(), error };
        if path.metadata().map_err(local)?.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let tar = |error| RemoteError::Tar { what: path.display().to_string(), error };
        let mut file = open_file(path).map_err(local)?;
        let mut start = [0; 6];
        let length = file.read_at(&mut start, 0).map_err(local)?;
        if Compression::of(&start[..length]) != Compression::None {
            let (_, mut plain) = decompress_within(&file, Growth::default()).map_err(local)?;
            let mut undone = tempfile::tempfile_in(scratch).map_err(local)?;
            io::copy(&mut plain, &mut undone).map_err(|error| tar(error.into()))?;
            drop(plain);
            file = undone;
            file.rewind().map_err(local)?;
        }
        let members = members(&file).map_err(tar)?;
        Ok(Self::Tar { file, members })
    }

    /// The file of this name, `None` where there is none.
    pub(super) fn section(&self, name: &str) -> io::Result<Option<Section>> {
        let Ok(parts) = clean(name.as_bytes()) else { return Ok(None) };
        match self {
            Self::Folder(folder) => {
                let name = String::from_utf8_lossy(&parts.join(&b'/')).into_owned();
                match open_file(&folder.join(name)) {
                    Ok(file) => {
                        let end = file.metadata()?.len();
                        Ok(Some(Section { file, at: 0, end }))
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Self::Tar { file, members } => {
                let mut name = parts.join(&b'/');
                for _ in 0..MOST_LINKS {
                    match members.get(&name) {
                        Some(Member::Link { target }) => name.clone_from(target),
                        Some(Member::File { start, size }) => {
                            let file = file.try_clone()?;
                            return Ok(Some(Section { file, at: *start, end: start + size }));
                        }
                        None => return Ok(None),
                    }
                }
                Ok(None)
            }
        }
    }
}

/// A file and nothing else: a pipe would be waited for without end.
fn open_file(path: &Path) -> io::Result<File> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    File::open(path)
}

fn members(file: &File) -> Result<BTreeMap<Vec<u8>, Member>, TarError> {
    let mut members = BTreeMap::new();
    let mut stream = TarStream::new(file);
    while let Some(header) = stream.next_header()? {
        let Ok(parts) = clean(&header.name) else {
            return Err(TarError::Damaged("a name leads out of it"));
        };
        let name = parts.join(&b'/');
        let target = |from: Vec<u8>| clean(&from).map(|parts| parts.join(&b'/')).ok();
        let member = match header.kind {
            b'0' => Some(Member::File { start: stream.position(), size: header.size }),
            b'1' => target(header.link).map(|target| Member::Link { target }),
            b'2' => {
                let folder = parts[..parts.len().saturating_sub(1)].join(&b'/');
                target([folder.as_slice(), b"/", &header.link].concat()).map(|target| Member::Link { target })
            }
            _ => None,
        };
        if let Some(member) = member {
            members.insert(name, member);
        }
        if members.len() > MOST_MEMBERS {
            return Err(TarError::Damaged("it has more files than any image"));
        }
    }
    Ok(members)
}
