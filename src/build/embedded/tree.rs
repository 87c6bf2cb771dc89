//! A tree of files that a copy reads or writes, whatever it is made of: a view, the layers of an image, an
//! archive.
//!
//! Links are followed inside the tree alone, as if its root were that of the system (containerd's
//! `fs.RootPath`): a link can lead to no file outside.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::build::keyed_file::KeyedFile;
use crate::oci::layer_entry::{Attribute, EntryKind};
use crate::oci::layers::layer::FileBytes;

/// How many links one path may lead through: the system's own limit is 40, Go's 255.
const MOST_LINKS: usize = 255;

/// Where the bytes of a file are.
#[derive(Clone, Debug)]
pub enum Content {
    /// It has none.
    Nothing,
    /// In memory.
    Bytes(Arc<[u8]>),
    /// In a layer.
    InLayer(FileBytes),
    /// In a file of many contents.
    InFile {
        /// The file.
        file: Arc<File>,
        /// Where the bytes begin.
        offset: u64,
        /// How many there are.
        size: u64,
    },
    /// In a folder of the workspace.
    OnDisk(KeyedFile),
}

impl Content {
    /// A reader of the bytes.
    ///
    /// # Errors
    /// When they cannot be read; a file that changed is [`crate::build::builder::BuildError::InputChanged`].
    pub fn open(&self) -> Result<Box<dyn Read + '_>, crate::build::builder::BuildError> {
        Ok(match self {
            Self::Nothing => Box::new(io::empty()),
            Self::Bytes(bytes) => Box::new(&bytes[..]),
            Self::InLayer(bytes) => Box::new(bytes.clone()),
            Self::InFile { file, offset, size } => Box::new(FileSlice { file, offset: *offset, left: *size }),
            Self::OnDisk(file) => Box::new(file.reader()?),
        })
    }
}

/// A part of a file.
struct FileSlice<'t> {
    file: &'t File,
    offset: u64,
    left: u64,
}

impl Read for FileSlice<'_> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let length = piece.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut piece[..length], self.offset)?;
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// What stands at a path.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is: never a hard link, a whiteout or an opaque mark.
    pub kind: EntryKind,
    /// The lower twelve bits of `st_mode`.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Extended attributes, sorted by name.
    pub xattrs: Vec<Attribute>,
    /// The bytes of a file.
    pub content: Content,
    /// What all names of one file share; `None` where no two names do.
    pub identity: Option<(u64, u64)>,
}

impl Node {
    /// A folder of root's.
    pub fn folder(mode: u32, owner: Owner) -> Self {
        Self {
            kind: EntryKind::Folder,
            mode,
            uid: owner.uid,
            gid: owner.gid,
            xattrs: Vec::new(),
            content: Content::Nothing,
            identity: None,
        }
    }

    /// A file with these bytes.
    pub fn file(bytes: Arc<[u8]>, mode: u32, owner: Owner) -> Self {
        let kind = EntryKind::File { size: bytes.len() as u64 };
        Self { kind, content: Content::Bytes(bytes), ..Self::folder(mode, owner) }
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == EntryKind::Folder
    }
}

/// Who owns something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// A tree of files. Paths are clean and relative to the root; the root is the empty path.
pub trait Tree {
    /// What stands at `path`, no link followed. The root is always a folder.
    fn node(&self, path: &[u8]) -> Option<Node>;

    /// The names in the folder `path`, sorted by their bytes.
    fn names(&self, path: &[u8]) -> Vec<Box<[u8]>>;
}

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`/{path}` leads through more than {MOST_LINKS} links")]
pub struct TooManyLinks {
    path: String,
}

/// Where `path` leads in `tree`: every link on the way is followed, the last one too if `follow_last` says so.
/// What does not exist is taken as it is written. `..` of the root is the root.
///
/// # Errors
/// When links lead in a circle.
pub fn resolve(tree: &dyn Tree, path: &[u8], follow_last: bool) -> Result<Box<[u8]>, TooManyLinks> {
    let mut waiting: Vec<Box<[u8]>> = names(path).rev().map(Into::into).collect();
    let mut resolved: Vec<u8> = Vec::new();
    let mut links = 0;
    while let Some(name) = waiting.pop() {
        if &*name == b".." {
            let end = resolved.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            resolved.truncate(end);
            continue;
        }
        let next = join(&resolved, &name);
        let follows = follow_last || !waiting.is_empty();
        match tree.node(&next).filter(|_| follows).map(|node| node.kind) {
            Some(EntryKind::Link { target }) => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(TooManyLinks { path: String::from_utf8_lossy(path).into_owned() });
                }
                if target.starts_with(b"/") {
                    resolved.clear();
                }
                waiting.extend(names(&target).rev().map(Box::from));
            }
            _ => resolved = next.into_vec(),
        }
    }
    Ok(resolved.into())
}

/// The names of a path, without those that say nothing.
fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".")
}

/// The path of `name` in the folder `path`.
pub fn join(path: &[u8], name: &[u8]) -> Box<[u8]> {
    if path.is_empty() {
        return name.into();
    }
    if name.is_empty() {
        return path.into();
    }
    [path, b"/", name].concat().into()
}

/// The folder that `path` lies in; the root's own is the root.
pub fn parent(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)]
}

/// The last name of `path`.
pub fn last_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// `path` as Go's `path.Clean("/" + path)` leaves it, without the leading `/`.
pub fn cleaned(path: &[u8]) -> Box<[u8]> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for name in names(path) {
        if name == b".." {
            kept.pop();
        } else {
            kept.push(name);
        }
    }
    kept.join(&b'/').into()
}
