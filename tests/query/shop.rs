//! A small shop, asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use imgraph::export::query_answer::Answer;
use imgraph::graph::expand::{Wanted, expand};
use imgraph::graph::load::Loaded;
use imgraph::graph::query::evaluate::{Affected, Surroundings, evaluate};
use imgraph::graph::query::scope::Scope;
use imgraph::graph::query::vertices::Vertices;
use imgraph::source::snapshot::Snapshot;
use imgraph::syntax::query::{Function, parse};
use imgraph::types::diagnostic::{Diagnostic, Severity};
use imgraph::types::label::Label;
use imgraph::types::span::SourceText;
use imgraph::types::workspace_path::WorkspacePath;

use crate::workspace::{OnDisk, Workspace};

/// The files, as `support/workspace.rs` reads them.
pub const TEXT: &str = include_str!("shop.txt");

/// The shop on disk, loaded once for many queries.
pub struct Shop {
    _files: OnDisk,
    snapshot: Snapshot,
    loaded: Loaded,
}

pub fn source(text: &str) -> Arc<SourceText> {
    let path = WorkspacePath::root().join_name(b"expression");
    Arc::new(SourceText { path, text: text.to_owned() })
}

impl Shop {
    pub fn new() -> Self {
        let files = Workspace::of(TEXT).on_disk();
        let (snapshot, loaded) = files.load();
        Self { _files: files, snapshot, loaded }
    }

    /// Asks `query` in the folder `current`, with commits `one` and `none` to compare with, and shows the answer,
    /// which needs edges or does not.
    pub fn ask<Shown>(
        &self,
        query: &str,
        current: &str,
        shows_edges: bool,
        show: impl FnOnce(Answer<'_>) -> Shown,
    ) -> Result<Shown, Vec<Diagnostic>> {
        let Self { snapshot, loaded, .. } = self;
        let current = Arc::new(WorkspacePath::root().resolve(current.as_bytes()).unwrap());
        let source = source(query);
        let expression = parse(&source).map_err(|problem| vec![problem])?;
        let scope = Scope::new(&expression, loaded, &current, &source, shows_edges)?;
        let platform = "linux/amd64".parse().unwrap();
        let wanted = Wanted { targets: &scope.targets, platforms: &[], build_platform: &platform };
        let (graph, problems) = expand(snapshot, loaded, wanted);
        assert!(problems.iter().all(|problem| problem.severity == Severity::Warning), "{problems:#?}");
        let vertices = Vertices::new(loaded, &graph, &scope);
        let labels = |commit: &str| match commit {
            "one" => Some(vec!["//api:api", "//gone:gone"]),
            "none" => Some(Vec::new()),
            _ => None,
        };
        let affected: Affected<'_> = &|commit, span| {
            let unknown =
                || Diagnostic::error(format!("no commit is called `{commit}`")).at(&source, span, "");
            let labels = labels(commit).ok_or_else(unknown)?;
            let root = Arc::new(WorkspacePath::root());
            Ok(labels.iter().map(|label| Label::parse(label, &root).unwrap()).collect::<BTreeSet<_>>())
        };
        let surroundings = Surroundings {
            snapshot,
            loaded,
            vertices: &vertices,
            current: &current,
            source: &source,
            affected,
        };
        let members = evaluate(&expression, surroundings).map_err(|problem| vec![problem])?;
        let users_first = expression.functions().contains(&Function::Somepath);
        Ok(show(Answer { vertices: &vertices, members: &members, users_first }))
    }
}
