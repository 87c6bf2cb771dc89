//! `imgraph inputs`: the files, arguments and bases that decide a target.

use std::fmt::Write;

use std::collections::HashSet;

use crate::cli::arguments::{self, Format};
use crate::cli::exit::{self, Exit};
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::export::documents::{self, Document, InputsTarget};
use crate::export::printable::printable;
use crate::graph::node::{Build, Graph, Node, Work};
use crate::graph::node_views::NodeViews;
use crate::graph::view::ReadSources;
use crate::types::file_entry::FileKind;
use crate::types::ids::NodeId;

/// Runs the command. No builder is asked.
pub(crate) fn run(session: &Session, arguments: &arguments::Inputs) -> Result<Exit, Exit> {
    let platforms = session.platforms(&arguments.targets.platform)?;
    let workspace = session.workspace()?;
    let targets = session.select(&workspace, &arguments.targets.patterns)?;
    let graph = session.graph(&workspace, &targets, &platforms, &Session::local_platform())?;
    let views = session.views(&workspace, &graph)?;
    let roots: HashSet<_> = graph.roots.iter().collect();
    let wanted = documents::in_order(&graph).into_iter().filter(|(id, _, _)| roots.contains(id));
    let wanted = wanted.filter_map(|(id, node, _)| Some((id, node, node.build()?)));
    let text: String = match arguments.format {
        Format::Json => {
            let document = |(id, node, build)| InputsTarget::new(&graph, &views, id, node, build);
            Document::new(wanted.map(document).collect()).text()
        }
        Format::Text => {
            let texts: Vec<String> =
                wanted.map(|(id, node, build)| text(&graph, &views, id, node, build)).collect();
            texts.join("\n")
        }
    };
    terminal::result(&text)?;
    session.keep_index(&workspace);
    exit::leave((workspace, graph, views));
    Ok(Exit::Done)
}

fn text(graph: &Graph, views: &NodeViews, id: NodeId, node: &Node, build: &Build) -> String {
    let mut text = String::new();
    let place = build.definition().dockerfile.value.to_string();
    let stage = build.definition().stage.as_ref().map(|stage| format!(", stage {}", stage.value));
    // Writing to a String cannot fail.
    let _ =
        writeln!(text, "{} for {}: {place}{}", build.target.label, node.platform, stage.unwrap_or_default());
    for (name, value) in &build.arguments {
        let _ = writeln!(text, "  argument  {name}={}", value.as_deref().unwrap_or("(no value)"));
    }
    for dependency in &node.dependencies {
        let needed = &graph.nodes[dependency.node];
        let word = if matches!(needed.work, Work::External(_)) { "base" } else { "target" };
        let _ = writeln!(text, "  {word:<8}  {} ({})", needed.name(), dependency.location.path_line());
    }
    for (name, context) in build.contexts() {
        let dir = &context.spec.context;
        let what = if context.spec.sources == ReadSources::Whole { "everything in" } else { "some of" };
        let named = if name.is_empty() { String::new() } else { format!(" as {name}") };
        let ignoring = context.ignore_file.as_ref().map(|path| format!(", less what {path} says"));
        let _ = writeln!(text, "  files     {what} //{dir}{named}{}", ignoring.unwrap_or_default());
        for entry in views.view(id, name).entries.iter().filter(|entry| entry.kind != FileKind::Folder) {
            let _ = writeln!(text, "    {}", printable(&dir.join(&entry.path).to_string()));
        }
    }
    text
}
