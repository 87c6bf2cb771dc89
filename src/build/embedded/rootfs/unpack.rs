//! Unpacks a layer into a folder that an overlay takes as one of its lower ones.
//!
//! A layer is unpacked by itself, once for all chains that it is in. Marks become what an overlay knows: a
//! character device 0/0 for a path that is gone, an attribute for a folder that hides what is below it. A
//! folder that the tar does not have, but only things in it, gets the owner and mode that it has in the layers
//! below: an overlay takes them from the uppermost. And a mark that hides nothing is left out: in a folder that
//! no layer below has, an overlay would show the device. So a layer with either is unpacked once for each
//! way in which the layers below can be.
//!
//! The folder is made under a temporary name and renamed. It is not synced, which would wait for all that other
//! programs write: instead its name says in which run of the system it was made, and after the next start it
//! is made again. A folder whose files somebody changed is set aside, and made again too (see `facts`).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::FileType;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::error::RootfsError;
use super::facts::UnpackedLayer;
use super::handle::Handle;
use super::ownership::Ownership;
use crate::oci::layer_entry::{Attribute, EntryKind};
use crate::oci::layers::index::{LayerIndex, ROOT};
use crate::oci::layers::layer::Layer;
use crate::oci::layers::root_view::{Found, RootView};

/// How the name of a folder begins that is not whole yet.
pub(super) const TEMPORARY_PREFIX: &str = ".tmp-";

/// Bytes that are copied at once.
const COPIED_AT_ONCE: usize = 256 << 10;

/// Digits of what distinguishes the folders of one layer.
const DIGITS: usize = 16;

/// The times that unpacked files get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnpackedTimes {
    /// Those of the tar.
    OfTar,
    /// Those of the tar, but now for what has the time of everything that is made here. Programs with a cache of
    /// their own find out by times what they have to do again: what came to be here later than their cache has to
    /// look later.
    Since {
        /// The time of everything that is made here, in seconds since 1970.
        made: i64,
        /// The name of the folder with these times: another name, later times.
        name: u64,
    },
}

impl UnpackedTimes {
    /// What distinguishes the folders.
    fn mark(self) -> String {
        match self {
            Self::OfTar => String::new(),
            Self::Since { name, .. } => format!(".late-{name:x}"),
        }
    }

    /// The time of a file that has this one in its tar.
    pub(super) fn of(self, (seconds, nanoseconds): (i64, u32)) -> (i64, u32) {
        match self {
            Self::Since { made, .. } if seconds == made => now(),
            _ => (seconds, nanoseconds),
        }
    }
}

/// A clock before 1970 is taken for its beginning.
fn now() -> (i64, u32) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// Where layers are unpacked.
#[derive(Clone, Copy, Debug)]
pub struct Unpacked<'u> {
    /// It has a folder for each ownership, which nobody but its owner may enter: what is in layers may be owned by
    /// root and let everybody become root.
    pub folder: &'u Path,
    /// Who can own what in it.
    pub ownership: Ownership,
    /// Folders of files that were found to be whole, and need not be looked at again.
    pub trusted: &'u BTreeSet<PathBuf>,
}

/// The folder with what is in `layer`, which is above `below`: one of `unpacked`, made when it is not there, or is not
/// what it was; then it is added to `damaged`. Several processes may do this at once.
pub fn unpack(
    layer: &Arc<Layer>,
    below: &RootView,
    unpacked: Unpacked<'_>,
    times: UnpackedTimes,
    damaged: &mut Vec<PathBuf>,
) -> Result<PathBuf, RootfsError> {
    let Unpacked { folder, ownership, trusted } = unpacked;
    let surroundings = Surroundings::of(layer.index(), below);
    let parent = folder.join(ownership.name());
    let place = parent.join(format!("{}{}.{}", surroundings.name(layer), times.mark(), this_run()?));
    let known = UnpackedLayer { place: &place, index: layer.index() };
    if place.is_dir() {
        if trusted.contains(&known.files()) || !set_aside_damaged(&known)? {
            return Ok(known.files());
        }
        damaged.push(place.clone());
    }
    make_private(&parent)?;
    let temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempdir_in(&parent)
        .map_err(|cause| RootfsError::system("make a folder in", path_bytes(&parent), cause))?;
    let folder = temporary.path();
    let lock = File::open(folder).and_then(|lock| lock.lock().map(|()| lock));
    let lock = lock.map_err(|cause| RootfsError::system("lock", path_bytes(folder), cause))?;
    let made = UnpackedLayer { place: folder, index: layer.index() };
    let root = fs::create_dir(made.files()).and_then(|()| Ok(Handle::open(&made.files())?));
    let root = root.map_err(|cause| RootfsError::system("open", path_bytes(folder), cause))?;
    let names = HashMap::new();
    let writer = Writer { layer, surroundings: &surroundings, root: &root, ownership, times, names };
    writer.write()?;
    made.write_down().map_err(|cause| RootfsError::system("write down", path_bytes(folder), cause))?;
    let renamed = fs::rename(folder, &place);
    drop(lock);
    match renamed {
        Ok(()) => {
            // Nothing is left to remove.
            let _path = temporary.keep();
        }
        // Another process was faster; its folder is the same.
        Err(_) if place.is_dir() => {}
        Err(cause) => return Err(RootfsError::system("make", path_bytes(&place), cause)),
    }
    Ok(known.files())
}

/// Whether an unpacked layer is not what it was. Then it is renamed, to be swept like what a process left that died:
/// who uses it goes on with it.
pub(super) fn set_aside_damaged(layer: &UnpackedLayer<'_>) -> Result<bool, RootfsError> {
    if layer.is_whole() {
        return Ok(false);
    }
    let place = layer.place;
    let parent = place.parent().unwrap_or(place);
    let move_away = || {
        // Others find the same at the same time, and what one of them has unpacked again is to stay.
        let lock = File::open(parent)?;
        lock.lock()?;
        if !place.is_dir() || layer.is_whole() {
            return Ok(());
        }
        let aside = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(parent)?.keep();
        fs::rename(place, aside)
    };
    move_away().map_err(|cause| RootfsError::system("move away", path_bytes(place), cause))?;
    Ok(true)
}

/// Gives the folder `upper` of an overlay the owner, mode and attributes of the root in `view`, and time 0: a mounted
/// overlay shows those of its upper folder.
pub fn dress_root(view: &RootView, upper: &Path, ownership: Ownership) -> Result<(), RootfsError> {
    let dress = || {
        let folder = Handle::open(upper)?;
        let (mode, uid, gid) = view.root().owner();
        give(&folder, b".", (uid, gid), view.root().xattrs(), ownership)?;
        folder.set_mode(b".", mode)?;
        // Programs see it, and what they write is to be the same each time.
        folder.set_time(b".", 0, 0)
    };
    dress().map_err(|cause| RootfsError::system("change", path_bytes(upper), cause))
}

/// In which run of the system this is.
pub(super) fn this_run() -> Result<String, RootfsError> {
    let path = "/proc/sys/kernel/random/boot_id";
    let id = fs::read_to_string(path).map_err(|cause| RootfsError::system("read", path.as_bytes(), cause))?;
    Ok(id.chars().take(8).collect())
}

fn make_private(folder: &Path) -> Result<(), RootfsError> {
    let make = || {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))
    };
    make().map_err(|cause| RootfsError::system("make", path_bytes(folder), cause))
}

fn path_bytes(path: &Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}

type Owner = (u32, u32, u32);

/// What the layers below have to do with how a layer is unpacked.
struct Surroundings<'v> {
    /// Folders of the layer that no entry of it makes, as the layers below have them. The root does not
    /// count: an overlay shows that of its upper folder.
    implied: HashMap<u32, (Owner, &'v [Attribute])>,
    /// Marks that hide nothing.
    idle_marks: HashSet<u32>,
    hash: blake3::Hash,
}

impl<'v> Surroundings<'v> {
    fn of(index: &LayerIndex, below: &'v RootView) -> Self {
        let (mut implied, mut idle_marks) = (HashMap::new(), HashSet::new());
        let mut hasher = blake3::Hasher::new();
        for record in 1..index.len() as u32 {
            let entry = if index.is_implied(record) && !index.is_whiteout(record) {
                let found = seen_below(index, record, below).filter(Found::is_folder);
                let Some(found) = found else { continue };
                implied.insert(record, (found.owner(), found.xattrs()));
                Some(found.entry(b""))
            } else if index.is_whiteout(record) && seen_below(index, record, below).is_none() {
                idle_marks.insert(record);
                None
            } else {
                continue;
            };
            let bytes = postcard::to_stdvec(&(record, entry)).expect("it is written into memory");
            hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
        }
        Self { implied, idle_marks, hash: hasher.finalize() }
    }

    fn name(&self, layer: &Layer) -> String {
        if self.implied.is_empty() && self.idle_marks.is_empty() {
            return layer.diff_id().0.hex();
        }
        format!("{}.{}", layer.diff_id().0.hex(), &self.hash.to_hex()[..DIGITS])
    }
}

/// What the layers below have at the path of `record`, as far as folders of its own layer let it be seen.
fn seen_below<'v>(index: &LayerIndex, record: u32, below: &'v RootView) -> Option<Found<'v>> {
    let mut folder = index.parent(record);
    while folder != ROOT && !index.is_opaque(folder) {
        folder = index.parent(folder);
    }
    if index.is_opaque(folder) { None } else { below.lookup(&index.path(record)) }
}

/// Writes what is in a layer.
struct Writer<'w> {
    layer: &'w Arc<Layer>,
    surroundings: &'w Surroundings<'w>,
    root: &'w Handle,
    ownership: Ownership,
    times: UnpackedTimes,
    /// Of each file with several names, the record whose name was written first.
    names: HashMap<u32, u32>,
}

impl Writer<'_> {
    fn write(mut self) -> Result<(), RootfsError> {
        let mut buffer = vec![0; COPIED_AT_ONCE];
        let index = self.layer.index();
        let root = self.root.folder(b"").map_err(|cause| self.error("open", ROOT, cause))?;
        // Folders that are open, with what is left to be written in each.
        let mut open = vec![(root, index.children(ROOT))];
        while let Some((folder, left)) = open.last_mut() {
            let Some(record) = left.next() else {
                open.pop();
                continue;
            };
            if index.is_folder(record) {
                let made = folder.make_folder(index.name(record));
                let made = made.map_err(|cause| self.error("make", record, cause))?;
                open.push((made, index.children(record)));
            } else {
                self.write_one(folder, record, &mut buffer)?;
            }
        }
        self.dress_folders()
    }

    fn write_one(&mut self, folder: &Handle, record: u32, buffer: &mut [u8]) -> Result<(), RootfsError> {
        let index = self.layer.index();
        let name = index.name(record);
        if let Some(group) = index.link_group(record) {
            let first = *self.names.entry(group).or_insert(record);
            if first != record {
                return self
                    .link(folder, name, &index.path(first))
                    .map_err(|cause| self.error("link", record, cause));
            }
        }
        match index.kind(record) {
            EntryKind::File { .. } => self.copy(folder, record, buffer),
            EntryKind::Link { target } => folder.make_link(name, &target).map_err(io::Error::from),
            EntryKind::Whiteout if self.surroundings.idle_marks.contains(&record) => return Ok(()),
            EntryKind::Whiteout => {
                let made = folder.make_node(name, FileType::CharacterDevice, 0, 0);
                return made.map_err(|cause| self.error("make", record, cause));
            }
            EntryKind::Pipe => folder.make_node(name, FileType::Fifo, 0, 0).map_err(io::Error::from),
            EntryKind::Device { .. } if self.ownership != Ownership::Root => {
                // Nobody but root can make one; Docker leaves them out in the same case.
                return Ok(());
            }
            EntryKind::Device { is_character, major, minor } => {
                let kind = if is_character { FileType::CharacterDevice } else { FileType::BlockDevice };
                folder.make_node(name, kind, major, minor).map_err(io::Error::from)
            }
            // Folders do not come here, and other marks are no records.
            EntryKind::Folder | EntryKind::HardLink { .. } | EntryKind::Opaque => Ok(()),
        }
        .map_err(|cause| self.error("write", record, cause))?;
        self.dress_one(folder, record)
    }

    fn link(&self, folder: &Handle, name: &[u8], first: &[u8]) -> Result<(), Errno> {
        let at = first.iter().rposition(|byte| *byte == b'/');
        let (parent, other) = at.map_or((&b""[..], first), |at| (&first[..at], &first[at + 1..]));
        folder.make_hard_link(name, &self.root.folder(parent)?, other)
    }

    fn copy(&self, folder: &Handle, record: u32, buffer: &mut [u8]) -> io::Result<()> {
        let mut file = folder.create(self.layer.index().name(record))?;
        let mut bytes = self.layer.open(record)?;
        loop {
            let read = bytes.read(buffer)?;
            if read == 0 {
                return Ok(());
            }
            file.write_all(&buffer[..read])?;
        }
    }

    /// Owner, attributes, time and mode of what was written.
    fn dress_one(&self, folder: &Handle, record: u32) -> Result<(), RootfsError> {
        let index = self.layer.index();
        let name = index.name(record);
        let (mode, uid, gid) = index.owner(record);
        let (seconds, nanoseconds) = self.times.of(index.changed_at(record));
        give(folder, name, (uid, gid), index.attributes(record), self.ownership)
            .and_then(|()| folder.set_time(name, seconds, nanoseconds))
            .and_then(|()| match index.link_target(record) {
                Some(_target) => Ok(()),
                None => folder.set_mode(name, mode),
            })
            .map_err(|cause| self.error("change", record, cause))
    }

    /// What folders are like, the deepest first: before, they have to let in whoever writes into them.
    fn dress_folders(&self) -> Result<(), RootfsError> {
        let index = self.layer.index();
        // A folder's record stands behind that of the folder that it is in.
        for record in (0..index.len() as u32).rev().filter(|record| index.is_folder(*record)) {
            let known = self.surroundings.implied.get(&record).copied();
            let own = (index.owner(record), index.attributes(record));
            let ((mode, uid, gid), attributes) = known.unwrap_or(own);
            let (seconds, nanoseconds) = self.times.of(index.changed_at(record));
            let dress = || {
                let folder = self.root.folder(&index.path(record))?;
                if index.is_opaque(record) {
                    folder.set_attribute(b".", self.ownership.opaque_attribute().as_bytes(), b"y")?;
                }
                give(&folder, b".", (uid, gid), attributes, self.ownership)?;
                folder.set_time(b".", seconds, nanoseconds)?;
                folder.set_mode(b".", mode)
            };
            dress().map_err(|cause| self.error("change", record, cause))?;
        }
        Ok(())
    }

    fn error(&self, action: &'static str, record: u32, cause: impl Into<io::Error>) -> RootfsError {
        RootfsError::system(action, &self.layer.index().path(record), cause)
    }
}

/// Gives `name` its owner and attributes. The mode comes last: a change of owner takes bits of it and
/// attributes away, and a mode may shut this process out.
pub(super) fn give(
    folder: &Handle,
    name: &[u8],
    (uid, gid): (u32, u32),
    attributes: &[Attribute],
    ownership: Ownership,
) -> Result<(), Errno> {
    if ownership.gives_away() {
        folder.set_owner(name, uid, gid)?;
    }
    for (attribute, value) in attributes {
        match folder.set_attribute(name, attribute, value) {
            // A file system may have no such attributes, and without root's privileges many are not to be had.
            // Docker goes on without them too.
            Err(Errno::NOTSUP) => {}
            Err(Errno::PERM | Errno::INVAL) if ownership != Ownership::Root => {}
            set => set?,
        }
    }
    Ok(())
}
