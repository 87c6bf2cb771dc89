//! The places in the root at which something is mounted: made where they are not there, and removed
//! afterwards, so that an image never shows them.
//!
//! This is what BuildKit does. A place that was made for a mount, and the folders above it that were made for
//! it, are removed when they are empty, and the times of the folder above are put back. `/dev`, `/proc` and
//! `/sys` stay where they were missing. A run that is killed removes nothing, but then nobody uses its files.
//!
//! An image may have links at all of these paths. They are followed inside the root, and what comes out has to be a
//! place for a mount, else the command is not started. `/dev`, `/proc` and `/sys` may not be links at all: runc, which
//! Docker has, refuses them as well.
//!
//! **Invariant:** what is made and removed lies in the root. A command may put a link where a folder was, and others may
//! write into a cache that is shared: so every folder is opened from the root on, and a link on the way is an error.

use std::fs::{self, File, FileTimes};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, statat, unlinkat,
};
use rustix::io::Errno;

use super::outcome::{Doing, Refusal};
use super::root_path::{Resolved, resolve};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What a place has to be, so that something can be mounted on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceKind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// The folders that the kernel's own file systems are mounted on. They stay when they were made.
pub(super) const SYSTEM_FOLDERS: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Says why one of the [`SYSTEM_FOLDERS`] cannot be mounted on in the root at `root`.
pub(super) fn problem_of_system(root: &Path) -> Option<String> {
    SYSTEM_FOLDERS.iter().find_map(|folder| match fs::symlink_metadata(within(root, folder)) {
        Ok(found) if found.is_dir() => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Ok(found) if found.is_symlink() => Some(format!("`{folder}` of the image is a link")),
        Ok(_) => Some(format!("`{folder}` of the image is no folder")),
        Err(error) => Some(format!("cannot look at `{folder}` of the image: {error}")),
    })
}

/// Says why nothing can be mounted on `target` in the root at `root`, or below `outside` which may not be mounted on.
pub(super) fn problem(root: &Path, target: &str, kind: PlaceKind, outside: &[&str]) -> Option<String> {
    let resolved = match resolve(root, target) {
        Ok(resolved) => resolved,
        Err(error) => return Some(format!("`{target}` leads nowhere in the image: {error}")),
    };
    if resolved.place.components().eq(root.components()) {
        return Some(format!("`{target}` leads to `/` in the image"));
    }
    if let Some(outside) = outside.iter().find(|folder| resolved.place.starts_with(within(root, folder))) {
        return Some(format!("`{target}` leads into `{outside}` in the image"));
    }
    let is_folder = resolved.missing.is_none() && resolved.place.is_dir();
    match kind {
        PlaceKind::File if is_folder => Some(format!("`{target}` is a folder in the image")),
        PlaceKind::Folder if resolved.missing.is_none() && !is_folder => {
            Some(format!("`{target}` is no folder in the image"))
        }
        _ => None,
    }
}

/// The place of a path of the root that has no links.
pub(super) fn within(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Finds the place of `target` in the root at `root`, and makes it where it is not there.
pub(super) fn ensure(root: &Path, target: &str, kind: PlaceKind) -> Result<Resolved, Refusal> {
    let make = || {
        let resolved = resolve(root, target)?;
        make_place(root, &resolved, kind, None)?;
        Ok::<_, io::Error>(resolved)
    };
    make().doing(|| format!("make `{target}` in the root, where something is to be mounted"))
}

/// As [`ensure`]. Times of the folder above are put back at once: a folder that was made is not a change of
/// the one above it. Returns the uppermost part that was made, and the place.
pub(super) fn ensure_keeping_times(
    root: &Path,
    target: &str,
    kind: PlaceKind,
) -> Result<Option<(PathBuf, PathBuf)>, Refusal> {
    let before = resolve(root, target).doing(|| format!("look for `{target}` in the root"))?;
    let Some(missing) = before.missing else { return Ok(None) };
    keeping_times(root, &missing, |_folder| ensure(root, target, kind))?;
    Ok(Some((missing, before.place)))
}

/// Makes what is not there of a resolved path in the root at `root`, for everybody to look into. Folders are given to
/// `owner`.
pub(super) fn make_place(
    root: &Path,
    resolved: &Resolved,
    kind: PlaceKind,
    owner: Option<(u32, u32)>,
) -> io::Result<()> {
    let Some(missing) = &resolved.missing else { return Ok(()) };
    let mut folder = folder_in(root, missing.parent().unwrap_or(root))?;
    let below = resolved.place.strip_prefix(missing).unwrap_or(Path::new(""));
    let mut names = missing.file_name().into_iter().chain(below.iter()).peekable();
    let mode = Mode::from_raw_mode(0o755);
    while let Some(name) = names.next() {
        if names.peek().is_none() && kind == PlaceKind::File {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(&folder, name, flags, mode)?;
            return Ok(());
        }
        match mkdirat(&folder, name, mode) {
            // Another command with the same cache was faster.
            Err(Errno::EXIST) => {}
            made => made?,
        }
        folder = openat(&folder, name, FOLDER, Mode::empty())?;
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::fchown(&folder, Some(uid), Some(gid))?;
        }
    }
    Ok(())
}

/// The folder at `path`, which lies in the root at `root`.
fn folder_in(root: &Path, path: &Path) -> io::Result<OwnedFd> {
    let outside = || io::Error::from(Errno::XDEV);
    let path = path.strip_prefix(root).map_err(|_elsewhere| outside())?;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let root = openat(CWD, root, FOLDER, Mode::empty())?;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    Ok(openat2(&root, path, FOLDER, Mode::empty(), inside)?)
}

/// Places that were made, to be removed again: the uppermost part of each, and the place.
#[derive(Debug, Default)]
pub(super) struct MadePlaces(Vec<(PathBuf, PathBuf)>);

impl MadePlaces {
    /// As [`ensure_keeping_times`], and remembers what was made.
    pub(super) fn ensure(&mut self, root: &Path, target: &str, kind: PlaceKind) -> Result<(), Refusal> {
        self.0.extend(ensure_keeping_times(root, target, kind)?);
        Ok(())
    }

    /// Removes what is still empty. What cannot be removed stays: the command may have put something else
    /// there.
    pub(super) fn remove(&self, root: &Path) {
        for (uppermost, place) in self.0.iter().rev() {
            for here in place.ancestors() {
                keeping_times(root, here, |folder| folder.map(|folder| remove_if_empty(folder, here)));
                if here == uppermost {
                    break;
                }
            }
        }
    }
}

/// Does `work` with the folder that `place` is in, when it can be opened, and puts its times back.
fn keeping_times<Value>(root: &Path, place: &Path, work: impl FnOnce(Option<&File>) -> Value) -> Value {
    let above = folder_in(root, place.parent().unwrap_or(place)).ok().map(File::from);
    let times = |above: &File| {
        let found = above.metadata()?;
        Ok::<_, io::Error>(FileTimes::new().set_accessed(found.accessed()?).set_modified(found.modified()?))
    };
    let before = above.as_ref().and_then(|above| times(above).ok());
    let value = work(above.as_ref());
    if let (Some(above), Some(before)) = (above, before) {
        // A folder that may not be changed keeps its times as they are: they are clamped in layers.
        let _ = above.set_times(before);
    }
    value
}

fn remove_if_empty(folder: &File, place: &Path) {
    let Some(name) = place.file_name() else { return };
    let Ok(found) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { return };
    // Errors mean that somebody else has put something there, which is kept.
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => drop(unlinkat(folder, name, AtFlags::REMOVEDIR)),
        FileType::RegularFile if found.st_size == 0 => drop(unlinkat(folder, name, AtFlags::empty())),
        _ => {}
    }
}
