//! What a change touches, asked once for all commands that want to know: `affected`, `build --affected-by`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::exit::Exit;
use super::session::Session;
use crate::engine::affected::{self, Answer, Revisions, Trouble};
use crate::export::printable::printable;
use crate::graph::affected::{Affected, TargetChange};
use crate::graph::load::Options;
use crate::graph::side::Asked;
use crate::source::git::repository::Repository;
use crate::source::workspace_root;
use crate::types::diagnostic::{Diagnostic, Severity};
use crate::types::workspace_path::WorkspacePath;

/// What is to be compared, and how much of it.
#[derive(Clone, Copy)]
pub(crate) struct Question<'q> {
    pub(crate) revisions: Revisions<'q>,
    pub(crate) patterns: &'q [String],
    pub(crate) platforms: &'q [String],
    /// Whether a base that cannot be looked at is an error.
    pub(crate) strict: bool,
}

/// The targets that differ. What is to be known of them is said here.
pub(crate) fn affected(session: &Session, question: Question<'_>) -> Result<Answer, Exit> {
    let (repository, current) = place(session)?;
    if repository.is_bare() && question.revisions.head.is_none() {
        let problem = Diagnostic::error("this repository has no checkout that could be compared");
        return Err(session.fail(&[problem.help("name the newer commit with --head")], Exit::Usage));
    }
    let set: BTreeMap<String, String> = session.everywhere.set.iter().cloned().collect();
    let options =
        Options { set: &set, environment: &session.environment, version: env!("CARGO_PKG_VERSION") };
    let platforms = session.platforms(question.platforms)?;
    let asked = Asked {
        options,
        patterns: question.patterns,
        current: &current,
        platforms: &platforms,
        build_platform: &Session::local_platform(),
    };
    let answer = affected::affected(&repository, question.revisions, &asked);
    let answer = answer.map_err(|trouble| match trouble {
        Trouble::Wrong(wrong) => session.fail(&wrong, Exit::Usage),
        Trouble::Surroundings(problem) => session.fail(&[problem], Exit::Surroundings),
    })?;
    session.show(&answer.warnings);
    if let Some(why) = &answer.everything {
        if question.strict {
            return Err(session.fail(why, Exit::Usage));
        }
        let said =
            Diagnostic::warning("everything counts as affected").help("with --strict this is an error");
        session.show(&as_warnings(why).into_iter().chain([said]).collect::<Vec<_>>());
    }
    say_apart(session, &answer.targets);
    Ok(answer)
}

/// The repository around the workspace in which the user stands, and where that is; or a repository without a
/// checkout.
fn place(session: &Session) -> Result<(Repository, Arc<WorkspacePath>), Exit> {
    let directory = session.directory()?;
    let root = match workspace_root::find(&directory) {
        Ok(root) => root,
        Err(problem) => {
            let bare = Repository::bare(&directory).map(|repository| (repository, Arc::default()));
            return bare.ok_or_else(|| session.fail(&[problem], Exit::Usage));
        }
    };
    Ok((Repository::around(&root), Arc::new(super::session::current_folder(&directory, &root))))
}

/// What is wrong with the base, when that is no reason to stop.
fn as_warnings(problems: &[Diagnostic]) -> Vec<Diagnostic> {
    let warning = |problem: &Diagnostic| Diagnostic { severity: Severity::Warning, ..problem.clone() };
    problems.iter().map(warning).collect()
}

/// Targets that differ in files that git ignores are not among the affected ones: another checkout has no such
/// files, and none of them is in a commit.
fn say_apart(session: &Session, targets: &[Affected]) {
    let apart: Vec<&Affected> =
        targets.iter().filter(|target| target.apart && target.change == TargetChange::Changed).collect();
    if apart.is_empty() {
        return;
    }
    let files = apart.iter().flat_map(|target| &target.causes).filter_map(|cause| cause.file.as_ref());
    let mut files: Vec<String> = files.map(|file| printable(&file.to_string())).collect();
    files.sort();
    files.dedup();
    let labels: Vec<String> = apart.iter().map(|target| target.label.to_string()).collect();
    let message = format!(
        "git ignores files that targets read, so that no other checkout has them: {} ({})",
        few(&labels),
        few(&files)
    );
    session.show(&[Diagnostic::warning(message).help(
        "these targets are left out; name the files in the ignore file of the context, or commit them",
    )]);
}

/// The first of some words, and how many more there are.
fn few(words: &[String]) -> String {
    const SHOWN: usize = 3;
    match words.len() {
        0..=SHOWN => words.join(", "),
        count => format!("{} and {} more", words[..SHOWN].join(", "), count - SHOWN),
    }
}
