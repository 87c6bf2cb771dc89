//! `imgraph explain`: why a target is dirty; and the other things that it explains.

use crate::cli::arguments::{self, Format, Targets};
use crate::cli::exit::Exit;
use crate::cli::prepared::Prepared;
use crate::cli::reasons;
use crate::cli::session::Session;
use crate::cli::{table, terminal};
use crate::engine::explain;
use crate::engine::plan::{self, Plan, State};
use crate::export::documents::{Document, PlanTarget, StateWord};
use crate::graph::node::Graph;
use crate::types::ids::NodeId;

/// Runs the command.
pub(crate) fn run(session: &Session, arguments: &arguments::Explain) -> Result<Exit, Exit> {
    if let Some(base) = &arguments.base {
        return super::explain_base::run(session, arguments, base);
    }
    match (&arguments.file, &arguments.targets[..]) {
        (Some(file), _) => super::explain_file::run(session, arguments, file),
        (None, [one, other]) => super::explain_way::run(session, arguments, [one, other]),
        (None, _) => dirty(session, arguments),
    }
}

fn dirty(session: &Session, arguments: &arguments::Explain) -> Result<Exit, Exit> {
    let wanted = Targets { patterns: arguments.targets.clone(), platform: Vec::new() };
    let prepared = Prepared::new(session, &wanted, None)?;
    let last_builds = prepared.last_builds();
    let known = prepared.known(&last_builds, &[]);
    let plan = plan::plan(known);
    let mut warnings = plan.warnings.clone();
    let mut texts = Vec::new();
    let mut targets = Vec::new();
    for id in &prepared.graph.roots {
        let (node, planned) = (&prepared.graph.nodes[*id], &plan.nodes[*id]);
        let Some(label) = node.label() else { continue };
        let explained = explain::explain(known, &prepared.workspace.snapshot, *id, planned, &mut warnings);
        let key = prepared.source_keys[*id];
        targets.push(PlanTarget::new(&prepared.graph, node, label, key, planned, &explained));
        let most = if arguments.all { usize::MAX } else { table::SCREEN };
        let columns = if arguments.all { usize::MAX } else { session.terminal.columns - 2 };
        let mut text = format!("{label} is {}\n", headline(&planned.state));
        text.extend(reasons::lines(&explained, most, columns).iter().map(|line| format!("  {line}\n")));
        text.push_str(&causes(&prepared.graph, &plan, *id));
        texts.push(text);
    }
    session.show(&warnings);
    terminal::result(&match arguments.format {
        Format::Json => Document::new(targets).text(),
        Format::Text => texts.join("\n"),
    })?;
    session.keep_index(&prepared.workspace);
    Ok(Exit::Done)
}

fn headline(state: &State) -> String {
    match state {
        State::Cached { digest, .. } => format!("cached: its output is {digest}"),
        State::Dirty => "dirty: it will be built".to_owned(),
        State::Waits => "waiting: it is built if the output of a dirty dependency changes".to_owned(),
    }
}

/// The ways from a target to the dirty ones that it needs.
fn causes(graph: &Graph, plan: &Plan, id: NodeId) -> String {
    let node = &graph.nodes[id];
    let mut lines = String::new();
    for dependency in &node.dependencies {
        let needed = &graph.nodes[dependency.node];
        let state = &plan.nodes[dependency.node].state;
        if matches!(state, State::Cached { .. }) || needed.label().is_none() {
            continue;
        }
        let word = StateWord::from(state).as_str();
        lines.push_str(&format!(
            "  it needs {}, which is {word} ({})\n",
            needed.name(),
            dependency.location.path_line()
        ));
    }
    lines
}
