//! Telling again what an earlier run told, when nothing that it leaned on has changed.
//!
//! **Invariant:** every question that has no clear answer here is answered by a run that looks at
//! everything.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments::Targets;
use super::exit::Exit;
use super::prepared::Prepared;
use super::session::Session;
use super::terminal;
use crate::build::docker::{DockerBuilder, Mark};
use crate::cache::folder::CacheFolder;
use crate::cache::index_file::IndexFile;
use crate::cache::recall_file::RecallFile;
use crate::engine::recall::{Recall, StoreFacts};
use crate::source::git_facts::GitFacts;
use crate::source::looks::{self, Looks};
use crate::types::digest::OutputDigest;
use crate::types::ids::NodeId;

/// A request that may have been told before.
pub(crate) struct Request {
    root: PathBuf,
    index: IndexFile,
    file: RecallFile,
}

impl Request {
    /// The request of `command` for `targets`. `None` where nothing can be told again: without an index,
    /// or without a place for the caches.
    ///
    /// # Errors
    /// The exit code when the user stands in no workspace, which was told.
    pub(crate) fn new(session: &Session, command: &str, targets: &Targets) -> Result<Option<Self>, Exit> {
        let (directory, root) = session.place()?;
        Ok(Self::of(session, command, targets, &directory, root))
    }

    fn of(
        session: &Session,
        command: &str,
        targets: &Targets,
        directory: &Path,
        root: PathBuf,
    ) -> Option<Self> {
        let index = session.index_file(&root)?;
        let cache = CacheFolder::new(&session.cache_place()?);
        let everywhere = &session.everywhere;
        let mut fields: Vec<Vec<u8>> = vec![
            program()?,
            command.as_bytes().to_vec(),
            directory.as_os_str().as_bytes().to_vec(),
            everywhere.docker_host.clone().unwrap_or_default().into_bytes(),
        ];
        for list in [&targets.patterns, &targets.platform] {
            fields.push(list.len().to_le_bytes().to_vec());
            fields.extend(list.iter().map(|word| word.clone().into_bytes()));
        }
        let set = everywhere.set.iter().map(|(name, value)| format!("{name}={value}").into_bytes());
        fields.extend(set);
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        let file = RecallFile::new(&cache, &root, &fields);
        Some(Self { root, index, file })
    }

    /// What was told before, and what the builder called itself, when all that it leaned on is as it was.
    pub(crate) fn told_before<Told>(&self, session: &Session) -> Option<(Told, String)>
    where
        Told: Serialize + DeserializeOwned,
    {
        let mut warnings = Vec::new();
        let recall = self.file.load::<Recall<Told, Mark>>().value(&mut warnings);
        // This run replaces what is damaged.
        session.show_once(&warnings);
        let mut recall = recall?;
        let (names, hash) = &recall.environment;
        let facts = GitFacts::of(&self.root);
        if session.environment.hash(names) != *hash
            || recall.git.iter().any(|(question, answer)| facts.answer(*question) != *answer)
        {
            return None;
        }
        let is_marked = || recall.mark.as_ref().is_some_and(|mark| is_still(session, mark));
        let (files, is_marked) = std::thread::scope(|scope| {
            let is_marked = scope.spawn(is_marked);
            (self.files_are_unchanged(&recall.looks), is_marked.join().unwrap_or(false))
        });
        if !files {
            return None;
        }
        if !is_marked {
            let builder = session.connect().ok()?;
            // The mark is of a moment before it is seen what the builder has.
            recall.mark = builder.mark();
            if !recall.store.hold_for(&builder) {
                return None;
            }
            // Without the new mark the next run asks as this one did.
            let _kept = self.file.store(&recall);
        }
        if session.everywhere.verbose {
            terminal::message("nothing has changed since the same was asked before\n");
        }
        Some((recall.told, recall.store.description().to_owned()))
    }

    fn files_are_unchanged(&self, looks: &Looks) -> bool {
        // What is wrong with the index is told by the run that follows.
        let index = self.index.read().value(&mut Vec::new());
        index.is_some_and(|bytes| looks::are_unchanged(&self.root, bytes, looks))
    }

    /// Keeps what a run told that found all outputs cached, where it leaned on nothing but what can be
    /// asked for again; the index, where it does not say all of that yet. `output` gives the outputs of
    /// the run's nodes.
    pub(crate) fn keep<Told: Serialize>(
        &self,
        session: &Session,
        prepared: &Prepared,
        output: impl Fn(NodeId) -> Option<OutputDigest>,
        told: Told,
    ) {
        let workspace = &prepared.workspace;
        session.keep_whole_index(workspace);
        // What was warned of is to be warned of again.
        if session.has_said_something() {
            return;
        }
        let last_builds = prepared.last_builds();
        let store = StoreFacts::of(prepared.known(&last_builds, &[]), &prepared.source_keys, output);
        let (Some(store), Some(looks)) = (store, workspace.snapshot.looks()) else { return };
        let git = workspace.loaded.git.clone();
        let (environment, mark) = (workspace.environment.asked(), prepared.mark.clone());
        let recall = Recall { looks, environment, git, store, mark, told };
        if let Err(error) = self.file.store(recall) {
            session.show(&[error.warning()]);
        }
    }
}

/// Whether the engine's images are as they were at a moment; no, where that is not clear.
fn is_still(session: &Session, mark: &Mark) -> bool {
    session.address().is_ok_and(|address| DockerBuilder::is_still(&address, mark))
}

/// What tells this program from any other, of the same version too.
fn program() -> Option<Vec<u8>> {
    let path = std::env::current_exe().ok()?;
    let facts = std::fs::metadata(&path).ok()?;
    let (size, inode, time) = (facts.size(), facts.ino(), (facts.mtime(), facts.mtime_nsec()));
    Some(format!("{} {size} {inode} {time:?} {}", env!("CARGO_PKG_VERSION"), path.display()).into_bytes())
}
