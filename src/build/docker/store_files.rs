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

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use super::*;

    /// A folder that looks like the root of an engine's process.
    struct Fake(tempfile::TempDir);

    impl Fake {
        fn new() -> Self {
            let fake = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(fake.store("imagedb/content/sha256")).unwrap();
            fs::write(fake.path("data/engine-id"), "an id").unwrap();
            fake.name(&[("app:1", 'a'), ("other:1", 'b')]);
            for letter in ['a', 'b'] {
                fs::write(fake.store("imagedb/content/sha256").join(hex(letter)), "{}").unwrap();
            }
            fake
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn store(&self, path: &str) -> PathBuf {
            self.path("data/image/overlay2").join(path)
        }

        /// Writes names as an engine does.
        fn name(&self, names: &[(&str, char)]) {
            let names = names.iter().map(|(name, image)| format!("\"{name}\":\"sha256:{}\"", hex(*image)));
            let names: Vec<String> = names.collect();
            let text = format!(r#"{{"Repositories":{{"app":{{{}}}}}}}"#, names.join(","));
            fs::write(self.store(".tmp"), text).unwrap();
            fs::rename(self.store(".tmp"), self.store("repositories.json")).unwrap();
        }

        fn files(&self, place: &StorePlace) -> Option<StoreFiles> {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            place.open(&rustix::fs::open(self.0.path(), flags, Mode::empty()).unwrap())
        }

        fn facts(&self) -> StoreFileFacts {
            self.files(&place("/data")).unwrap().facts(later()).unwrap()
        }
    }

    fn hex(letter: char) -> String {
        letter.to_string().repeat(64)
    }

    fn later() -> Timestamp {
        Timestamp { seconds: Timestamp::now().seconds + 10, nanoseconds: 0 }
    }

    fn place(root: &str) -> StorePlace {
        let text = |text: &str| Some(text.to_owned());
        let info = SystemInfo {
            id: text("an id"),
            docker_root_dir: text(root),
            driver: text("overlay2"),
            ..Default::default()
        };
        StorePlace::of(&info).unwrap()
    }

    fn names(names: &[(&str, char)]) -> BTreeMap<String, OutputDigest> {
        let digest = |letter: char| format!("sha256:{}", hex(letter)).parse().unwrap();
        names.iter().map(|(name, image)| ((*name).to_owned(), digest(*image))).collect()
    }

    #[test]
    fn an_engine_that_says_less_has_no_place() {
        let whole = SystemInfo {
            id: Some("id".to_owned()),
            docker_root_dir: Some("/data".to_owned()),
            driver: Some("overlay2".to_owned()),
            ..Default::default()
        };
        assert!(StorePlace::of(&whole).is_some());
        for part in [
            SystemInfo { id: None, ..whole.clone() },
            SystemInfo { id: Some(String::new()), ..whole.clone() },
            SystemInfo { docker_root_dir: Some("data".to_owned()), ..whole.clone() },
            SystemInfo { driver: Some("../overlay2".to_owned()), ..whole.clone() },
            SystemInfo { driver: None, ..whole },
        ] {
            assert_eq!(StorePlace::of(&part), None, "{part:?}");
        }
    }

    #[test]
    fn names_stand_for_images_that_are_there() {
        let fake = Fake::new();
        let files = fake.files(&place("/data")).unwrap();
        assert!(files.is_of(&place("/data")));
        let check = |wanted: &[(&str, char)], expected| assert_eq!(files.have(&names(wanted)), expected);
        check(&[("app:1", 'a'), ("other:1", 'b')], Some(true));
        check(&[], Some(true));
        check(&[("app:1", 'b')], Some(false));
        check(&[("app:2", 'a')], Some(false));
        fs::remove_file(fake.store("imagedb/content/sha256").join(hex('a'))).unwrap();
        check(&[("app:1", 'a')], Some(false));
        check(&[("other:1", 'b')], Some(true));
        fs::write(fake.store("repositories.json"), "{").unwrap();
        check(&[("other:1", 'b')], None);
        fs::write(fake.path("data/engine-id"), "another id").unwrap();
        assert!(!files.is_of(&place("/data")));
    }

    #[test]
    fn every_change_is_in_the_facts() {
        let fake = Fake::new();
        let first = fake.facts();
        assert_eq!(first, fake.facts());
        let changes: [&dyn Fn(); 5] = [
            &|| fake.name(&[("app:1", 'b')]),
            // What an engine leaves that found the disk full.
            &|| {
                fs::write(fake.store(".tmp"), "").unwrap();
                fs::remove_file(fake.store(".tmp")).unwrap();
            },
            &|| fs::write(fake.store("imagedb/content/sha256").join(hex('c')), "{}").unwrap(),
            &|| fs::create_dir(fake.path("data/tmp")).unwrap(),
            &|| {
                fs::rename(fake.path("data"), fake.path("away")).unwrap();
                fs::rename(fake.path("away"), fake.path("data")).unwrap();
            },
        ];
        let mut before = first;
        for (number, change) in changes.iter().enumerate() {
            // The clock of a file system has ticks.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change();
            let after = fake.facts();
            assert_ne!(before, after, "{number}");
            before = after;
        }
        assert_eq!(fake.files(&place("/data")).unwrap().facts(Timestamp::now()), None, "not settled");
    }

    #[test]
    fn links_mean_what_they_mean_below_the_root() {
        let fake = Fake::new();
        symlink("/data", fake.path("link")).unwrap();
        let through = fake.files(&place("/link")).unwrap();
        assert_eq!(through.facts(later()), Some(fake.facts()));
        symlink("/", fake.path("outside")).unwrap();
        assert!(fake.files(&place("/outside/data")).is_some());
        let elsewhere = format!("/outside{}/data", fake.0.path().display());
        assert!(Path::new(&elsewhere[8..]).exists() && fake.files(&place(&elsewhere)).is_none());
    }
}
