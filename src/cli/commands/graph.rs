//! `imgraph graph`: draws what is wanted and what it needs, and if asked what a build would do with it.

use crate::cli::arguments::{self, GraphFormat};
use crate::cli::exit::{self, Exit};
use crate::cli::prepared::Prepared;
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::engine::plan;
use crate::export::documents::StateWord;
use crate::export::graph_picture::{self, Picture, PictureEdge, PictureFormat, PictureNode, Shape};
use crate::graph::edges::stood_for;
use crate::graph::node::{Build, Graph, Node, Role, Work};
use crate::graph::target::TargetKind;
use crate::types::ids::NodeId;

/// Runs the command. A builder is asked only for states, and as `plan` asks it.
pub(crate) fn run(session: &Session, arguments: &arguments::Graph) -> Result<Exit, Exit> {
    if arguments.state {
        return run_with_states(session, arguments);
    }
    let platforms = session.platforms(&arguments.targets.platform)?;
    let workspace = session.workspace()?;
    let targets = session.select(&workspace, &arguments.targets.patterns)?;
    let graph = session.graph(&workspace, &targets, &platforms, &Session::local_platform())?;
    terminal::result(&graph_picture::draw(&picture(&graph, |_| None), format(arguments)))?;
    session.keep_index(&workspace);
    exit::leave((workspace, graph));
    Ok(Exit::Done)
}

fn run_with_states(session: &Session, arguments: &arguments::Graph) -> Result<Exit, Exit> {
    let prepared = Prepared::new(session, &arguments.targets, None)?;
    let last_builds = prepared.last_builds();
    let plan = plan::plan(prepared.known(&last_builds, &[]));
    session.show(&plan.warnings);
    let picture = picture(&prepared.graph, |id| Some((&plan.nodes[id].state).into()));
    terminal::result(&graph_picture::draw(&picture, format(arguments)))?;
    session.keep_index(&prepared.workspace);
    exit::leave((prepared.workspace, prepared.graph, prepared.views));
    Ok(Exit::Done)
}

fn format(arguments: &arguments::Graph) -> PictureFormat {
    match arguments.format {
        GraphFormat::Text => PictureFormat::Text,
        GraphFormat::Json => PictureFormat::Json,
        GraphFormat::Dot => PictureFormat::Dot,
        GraphFormat::Mermaid => PictureFormat::Mermaid,
        GraphFormat::Svg => PictureFormat::Svg,
    }
}

fn picture(graph: &Graph, state: impl Fn(NodeId) -> Option<StateWord>) -> Picture {
    let several = graph.nodes.values().iter().any(|node| node.platform != graph.nodes.values()[0].platform);
    let node = |(id, node): (NodeId, &Node)| PictureNode {
        label: node.name(),
        kind: node.kind().as_str(),
        platform: several.then(|| node.platform.clone()),
        shape: shape(node),
        state: state(id),
    };
    let edges = graph.nodes.iter().flat_map(|(id, node)| {
        node.dependencies.iter().map(move |dependency| PictureEdge {
            from: id,
            to: dependency.node,
            why: why(node.build(), &dependency.role),
        })
    });
    Picture { nodes: graph.nodes.iter().map(node).collect(), edges: edges.collect() }
}

fn shape(node: &Node) -> Shape {
    match (&node.work, node.kind()) {
        (Work::External(external), _) if external.label.is_none() => Shape::Undeclared,
        (Work::External(_), _) => Shape::ExternalBase,
        (Work::Build(_), TargetKind::Image) => Shape::Image,
        (Work::Build(_), TargetKind::Stage) => Shape::Stage,
        (Work::Build(_), TargetKind::Base) => Shape::BuiltBase,
        (Work::Build(_), TargetKind::Group) => Shape::Group,
    }
}

/// How a node uses another. A reference that stands for an argument's value is written nowhere: the
/// argument is.
pub(super) fn why(build: Option<&Build>, role: &Role) -> String {
    match role {
        Role::Reference { name, .. } => {
            let argument = build.and_then(|build| {
                let is_seen = |argument: &str| build.slice.arguments.contains_key(argument);
                stood_for(build.definition(), &build.given, name, is_seen)
            });
            argument.map_or_else(|| name.clone(), |(argument, _)| said(argument))
        }
        Role::Argument { name } => said(name),
    }
}

fn said(argument: &str) -> String {
    format!("argument {argument}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::graph::expand::{Wanted, expand};
    use crate::graph::load::{Options, load};
    use crate::source::snapshot::Snapshot;
    use crate::types::environment::Environment;
    use crate::types::platform::Platform;

    /// The pictures of `//:app`, which is given `//:lib` as an argument.
    fn drawn(dockerfile: &str, format: PictureFormat) -> String {
        let folder = tempfile::tempdir().unwrap();
        let build = "[workspace]\n[image.app]\nargs = { A = { target = ':lib' }, LIB = { target = ':lib' } }\n\
                     [stage.lib]\ndockerfile = 'lib.dockerfile'\n";
        let files = [("BUILD.toml", build), ("Dockerfile", dockerfile), ("lib.dockerfile", "FROM scratch\n")];
        files.iter().for_each(|(path, text)| std::fs::write(folder.path().join(path), text).unwrap());
        let snapshot = Snapshot::of_disk(folder.path()).unwrap();
        let environment = Environment::default();
        let loaded =
            load(&snapshot, &Options { set: &BTreeMap::new(), environment: &environment, version: "0.1.0" });
        let targets = loaded.select(&["//:app"], &std::sync::Arc::default()).unwrap();
        let platform: Platform = "linux/amd64".parse().unwrap();
        let wanted = Wanted { targets: &targets, platforms: &[], build_platform: &platform };
        let (graph, problems) = expand(&snapshot, &loaded, wanted);
        assert!(!graph.nodes.is_empty(), "{problems:?}");
        graph_picture::draw(&picture(&graph, |_| None), format)
    }

    #[test]
    fn a_target_that_is_an_argument_is_shown_as_the_argument_alone() {
        let from = "ARG LIB\nFROM $LIB\n";
        for (format, expected) in [
            (PictureFormat::Text, "//:app image\n└── //:lib stage [argument LIB]\n"),
            (PictureFormat::Dot, "-> n1 [label=\"argument LIB\"]"),
            (PictureFormat::Mermaid, "|\"argument LIB\"| n1"),
            (PictureFormat::Json, "\"why\": \"argument LIB\""),
        ] {
            let drawn = drawn(from, format);
            assert!(drawn.contains(expected), "{drawn}");
            assert!(!drawn.contains("imgraph.local"), "{drawn}");
            assert_eq!(drawn.matches("argument ").count(), 1, "{drawn}");
        }
        let other = "ARG LIB\nFROM --platform=linux/arm64 $LIB\n";
        let expected = "//:app (linux/amd64) image\n├── //:lib (linux/amd64) stage [argument LIB]\n\
                        └── //:lib (linux/arm64) stage [argument LIB]\n";
        assert_eq!(drawn(other, PictureFormat::Text), expected);
    }
}
