//! `imgraph graph`: draws what is wanted and what it needs.

use crate::cli::arguments::{self, GraphFormat};
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::export::graph_picture::{self, Picture, PictureEdge, PictureFormat, PictureNode};
use crate::graph::node::{Graph, Role};

/// Runs the command. No builder is asked.
pub(crate) fn run(session: &Session, arguments: &arguments::Graph) -> Result<Exit, Exit> {
    let platforms = session.platforms(&arguments.targets.platform)?;
    let workspace = session.workspace()?;
    let targets = session.select(&workspace, &arguments.targets.patterns)?;
    let graph = session.graph(&workspace, &targets, &platforms, &Session::local_platform())?;
    let format = match arguments.format {
        GraphFormat::Text => PictureFormat::Text,
        GraphFormat::Json => PictureFormat::Json,
        GraphFormat::Dot => PictureFormat::Dot,
        GraphFormat::Mermaid => PictureFormat::Mermaid,
    };
    terminal::result(&graph_picture::draw(&picture(&graph), format))?;
    session.keep_index(&workspace);
    Ok(Exit::Done)
}

fn picture(graph: &Graph) -> Picture {
    let several = graph.nodes.values().iter().any(|node| node.platform != graph.nodes.values()[0].platform);
    let node = |node: &crate::graph::node::Node| PictureNode {
        label: node.name(),
        kind: node.kind().to_string(),
        platform: several.then(|| node.platform.clone()),
    };
    let edges = graph.nodes.iter().flat_map(|(id, node)| {
        node.dependencies.iter().map(move |dependency| PictureEdge {
            from: id,
            to: dependency.node,
            why: why(&dependency.role),
        })
    });
    Picture { nodes: graph.nodes.values().iter().map(node).collect(), edges: edges.collect() }
}

fn why(role: &Role) -> String {
    match role {
        Role::Reference { name, .. } => name.clone(),
        Role::Argument { name } => format!("argument {name}"),
    }
}
