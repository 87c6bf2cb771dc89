//! The repository that a workspace lies in: its commits, and what a checkout has that a commit has not.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkout_changes::{self, resolved};
use super::command::{Answer, Git, GitError};
use super::commit_files::{CommitFiles, Contents, is_parsed};
use super::object_id::ObjectId;
use super::objects::ObjectKind;
use super::trees::Trees;
use crate::types::workspace_path::WorkspacePath;

/// The repository around a workspace. Nothing is asked before somebody wants to know. Clones are the same.
#[derive(Clone)]
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
    #[error("`{revision}` is no commit that this repository has{said}")]
    Unknown {
        /// What was asked for.
        revision: String,
        /// What git says about it, after a colon; mostly nothing.
        said: String,
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

    /// Begins with what a commit mostly shares with the checkout, for who is going to look at all files of one.
    pub fn begin(&self) {
        if !self.is_bare {
            self.trees.begin(is_parsed);
        }
    }

    /// The commit that `revision` names: a branch, a tag, an id, `HEAD~3`.
    ///
    /// # Errors
    /// When it names none, the workspace is not in it, or git does not answer.
    pub fn commit(&self, revision: &str) -> Result<Commit, RevisionError> {
        let unknown = |said: String| {
            let revision = revision.to_owned();
            RevisionError::Unknown { revision, said, is_shallow: self.is_shallow() }
        };
        // After `:/` everything is what the message of a commit has to say.
        let peeled = if revision.starts_with(":/") { "" } else { "^{commit}" };
        let id = match self.trees.resolve(&format!("{revision}{peeled}"), ObjectKind::Commit) {
            Ok(id) => id.ok_or_else(|| unknown(String::new()))?,
            // Git gives up over some names: of an upstream that is not set, of a log that is too short.
            Err(GitError::Failed { message, .. }) if self.answers() => {
                return Err(unknown(format!(": {}", message.trim_start_matches("fatal: "))));
            }
            Err(error) => return Err(error.into()),
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

    /// Whether git has anything to say here.
    fn answers(&self) -> bool {
        self.trees.git().ask(&["rev-parse", "--git-dir"]).is_ok()
    }

    fn is_shallow(&self) -> bool {
        let answer = self.trees.git().ask(&["rev-parse", "--is-shallow-repository"]);
        answer.is_ok_and(|answer| answer.trim_ascii() == b"true")
    }

    /// The files of `commit`.
    pub(in crate::source) fn files(&self, commit: &Commit, contents: Contents) -> CommitFiles {
        CommitFiles::new(&self.trees, commit.tree, &self.root, contents)
    }

    /// The places in which the checkout differs from `commit`, of all that git knows of either, and those at
    /// which git was told not to look; files that it does not know are not among them.
    ///
    /// # Errors
    /// When git does not answer.
    pub(in crate::source) fn changed_in_checkout(
        &self,
        commit: &Commit,
    ) -> Result<HashSet<WorkspacePath>, GitError> {
        checkout_changes::changed(self.trees.git(), commit.id)
    }

    /// Those of `paths` that git ignores.
    ///
    /// # Errors
    /// When git does not answer.
    pub fn ignored(&self, paths: &[WorkspacePath]) -> Result<HashSet<WorkspacePath>, GitError> {
        if paths.is_empty() || self.is_bare {
            return Ok(HashSet::new());
        }
        let submodules = self.submodules()?;
        let mut question = Vec::new();
        for path in paths {
            // Git has no answer for what is another repository's.
            let mut above = std::iter::successors(path.parent(), WorkspacePath::parent);
            if !above.any(|folder| submodules.contains(&folder)) {
                question.extend_from_slice(path.as_bytes());
                question.push(0);
            }
        }
        let said = self.trees.git().ask_with(&["check-ignore", "-z", "--stdin"], &question)?;
        Ok(checkout_changes::paths(&said).collect())
    }

    /// The submodules that the index has.
    fn submodules(&self) -> Result<HashSet<WorkspacePath>, GitError> {
        let said = self.trees.git().ask(&["ls-files", "--stage", "-z", "--", "."])?;
        let submodules = said.split(|byte| *byte == 0).filter(|line| line.starts_with(b"160000 "));
        let places = submodules.filter_map(|line| line.splitn(2, |byte| *byte == b'\t').nth(1));
        Ok(places.filter_map(resolved).collect())
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Repository").field(&self.root).finish()
    }
}
