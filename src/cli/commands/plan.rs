//! `imgraph plan`: what a build would do, and why.

use crate::cli::arguments::{self, Format};
use crate::cli::exit::Exit;
use crate::cli::prepared::Prepared;
use crate::cli::reasons;
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::engine::explain::{self, Explained};
use crate::engine::plan::{self, Plan, State};
use crate::export::documents::{self, Document, PlanTarget};
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::NodeId;

/// How many reasons a target shows as text; `explain` shows more.
const REASONS: usize = 4;

/// Runs the command.
pub(crate) fn run(session: &Session, arguments: &arguments::Plan) -> Result<Exit, Exit> {
    run_with(session, arguments, false)
}

/// Runs the command; `forced` plans as if the named targets were built in any case.
pub(crate) fn run_with(session: &Session, arguments: &arguments::Plan, forced: bool) -> Result<Exit, Exit> {
    let prepared = Prepared::new(session, &arguments.targets.patterns, &arguments.targets.platform)?;
    let last_builds = prepared.last_builds();
    let forced: &[NodeId] = if forced { &prepared.graph.roots } else { &[] };
    let known = prepared.known(&last_builds, forced);
    let plan = plan::plan(known);
    let mut warnings = plan.warnings.clone();
    let explain = |id: NodeId, warnings: &mut Vec<Diagnostic>| {
        explain::explain(known, &prepared.workspace.snapshot, id, &plan.nodes[id], warnings)
    };
    let text = match arguments.format {
        Format::Json => json(&prepared, &plan, |id| explain(id, &mut warnings)),
        Format::Text => text(session, &prepared, &plan, |id| explain(id, &mut warnings)),
    };
    session.show(&warnings);
    terminal::result(&text)?;
    session.keep_index(&prepared.workspace);
    Ok(if arguments.detailed_exitcode && plan.has_work() { Exit::WorkToDo } else { Exit::Done })
}

fn json(prepared: &Prepared, plan: &Plan, mut explain: impl FnMut(NodeId) -> Vec<Explained>) -> String {
    let target = |(id, node, label): (NodeId, &crate::graph::node::Node, &crate::types::label::Label)| {
        let explained = explain(id);
        PlanTarget::new(&prepared.graph, node, label, prepared.source_keys[id], &plan.nodes[id], &explained)
    };
    Document::new(documents::in_order(&prepared.graph).into_iter().map(target).collect()).text()
}

fn text(
    session: &Session,
    prepared: &Prepared,
    plan: &Plan,
    mut explain: impl FnMut(NodeId) -> Vec<Explained>,
) -> String {
    let mut text = String::new();
    let (mut cached, mut dirty, mut waits) = (0, 0, 0);
    for (id, _, label) in documents::in_order(&prepared.graph) {
        let planned = &plan.nodes[id];
        match planned.state {
            State::Cached { .. } => {
                cached += 1;
                if session.everywhere.verbose {
                    text.push_str(&format!("cached  {label}\n"));
                }
                continue;
            }
            State::Dirty => dirty += 1,
            State::Waits => waits += 1,
        }
        text.push_str(&format!("{:<6}  {label}\n", documents::state_word(&planned.state)));
        let lines = reasons::lines(&explain(id), REASONS, session.terminal.columns.saturating_sub(10));
        text.extend(lines.iter().map(|line| format!("          {line}\n")));
    }
    let all = cached + dirty + waits;
    text.push_str(&format!(
        "{all} target{}: {cached} cached, {dirty} dirty",
        if all == 1 { "" } else { "s" }
    ));
    if waits > 0 {
        text.push_str(&format!(", {waits} waiting for what a dirty one turns out to be"));
    }
    text.push('\n');
    text
}
