//! What the targets of a run can read, to tell a change that concerns them from one that does not.
//!
//! Files lie beside each other: a folder that is looked into holds some that no target reads, and a log that
//! `imgraph watch` writes itself may be one of them. The answer is that of a run after an edit, which looks
//! again at the targets that an edit touches ([`Parts`]).
//!
//! **Invariant:** a change of which it is not clear whom it concerns concerns the run.

use std::path::PathBuf;

use super::prepared::Prepared;
use crate::cache::folder::CacheFolder;
use crate::engine::parts::Parts;
use crate::source::git_facts::{GitFacts, GitQuestion};
use crate::source::looks::Looks;
use crate::source::snapshot::Snapshot;

/// What the targets of a run can read.
pub(crate) struct Readable {
    root: PathBuf,
    cache: CacheFolder,
    parts: Parts,
    looks: Looks,
    index: Vec<u8>,
    git: Vec<(GitQuestion, String)>,
}

impl Readable {
    /// What the targets of `prepared` can read; `None` where it leaned on files that facts do not tell.
    pub(crate) fn of(prepared: &Prepared) -> Option<Self> {
        let workspace = &prepared.workspace;
        let (looks, index) = workspace.snapshot.looks()?;
        Some(Self {
            root: workspace.snapshot.root_on_disk().to_owned(),
            cache: prepared.cache.clone(),
            parts: Parts::of(&prepared.graph, &prepared.views, &workspace.loaded, &workspace.snapshot)?,
            looks,
            index,
            git: workspace.loaded.git.clone(),
        })
    }

    /// Whether something has changed that concerns the targets.
    pub(crate) fn has_changed(&self) -> bool {
        let facts = GitFacts::of(&self.root);
        if self.git.iter().any(|(question, answer)| facts.answer(*question) != *answer) {
            return true;
        }
        let snapshot = Snapshot::with_index(&self.root, self.index.clone());
        let changes = snapshot.ok().and_then(|(snapshot, _damage)| snapshot.changes_since(&self.looks));
        let Some(changes) = changes else { return true };
        let is_touched =
            || self.parts.touched(&changes, &self.cache).is_none_or(|touched| !touched.roots.is_empty());
        !changes.are_none() && is_touched()
    }
}
