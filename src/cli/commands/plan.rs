//! `imgraph plan`: what a build would do, and why.

use std::collections::HashMap;

use crate::cli::arguments::{self, Format};
use crate::cli::exit::{self, Exit};
use crate::cli::prepared::Prepared;
use crate::cli::progress::shown_duration;
use crate::cli::reasons;
use crate::cli::recall::{Before, Partly, Request};
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::engine::estimate::Estimate;
use crate::engine::explain::{self, Explained};
use crate::engine::plan::{self, Plan};
use crate::export::documents::{self, PlanDocument, PlanTarget, StateWord};
use crate::graph::node::{Graph, Node};
use crate::types::ids::NodeId;
use crate::types::label::Label;
use crate::types::platform::Platform;

/// How many reasons a target shows as text; `explain` shows more.
const REASONS: usize = 4;

/// Runs the command.
pub(crate) fn run(session: &Session, arguments: &arguments::Plan) -> Result<Exit, Exit> {
    run_with(session, arguments, false)
}

/// Runs the command; `forced` plans as if the named targets were built in any case.
pub(crate) fn run_with(session: &Session, arguments: &arguments::Plan, forced: bool) -> Result<Exit, Exit> {
    let request = Request::new(session, "plan", &arguments.targets)?.filter(|_| !forced);
    let early = match request.as_ref().map(|request| request.told_before::<Vec<PlanTarget>>(session)) {
        Some(Before::Same { told, .. }) => {
            let shown = told.into_iter().map(Shown::from).collect();
            tell(session, arguments, &Graph::default(), shown, Some(&Estimate::default()))?;
            return Ok(Exit::Done);
        }
        Some(Before::Partly(partly)) => {
            let Partly { before, anew } = *partly;
            let prepared = Prepared::anew(session, &arguments.targets, anew)?;
            let Made { plan, shown, estimate } = make(session, &prepared, arguments, &[]);
            let shown = renewed(before.told(), shown);
            let told = shown.iter().map(|shown| shown.target.clone()).collect();
            tell(session, arguments, &prepared.graph, shown, estimate.as_ref())?;
            if let Some(request) = request {
                request.end_part(session, &prepared, before, plan.has_work(), &told);
            }
            return Ok(how_to_end(arguments, &plan));
        }
        Some(Before::Differs(early)) => early,
        None => None,
    };
    let prepared = Prepared::new(session, &arguments.targets, early)?;
    let forced: &[NodeId] = if forced { &prepared.graph.roots } else { &[] };
    let Made { plan, shown, estimate } = make(session, &prepared, arguments, forced);
    let kept = request.filter(|_| !plan.has_work()).map(|request| {
        (request, shown.iter().map(|shown| shown.target.clone()).collect::<Vec<PlanTarget>>())
    });
    tell(session, arguments, &prepared.graph, shown, estimate.as_ref())?;
    match kept {
        Some((request, told)) => {
            request.keep(session, &prepared, |id| plan.nodes[id].output(), told);
        }
        None => session.keep_index(&prepared.workspace),
    }
    exit::leave((prepared.workspace, prepared.graph, prepared.views));
    Ok(how_to_end(arguments, &plan))
}

fn how_to_end(arguments: &arguments::Plan, plan: &Plan) -> Exit {
    if arguments.detailed_exitcode && plan.has_work() { Exit::WorkToDo } else { Exit::Done }
}

/// A target of a plan, and where its reasons come in.
struct Shown {
    target: PlanTarget,
    explained: Vec<Explained>,
}

impl From<PlanTarget> for Shown {
    /// A target that was found cached: there is nothing to explain.
    fn from(target: PlanTarget) -> Self {
        Self { target, explained: Vec::new() }
    }
}

/// A plan, and what is to be shown of it.
struct Made {
    plan: Plan,
    shown: Vec<Shown>,
    estimate: Option<Estimate>,
}

/// Makes the plan. What was odd about the cache is shown.
fn make(session: &Session, prepared: &Prepared, arguments: &arguments::Plan, forced: &[NodeId]) -> Made {
    let last_builds = prepared.last_builds();
    let known = prepared.known(&last_builds, forced);
    let plan = plan::plan(known);
    let mut warnings = plan.warnings.clone();
    let graph = &prepared.graph;
    let mut show = |(id, node, label): (NodeId, &Node, &Label)| {
        let planned = &plan.nodes[id];
        let explained = explain::explain(known, &prepared.workspace.snapshot, id, planned, &mut warnings);
        // Of a hundred thousand targets the reasons are not written down twice.
        let reasons = if arguments.format == Format::Json { &explained[..] } else { &[] };
        let target = PlanTarget::new(graph, node, label, prepared.source_keys[id], planned, reasons);
        Shown { target, explained }
    };
    let shown = documents::in_order(graph).into_iter().map(&mut show).collect();
    session.show(&warnings);
    let estimate = plan.estimate(graph, arguments.jobs.count());
    Made { plan, shown, estimate }
}

/// What was told, with what was looked at again in its place.
fn renewed(told: &[PlanTarget], anew: Vec<Shown>) -> Vec<Shown> {
    let key = |target: &PlanTarget| (target.label().to_owned(), target.platform().clone());
    let mut anew: HashMap<(String, Platform), Shown> =
        anew.into_iter().map(|shown| (key(&shown.target), shown)).collect();
    told.iter().map(|target| anew.remove(&key(target)).unwrap_or_else(|| target.clone().into())).collect()
}

/// Tells the plan.
fn tell(
    session: &Session,
    arguments: &arguments::Plan,
    graph: &Graph,
    shown: Vec<Shown>,
    estimate: Option<&Estimate>,
) -> Result<(), Exit> {
    terminal::result(&match arguments.format {
        Format::Json => {
            let estimate = estimate.filter(|_| shown.iter().any(|shown| shown.target.was_timed()));
            let targets = shown.into_iter().map(|shown| shown.target).collect();
            PlanDocument::new(graph, targets, estimate, arguments.jobs.count()).text()
        }
        Format::Text => {
            let expected = estimate.map(|estimate| expected(session, graph, estimate));
            text(session, &shown) + &expected.unwrap_or_default()
        }
    })
}

fn cached_line(label: impl std::fmt::Display) -> String {
    format!("cached  {label}\n")
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

fn text(session: &Session, shown: &[Shown]) -> String {
    let mut text = String::new();
    let (mut cached, mut dirty, mut waits) = (0, 0, 0);
    for Shown { target, explained } in shown {
        match target.state() {
            StateWord::Cached => {
                cached += 1;
                if session.everywhere.verbose {
                    text.push_str(&cached_line(target.label()));
                }
                continue;
            }
            StateWord::Dirty => dirty += 1,
            StateWord::Waits => waits += 1,
        }
        text.push_str(&format!("{:<6}  {}\n", target.state().as_str(), target.label()));
        let lines = reasons::lines(explained, REASONS, session.terminal.columns.saturating_sub(10));
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
