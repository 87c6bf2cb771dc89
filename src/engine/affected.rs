//! Which targets a change touches: from two revisions to the targets whose keys differ.
//!
//! What both sides have the same gets no graph ([`Sides`]), and of what has one only those views are compared in
//! which something may differ.
//!
//! **Invariant:** where it is not clear what was before, everything is affected, and somebody is told why.

use std::collections::HashSet;

use crate::graph::affected::{self, Affected, Aside, Cause};
use crate::graph::manifest::{Change, Reason};
use crate::graph::node::Node;
use crate::graph::paired_views::{self, Made, Unviewable};
use crate::graph::reach::Reach;
use crate::graph::side::{Asked, Side};
use crate::graph::sides::{Sides, Unloadable};
use crate::source::comparison::{ClosedSubmodule, Comparison, ComparisonError, Differences};
use crate::source::git::command::GitError;
use crate::source::git::repository::{Commit, Repository, RevisionError};
use crate::source::read_error::ReadError;
use crate::source::snapshot::{Below, Snapshot};
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::{DenseMap, NodeId};
use crate::types::span::Location;
use crate::types::workspace_path::WorkspacePath;

/// What is to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Revisions<'r> {
    /// The older side: anything that git can resolve to a commit.
    pub base: &'r str,
    /// The newer side; `None` is the checkout.
    pub head: Option<&'r str>,
    /// Whether the older side is the best common ancestor of both.
    pub merge_base: bool,
}

/// What a change touches.
#[derive(Debug)]
pub struct Answer {
    /// The older side; `None` where it could not be looked at.
    pub base: Option<Commit>,
    /// The newer side; `None` is the checkout.
    pub head: Option<Commit>,
    /// The targets that were asked for and differ, sorted by label.
    pub targets: Vec<Affected>,
    /// Why everything is said to be affected, when it is.
    pub everything: Option<Vec<Diagnostic>>,
    /// What is to be known, and changes nothing.
    pub warnings: Vec<Diagnostic>,
    /// What was looked at: a great many small things, which a program that ends need not free.
    pub looked_at: LookedAt,
}

/// Both sides, as they were read and loaded.
#[derive(Debug, Default)]
pub struct LookedAt {
    /// The files, where both could be read.
    pub files: Option<Comparison>,
    /// The newer side, and the older one where it is another.
    pub sides: Vec<Side>,
}

/// Why nobody can say what a change touches.
#[derive(Debug)]
pub enum Trouble {
    /// The newer side, or what was asked, is wrong.
    Wrong(Vec<Diagnostic>),
    /// Git or the disk does not answer.
    Surroundings(Diagnostic),
}

impl From<GitError> for Trouble {
    fn from(error: GitError) -> Self {
        match error {
            GitError::NoRepository => Self::Wrong(vec![Diagnostic::error(error.to_string())]),
            GitError::NotStarted(_) => {
                let help = "install git, or add the folder that holds it to PATH";
                Self::Surroundings(Diagnostic::error(error.to_string()).help(help))
            }
            GitError::Failed { .. } => Self::Surroundings(Diagnostic::error(error.to_string())),
        }
    }
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Self::Surroundings(Diagnostic::error(error.to_string()))
    }
}

impl From<ComparisonError> for Trouble {
    fn from(error: ComparisonError) -> Self {
        match error {
            ComparisonError::Git(error) => error.into(),
            ComparisonError::Read(error) => error.into(),
        }
    }
}

impl From<RevisionError> for Trouble {
    fn from(error: RevisionError) -> Self {
        match error {
            RevisionError::Git(error) => error.into(),
            error => Self::Wrong(vec![diagnostic(&error)]),
        }
    }
}

/// What a revision that cannot be looked at looks like to people.
fn diagnostic(error: &RevisionError) -> Diagnostic {
    let diagnostic = Diagnostic::error(error.to_string());
    match error.help() {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The targets of what is `asked` that differ between two revisions of `repository`.
///
/// # Errors
/// When the newer side is wrong, or git does not answer.
pub fn affected(
    repository: &Repository,
    revisions: Revisions<'_>,
    asked: &Asked<'_>,
) -> Result<Answer, Trouble> {
    if revisions.head.is_some() {
        repository.begin();
    }
    let head = revisions.head.map(|revision| repository.commit(revision)).transpose()?;
    let base = match (revisions.merge_base, revisions.head) {
        (false, _) => repository.commit(revisions.base),
        (true, head) => repository.merge_base(revisions.base, head.unwrap_or("HEAD")),
    };
    let base = match base {
        Ok(base) => base,
        Err(RevisionError::Git(error)) => return Err(error.into()),
        Err(error) => return without_base(repository, head, asked, diagnostic(&error)),
    };
    let comparison = Comparison::new(repository, &base, head.as_ref());
    comparison.read_all()?;
    let differences = comparison.differences()?;
    let Sides { newer, older } = match Sides::of(&comparison, &differences, asked) {
        Ok(sides) => sides,
        Err(Unloadable::Newer(wrong)) => return Err(Trouble::Wrong(wrong)),
        Err(Unloadable::Older(newer, wrong)) => return Ok(broken(base, head, *newer, wrong)),
    };
    check_patterns(older.as_ref(), &newer)?;
    let found = Found { repository, comparison: &comparison, differences: &differences };
    match found.compare(older.as_ref(), &newer) {
        Ok(targets) => {
            let warnings = newer.warnings.clone();
            let sides = std::iter::once(newer).chain(older).collect();
            let looked_at = LookedAt { files: Some(comparison), sides };
            Ok(Answer { base: Some(base), head, targets, everything: None, warnings, looked_at })
        }
        Err(Unviewable::Head(wrong)) => Err(Trouble::Wrong(wrong)),
        Err(Unviewable::Base(wrong)) => Ok(broken(base, head, newer, wrong)),
    }
}

/// Everything is affected, for the base is `broken`.
fn broken(base: Commit, head: Option<Commit>, newer: Side, wrong: Vec<Diagnostic>) -> Answer {
    let said = Diagnostic::error(format!("the workspace of the commit {} cannot be loaded", base.id));
    let why = std::iter::once(said).chain(wrong).collect();
    Answer { base: Some(base), ..all_of(head, newer, why) }
}

fn without_base(
    repository: &Repository,
    head: Option<Commit>,
    asked: &Asked<'_>,
    why: Diagnostic,
) -> Result<Answer, Trouble> {
    let newer = match &head {
        Some(commit) => {
            let comparison = Comparison::new(repository, commit, Some(commit));
            comparison.read_all()?;
            Side::of(&comparison.head, asked)
        }
        None => Side::of(&Snapshot::of_disk(repository.root())?, asked),
    };
    let newer = newer.map_err(Trouble::Wrong)?;
    check_patterns(None, &newer)?;
    Ok(all_of(head, newer, vec![why]))
}

fn all_of(head: Option<Commit>, newer: Side, why: Vec<Diagnostic>) -> Answer {
    let new = Some("it could not be looked at".to_owned());
    let reason = Reason { fact: "base".to_owned(), change: Change::Changed, old: None, new };
    let targets = affected::everything(&newer.graph, &reason);
    let warnings = newer.warnings.clone();
    let looked_at = LookedAt { files: None, sides: vec![newer] };
    Answer { base: None, head, targets, everything: Some(why), warnings, looked_at }
}

/// A pattern must name something on one side.
fn check_patterns(older: Option<&Side>, newer: &Side) -> Result<(), Trouble> {
    let is_known_before = |pattern: &String| {
        older.is_some_and(|older| older.unknown.iter().all(|(unknown, _)| unknown != pattern))
    };
    let wrong: Vec<Diagnostic> = newer
        .unknown
        .iter()
        .filter(|(pattern, _)| !is_known_before(pattern))
        .flat_map(|(_, problems)| problems.iter().cloned())
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(Trouble::Wrong(wrong)) }
}

/// Two sides that can be compared.
struct Found<'f> {
    repository: &'f Repository,
    comparison: &'f Comparison,
    differences: &'f Differences,
}

impl Found<'_> {
    fn compare(&self, older: Option<&Side>, newer: &Side) -> Result<Vec<Affected>, Unviewable> {
        let head = Made { graph: &newer.graph, snapshot: &self.comparison.head };
        let graph = older.map_or(&newer.graph, |older| &older.graph);
        let base = Made { graph, snapshot: &self.comparison.base };
        let partners = match older {
            Some(_) => paired_views::partners(head.graph, &paired_views::names(base.graph)),
            None => head.graph.nodes.iter().map(|(id, _)| Some(id)).collect(),
        };
        let (before, after) = paired_views::views(base, head, &partners, self.differences)?;
        let ignored = |files: &[WorkspacePath]| self.ignored(files);
        let aside = Aside { unreadable: self.unreadable(head), ignored: &ignored };
        let mut targets = affected::compare((base, &before), (head, &after), &partners, aside);
        for cause in targets.iter_mut().flat_map(|target| &mut target.causes) {
            self.describe(cause);
        }
        Ok(targets)
    }

    /// Those of `places` that git ignores, and the folders of the checkout of which it would keep nothing; of
    /// two commits none.
    fn ignored(&self, places: &[WorkspacePath]) -> HashSet<WorkspacePath> {
        if !self.comparison.has_checkout() {
            return HashSet::new();
        }
        // Git wants paths without links.
        let real: Vec<(&WorkspacePath, WorkspacePath)> =
            places.iter().filter_map(|place| Some((place, self.without_links(place)?))).collect();
        let asked: HashSet<WorkspacePath> = real.iter().map(|(_, real)| real.clone()).collect();
        // Where nobody says, they count as any other.
        let Below { folders, others: inside } = self.comparison.head.below(&asked).unwrap_or_default();
        let asked: Vec<WorkspacePath> = asked.into_iter().chain(inside.iter().cloned()).collect();
        let Ok(ignored) = self.repository.ignored(&asked) else { return HashSet::new() };
        let kept = inside.iter().filter(|file| !ignored.contains(*file));
        let keeping: HashSet<WorkspacePath> =
            kept.flat_map(|file| std::iter::successors(file.parent(), WorkspacePath::parent)).collect();
        let is_ignored = |real: &WorkspacePath| {
            ignored.contains(real) || (folders.contains(real) && !keeping.contains(real))
        };
        real.into_iter().filter(|(_, real)| is_ignored(real)).map(|(place, _)| place.clone()).collect()
    }

    /// `file`, in the folder to which the links on the way to it lead.
    fn without_links(&self, file: &WorkspacePath) -> Option<WorkspacePath> {
        let folder = self.comparison.head.follow(&file.parent()?).ok()??;
        Some(folder.join_name(file.file_name()?))
    }

    /// What is to be said of nodes that may read a submodule which cannot be read here and has another commit.
    fn unreadable(&self, head: Made<'_>) -> DenseMap<NodeId, Vec<Cause>> {
        let closed = self.comparison.closed_submodules();
        let of_node = |node: &Node| {
            let contexts = || node.build().into_iter().flat_map(|build| build.contexts());
            let reads = |submodule: &&ClosedSubmodule| {
                contexts().any(|(_, context)| {
                    Reach::of(&context.spec, head.snapshot)
                        .map_or(true, |reach| reach.may_hold_below(&submodule.path))
                })
            };
            closed.iter().filter(reads).map(|closed| of_submodule(node, closed)).collect()
        };
        head.graph.nodes.values().iter().map(of_node).collect()
    }

    /// Says which blobs a file has.
    fn describe(&self, cause: &mut Cause) {
        if let Some(file) = &cause.file {
            let real = self.without_links(file);
            let (old, new) = self.comparison.described(real.as_ref().unwrap_or(file));
            cause.reason.old = old.filter(|_| cause.reason.change != Change::Added);
            cause.reason.new = new.filter(|_| cause.reason.change != Change::Removed);
        }
    }
}

fn of_submodule(node: &Node, closed: &ClosedSubmodule) -> Cause {
    let commit = |id: &Option<_>| id.as_ref().map(ToString::to_string);
    let (old, new) = (commit(&closed.base), commit(&closed.head));
    let change = match (&old, &new) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        _ => Change::Changed,
    };
    let place: Option<Location> = node.build().map(|build| build.target.location.clone());
    let fact = format!("submodule {} (its files cannot be read here)", closed.path);
    Cause { reason: Reason { fact, change, old, new }, place, file: None, through: Vec::new() }
}

/// The labels of what is affected, of those that the newer side has.
pub fn present(targets: &[Affected]) -> impl Iterator<Item = &Affected> {
    targets.iter().filter(|target| target.change != affected::TargetChange::Removed && !target.apart)
}
