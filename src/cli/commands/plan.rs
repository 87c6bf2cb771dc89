//! `imgraph plan`: what a build would do, and why.

use crate::cli::arguments::{self, Format};
use crate::cli::exit::Exit;
use crate::cli::prepared::Prepared;
use crate::cli::progress::shown_duration;
use crate::cli::reasons;
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::engine::estimate::Estimate;
use crate::engine::explain::{self, Explained};
use crate::engine::plan::{self, Plan, State};
use crate::export::documents::{self, PlanDocument, PlanTarget};
use crate::graph::node::Graph;
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
        Format::Json => json(&prepared, &plan, arguments.jobs.count(), |id| explain(id, &mut warnings)),
        Format::Text => {
            let estimate = plan.estimate(&prepared.graph, arguments.jobs.count());
            let estimate = estimate.map(|estimate| expected(session, &prepared.graph, &estimate));
            text(session, &prepared, &plan, |id| explain(id, &mut warnings)) + &estimate.unwrap_or_default()
        }
    };
    session.show(&warnings);
    terminal::result(&text)?;
    session.keep_index(&prepared.workspace);
    Ok(if arguments.detailed_exitcode && plan.has_work() { Exit::WorkToDo } else { Exit::Done })
}

fn json(
    prepared: &Prepared,
    plan: &Plan,
    jobs: usize,
    mut explain: impl FnMut(NodeId) -> Vec<Explained>,
) -> String {
    let graph = &prepared.graph;
    let target = |(id, node, label): (NodeId, &crate::graph::node::Node, &crate::types::label::Label)| {
        let explained = explain(id);
        PlanTarget::new(graph, node, label, prepared.source_keys[id], &plan.nodes[id], &explained)
    };
    let targets = documents::in_order(graph).into_iter().map(target).collect();
    PlanDocument::new(graph, targets, plan.estimate(graph, jobs).as_ref(), jobs).text()
}

/// `expected: 3.2s, of which //a -> //b takes 2.8s`; nothing when there is nothing to do.
fn expected(session: &Session, graph: &Graph, estimate: &Estimate) -> String {
    let of_chain: u64 = estimate.chain.iter().map(|(_, milliseconds)| milliseconds).sum();
    if of_chain == 0 {
        return String::new();
    }
    let shown = |milliseconds: u64| shown_duration(milliseconds as f64 / 1000.0);
    let slow = estimate.chain.iter().filter(|(_, milliseconds)| *milliseconds > 0);
    let chain: Vec<String> =
        slow.map(|(id, own)| format!("{} {}", graph.nodes[*id].name(), shown(*own))).collect();
    let head = format!(
        "expected, judging by earlier builds: {}\nthe longest chain takes {}:",
        shown(estimate.milliseconds),
        shown(of_chain)
    );
    let line = format!(" {}", chain.join(" -> "));
    let fits = head.lines().last().map_or(0, str::len) + line.len() <= session.terminal.columns;
    let chain = if fits { line } else { format!("\n  {}", chain.join("\n  ")) };
    format!("{head}{chain}\n")
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
