//! What git says of the workspace: commit, branch, and whether anything is uncommitted.
//!
//! Each fact is asked for once, and only when somebody wants it: `git status` reads every file's
//! facts, and a workspace that uses no git variable must not need git at all. The `git` command is
//! asked rather than the repository's files read: worktrees, submodules and safe directories are
//! then git's own business.

use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

pub use super::git::command::GitError;
use super::git::command::{Answer, Git, failed};

/// The facts about the repository that holds a folder.
#[derive(Debug)]
pub struct GitFacts {
    git: Git,
    /// The commit that the files are of, when they are no checkout: some answers are known then. A fact counts
    /// as asked for all the same only when somebody wants it.
    of_commit: Option<String>,
    commit: OnceLock<Result<Option<String>, GitError>>,
    branch: OnceLock<Result<Option<String>, GitError>>,
    dirty: OnceLock<Result<bool, GitError>>,
}

/// Something that git can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GitQuestion {
    /// See [`GitFacts::commit`].
    Commit,
    /// See [`GitFacts::branch`].
    Branch,
    /// See [`GitFacts::dirty`].
    Dirty,
}

/// How many letters of a commit's name are enough for people; what git itself shows at first.
const SHORT: usize = 7;

impl GitFacts {
    /// Facts about the repository in which `folder` lies. Nothing is asked yet.
    pub fn of(folder: &Path) -> Self {
        let (commit, branch, dirty) = Default::default();
        Self { git: Git::in_folder(folder), of_commit: None, commit, branch, dirty }
    }

    /// Facts about the files of the commit `id`, of the repository in which `folder` lies: it is what is
    /// checked out, and nothing is uncommitted. The branch is the one that the repository is on.
    pub fn of_commit(folder: &Path, id: String) -> Self {
        Self { of_commit: Some(id), ..Self::of(folder) }
    }

    /// The full name of the commit that is checked out; `None` before the first commit.
    ///
    /// # Errors
    /// When git cannot be asked, or there is no repository.
    pub fn commit(&self) -> Result<Option<&str>, GitError> {
        let ask = || match &self.of_commit {
            Some(id) => Ok(Some(id.clone())),
            None => self.ask_quietly(&["rev-parse", "--verify", "--quiet", "HEAD"]),
        };
        self.commit.get_or_init(ask).as_ref().map(Option::as_deref).map_err(Clone::clone)
    }

    /// The first letters of [`Self::commit`].
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn short_commit(&self) -> Result<Option<&str>, GitError> {
        Ok(self.commit()?.and_then(|commit| commit.get(..SHORT)))
    }

    /// The branch that is checked out; `None` when a commit is checked out by itself, as most
    /// continuous integration does.
    ///
    /// # Errors
    /// When git cannot be asked, or there is no repository.
    pub fn branch(&self) -> Result<Option<&str>, GitError> {
        let ask = || self.ask_quietly(&["symbolic-ref", "--short", "--quiet", "HEAD"]);
        self.branch.get_or_init(ask).as_ref().map(Option::as_deref).map_err(Clone::clone)
    }

    /// Whether the workspace's folder differs from the commit. A file that git neither knows nor
    /// ignores counts: a build may read it.
    ///
    /// # Errors
    /// When git cannot be asked, or there is no repository.
    pub fn dirty(&self) -> Result<bool, GitError> {
        let ask = || {
            if self.of_commit.is_some() {
                return Ok(false);
            }
            let arguments = ["status", "--porcelain", "--untracked-files=normal", "--", "."];
            self.run(&arguments).and_then(|answer| match answer {
                Reply::Said(changes) => Ok(!changes.is_empty()),
                Reply::Refused(message) => Err(failed(&arguments, message)),
            })
        };
        self.dirty.get_or_init(ask).clone()
    }

    /// What was asked so far, with the answers, errors included: so that the same can be asked again.
    pub fn asked(&self) -> Vec<(GitQuestion, String)> {
        let asked = [
            (GitQuestion::Commit, self.commit.get().is_some()),
            (GitQuestion::Branch, self.branch.get().is_some()),
            (GitQuestion::Dirty, self.dirty.get().is_some()),
        ];
        let asked = asked.into_iter().filter(|(_, was_asked)| *was_asked);
        asked.map(|(question, _)| (question, self.answer(question))).collect()
    }

    /// The answer to a question, as a text that tells all answers apart.
    pub fn answer(&self, question: GitQuestion) -> String {
        match question {
            GitQuestion::Commit => format!("{:?}", self.commit()),
            GitQuestion::Branch => format!("{:?}", self.branch()),
            GitQuestion::Dirty => format!("{:?}", self.dirty()),
        }
    }

    /// Asks for one word; a refusal without a message means that there is none.
    fn ask_quietly(&self, arguments: &[&str]) -> Result<Option<String>, GitError> {
        match self.run(arguments)? {
            Reply::Said(text) => Ok(Some(text)),
            Reply::Refused(message) if message.is_empty() => Ok(None),
            Reply::Refused(message) => Err(failed(arguments, message)),
        }
    }

    fn run(&self, arguments: &[&str]) -> Result<Reply, GitError> {
        Ok(match self.git.run(arguments)? {
            Answer::Said(bytes) => Reply::Said(String::from_utf8_lossy(&bytes).trim().to_owned()),
            Answer::Refused(message) => Reply::Refused(message),
        })
    }
}

/// What the command answered, as text.
enum Reply {
    Said(String),
    Refused(String),
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A folder that is a repository after `script` ran in it.
    fn repository(script: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let setup = "git init -q -b trunk . && git config user.email a@b && git config user.name a";
        let status = Command::new("sh")
            .arg("-ec")
            .arg(format!("{setup}\n{script}"))
            .current_dir(folder.path())
            .status();
        assert!(status.unwrap().success(), "{script}");
        folder
    }

    const COMMIT: &str = "echo a >a; git add a; git commit -qm first\n";

    #[test]
    fn a_clean_checkout() {
        let folder = repository(COMMIT);
        let facts = GitFacts::of(folder.path());
        let commit = facts.commit().unwrap().unwrap();
        assert_eq!(commit.len(), 40);
        assert_eq!(facts.short_commit(), Ok(Some(&commit[..7])));
        assert_eq!(facts.branch(), Ok(Some("trunk")));
        assert_eq!(facts.asked().len(), 2, "only the commit and the branch were asked for");
        assert_eq!(facts.dirty(), Ok(false));
        let again = GitFacts::of(folder.path());
        for (question, answer) in facts.asked() {
            assert_eq!(again.answer(question), answer);
        }
    }

    #[test]
    fn changes_and_files_that_git_does_not_know_are_dirt() {
        let dirty = |script: &str| GitFacts::of(repository(&format!("{COMMIT}{script}")).path()).dirty();
        assert_eq!(dirty("echo b >a"), Ok(true));
        assert_eq!(dirty("echo b >b"), Ok(true));
        assert_eq!(dirty("echo b >.gitignore; git add .; git commit -qm x; echo b >b"), Ok(false));
    }

    #[test]
    fn a_commit_by_itself_has_no_branch() {
        let folder = repository(&format!("{COMMIT}git checkout -q --detach"));
        assert_eq!(GitFacts::of(folder.path()).branch(), Ok(None));
    }

    #[test]
    fn what_is_known_of_a_commit_counts_as_asked_when_somebody_asks() {
        let folder = repository(COMMIT);
        let facts = GitFacts::of_commit(folder.path(), "0123456789".to_owned());
        assert_eq!(facts.asked(), []);
        assert_eq!(facts.dirty(), Ok(false));
        assert_eq!(facts.short_commit(), Ok(Some("0123456")));
        let questions: Vec<GitQuestion> = facts.asked().into_iter().map(|(question, _)| question).collect();
        assert_eq!(questions, [GitQuestion::Commit, GitQuestion::Dirty]);
    }

    #[test]
    fn before_the_first_commit_there_is_no_commit() {
        let folder = repository("");
        assert_eq!(GitFacts::of(folder.path()).commit(), Ok(None));
    }

    #[test]
    fn without_a_repository_git_says_so() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(GitFacts::of(folder.path()).commit(), Err(GitError::NoRepository));
        assert_eq!(GitFacts::of(folder.path()).dirty(), Err(GitError::NoRepository));
    }
}
