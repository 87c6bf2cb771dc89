//! The repository that a workspace lies in: its commits, and what a checkout has that a commit has not.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::command::{Answer, Git, GitError};
use super::commit_files::{CommitFiles, Contents};
use super::object_id::ObjectId;
use super::objects::ObjectKind;
use super::trees::Trees;
use crate::types::workspace_path::WorkspacePath;

/// The repository around a workspace. Nothing is asked before somebody wants to know.
pub struct Repository {
    root: PathBuf,
    is_bare: bool,
    trees: Arc<Trees>,
}

/// A commit, and the workspace's folder in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: ObjectId,
    /// The tree of the workspace's folder.
    pub(super) tree: ObjectId,
}

/// Why a revision cannot be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// Git does not answer.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It names no commit.
    #[error("`{revision}` is no commit that this repository has")]
    Unknown {
        /// What was asked for.
        revision: String,
        /// Whether the repository has but a part of its history.
        is_shallow: bool,
    },
    /// The commit has nothing where the workspace is.
    #[error("the commit {commit} does not have the workspace's folder")]
    NoWorkspace {
        /// The commit.
        commit: ObjectId,
    },
    /// The commits have no ancestor in common, or it is not here.
    #[error("`{one}` and `{other}` have no commit in common")]
    Unrelated {
        /// The one.
        one: String,
        /// The other.
        other: String,
        /// Whether the repository has but a part of its history.
        is_shallow: bool,
    },
}

impl RevisionError {
    /// What the user can do.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Unknown { is_shallow: true, .. } | Self::Unrelated { is_shallow: true, .. } => Some(
                "this is a shallow clone: fetch more of the history, with `git fetch --deepen=50` or \
                 `git fetch --unshallow` (on GitHub, `fetch-depth: 0` of actions/checkout)",
            ),
            Self::Unknown { .. } => Some("fetch it first, or name a branch, a tag or a commit that is here"),
            Self::NoWorkspace { .. } => Some("the workspace came later, or lay elsewhere then"),
            Self::Git(_) | Self::Unrelated { .. } => None,
        }
    }
}

impl Repository {
    /// The repository around the workspace whose folder is `root`.
    pub fn around(root: &Path) -> Self {
        Self::new(root, false)
    }

    /// The repository at `folder`, when that is one without a checkout. The workspace is its topmost folder.
    pub fn bare(folder: &Path) -> Option<Self> {
        let is_bare = Git::in_folder(folder).ask(&["rev-parse", "--is-bare-repository"]).ok()?;
        (is_bare.trim_ascii() == b"true").then(|| Self::new(folder, true))
    }

    fn new(root: &Path, is_bare: bool) -> Self {
        let trees = Arc::new(Trees::new(Git::in_folder(root)));
        Self { root: root.to_path_buf(), is_bare, trees }
    }

    /// Where the workspace lies on this machine, or the repository, when there is no checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether there is no checkout.
    pub fn is_bare(&self) -> bool {
        self.is_bare
    }

    /// The commit that `revision` names: a branch, a tag, an id, `HEAD~3`.
    ///
    /// # Errors
    /// When it names none, the workspace is not in it, or git does not answer.
    pub fn commit(&self, revision: &str) -> Result<Commit, RevisionError> {
        let id = match self.trees.resolve(&format!("{revision}^{{commit}}"), ObjectKind::Commit)? {
            Some(id) => id,
            None => {
                let revision = revision.to_owned();
                return Err(RevisionError::Unknown { revision, is_shallow: self.is_shallow() });
            }
        };
        // `./` is the folder in which git was started, from the top of the repository.
        let folder = if self.is_bare { format!("{id}:") } else { format!("{id}:./") };
        let tree = self.trees.resolve(&folder, ObjectKind::Tree)?;
        let tree = tree.ok_or(RevisionError::NoWorkspace { commit: id })?;
        Ok(Commit { id, tree })
    }

    /// The best common ancestor of two revisions.
    ///
    /// # Errors
    /// As [`Self::commit`], and when there is none.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<Commit, RevisionError> {
        let ids = [self.commit(one)?.id.to_string(), self.commit(other)?.id.to_string()];
        let unrelated = || RevisionError::Unrelated {
            one: one.to_owned(),
            other: other.to_owned(),
            is_shallow: self.is_shallow(),
        };
        match self.trees.git().run(&["merge-base", &ids[0], &ids[1]])? {
            Answer::Said(id) => self.commit(String::from_utf8_lossy(&id).trim()),
            Answer::Refused(_nothing_in_common) => Err(unrelated()),
        }
    }

    fn is_shallow(&self) -> bool {
        let answer = self.trees.git().ask(&["rev-parse", "--is-shallow-repository"]);
        answer.is_ok_and(|answer| answer.trim_ascii() == b"true")
    }

    /// The files of `commit`.
    pub(in crate::source) fn files(&self, commit: &Commit, contents: Contents) -> CommitFiles {
        CommitFiles::new(&self.trees, commit.tree, &self.root, contents)
    }

    /// The places in which the checkout differs from `commit`, of all that git knows of either; files that
    /// it does not know are not among them.
    ///
    /// # Errors
    /// When git does not answer.
    pub(in crate::source) fn changed_in_checkout(
        &self,
        commit: &Commit,
    ) -> Result<HashSet<WorkspacePath>, GitError> {
        let id = commit.id.to_string();
        let arguments =
            ["diff-index", "--name-only", "-z", "--no-renames", "--relative", "--ignore-submodules=none"];
        let said = self.trees.git().ask(&[&arguments[..], &[&id, "--", "."]].concat())?;
        let paths = said.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.filter_map(|path| WorkspacePath::root().resolve(path).ok()).collect())
    }

    /// Those of `paths` that git ignores.
    ///
    /// # Errors
    /// When git does not answer.
    pub fn ignored(&self, paths: &[WorkspacePath]) -> Result<HashSet<WorkspacePath>, GitError> {
        if paths.is_empty() || self.is_bare {
            return Ok(HashSet::new());
        }
        let mut question = Vec::new();
        for path in paths {
            question.extend_from_slice(path.as_bytes());
            question.push(0);
        }
        let said = self.trees.git().ask_with(&["check-ignore", "-z", "--stdin"], &question)?;
        let paths = said.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.filter_map(|path| WorkspacePath::root().resolve(path).ok()).collect())
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Repository").field(&self.root).finish()
    }
}
