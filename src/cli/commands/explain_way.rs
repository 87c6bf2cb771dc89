//! `imgraph explain A B`: how one target comes to need another, step by step.

use crate::cli::arguments::{self, Format};
use crate::cli::exit::{self, Exit};
use crate::cli::session::{Session, Workspace};
use crate::cli::{table, terminal};
use crate::export::explanations::{Step, WaysDocument};
use crate::graph::node::Graph;
use crate::graph::ways::Ways;
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::{NodeId, TargetId};
use crate::types::label::Label;

use super::graph::why;

/// How many ways a document tells without `--all`, and with it.
const WAYS: (usize, usize) = (1, 20);

/// Runs the command. No builder is asked. Where neither target needs the other, the exit is 1, as that of
/// `grep` which finds nothing.
pub(super) fn run(
    session: &Session,
    arguments: &arguments::Explain,
    [one, other]: [&String; 2],
) -> Result<Exit, Exit> {
    let workspace = session.workspace()?;
    let ends = [target(session, &workspace, one)?, target(session, &workspace, other)?];
    let labels = ends.map(|end| &workspace.loaded.targets[end].label);
    if ends[0] == ends[1] {
        let problem = Diagnostic::error(format!("both are {}, which has no path to itself", labels[0]));
        return Err(session.fail(&[problem], Exit::Usage));
    }
    let graph = session.graph(&workspace, &ends, &[], &Session::local_platform())?;
    let [ones, others] = labels.map(|label| nodes(&graph, label));
    let mut found = Ways::new(&graph, &ones, &others);
    let mut labels = labels;
    if found.count() == 0 {
        let back = Ways::new(&graph, &others, &ones);
        if back.count() > 0 {
            found = back;
            labels.reverse();
        }
    }
    let most = if arguments.all { WAYS.1 } else { WAYS.0 };
    let ways: Vec<Vec<Step>> = found.first(most).iter().map(|way| steps(&graph, &found, way)).collect();
    terminal::result(&match arguments.format {
        Format::Json => WaysDocument::new(labels, found.count(), &ways).text(),
        Format::Text => text(labels, found.count(), &ways, session.terminal.columns, arguments.all),
    })?;
    let exit = if ways.is_empty() { Exit::TargetFailed } else { Exit::Done };
    session.keep_index(&workspace);
    exit::leave((workspace, graph));
    Ok(exit)
}

/// The one target that `text` names.
fn target(session: &Session, workspace: &Workspace, text: &String) -> Result<TargetId, Exit> {
    let selected = session.select(workspace, std::slice::from_ref(text))?;
    if let [target] = selected[..] {
        return Ok(target);
    }
    let first = selected.first().map(|first| &workspace.loaded.targets[*first].label);
    let problem = Diagnostic::error(format!("`{text}` names {} targets, not one", selected.len()));
    let problem = problem.help("a path leads from one target to one other");
    Err(session.fail(
        &[match first {
            Some(first) => problem.help(format!("name one of them, such as `{first}`")),
            None => problem,
        }],
        Exit::Usage,
    ))
}

/// The nodes of the target `label`, in order of platforms.
fn nodes(graph: &Graph, label: &Label) -> Vec<NodeId> {
    let of_label = graph.nodes.iter().filter(|(_, node)| node.label() == Some(label));
    let mut nodes: Vec<NodeId> = of_label.map(|(id, _)| id).collect();
    nodes.sort_by_key(|id| &graph.nodes[*id].platform);
    nodes
}

/// A step for each use on the way.
fn steps(graph: &Graph, ways: &Ways<'_>, way: &[NodeId]) -> Vec<Step> {
    let several = graph.nodes.values().iter().any(|node| node.platform != graph.nodes.values()[0].platform);
    let name = |id: NodeId| {
        let node = &graph.nodes[id];
        if several { format!("{} ({})", node.name(), node.platform) } else { node.name() }
    };
    let mut steps: Vec<Step> = Vec::new();
    for pair in way.windows(2) {
        for used in ways.uses(pair[0], pair[1]) {
            let (from, to) = (name(pair[0]), name(pair[1]));
            let why = why(graph.nodes[pair[0]].build(), &used.role);
            let step = Step { from, to, why, place: used.location.clone() };
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    steps
}

fn text([from, to]: [&Label; 2], count: u64, ways: &[Vec<Step>], columns: usize, all: bool) -> String {
    let more = match count {
        0 => return format!("no path: neither of {from} and {to} needs the other\n"),
        1 => String::new(),
        u64::MAX => ", by very many paths".to_owned(),
        count => format!(", by {count} paths"),
    };
    let hint = if all || count == 1 { "" } else { " (the shortest; --all shows more)" };
    let ways_text: Vec<String> = ways.iter().map(|way| block(way, columns)).collect();
    let left = count.saturating_sub(ways.len() as u64);
    let rest = match left {
        _ if !all || left == 0 => String::new(),
        _ if count == u64::MAX => "\n  … and very many more\n".to_owned(),
        left => format!("\n  … and {left} more\n"),
    };
    format!("{from} needs {to}{more}{hint}:\n{}{rest}", ways_text.join("\n"))
}

/// A way from one end to the other: each target, and below it how it uses the next.
fn block(way: &[Step], columns: usize) -> String {
    let cells = |step: &Step| [step.why.clone(), step.place.path_line(), step.place.line_text().to_owned()];
    let rows: Vec<[String; 3]> = way.iter().map(cells).collect();
    let uses = table::aligned(&rows, columns.saturating_sub(4));
    let mut text = String::new();
    let mut last = None;
    for (step, used) in way.iter().zip(uses) {
        if last != Some(&step.from) {
            text.push_str(&format!("  {}\n", step.from));
            last = Some(&step.from);
        }
        text.push_str(&format!("    {used}\n"));
    }
    text + &way.last().map(|step| format!("  {}\n", step.to)).unwrap_or_default()
}
