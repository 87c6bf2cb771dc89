//! `imgraph affected`: which targets a change touches.
//!
//! Text is a label a line, of targets that are there to be built; `--why` adds what became of each, and the
//! removed ones.

use crate::cli::arguments::{self, AffectedFormat, Kind};
use crate::cli::exit::{self, Exit};
use crate::cli::reasons;
use crate::cli::revisions::{self, Question};
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::engine::affected::{Answer, Revisions, present};
use crate::engine::explain::Explained;
use crate::export::affected_documents::{self, AffectedDocument};
use crate::graph::affected::Affected;
use crate::graph::target::TargetKind;
use crate::types::diagnostic::Diagnostic;

/// How many reasons are shown of each target.
const REASONS: usize = 5;

/// Runs the command. No builder is asked, and nothing is written.
pub(crate) fn run(session: &Session, arguments: &arguments::Affected) -> Result<Exit, Exit> {
    let everything = ["//...".to_owned()];
    let revisions = Revisions {
        base: &arguments.base,
        head: arguments.head.as_deref(),
        merge_base: arguments.merge_base,
    };
    let question = Question {
        revisions,
        patterns: if arguments.patterns.is_empty() { &everything } else { &arguments.patterns },
        platforms: &arguments.platform,
        strict: arguments.strict,
    };
    let mut answer = revisions::affected(session, question)?;
    answer.targets.retain(|target| is_wanted(&arguments.kind, target.kind));
    let found: Vec<&Affected> = present(&answer.targets).collect();
    terminal::result(&match arguments.format {
        AffectedFormat::Json => document(&answer),
        AffectedFormat::Text if arguments.why => why(session, arguments.all, &answer.targets),
        AffectedFormat::Text => found.iter().map(|target| format!("{}\n", target.label)).collect(),
        AffectedFormat::Paths => affected_documents::folders(&found),
        AffectedFormat::Github => {
            affected_documents::github(&found).map_err(|letters| too_long(session, letters))?
        }
    })?;
    let has_work = !found.is_empty();
    exit::leave(answer);
    Ok(if arguments.detailed_exitcode && has_work { Exit::WorkToDo } else { Exit::Done })
}

fn is_wanted(kinds: &[Kind], kind: TargetKind) -> bool {
    let is_it = |wanted: &Kind| match wanted {
        Kind::Base => kind == TargetKind::Base,
        Kind::Stage => kind == TargetKind::Stage,
        Kind::Image => kind == TargetKind::Image,
    };
    kinds.is_empty() || kinds.iter().any(is_it)
}

/// All of an answer.
pub(super) fn document(answer: &Answer) -> String {
    let id = |commit: &Option<_>| commit.as_ref().map(commit_id);
    let everything = answer.everything.is_some();
    AffectedDocument::new(id(&answer.base), id(&answer.head), everything, &answer.targets).text()
}

fn commit_id(commit: &crate::source::git::repository::Commit) -> String {
    commit.id.to_string()
}

fn too_long(session: &Session, letters: usize) -> Exit {
    let message = format!("the matrix takes {letters} letters, which is more than GitHub takes as an output");
    let help = "ask for fewer targets (--kind image, a pattern), or use `--format json` and a file";
    session.fail(&[Diagnostic::error(message).help(help)], Exit::Usage)
}

/// Each target, what became of it, and why.
fn why(session: &Session, all: bool, targets: &[Affected]) -> String {
    let most = if all { usize::MAX } else { REASONS };
    let columns = if all { usize::MAX } else { session.terminal.columns.saturating_sub(2) };
    let mut text = String::new();
    for target in targets.iter().filter(|target| !target.apart) {
        text.push_str(&format!("{} {}\n", target.label, target.change.as_str()));
        let explained: Vec<Explained> = target.causes.iter().map(reasons::of_cause).collect();
        for line in reasons::lines(&explained, most, columns) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}
