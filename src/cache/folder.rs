//! Where the cache lies, and how a file of it is replaced in one step.
//!
//! ```text
//! <cache folder>/v1/CACHEDIR.TAG
//!                  /actions/ab/<action key>          what an action gave
//!                  /views/ab/<tree digest>           the files of a view
//!                  /builds/<workspace>/<target>      the last success of a target
//!                  /logs/ab/<action key>.log         what a build wrote
//!                  /index/<workspace>                what is known of a workspace's files
//!                  /recalls/<workspace>/<request>    a run that had nothing to do
//!                  /steps/ab/<step key>              what a step of the embedded builder gave
//!                  /listings/<engine>                the images that an engine listed
//! ```
//!
//! The caller says where the folder is; nothing here knows a home folder or an environment. The
//! version is a folder, so that programs of different versions share a place without misreading each
//! other. The tag (<https://bford.info/cachedir/>) lies inside it, not above: a folder that somebody
//! names as the cache may hold other things, and those belong into backups.
//!
//! **Invariant:** a file under its final name is whole, whatever happens to the process. It is written
//! beside its place and renamed; what must outlive the machine's power is synced before, and its
//! folder after.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::types::diagnostic::{Diagnostic, Severity};

/// How the name of a temporary file begins. No other file of the cache begins with a dot.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

const TAG_NAME: &str = "CACHEDIR.TAG";
const TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55\n\
# This folder is a cache of imgraph. It may be deleted at any time.\n\
# For what this file means see https://bford.info/cachedir/\n";

const NOT_A_FOLDER: &str = "remove the file, or name a folder with --cache-dir or IMGRAPH_CACHE_DIR; it is made when it is not there";
const RIGHT_ALL_THE_SAME: &str =
    "what is built is right all the same, but later runs may not know that it was built";

/// What a file of the cache holds: one folder each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Action records.
    Actions,
    /// Listings of views.
    Views,
    /// The last build of each target of each workspace.
    Builds,
    /// Logs of builds.
    Logs,
    /// Stat indexes.
    Indexes,
    /// Runs that had nothing to do.
    Recalls,
    /// Steps of the embedded builder.
    Steps,
    /// The images that engines listed.
    Listings,
}

impl Kind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Actions,
        Self::Views,
        Self::Builds,
        Self::Logs,
        Self::Indexes,
        Self::Recalls,
        Self::Steps,
        Self::Listings,
    ];

    /// The name of the folder, and of the kind in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Actions => "actions",
            Self::Views => "views",
            Self::Builds => "builds",
            Self::Logs => "logs",
            Self::Indexes => "index",
            Self::Recalls => "recalls",
            Self::Steps => "steps",
            Self::Listings => "listings",
        }
    }

    /// Where the file `name` lies, relative to the version's folder: sharded by its first two letters,
    /// so that no folder grows too long.
    pub(super) fn place(self, name: &str) -> String {
        let shard = name.get(..2).unwrap_or(name);
        format!("{}/{shard}/{name}", self.name())
    }
}

/// What a written file must outlive. The process it outlives in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlives {
    /// A loss of power too: it is synced, which takes about a millisecond.
    Power,
    /// Only the process. A loss of power may damage it, which its checksum then shows.
    Process,
}

/// Why the cache cannot do what was asked. A build goes on without it: see [`CacheError::warning`].
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`", path.display())]
pub struct CacheError {
    folder: PathBuf,
    action: &'static str,
    path: PathBuf,
    #[source]
    cause: io::Error,
}

impl CacheError {
    /// The error as one of a command that is about the cache itself. It names the cache and the cause
    /// but not the file.
    pub fn diagnostic(&self) -> Diagnostic {
        let Self { folder, action, path, cause } = self;
        if let Some(message) = file_in_the_way(folder, path, cause) {
            return Diagnostic::error(message).help(NOT_A_FOLDER);
        }
        let folder = folder.display();
        // The system's own words: tempfile adds the random name of the file to the message.
        let cause = cause.raw_os_error().map_or_else(|| cause.kind().to_string(), system_words);
        Diagnostic::error(format!("cannot {action} in the cache folder `{folder}`: {cause}"))
            .help("name another folder with --cache-dir or IMGRAPH_CACHE_DIR")
    }

    /// The error as a warning of a build. As it names no file, a run that meets it a thousand times
    /// can say it once.
    pub fn warning(&self) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..self.diagnostic() }.help(RIGHT_ALL_THE_SAME)
    }
}

/// Says that the cache cannot be where a file is, when that is the cause: which file, which is
/// `path` or above it.
fn file_in_the_way(folder: &Path, path: &Path, cause: &io::Error) -> Option<String> {
    if cause.kind() != ErrorKind::NotADirectory {
        return None;
    }
    let found =
        path.ancestors().find(|path| path.symlink_metadata().is_ok()).filter(|path| !path.is_dir())?;
    let shown = folder.display();
    Some(if found == folder {
        format!("the cache folder `{shown}` is a file, not a folder")
    } else {
        format!("the cache folder `{shown}` cannot be used: `{}` is a file, not a folder", found.display())
    })
}

fn system_words(code: i32) -> String {
    io::Error::from_raw_os_error(code).to_string()
}

/// The cache's place. Making one touches nothing; folders appear with the first file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheFolder {
    version: PathBuf,
}

impl CacheFolder {
    /// The cache in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { version: folder.join("v1") }
    }

    /// The folder of this version's files. Other layers may keep files of their own in it, under
    /// names that are not those of [`Kind`].
    pub fn path(&self) -> &Path {
        &self.version
    }

    /// Where `place` lies on the disk.
    pub(super) fn on_disk(&self, place: &str) -> PathBuf {
        self.version.join(place)
    }

    /// The bytes of the file at `place`; `None` when there is no such file.
    pub(super) fn read(&self, place: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.on_disk(place)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file at `place` in one step.
    pub(super) fn write(&self, place: &str, bytes: &[u8], outlives: Outlives) -> Result<(), CacheError> {
        let path = self.on_disk(place);
        let written = self.folder_of(&path).and_then(|folder| replace(&folder, &path, bytes, outlives));
        written.map_err(|cause| self.error("write", &path, cause))
    }

    /// Puts an empty file at `place`, in place of any other, and returns it to be written while
    /// others read. What two processes write does not mix: each has a file of its own, and the name
    /// belongs to the later one.
    pub(super) fn create(&self, place: &str) -> Result<File, CacheError> {
        let path = self.on_disk(place);
        let create = || {
            let file = temporary(&self.folder_of(&path)?)?;
            file.persist(&path).map_err(|error| error.error)
        };
        create().map_err(|cause| self.error("write", &path, cause))
    }

    /// All files below the version's folder with what the system says of them. Files that vanish
    /// meanwhile are left out; links are not followed.
    pub(super) fn files(&self) -> Result<Vec<(PathBuf, Metadata)>, CacheError> {
        let mut files = Vec::new();
        let mut folders = vec![self.version.clone()];
        while let Some(folder) = folders.pop() {
            list(&folder, &mut files, &mut folders).map_err(|cause| self.error("read", &folder, cause))?;
        }
        Ok(files)
    }

    /// As [`CacheError::warning`], when `place` cannot be read because the cache is no folder: there is
    /// no file to blame then.
    pub(super) fn no_folder(&self, place: &str, cause: io::Error) -> Result<Diagnostic, io::Error> {
        let error = self.error("read", &self.on_disk(place), cause);
        match file_in_the_way(&error.folder, &error.path, &error.cause) {
            Some(_said) => Ok(error.warning()),
            None => Err(error.cause),
        }
    }

    pub(super) fn error(&self, action: &'static str, path: &Path, cause: io::Error) -> CacheError {
        let folder = self.version.parent().unwrap_or(&self.version).to_path_buf();
        CacheError { folder, action, path: path.to_path_buf(), cause }
    }

    /// The folder that `path` lies in, made when it is not there. The first file brings the tag.
    fn folder_of(&self, path: &Path) -> io::Result<PathBuf> {
        let folder = path.parent().unwrap_or(&self.version);
        if !folder.is_dir() {
            fs::create_dir_all(folder)?;
            let tag = self.version.join(TAG_NAME);
            if !tag.exists() {
                replace(&self.version, &tag, TAG, Outlives::Process)?;
            }
        }
        Ok(folder.to_path_buf())
    }
}

/// A temporary file in `folder`, with the permissions that any other file would get there: a cache
/// may be shared by users.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

fn replace(folder: &Path, path: &Path, bytes: &[u8], outlives: Outlives) -> io::Result<()> {
    let mut file = temporary(folder)?;
    file.write_all(bytes)?;
    if outlives == Outlives::Power {
        file.as_file().sync_all()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    if outlives == Outlives::Power { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn list(folder: &Path, files: &mut Vec<(PathBuf, Metadata)>, folders: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
            Ok(metadata) => files.push((entry.path(), metadata)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
