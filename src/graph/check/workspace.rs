//! Everything that lints find in some targets of a workspace.
//!
//! A Dockerfile is looked at once, however many targets share it, and so is a view; the rest is looked at
//! for each target, in parallel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::finding::{Finding, Gathered};
use super::inputs::Inputs;
use super::{allowances, dockerfile, fields, images, secret_names};
use crate::graph::key::Keyed;
use crate::graph::load::Loaded;
use crate::graph::missing_sources;
use crate::graph::node::{Build, Graph, Node};
use crate::graph::node_views::NodeViews;
use crate::graph::published::Published;
use crate::graph::tag_clash;
use crate::graph::target::Target;
use crate::source::snapshot::Snapshot;
use crate::syntax::dockerfile::Dockerfile;
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::NodeId;
use crate::types::label::Label;
use crate::types::workspace_path::WorkspacePath;

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Checked<'c> {
    /// The files.
    pub snapshot: &'c Snapshot,
    /// The targets.
    pub loaded: &'c Loaded,
    /// Those that are asked about, and what they need.
    pub graph: &'c Graph,
    /// What they read.
    pub views: &'c NodeViews,
}

/// The Dockerfiles that the targets build, with the labels of these.
type Dockerfiles<'c> = BTreeMap<&'c WorkspacePath, (&'c Arc<Dockerfile>, BTreeSet<Label>)>;

/// What lints find of the roots of the graph, and of the bases from elsewhere that they declare. By file
/// and place.
pub fn check(checked: Checked<'_>) -> Vec<Finding> {
    let graph = checked.graph;
    let builds: Vec<(NodeId, &Node, &Build)> = graph
        .roots
        .iter()
        .filter_map(|id| Some((*id, &graph.nodes[*id], graph.nodes[*id].build()?)))
        .collect();
    let mut dockerfiles: Dockerfiles<'_> = BTreeMap::new();
    for (_, _, build) in &builds {
        let entry = dockerfiles.entry(&build.dockerfile.source.path);
        entry.or_insert_with(|| (&build.dockerfile, BTreeSet::new())).1.insert(build.target.label.clone());
    }
    let bases = bases(checked);
    let mut gathered = Gathered::default();
    for (label, diagnostic) in of_files(&dockerfiles).into_iter().chain(of_builds(checked, &builds)) {
        gathered.add(label, diagnostic);
    }
    for base in &bases {
        let found = images::of_base(base);
        found.into_iter().for_each(|found| gathered.add([base.label.clone()], found));
    }
    let targets: BTreeMap<Label, Arc<Target>> = builds
        .iter()
        .map(|(_, _, build)| &build.target)
        .chain(&bases)
        .map(|target| (target.label.clone(), Arc::clone(target)))
        .collect();
    for (label, remark) in checked.loaded.remarks.iter().filter(|(label, _)| targets.contains_key(label)) {
        gathered.add([label.clone()], remark.clone());
    }
    tag_clashes(checked, &targets, &mut gathered);
    allowances::apply(as_directed(gathered.finish(), &dockerfiles), &targets)
}

/// The bases from elsewhere that are asked about, or needed by what is asked about.
fn bases(checked: Checked<'_>) -> Vec<Arc<Target>> {
    let graph = checked.graph;
    let needed = graph.roots.iter().flat_map(|root| &graph.nodes[*root].dependencies);
    let nodes: BTreeSet<NodeId> =
        needed.map(|dependency| dependency.node).chain(graph.roots.iter().copied()).collect();
    let bases = nodes.into_iter().map(|id| &graph.nodes[id]).filter(|node| node.build().is_none());
    let ids = bases.filter_map(|base| checked.loaded.names.target(base.label()?));
    ids.map(|id| Arc::clone(&checked.loaded.targets[id])).collect()
}

/// What is found, and of whom.
type Found = Vec<(BTreeSet<Label>, Diagnostic)>;

fn of_files(dockerfiles: &Dockerfiles<'_>) -> Found {
    let files: Vec<_> = dockerfiles.values().collect();
    let of_file = |(file, labels): &&(&Arc<Dockerfile>, BTreeSet<Label>)| -> Found {
        dockerfile::check(file).into_iter().map(|found| (labels.clone(), found)).collect()
    };
    files.par_iter().flat_map_iter(of_file).collect()
}

fn of_builds(checked: Checked<'_>, builds: &[(NodeId, &Node, &Build)]) -> Found {
    let nearly = images::nearly_published(checked.graph, &Published::new(&checked.loaded.targets));
    let inputs = Inputs::new(checked.snapshot, &checked.loaded.names);
    let of_build = |(id, node, build): &(NodeId, &Node, &Build)| -> Found {
        let mut found = build.remarks.clone();
        found.extend(images::of_build(checked.graph, node, build, &nearly));
        found.extend(secret_names::of_target(build.definition()));
        found.extend(fields::check(build));
        found.extend(missing_sources::of_build(*id, build, checked.views, checked.snapshot));
        if let Some(context) = &build.context {
            found.extend(inputs.of_context(build, context, checked.views.view(*id, "")));
        }
        found.extend(build.contexts().flat_map(|(_, context)| inputs.of_ignore_file(context)));
        let label = BTreeSet::from([build.target.label.clone()]);
        found.into_iter().map(|found| (label.clone(), found)).collect()
    };
    builds.par_iter().flat_map_iter(of_build).collect()
}

fn tag_clashes(checked: Checked<'_>, targets: &BTreeMap<Label, Arc<Target>>, gathered: &mut Gathered) {
    let source_keys = Keyed { graph: checked.graph, views: checked.views }.source_keys();
    for clash in tag_clash::clashes(checked.graph, &source_keys) {
        let labels = clash.nodes.iter().filter_map(|id| checked.graph.nodes[*id].label().cloned());
        let labels: BTreeSet<Label> = labels.collect();
        if labels.iter().any(|label| targets.contains_key(label)) {
            gathered.add(labels, clash.diagnostic);
        }
    }
}

/// What the directives of the Dockerfiles leave of `findings`.
fn as_directed(findings: Vec<Finding>, dockerfiles: &Dockerfiles<'_>) -> Vec<Finding> {
    let directed = findings.into_iter().filter_map(|finding| {
        let place = finding.diagnostic.annotations.first().map(|first| &first.location.source.path);
        let Some((file, _)) = place.and_then(|path| dockerfiles.get(path)) else { return Some(finding) };
        let diagnostic = dockerfile::as_directed(&file.checks, finding.lint, finding.diagnostic)?;
        Some(Finding { diagnostic, ..finding })
    });
    directed.collect()
}
