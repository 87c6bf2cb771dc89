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

use std::fs::{self, DirBuilder, File, FileTimes};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::outcome::{Doing, Refusal};
use super::root_path::{Resolved, resolve};

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
        if resolved.missing.is_some() {
            make_place(&resolved.place, kind)?;
        }
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
    keeping_times(&missing, || ensure(root, target, kind))?;
    Ok(Some((missing, before.place)))
}

/// Makes `folder` and what it lies in, for everybody to look into.
pub(super) fn make_folders(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder)
}

fn make_place(place: &Path, kind: PlaceKind) -> io::Result<()> {
    match kind {
        PlaceKind::Folder => make_folders(place),
        PlaceKind::File => {
            place.parent().map_or(Ok(()), make_folders)?;
            File::options().write(true).create_new(true).mode(0o755).open(place).map(drop)
        }
    }
}

/// Places that were made, to be removed again.
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
    pub(super) fn remove(&self) {
        for (uppermost, place) in self.0.iter().rev() {
            for here in place.ancestors() {
                keeping_times(here, || remove_if_empty(here));
                if here == uppermost {
                    break;
                }
            }
        }
    }
}

fn keeping_times<Value>(place: &Path, work: impl FnOnce() -> Value) -> Value {
    let above = place.parent().unwrap_or(place);
    let before = fs::metadata(above).and_then(|found| Ok((found.accessed()?, found.modified()?)));
    let value = work();
    if let Ok((accessed, modified)) = before {
        let times = FileTimes::new().set_accessed(accessed).set_modified(modified);
        // A folder that is gone or may not be opened keeps its times as they are: they are clamped in layers.
        let _ = File::open(above).and_then(|folder| folder.set_times(times));
    }
    value
}

fn remove_if_empty(place: &Path) {
    let Ok(found) = fs::symlink_metadata(place) else { return };
    // Errors mean that somebody else has put something there, which is kept.
    if found.is_dir() {
        let _ = fs::remove_dir(place);
    } else if found.is_file() && found.len() == 0 {
        let _ = fs::remove_file(place);
    }
}
