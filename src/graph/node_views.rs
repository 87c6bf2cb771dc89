//! The views of all nodes of a graph: each made once, however many nodes have it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::node::{Build, Context, Graph, Node};
use super::view::{PatternOrigin, View, ViewError, Views};
use crate::source::parallel::AT_ONCE;
use crate::source::snapshot::Snapshot;
use crate::types::diagnostic::Diagnostic;
use crate::types::file_entry::FileEntry;
use crate::types::ids::{DenseMap, NodeId};
use crate::types::workspace_path::WorkspacePath;

/// The views of one build by the names of its contexts; the main one's name is empty.
type ByContext = BTreeMap<String, Arc<View>>;

/// What each node reads.
#[derive(Debug, Default)]
pub struct NodeViews(DenseMap<NodeId, ByContext>);

impl NodeViews {
    /// The views of all nodes of `graph`, made in parallel.
    ///
    /// # Errors
    /// A diagnostic for each view that cannot be made.
    pub fn new(graph: &Graph, snapshot: &Snapshot) -> Result<Self, Vec<Diagnostic>> {
        Self::but(graph, snapshot, &DenseMap::filled(graph.nodes.len(), Vec::new()))
    }

    /// As [`Self::new`], with a stand-in for each view of which it need not be known what it holds: for
    /// each node the names of their contexts. All stand-ins are equal.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn but(
        graph: &Graph,
        snapshot: &Snapshot,
        unmade: &DenseMap<NodeId, Vec<&str>>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let views = Views::new(snapshot.clone());
        let of_node = |(node, unmade): (&Node, &Vec<&str>)| of_build(node.build(), unmade, &views);
        let nodes = graph.nodes.values().par_iter().zip(unmade.values()).with_max_len(AT_ONCE);
        let made: Vec<Result<ByContext, Vec<Diagnostic>>> = nodes.map(of_node).collect();
        let mut problems: Vec<Diagnostic> = Vec::new();
        let mut all = Vec::with_capacity(made.len());
        for made in made {
            match made {
                Ok(views) => all.push(views),
                Err(found) => {
                    let unsaid: Vec<_> =
                        found.into_iter().filter(|found| !problems.contains(found)).collect();
                    problems.extend(unsaid);
                }
            }
        }
        if problems.is_empty() { Ok(Self(all.into_iter().collect())) } else { Err(problems) }
    }

    /// What the build `id` reads of its context `name`; the main one's name is empty.
    ///
    /// # Panics
    /// When the build has no such context.
    pub fn view(&self, id: NodeId, name: &str) -> &View {
        &self.0[id][name]
    }

    /// The paths, from the workspace's root, in which the files that `build` reads differ in `again`.
    ///
    /// # Errors
    /// When they cannot be read any more.
    pub fn changed(
        &self,
        id: NodeId,
        build: &Build,
        again: &Snapshot,
    ) -> Result<Vec<WorkspacePath>, ViewError> {
        let mut changed = Vec::new();
        for (name, context) in build.contexts() {
            let (before, after) = (self.view(id, name), context.spec.view(again)?);
            if before.digest != after.digest {
                let paths = differing(&before.entries, &after.entries);
                changed.extend(paths.into_iter().map(|path| context.spec.context.join(path)));
            }
        }
        Ok(changed)
    }
}

fn of_build(build: Option<&Build>, unmade: &[&str], views: &Views) -> Result<ByContext, Vec<Diagnostic>> {
    let (mut made, mut problems) = (BTreeMap::new(), Vec::new());
    let Some(build) = build else { return Ok(made) };
    for (name, context) in build.contexts() {
        if unmade.contains(&name) {
            made.insert(name.to_owned(), Arc::default());
            continue;
        }
        match views.view(&context.spec) {
            Ok(view) => {
                made.insert(name.to_owned(), view);
            }
            Err(error) => problems.push(diagnostic(&error, build, context)),
        }
    }
    if problems.is_empty() { Ok(made) } else { Err(problems) }
}

/// Says why a view of `context`, which `build` reads, cannot be made.
pub(super) fn diagnostic(error: &ViewError, build: &Build, context: &Context) -> Diagnostic {
    match error {
        ViewError::Pattern { error: pattern, origin: PatternOrigin::IgnoreFile } => {
            context.spec.ignore.diagnostic(pattern)
        }
        ViewError::Pattern { origin: PatternOrigin::Inputs, .. } => {
            let inputs = build.definition().inputs.iter().flatten().next();
            let place = inputs.map_or(&build.target.location, |input| &input.location);
            Diagnostic::error(error.to_string()).at_location(place, "")
        }
        _ => {
            let problem = Diagnostic::error(error.to_string());
            let problem = match context.sources.first() {
                Some(source) => problem.at(&build.dockerfile.source, source.span, "read here"),
                None => problem,
            };
            problem.see_location(&build.target.location, format!("for {}", build.target.label))
        }
    }
}

/// The paths of entries that are in one list only, or differ. Both lists are sorted by path.
pub fn differing<'e>(before: &'e [FileEntry], after: &'e [FileEntry]) -> Vec<&'e WorkspacePath> {
    let mut differing = Vec::new();
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    while let (Some(one), Some(other)) = (old.peek(), new.peek()) {
        match one.path.cmp(&other.path) {
            std::cmp::Ordering::Less => differing.extend(old.next().map(|entry| &entry.path)),
            std::cmp::Ordering::Greater => differing.extend(new.next().map(|entry| &entry.path)),
            std::cmp::Ordering::Equal => {
                if one != other {
                    differing.push(&one.path);
                }
                old.next();
                new.next();
            }
        }
    }
    differing.extend(old.map(|entry| &entry.path));
    differing.extend(new.map(|entry| &entry.path));
    differing
}
