//! Where a checkout differs from a commit, as git tells it.
//!
//! Git takes a file for changed whose facts are not those that its index remembers. Most commands that would
//! look into such files write what they find into the index, so that git is asked here for the ids that it
//! would give them: filters and line ends are then its business. Some files git does not look at, because
//! somebody told it so; they count as changed, and are read by whoever compares.
//!
//! **Invariant:** nothing is written, neither an object nor the index.

use std::collections::HashSet;
use std::thread;

use super::command::{Git, GitError};
use super::object_id::ObjectId;
use crate::types::workspace_path::WorkspacePath;

const DIFFERENCES: [&str; 5] = ["diff-index", "-z", "--no-renames", "--relative", "--ignore-submodules=none"];

/// The places below git's folder in which the checkout is not, or may not be, as in `commit`. Files that git
/// does not know are not among them.
///
/// # Errors
/// When git does not answer.
pub(super) fn changed(git: &Git, commit: ObjectId) -> Result<HashSet<WorkspacePath>, GitError> {
    let id = commit.to_string();
    let (said, unseen) = thread::scope(|scope| {
        let unseen = scope.spawn(|| git.ask(&["ls-files", "-v", "-z", "--", "."]));
        let said = git.ask(&[&DIFFERENCES[..], &["--abbrev=64", &id, "--", "."]].concat());
        (said, unseen.join())
    });
    let unseen = unseen.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let said = said?;
    let differences = differences(&said);
    let same = same_after_all(git, &differences);
    let changed = differences.iter().map(|difference| difference.path).filter(|path| !same.contains(path));
    Ok(changed.filter_map(resolved).chain(unseen_paths(&unseen)).collect())
}

/// A place that git takes for changed.
struct Difference<'s> {
    path: &'s [u8],
    /// The id that the commit has there, when both are files of one mode, and git did not look into the one
    /// of the checkout.
    unread: Option<ObjectId>,
}

/// `:MODE MODE ID ID STATUS`, a zero, a path and a zero, for each. Where git did not look, the second id has
/// no digit but zero.
fn differences(said: &[u8]) -> Vec<Difference<'_>> {
    let mut fields = said.split(|byte| *byte == 0);
    let mut found = Vec::new();
    while let (Some(facts), Some(path)) = (fields.next(), fields.next()) {
        let words: Vec<&[u8]> = facts.split(|byte| *byte == b' ').collect();
        let unread = match words[..] {
            [before, after, id, other, b"M"] => {
                let is_file = before.starts_with(b":100") && before[1..] == *after;
                let is_unread = other.iter().all(|digit| *digit == b'0');
                ObjectId::of_hex(id).filter(|_| is_file && is_unread)
            }
            _ => None,
        };
        found.push(Difference { path, unread });
    }
    found
}

/// The paths of those whose content git would keep under the id that it has already. Where it does not say,
/// there is none.
fn same_after_all<'s>(git: &Git, differences: &[Difference<'s>]) -> HashSet<&'s [u8]> {
    let unread = differences.iter().filter_map(|difference| Some((difference.path, difference.unread?)));
    // The question has a path a line, and one that begins with a quote is written in another way.
    let is_plain = |path: &[u8]| !path.contains(&b'\n') && !path.starts_with(b"\"");
    let unread: Vec<(&[u8], ObjectId)> = unread.filter(|(path, _)| is_plain(path)).collect();
    if unread.is_empty() {
        return HashSet::new();
    }
    let question: Vec<u8> = unread.iter().flat_map(|(path, _)| [path, &b"\n"[..]].concat()).collect();
    let said = git.ask_with(&["hash-object", "--stdin-paths"], &question).unwrap_or_default();
    let ids = said.split(|byte| *byte == b'\n').map(ObjectId::of_hex);
    unread
        .iter()
        .zip(ids)
        .filter(|((_, before), id)| *id == Some(*before))
        .map(|((path, _), _)| *path)
        .collect()
}

/// The paths in an answer that ends each with a zero.
pub(super) fn paths(said: &[u8]) -> impl Iterator<Item = WorkspacePath> {
    said.split(|byte| *byte == 0).filter(|path| !path.is_empty()).filter_map(resolved)
}

/// A path from git's folder.
pub(super) fn resolved(path: &[u8]) -> Option<WorkspacePath> {
    WorkspacePath::root().resolve(path).ok()
}

/// The paths at which git does not look, whatever is there: `S PATH` is left out of a sparse checkout, and a
/// small letter says that somebody wants it to be taken for unchanged.
fn unseen_paths(said: &[u8]) -> impl Iterator<Item = WorkspacePath> {
    let is_unseen = |letter: u8| letter == b'S' || letter.is_ascii_lowercase();
    let lines = said.split(|byte| *byte == 0).filter(|line| line.len() > 2);
    lines.filter(move |line| is_unseen(line[0])).filter_map(|line| resolved(&line[2..]))
}
