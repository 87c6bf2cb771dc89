//! `imgraph query`: asks the graph.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::graph::why;
use crate::cli::exit::{self, Exit};
use crate::cli::query_arguments::{Query, QueryFormat, QueryOrder};
use crate::cli::revisions::{self, Question};
use crate::cli::session::{Session, Workspace};
use crate::cli::terminal;
use crate::engine::affected::{Revisions, present};
use crate::export::graph_picture::{self, Picture, PictureEdge, PictureFormat, PictureNode, Shape};
use crate::export::query_answer::{Answer, Line};
use crate::graph::query::evaluate::{Surroundings, evaluate};
use crate::graph::query::scope::Scope;
use crate::graph::query::vertices::{Item, Vertices};
use crate::graph::target::{Definition, TargetKind};
use crate::syntax::query::{Expression, Function, parse};
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::{DenseMap, NodeId};
use crate::types::label::Label;
use crate::types::span::SourceText;
use crate::types::workspace_path::WorkspacePath;

/// Runs the command. No builder is asked.
pub(crate) fn run(session: &Session, arguments: &Query) -> Result<Exit, Exit> {
    let source = Arc::new(source(session, arguments)?);
    let parsed = parse(&source);
    let expression = parsed.map_err(|problem| session.fail(&[problem], Exit::Usage))?;
    let workspace = session.workspace()?;
    let text = answer(session, arguments, &workspace, &source, &expression)?;
    terminal::result(&text)?;
    session.keep_index(&workspace);
    exit::leave(workspace);
    Ok(Exit::Done)
}

fn answer(
    session: &Session,
    arguments: &Query,
    workspace: &Workspace,
    source: &Arc<SourceText>,
    expression: &Expression,
) -> Result<String, Exit> {
    let Workspace { snapshot, loaded, current, .. } = workspace;
    let users_first = match arguments.order {
        QueryOrder::Auto => expression.functions().contains(&Function::Somepath),
        QueryOrder::Label => false,
        QueryOrder::Deps => true,
    };
    let edges_are_shown = users_first || shows_edges(arguments.format);
    let scope = Scope::new(expression, loaded, current, source, edges_are_shown);
    let scope = scope.map_err(|problems| session.fail(&problems, Exit::Usage))?;
    let graph = session.graph(workspace, &scope.targets, &[], &Session::local_platform())?;
    let vertices = Vertices::new(loaded, &graph, &scope);
    let not_compared = Cell::new(None);
    let affected = |commit: &str, span| {
        affected(session, commit).map_err(|exit| {
            not_compared.set(Some(exit));
            let problem = Diagnostic::error(format!("it cannot be said what differs from `{commit}`"));
            problem.at(source, span, "for the reason above")
        })
    };
    let surroundings =
        Surroundings { snapshot, loaded, vertices: &vertices, current, source, affected: &affected };
    let members = evaluate(expression, surroundings)
        .map_err(|problem| session.fail(&[problem], not_compared.get().unwrap_or(Exit::Usage)))?;
    let answer = Answer { vertices: &vertices, members: &members, users_first };
    Ok(written(&answer, arguments.format))
}

/// The targets that differ between `commit` and the files as they are. Why it cannot be said is shown.
fn affected(session: &Session, commit: &str) -> Result<BTreeSet<Label>, Exit> {
    let revisions = Revisions { base: commit, head: None, merge_base: false };
    let patterns = ["//...".to_owned()];
    let question = Question { revisions, patterns: &patterns, platforms: &[], strict: true };
    let answer = revisions::affected(session, question)?;
    Ok(present(&answer.targets).map(|target| target.label.clone()).collect())
}

fn shows_edges(format: QueryFormat) -> bool {
    match format {
        QueryFormat::Text | QueryFormat::LabelKind | QueryFormat::Location | QueryFormat::Package => false,
        QueryFormat::Minrank
        | QueryFormat::Maxrank
        | QueryFormat::Tree
        | QueryFormat::Json
        | QueryFormat::Dot
        | QueryFormat::Mermaid
        | QueryFormat::Svg => true,
    }
}

fn written(answer: &Answer<'_>, format: QueryFormat) -> String {
    match format {
        QueryFormat::Text => answer.lines(Line::Label),
        QueryFormat::LabelKind => answer.lines(Line::LabelKind),
        QueryFormat::Location => answer.lines(Line::Location),
        QueryFormat::Minrank => answer.lines(Line::MinRank),
        QueryFormat::Maxrank => answer.lines(Line::MaxRank),
        QueryFormat::Package => answer.packages(),
        QueryFormat::Json => answer.document(),
        QueryFormat::Tree => graph_picture::draw(&picture(answer), PictureFormat::Text),
        QueryFormat::Dot => graph_picture::draw(&picture(answer), PictureFormat::Dot),
        QueryFormat::Mermaid => graph_picture::draw(&picture(answer), PictureFormat::Mermaid),
        QueryFormat::Svg => graph_picture::draw(&picture(answer), PictureFormat::Svg),
    }
}

/// The members and the edges between them.
fn picture(answer: &Answer<'_>) -> Picture {
    let vertices = answer.vertices;
    let mut nodes: DenseMap<NodeId, PictureNode> = DenseMap::default();
    let mut positions: BTreeMap<&Item, NodeId> = BTreeMap::new();
    for item in answer.members {
        let (label, kind) = (vertices.name(item), vertices.kind(item));
        let shape = shape(vertices, item);
        positions.insert(item, nodes.push(PictureNode { label, kind, platform: None, shape, state: None }));
    }
    let mut edges = Vec::new();
    for (item, from) in &positions {
        let mut edge = |needed: &Item, why: String| {
            if let Some(to) = positions.get(needed).filter(|to| *to != from) {
                edges.push(PictureEdge { from: *from, to: *to, why });
            }
        };
        let mut is_built = false;
        for (_, node) in vertices.nodes_of(item) {
            is_built = true;
            for dependency in &node.dependencies {
                edge(&vertices.item_of(dependency.node), why(node.build(), &dependency.role));
            }
        }
        if !is_built {
            vertices.needs_of(item).for_each(|needed| edge(&needed, String::new()));
        }
    }
    Picture { nodes, edges }
}

fn shape(vertices: &Vertices<'_>, item: &Item) -> Shape {
    match (item, vertices.target(item)) {
        (Item::File(_), _) => Shape::File,
        (Item::Vertex(_), None) => Shape::Undeclared,
        (Item::Vertex(_), Some(target)) => match (&target.definition, target.kind) {
            (Definition::External(_), _) => Shape::ExternalBase,
            (_, TargetKind::Image) => Shape::Image,
            (_, TargetKind::Stage) => Shape::Stage,
            (_, TargetKind::Base) => Shape::BuiltBase,
            (_, TargetKind::Group) => Shape::Group,
        },
    }
}

/// The text of the query, under the name by which messages speak of it.
fn source(session: &Session, arguments: &Query) -> Result<SourceText, Exit> {
    let Some(file) = &arguments.query_file else {
        let text = arguments.expression.clone().unwrap_or_default();
        return Ok(SourceText { path: named("expression"), text });
    };
    let directory = session.everywhere.directory.as_deref().unwrap_or(Path::new("."));
    let bytes = std::fs::read(directory.join(file)).map_err(|cause| {
        let problem = Diagnostic::error(format!("cannot read the query in `{}`: {cause}", file.display()));
        session.fail(&[problem], Exit::Usage)
    })?;
    let path = WorkspacePath::root().resolve(file.as_os_str().as_encoded_bytes());
    let name = || file.file_name().map_or_else(|| named("query"), |name| named(&name.to_string_lossy()));
    Ok(SourceText::of_bytes(path.unwrap_or_else(|_outside| name()), &bytes))
}

fn named(name: &str) -> WorkspacePath {
    WorkspacePath::root().join_name(name.as_bytes())
}
