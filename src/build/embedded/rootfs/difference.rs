//! Turns what a command changed into a layer: the upper folder of an overlay, read once it is unmounted, or a copy
//! of the whole root.
//!
//! The upper folder has what was written, and folders that were copied up on the way to it. A folder that is as
//! it was is written only where something below it is: every folder above an entry has to be in a layer. Times
//! do not count. What an overlay notes for itself does not come into the layer; where such a note says that
//! the folder is not whole by itself, that is an error.
//!
//! A folder that was removed and made again has a mark for each name that is gone in it, however an overlay notes it.
//!
//! Of a copy, what was touched or differs from the layers below is written, as an overlay would have copied it up: both
//! give the same bytes. One thing differs for the command itself: a file of many names, which an overlay takes apart
//! when it copies one of them up, stays one file in a copy, and so it does in the layer.
//!
//! It has to run where files are owned by whom the layer shall say: in the user namespace, when there is one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem::discriminant;
use std::path::Path;

use rustix::fs::{FileType, Stat};

use super::copy::ready_at;
use super::error::RootfsError;
use super::handle::Handle;
use super::ownership::Ownership;
use crate::oci::layer_entry::{Attribute, EntryKind, LayerEntry};
use crate::oci::layers::root_view::{Found, RootView};
use crate::oci::layers::writer::{LayerWriter, OVERLAY_PREFIXES};

/// Notes of an overlay after which an upper folder is whole only together with those below it.
const REFUSED_NOTES: [&[u8]; 4] = [b"redirect", b"metacopy", b"whiteout", b"xattrs"];

/// What a command wrote to.
#[derive(Clone, Copy, Debug)]
pub enum Written<'w> {
    /// The upper folder of an overlay.
    Upper(&'w Path),
    /// A copy of the whole root.
    Copy(&'w Path),
}

/// How the names of attributes begin that everybody may set.
const USER_ATTRIBUTES: &[u8] = b"user.";

/// Bytes that are compared at once.
const COMPARED_AT_ONCE: usize = 64 << 10;

/// Writes what differs between `below` and what a command `written` to. Says whether anything does.
pub fn write_difference<W: Write>(
    written: Written<'_>,
    below: &RootView,
    ownership: Ownership,
    writer: &mut LayerWriter<W>,
) -> Result<bool, RootfsError> {
    let (Written::Upper(folder) | Written::Copy(folder)) = written;
    let shown = std::os::unix::ffi::OsStrExt::as_bytes(folder.as_os_str());
    let root = Handle::open(folder).map_err(|cause| RootfsError::system("open", shown, cause))?;
    let copied_at = match written {
        Written::Upper(_) => None,
        Written::Copy(_) => {
            Some(ready_at(folder).map_err(|cause| RootfsError::system("read", shown, cause))?)
        }
    };
    let mut reader = Reader { root: &root, below, ownership, copied_at, entries: BTreeMap::new() };
    reader.read()?;
    let mut entries = reader.entries;
    if copied_at.is_some() {
        join_names(&mut entries);
    }
    let kept = folders_above(&entries);
    let mut names: HashMap<(u64, u64), Box<[u8]>> = HashMap::new();
    let mut is_anything = false;
    for (path, upper) in entries {
        // A layer has no entry for the root.
        if path.is_empty() || (!upper.is_changed && !kept.contains(&path)) {
            continue;
        }
        is_anything = true;
        let mut entry = upper.entry;
        if let Some(inode) = upper.inode {
            match names.get(&inode) {
                Some(first) => entry.kind = EntryKind::HardLink { target: first.clone() },
                None => drop(names.insert(inode, path.clone().into())),
            }
        }
        write_entry(&root, &entry, writer)?;
    }
    Ok(is_anything)
}

fn write_entry<W: Write>(
    root: &Handle,
    entry: &LayerEntry,
    writer: &mut LayerWriter<W>,
) -> Result<(), RootfsError> {
    if !matches!(entry.kind, EntryKind::File { .. }) {
        return Ok(writer.append(entry, &mut io::empty())?);
    }
    let file = root.file(&entry.path);
    let mut file = file.map_err(|cause| RootfsError::system("open", &entry.path, cause))?;
    Ok(writer.append(entry, &mut file)?)
}

/// Whether an attribute is the machine's affair: labels of its security modules, which other machines have not,
/// and its own notes.
fn is_of_machine(attribute: &[u8]) -> bool {
    attribute.starts_with(b"trusted.")
        || (attribute.starts_with(b"security.") && attribute != b"security.capability")
}

/// A file that has a name that is written is written with all its names.
fn join_names(entries: &mut BTreeMap<Vec<u8>, UpperEntry>) {
    let changed: HashSet<(u64, u64)> =
        entries.values().filter(|entry| entry.is_changed).filter_map(|entry| entry.inode).collect();
    for entry in entries.values_mut() {
        entry.is_changed |= entry.inode.is_some_and(|inode| changed.contains(&inode));
    }
}

/// What all marks have in common.
fn mark() -> LayerEntry {
    LayerEntry {
        path: Box::default(),
        kind: EntryKind::Whiteout,
        mode: 0,
        uid: 0,
        gid: 0,
        xattrs: Vec::new(),
    }
}

/// The folders above all that changed. The root is not one: a layer needs no entry for it.
fn folders_above(entries: &BTreeMap<Vec<u8>, UpperEntry>) -> HashSet<Vec<u8>> {
    let mut folders = HashSet::new();
    for path in entries.iter().filter(|(_path, entry)| entry.is_changed).map(|(path, _entry)| path) {
        let slashes = path.iter().enumerate().rev().filter(|(_at, byte)| **byte == b'/');
        for (at, _slash) in slashes {
            if !folders.insert(path[..at].to_vec()) {
                break;
            }
        }
    }
    folders
}

/// An entry of an upper folder.
struct UpperEntry {
    entry: LayerEntry,
    /// Whether it is anything but a folder that was copied up and is as it was.
    is_changed: bool,
    /// Device and number of what has several names.
    inode: Option<(u64, u64)>,
}

/// A folder that is to be read.
struct Inside {
    path: Vec<u8>,
    /// Whether nothing of the layers below shows through: it is of a copy, or a folder on the way hides them.
    is_whole: bool,
}

struct Reader<'r> {
    root: &'r Handle,
    below: &'r RootView,
    ownership: Ownership,
    /// When it was ready, for a copy of the whole root.
    copied_at: Option<(i64, i64)>,
    entries: BTreeMap<Vec<u8>, UpperEntry>,
}

impl<'r> Reader<'r> {
    fn read(&mut self) -> Result<(), RootfsError> {
        let is_copy = self.copied_at.is_some();
        let mut pending: Vec<_> = self.add(self.root, b".", Vec::new(), is_copy).map(Vec::from_iter)?;
        while let Some(Inside { path, is_whole }) = pending.pop() {
            let open = || {
                let folder = self.root.folder(&path)?;
                folder.names().map(|names| (folder, names))
            };
            let (folder, names) = open().map_err(|cause| RootfsError::system("read", &path, cause))?;
            if is_whole {
                self.mark_missing(&path, &names);
            }
            for name in names {
                let path = if path.is_empty() { name.clone() } else { [&*path, b"/", &*name].concat() };
                pending.extend(self.add(&folder, &name, path, is_whole)?);
            }
        }
        Ok(())
    }

    /// Adds a mark for all that the layers below have in the folder `path`, which is whole, and the folder has not.
    fn mark_missing(&mut self, path: &[u8], names: &[Vec<u8>]) {
        for (name, below) in self.below.children(path) {
            let is_device = matches!(below.kind(), EntryKind::Device { .. });
            let was_left_out = is_device && self.copied_at.is_some() && self.ownership != Ownership::Root;
            if was_left_out || names.binary_search_by(|other| (**other).cmp(&*name)).is_ok() {
                continue;
            }
            let path = if path.is_empty() { name.to_vec() } else { [path, b"/", &*name].concat() };
            self.add_mark(path);
        }
    }

    fn add_mark(&mut self, path: Vec<u8>) {
        let entry = LayerEntry { path: path.clone().into(), kind: EntryKind::Whiteout, ..mark() };
        let entry = UpperEntry { entry, is_changed: true, inode: None };
        self.entries.insert(path, entry);
    }

    /// Adds the entry `name` of `folder`, through which nothing of the layers below shows when it `is_whole`; gives what
    /// to read next when it is a folder.
    fn add(
        &mut self,
        folder: &Handle,
        name: &[u8],
        path: Vec<u8>,
        is_whole: bool,
    ) -> Result<Option<Inside>, RootfsError> {
        let error = |cause| RootfsError::system("read", &path, cause);
        let stat = folder.facts(name).map_err(error)?;
        let Some(kind) = kind(folder, name, &stat).map_err(error)? else { return Ok(None) };
        let below = self.below.lookup(&path);
        let is_folder = kind == EntryKind::Folder;
        if kind == EntryKind::Whiteout {
            // What is not in the layers below was one of the places at which something is mounted.
            if below.is_some() {
                self.add_mark(path);
            }
            return Ok(None);
        }
        let (xattrs, is_opaque) = self.attributes(folder, name, &path)?;
        let (uid, gid) = self.owner(&stat, below.as_ref(), &kind);
        let mode = stat.st_mode & 0o7777;
        let entry = LayerEntry { path: path.clone().into(), kind, mode, uid, gid, xattrs };
        let is_as_copied = match &below {
            Some(below) if !is_folder => self
                .is_as_copied(&entry, &stat, below)
                .map_err(|cause| RootfsError::system("read", &path, cause))?,
            _ => false,
        };
        let is_same = |below: &Found<'_>| below.is_folder() && self.looks_same(&entry, below);
        let is_changed = match is_folder {
            true => !below.as_ref().is_some_and(is_same),
            false => !is_as_copied,
        };
        let inode = (!is_folder && stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino));
        self.entries.insert(path.clone(), UpperEntry { entry, is_changed, inode });
        Ok(is_folder.then_some(Inside { path, is_whole: is_whole || is_opaque }))
    }

    /// Whether owner, mode and attributes of an entry are those of `below`. Without root's privileges only some
    /// attributes could be set in a copy.
    fn looks_same(&self, entry: &LayerEntry, below: &Found<'_>) -> bool {
        let is_kept = |attribute: &&Attribute| {
            self.copied_at.is_none()
                || self.ownership == Ownership::Root
                || attribute.0.starts_with(USER_ATTRIBUTES)
        };
        below.owner() == (entry.mode, entry.uid, entry.gid)
            && below.xattrs().iter().filter(is_kept).eq(entry.xattrs.iter().filter(is_kept))
    }

    /// Whether an entry that is no folder was not touched since it was copied, and is as it is in `below`.
    fn is_as_copied(&self, entry: &LayerEntry, stat: &Stat, below: &Found<'_>) -> io::Result<bool> {
        let Some(copied_at) = self.copied_at else { return Ok(false) };
        // Whatever happens to one of a file's names touches all of them.
        let has_names = stat.st_nlink > 1 || below.same_file().is_some();
        let changed_at = (stat.st_ctime, stat.st_ctime_nsec as i64);
        Ok((has_names || changed_at <= copied_at) && self.is_same(entry, below)?)
    }

    /// Whether an entry of a copy that is no folder is in all as it is in `below`.
    fn is_same(&self, entry: &LayerEntry, below: &Found<'_>) -> io::Result<bool> {
        let is_link = matches!(entry.kind, EntryKind::Link { .. });
        let looks_same = match is_link {
            // The mode of a link means nothing.
            true => self.looks_same(&LayerEntry { mode: below.owner().0, ..entry.clone() }, below),
            false => self.looks_same(entry, below),
        };
        if entry.kind != below.kind() || !looks_same {
            return Ok(false);
        }
        if !matches!(entry.kind, EntryKind::File { .. }) {
            return Ok(true);
        }
        have_same_bytes(self.root.file(&entry.path)?, below.open()?)
    }

    /// Where one user is everybody, nothing can be given away: what was there before is still its owner's.
    fn owner(&self, stat: &Stat, below: Option<&Found<'_>>, kind: &EntryKind) -> (u32, u32) {
        if self.ownership.gives_away() {
            return (stat.st_uid, stat.st_gid);
        }
        let below = below.filter(|below| discriminant(&below.kind()) == discriminant(kind));
        if let Some((_mode, uid, gid)) = below.map(Found::owner) {
            return (uid, gid);
        }
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let or_root = |id, own| if id == own { 0 } else { id };
        (or_root(stat.st_uid, user), or_root(stat.st_gid, group))
    }

    /// The attributes of an entry, and whether one says that it hides what is below it.
    fn attributes(
        &self,
        folder: &Handle,
        name: &[u8],
        path: &[u8],
    ) -> Result<(Vec<Attribute>, bool), RootfsError> {
        let all = folder.attributes(name).map_err(|cause| RootfsError::system("read", path, cause))?;
        let (mut kept, mut is_opaque) = (Vec::new(), false);
        for (attribute, value) in all {
            let note = OVERLAY_PREFIXES.iter().find_map(|prefix| attribute.strip_prefix(*prefix));
            let Some(note) = note else {
                if !is_of_machine(&attribute) {
                    kept.push((attribute, value));
                }
                continue;
            };
            if REFUSED_NOTES.contains(&note) || (note == b"opaque" && *value == *b"x") {
                let attribute = String::from_utf8_lossy(&attribute).into_owned();
                return Err(RootfsError::Overlay {
                    path: String::from_utf8_lossy(path).into_owned(),
                    attribute,
                });
            }
            is_opaque |= *attribute == *self.ownership.opaque_attribute().as_bytes() && *value == *b"y";
        }
        Ok((kept, is_opaque))
    }
}

fn have_same_bytes(one: impl Read, other: impl Read) -> io::Result<bool> {
    let (mut one, mut other) =
        (BufReader::with_capacity(COMPARED_AT_ONCE, one), BufReader::with_capacity(COMPARED_AT_ONCE, other));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let length = left.len().min(right.len());
        if length == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        if left[..length] != right[..length] {
            return Ok(false);
        }
        one.consume(length);
        other.consume(length);
    }
}

/// What `name` is; `None` for sockets, which no layer has.
fn kind(folder: &Handle, name: &[u8], stat: &Stat) -> Result<Option<EntryKind>, rustix::io::Errno> {
    let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => EntryKind::Folder,
        FileType::RegularFile => EntryKind::File { size: u64::try_from(stat.st_size).unwrap_or_default() },
        FileType::Symlink => EntryKind::Link { target: folder.link_target(name)?.into() },
        FileType::CharacterDevice if (major, minor) == (0, 0) => EntryKind::Whiteout,
        FileType::CharacterDevice => EntryKind::Device { is_character: true, major, minor },
        FileType::BlockDevice => EntryKind::Device { is_character: false, major, minor },
        FileType::Fifo => EntryKind::Pipe,
        FileType::Socket | FileType::Unknown => return Ok(None),
    }))
}
