//! `imgraph explain TARGET --base REV`: what differs of a target between two commits, or from one to the
//! checkout.
//!
//! It says what `affected` says, of one target and in full; a target that is the same is told to be so.

use std::collections::BTreeSet;

use crate::cli::arguments::{self, Format};
use crate::cli::exit::{self, Exit};
use crate::cli::reasons;
use crate::cli::revisions::{self, Question};
use crate::cli::session::Session;
use crate::cli::{table, terminal};
use crate::engine::affected::{Answer, Revisions};
use crate::graph::affected::Affected;
use crate::graph::side::Side;
use crate::types::label::Label;

/// Runs the command. No builder is asked, and nothing is written.
pub(super) fn run(session: &Session, arguments: &arguments::Explain, base: &str) -> Result<Exit, Exit> {
    let revisions = Revisions { base, head: arguments.head.as_deref(), merge_base: arguments.merge_base };
    // A person wants to know, not to be on the safe side.
    let question = Question { revisions, patterns: &arguments.targets, platforms: &[], strict: true };
    let answer = revisions::affected(session, question)?;
    terminal::result(&match arguments.format {
        Format::Json => super::affected::document(&answer),
        Format::Text => text(session, arguments, base, &answer),
    })?;
    exit::leave(answer);
    Ok(Exit::Done)
}

fn text(session: &Session, arguments: &arguments::Explain, base: &str, answer: &Answer) -> String {
    let (most, columns) = match arguments.all {
        true => (usize::MAX, usize::MAX),
        false => (table::SCREEN, session.terminal.columns.saturating_sub(2)),
    };
    let mut text = String::new();
    for target in &answer.targets {
        text.push_str(&format!("{} {} since {base}\n", target.label, target.change.as_str()));
        let explained: Vec<_> = target.causes.iter().map(reasons::of_cause).collect();
        reasons::lines(&explained, most, columns)
            .iter()
            .for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    for label in same(answer) {
        text.push_str(&format!("{label} is as it was at {base}\n"));
    }
    text
}

/// The targets that were asked for and do not differ.
fn same(answer: &Answer) -> BTreeSet<&Label> {
    let differing: BTreeSet<&Label> = answer.targets.iter().map(|target: &Affected| &target.label).collect();
    let newer = answer.looked_at.sides.first();
    newer.into_iter().flat_map(Side::labels).filter(|label| !differing.contains(label)).collect()
}
