//! The places in the root at which something is mounted: made where they are not there, and removed
//! afterwards, so that an image never shows them.
//!
//! This is what BuildKit does. A place that was made for a mount, and the folders above it that were made for
//! it, are removed when they are empty, and the times of the folder above are put back. `/dev`, `/proc` and
//! `/sys` stay where they were missing. A run that is killed removes nothing, but then nobody uses its files.

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
