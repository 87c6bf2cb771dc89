//! The files in which an engine with a classic store writes down which images it has, and under which
//! names.
//!
//! They are found as the engine itself finds them: by the path that it tells, from the root that its process
//! has. The names in the path are resolved below that root too, for a link in it means what it means there.
//!
//! **Invariant:** nothing is written here. Of no file but the names and the engine's id is the content read.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;

use bollard::models::SystemInfo;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::source::settled::settled;
use crate::source::stat::{Stat, Timestamp};
use crate::types::digest::OutputDigest;

/// Where a store lies, as its engine tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StorePlace {
    engine_id: String,
    /// Relative to the root of the engine's process.
    root: String,
    driver: String,
}

impl StorePlace {
    /// The place of a classic store.
    pub(super) fn of(info: &SystemInfo) -> Option<Self> {
        let engine_id = info.id.clone().filter(|id| !id.is_empty())?;
        let root = info.docker_root_dir.as_ref()?.strip_prefix('/')?.to_owned();
        let driver =
            info.driver.clone().filter(|driver| !driver.is_empty() && !driver.contains(['/', '.']))?;
        Some(Self { engine_id, root, driver })
    }

    /// Opens the files below `process`, the root of the engine's process.
    pub(super) fn open(&self, process: &OwnedFd) -> Option<StoreFiles> {
        let Self { root, driver, .. } = self;
        let folder = |path: &str| open_below(process, path, OFlags::DIRECTORY);
        Some(StoreFiles {
            root: folder(root)?,
            names_folder: folder(&format!("{root}/image/{driver}"))?,
            names: open_below(
                process,
                &format!("{root}/image/{driver}/repositories.json"),
                OFlags::NOFOLLOW,
            )?,
            images: folder(&format!("{root}/image/{driver}/imagedb/content/sha256"))?,
        })
    }
}

/// The opened files of a store.
pub(super) struct StoreFiles {
    /// An engine that starts makes a folder in it.
    root: OwnedFd,
    /// Where a file is made for each change of a name, before it replaces [`Self::names`].
    names_folder: OwnedFd,
    names: OwnedFd,
    /// One file for each image.
    images: OwnedFd,
}

/// What tells that none of the files of a store was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoreFileFacts {
    root: Stat,
    names_folder: Stat,
    names: Stat,
    images: Stat,
}

/// What is in the file of the names: repositories, and in each the names with their images.
#[derive(Deserialize)]
struct Names {
    #[serde(rename = "Repositories")]
    repositories: HashMap<String, HashMap<String, String>>,
}

impl StoreFiles {
    /// The facts of the files, where every change after `moment` must show in them.
    pub(super) fn facts(&self, moment: Timestamp) -> Option<StoreFileFacts> {
        let facts = StoreFileFacts {
            root: settled(&self.root, moment)?,
            names_folder: settled(&self.names_folder, moment)?,
            names: settled(&self.names, moment)?,
            images: settled(&self.images, moment)?,
        };
        takes_more(&self.names_folder).then_some(facts)
    }

    /// Whether this is the store of the engine that said where it is.
    pub(super) fn is_of(&self, place: &StorePlace) -> bool {
        read(&self.root, "engine-id").is_some_and(|id| id == place.engine_id)
    }

    /// Whether each of `names` is written down for its image, and the image is there.
    pub(super) fn have(&self, names: &BTreeMap<String, OutputDigest>) -> Option<bool> {
        let text = read(&self.names_folder, "repositories.json")?;
        let written: Names = serde_json::from_str(&text).ok()?;
        let written: HashMap<&str, &str> = written
            .repositories
            .values()
            .flat_map(|names| names.iter().map(|(name, image)| (name.as_str(), image.as_str())))
            .collect();
        let is_written = |name: &str, image: &OutputDigest| written.get(name) == Some(&image.as_str());
        let is_there = |image: &OutputDigest| {
            rustix::fs::statat(&self.images, image.hex(), AtFlags::SYMLINK_NOFOLLOW).is_ok()
        };
        Some(names.iter().all(|(name, image)| is_written(name, image) && is_there(image)))
    }
}

/// Whether the file system has room for another file: an engine that can make none keeps what it could not
/// write down to itself.
fn takes_more(folder: impl AsFd) -> bool {
    /// More than the file of very many names has.
    const ROOM: u64 = 64 << 20;
    rustix::fs::fstatvfs(folder).is_ok_and(|found| {
        // A file system without a table of its files says that it has none.
        found.f_bfree.saturating_mul(found.f_frsize) >= ROOM && (found.f_files == 0 || found.f_ffree > 0)
    })
}

fn read(folder: &OwnedFd, name: &str) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut text = String::new();
    File::from(rustix::fs::openat(folder, name, flags, Mode::empty()).ok()?)
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

/// Opens what is called `path` for whom `root` is the root, for its facts and what is below it.
#[cfg(target_os = "linux")]
fn open_below(root: &OwnedFd, path: &str, flags: OFlags) -> Option<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags | OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve).ok()
}

/// Elsewhere a process has no root that others can open.
#[cfg(not(target_os = "linux"))]
fn open_below(_root: &OwnedFd, _path: &str, _flags: OFlags) -> Option<OwnedFd> {
    None
}
