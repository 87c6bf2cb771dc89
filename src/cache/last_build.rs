//! The last success of each target of a workspace: what `explain` and `plan` compare with, and the
//! duration that the scheduler reckons with.
//!
//! One small file a target. A single file a workspace would be quicker to load, but two processes
//! that build different targets would each write it whole, and the later would take back what the
//! earlier wrote. A thousand small files are read in about ten milliseconds. They are not synced: a
//! run may meet a thousand cached targets in a fresh checkout, and waiting for the disk for each
//! would take seconds for what is only worth knowing.
//!
//! **Invariant:** nothing here decides whether a target is built: only action records do.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::folder::{CacheError, CacheFolder, Kind, Outlives};
use super::record_file::{self, Lookup};
use crate::types::digest::{ActionKey, OutputDigest};
use crate::types::event::Subject;
use crate::types::platform::Platform;

/// The last success of a target for a platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastBuild {
    /// The key whose action record tells the rest.
    pub action_key: ActionKey,
    /// The output: what a run asks the builder about before it looks at any record.
    pub digest: OutputDigest,
    /// How long the builder took for it; for a cached target, when it was built.
    pub seconds: f64,
    /// When it ended, in seconds since 1970.
    pub built_at: i64,
}

/// What the file holds: the target too, so that the file says by itself what it is about.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    label: String,
    platform: Platform,
    #[serde(flatten)]
    last: LastBuild,
}

const SCHEMA: u32 = 1;

/// The last builds of one workspace.
#[derive(Clone, Debug)]
pub struct LastBuilds<'c> {
    folder: &'c CacheFolder,
    workspace: String,
}

impl<'c> LastBuilds<'c> {
    /// Those of the workspace at `root`, an absolute path without links: two checkouts of one
    /// repository do not take each other for the past.
    pub fn new(folder: &'c CacheFolder, root: &Path) -> Self {
        let digest = digest_of("imgraph cache workspace 1", &[root.as_os_str().as_bytes()]);
        Self { folder, workspace: digest[..32].to_owned() }
    }

    /// When one of them was stored last, as a text that tells moments apart; `None` before the first.
    pub fn changed_at(&self) -> Option<String> {
        // A file is replaced by renaming another, which changes the folder.
        let folder = self.folder.on_disk(&format!("{}/{}", Kind::Builds.name(), self.workspace));
        let since = folder.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(format!("{}.{:09}", since.as_secs(), since.subsec_nanos()))
    }

    /// The last success of `subject`.
    pub fn load(&self, subject: &Subject) -> Lookup<LastBuild> {
        record_file::read(self.folder, &self.place(subject), |body| {
            let stored: Stored =
                serde_json::from_slice(body).map_err(|cause| format!("cannot be understood: {cause}"))?;
            if stored.schema != SCHEMA {
                return Err(format!("has the unknown schema {}", stored.schema));
            }
            if stored.label != subject.label.to_string() || stored.platform != subject.platform {
                return Err(format!("is about another target, {}", stored.label));
            }
            Ok(stored.last)
        })
    }

    /// Keeps `last` as the last success of `subject`. When that is what is kept already, nothing is
    /// written, so that a run that does nothing writes nothing.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn store(&self, subject: &Subject, last: &LastBuild) -> Result<(), CacheError> {
        let stored = Stored {
            schema: SCHEMA,
            label: subject.label.to_string(),
            platform: subject.platform.clone(),
            last: last.clone(),
        };
        let body = serde_json::to_vec(&stored).expect("a record has text keys only");
        let place = self.place(subject);
        let kept = record_file::read(self.folder, &place, |kept| Ok(kept == body));
        if kept == Lookup::Hit(true) {
            Ok(())
        } else {
            record_file::write(self.folder, &place, &body, Outlives::Process)
        }
    }

    fn place(&self, subject: &Subject) -> String {
        let label = subject.label.to_string();
        let platform = subject.platform.to_string();
        let name = digest_of("imgraph cache target 1", &[label.as_bytes(), platform.as_bytes()]);
        format!("{}/{}/{}", Kind::Builds.name(), self.workspace, &name[..32])
    }
}

/// 64 hexadecimal digits over `parts`, each with its length before it.
fn digest_of(purpose: &str, parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(purpose);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    hasher.finalize().to_hex().to_string()
}
