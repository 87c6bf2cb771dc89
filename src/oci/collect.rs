//! Removes from a store what nobody needs, the least recently used first, while others build.
//!
//! A blob was last used when its file was last changed or touched, or when something that needs it was: so
//! nothing goes before what needs it, and what is left is whole at every moment. What a build that runs has
//! asked for or written stays; so do the roots, and all that they need.
//!
//! What goes is renamed into a folder of its own while nobody can ask for blobs, which takes milliseconds, and
//! is removed from there afterwards, which may take long. A collector that is killed in between leaves a folder
//! that the next one removes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::blob_digest::{BlobDigest, DiffId};
use super::derived::{self, Made};
use super::references::References;
use super::store::{Store, StoreError, digest_of};

/// What stays.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// These blobs, and all that they need.
    pub roots: BTreeSet<BlobDigest>,
    /// So many bytes of the most recently used; what is over goes.
    pub keep: Option<u64>,
    /// What was used within this time; what was not goes. Without this and `keep`, all goes that no root needs.
    pub used_within: Option<Duration>,
}

/// What a collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The names of the images that went.
    pub names: Vec<String>,
    /// How many blobs went.
    pub removed_blobs: usize,
    /// How many bytes went, with what was made of layers.
    pub removed_bytes: u64,
    /// How many blobs stay.
    pub kept_blobs: usize,
    /// How many bytes stay, with what was made of layers.
    pub kept_bytes: u64,
    /// How many of the blobs stay because of builds that run.
    pub in_use: usize,
    /// What could not be removed, and why.
    pub problems: Vec<String>,
}

/// Removes what `bounds` does not keep at `time`, also of what was made of layers in the folder `derived`.
/// With `dry_run` nothing is changed, and the result says what would be.
///
/// # Errors
/// When the store cannot be read or written.
pub fn collect(
    store: &Store,
    derived: &Path,
    bounds: &Bounds,
    time: SystemTime,
    dry_run: bool,
) -> Result<Collected, StoreError> {
    if !dry_run {
        derived::sweep(derived).map_err(|cause| StoreError::disk("clear", derived, cause))?;
    }
    let (mut collected, trash) = {
        let _alone = if dry_run { None } else { Some(store.alone()?) };
        let survey = Survey::make(store, derived)?;
        let choice = survey.choose(bounds, time);
        let mut collected = survey.report(&choice);
        let names = names_of(store, &survey, &choice)?;
        let mut trash = Vec::new();
        if !dry_run {
            store.unname(names.iter().map(String::as_str))?;
            (trash, collected.problems) = survey.take_out(store, derived, &choice)?;
        }
        collected.names = names;
        (collected, trash)
    };
    let removed = trash.iter().filter_map(|path| Some(problem(path, &derived::remove(path).err()?)));
    collected.problems.extend(removed);
    Ok(collected)
}

fn problem(path: &Path, error: &io::Error) -> String {
    format!("cannot remove `{}`: {error}", path.display())
}

struct Blob {
    size: u64,
    used: SystemTime,
}

/// What is there.
struct Survey {
    blobs: HashMap<BlobDigest, Blob>,
    references: References,
    made: BTreeMap<DiffId, Vec<Made>>,
    /// When the oldest build that runs began.
    oldest_build: Option<SystemTime>,
}

/// What goes, in order; the rest stays.
struct Choice {
    victims: Vec<BlobDigest>,
    in_use: usize,
}

impl Survey {
    fn make(store: &Store, derived: &Path) -> Result<Self, StoreError> {
        let oldest_build = store.oldest_lease()?;
        let files = store.blob_files()?;
        let sizes = files.iter().map(|(digest, metadata)| (*digest, metadata.len())).collect();
        let references = References::read(store, &sizes)?;
        let blobs = files.into_iter().map(|(digest, metadata)| {
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            (digest, Blob { size: metadata.len(), used })
        });
        let made = derived::list(derived).map_err(|cause| StoreError::disk("read", derived, cause))?;
        let mut survey = Self { blobs: blobs.collect(), references, made, oldest_build };
        survey.hand_down_use();
        Ok(survey)
    }

    /// What is needed is used whenever what needs it is.
    fn hand_down_use(&mut self) {
        for digest in &self.references.order {
            let Some(used) = self.blobs.get(digest).map(|blob| blob.used) else { continue };
            for needed in self.references.needs(digest) {
                if let Some(blob) = self.blobs.get_mut(needed) {
                    blob.used = blob.used.max(used);
                }
            }
        }
    }

    /// Since when what was used may be needed by a build.
    fn is_in_use(&self, used: SystemTime) -> bool {
        self.oldest_build.is_some_and(|began| used >= began)
    }

    fn rooted(&self, roots: &BTreeSet<BlobDigest>) -> HashSet<BlobDigest> {
        let mut kept = HashSet::new();
        let mut open: Vec<BlobDigest> = roots.iter().copied().collect();
        while let Some(digest) = open.pop() {
            if kept.insert(digest) {
                open.extend(self.references.needs(&digest));
            }
        }
        kept
    }

    /// With what was made of it.
    fn whole_size(&self, digest: &BlobDigest) -> u64 {
        let blob = self.blobs.get(digest).map_or(0, |blob| blob.size);
        let made = self.made.get(&DiffId(*digest)).into_iter().flatten();
        blob + made.map(|made| made.size).sum::<u64>()
    }

    fn choose(&self, bounds: &Bounds, time: SystemTime) -> Choice {
        let rooted = self.rooted(&bounds.roots);
        let mut candidates: Vec<(SystemTime, BlobDigest)> = Vec::new();
        let mut in_use = 0;
        for digest in self.references.order.iter().filter(|digest| !rooted.contains(digest)) {
            match self.blobs.get(digest).map(|blob| blob.used) {
                Some(used) if self.is_in_use(used) => in_use += 1,
                Some(used) => candidates.push((used, *digest)),
                None => {}
            }
        }
        // Stable: of what was used at one time, what needs comes before what is needed.
        candidates.sort_by_key(|(used, _)| *used);
        let mut left: u64 = self.blobs.keys().map(|digest| self.whole_size(digest)).sum();
        let mut victims = Vec::new();
        for (used, digest) in candidates {
            let is_old = bounds.used_within.is_some_and(|within| is_before(used, time, within));
            let is_over = bounds.keep.is_some_and(|keep| left > keep);
            let is_bounded = bounds.used_within.is_some() || bounds.keep.is_some();
            if is_bounded && !is_old && !is_over {
                break;
            }
            left -= self.whole_size(&digest);
            victims.push(digest);
        }
        Choice { victims, in_use }
    }

    /// What was made of layers that are not there any more, unless a build may be making it.
    fn orphans(&self) -> impl Iterator<Item = &Made> {
        let orphans = self.made.iter().filter(|(diff_id, _)| !self.blobs.contains_key(&diff_id.0));
        orphans.flat_map(|(_, made)| made).filter(|made| !self.is_in_use(made.made))
    }

    fn report(&self, choice: &Choice) -> Collected {
        let all: u64 = self.blobs.keys().map(|digest| self.whole_size(digest)).sum();
        let removed: u64 = choice.victims.iter().map(|digest| self.whole_size(digest)).sum();
        let orphaned: u64 = self.orphans().map(|made| made.size).sum();
        Collected {
            removed_blobs: choice.victims.len(),
            removed_bytes: removed + orphaned,
            kept_blobs: self.blobs.len() - choice.victims.len(),
            kept_bytes: all - removed,
            in_use: choice.in_use,
            ..Collected::default()
        }
    }

    /// Renames what goes into folders that nobody looks into; returns these, and those of collectors that died,
    /// and what could not be renamed.
    fn take_out(
        &self,
        store: &Store,
        derived: &Path,
        choice: &Choice,
    ) -> Result<(Vec<PathBuf>, Vec<String>), StoreError> {
        let blobs = choice.victims.iter().map(|digest| store.path(digest));
        let made = choice.victims.iter().filter_map(|digest| self.made.get(&DiffId(*digest))).flatten();
        let made = made.chain(self.orphans()).map(|made| made.path.clone());
        let (mut taken, mut problems) = (Vec::new(), Vec::new());
        for (trash, paths) in [
            (store.trash(), blobs.chain([store.damaged()]).collect::<Vec<_>>()),
            (derived.join("trash"), made.collect()),
        ] {
            let left = take(&trash, &paths).map_err(|cause| StoreError::disk("write into", &trash, cause))?;
            problems.extend(left);
            let there = inside(&trash).map_err(|cause| StoreError::disk("read", &trash, cause))?;
            taken.extend(there);
        }
        Ok((taken, problems))
    }
}

/// Moves what is there of `paths` into a folder of its own in `trash`; returns what could not be moved, and why.
fn take(trash: &Path, paths: &[PathBuf]) -> io::Result<Vec<String>> {
    let mut there = paths.iter().filter(|path| path.symlink_metadata().is_ok()).peekable();
    if there.peek().is_none() {
        return Ok(Vec::new());
    }
    fs::create_dir_all(trash)?;
    let folder = tempfile::Builder::new().prefix("").tempdir_in(trash)?.keep();
    let moved =
        there.enumerate().map(|(number, path)| (path, fs::rename(path, folder.join(number.to_string()))));
    Ok(moved.filter_map(|(path, moved)| Some(problem(path, &moved.err()?))).collect())
}

fn inside(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

/// Whether `used` is longer ago than `within`. What comes from the future is not.
fn is_before(used: SystemTime, time: SystemTime, within: Duration) -> bool {
    time.duration_since(used).is_ok_and(|age| age > within)
}

/// The names of what goes, and those of what is not there.
fn names_of(store: &Store, survey: &Survey, choice: &Choice) -> Result<Vec<String>, StoreError> {
    let victims: HashSet<&BlobDigest> = choice.victims.iter().collect();
    let goes = |digest: &BlobDigest| victims.contains(digest) || !survey.blobs.contains_key(digest);
    let names = store.names()?.into_iter();
    let gone = names.filter(|(_, entry)| digest_of(entry).is_ok_and(|digest| goes(&digest)));
    Ok(gone.map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests;
