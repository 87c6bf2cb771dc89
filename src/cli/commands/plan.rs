//! `imgraph plan`: what a build would do, and why.

use crate::cli::arguments::{self, Format};
use crate::cli::exit::{self, Exit};
use crate::cli::prepared::Prepared;
use crate::cli::progress::shown_duration;
use crate::cli::reasons;
use crate::cli::recall::{Before, Request};
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
    let request = Request::new(session, "plan", &arguments.targets)?.filter(|_| !forced);
    let early = match request.as_ref().map(|request| request.told_before(session)) {
        Some(Before::Same { told, .. }) => {
            terminal::result(&told_again(session, arguments, told))?;
            return Ok(Exit::Done);
        }
        Some(Before::Differs(early)) => early,
        None => None,
    };
    let prepared = Prepared::new(session, &arguments.targets, early)?;
    let last_builds = prepared.last_builds();
    let forced: &[NodeId] = if forced { &prepared.graph.roots } else { &[] };
    let known = prepared.known(&last_builds, forced);
    let plan = plan::plan(known);
    let mut warnings = plan.warnings.clone();
    let explain = |id: NodeId, warnings: &mut Vec<Diagnostic>| {
        explain::explain(known, &prepared.workspace.snapshot, id, &plan.nodes[id], warnings)
    };
    let jobs = arguments.jobs.count();
    let text = match arguments.format {
        Format::Json => {
            let targets = targets(&prepared, &plan, |id| explain(id, &mut warnings));
            let estimate = plan.estimate(&prepared.graph, jobs);
            PlanDocument::new(&prepared.graph, targets, estimate.as_ref(), jobs).text()
        }
        Format::Text => {
            let estimate = plan.estimate(&prepared.graph, jobs);
            let estimate = estimate.map(|estimate| expected(session, &prepared.graph, &estimate));
            text(session, &prepared, &plan, |id| explain(id, &mut warnings)) + &estimate.unwrap_or_default()
        }
    };
    session.show(&warnings);
    terminal::result(&text)?;
    match request {
        Some(request) if !plan.has_work() => {
            let output = |id: NodeId| plan.nodes[id].output();
            request.keep(session, &prepared, output, targets(&prepared, &plan, |_| Vec::new()));
        }
        _ => session.keep_index(&prepared.workspace),
    }
    exit::leave((prepared.workspace, prepared.graph, prepared.views));
    Ok(if arguments.detailed_exitcode && plan.has_work() { Exit::WorkToDo } else { Exit::Done })
}

/// What is told of targets of which each is cached, as it was told before.
fn told_again(session: &Session, arguments: &arguments::Plan, targets: Vec<PlanTarget>) -> String {
    match arguments.format {
        Format::Json => {
            let nothing = targets.iter().any(PlanTarget::was_timed).then(Estimate::default);
            let jobs = arguments.jobs.count();
            PlanDocument::new(&Graph::default(), targets, nothing.as_ref(), jobs).text()
        }
        Format::Text => {
            let shown = targets.iter().filter(|_| session.everywhere.verbose);
            let lines: String = shown.map(|target| cached_line(target.label())).collect();
            lines + &counts(targets.len(), 0, 0)
        }
    }
}

fn cached_line(label: impl std::fmt::Display) -> String {
    format!("cached  {label}\n")
}

/// The targets, each with what `explain` says of it.
fn targets(
    prepared: &Prepared,
    plan: &Plan,
    mut explain: impl FnMut(NodeId) -> Vec<Explained>,
) -> Vec<PlanTarget> {
    let graph = &prepared.graph;
    let target = |(id, node, label): (NodeId, &crate::graph::node::Node, &crate::types::label::Label)| {
        let explained = explain(id);
        PlanTarget::new(graph, node, label, prepared.source_keys[id], &plan.nodes[id], &explained)
    };
    documents::in_order(graph).into_iter().map(target).collect()
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
                    text.push_str(&cached_line(label));
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
    text + &counts(cached, dirty, waits)
}

fn counts(cached: usize, dirty: usize, waits: usize) -> String {
    let all = cached + dirty + waits;
    let plural = if all == 1 { "" } else { "s" };
    let waiting = match waits {
        0 => String::new(),
        waits => format!(", {waits} waiting for what a dirty one turns out to be"),
    };
    format!("{all} target{plural}: {cached} cached, {dirty} dirty{waiting}\n")
}
