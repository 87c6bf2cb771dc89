//! From what is wanted to the graph of everything that it needs.
//!
//! The frontier of unexplored targets is drafted in parallel, level by level; ids are given between
//! levels, in order, so that the same workspace gives the same graph with any number of threads.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::dockerfiles::Dockerfiles;
use super::edges::{self, Draft, Needed, Surroundings};
use super::load::Loaded;
use super::node::{Build, Dependency, External, Graph, Node, Role, Work};
use super::order;
use super::published::Published;
use super::slice::ReferenceKind;
use super::target::Definition;
use crate::source::parallel::AT_ONCE;
use crate::source::snapshot::Snapshot;
use crate::types::diagnostic::{Diagnostic, Severity};
use crate::types::ids::{DenseId, DenseMap, NodeId, TargetId};
use crate::types::platform::Platform;
use crate::types::span::Spanned;

/// Which targets, for which platforms.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// The targets; no groups.
    pub targets: &'w [TargetId],
    /// The platforms to build for; empty: what each target declares, else the builder's own.
    pub platforms: &'w [Platform],
    /// What the builder itself runs on.
    pub build_platform: &'w Platform,
}

type Key = (Needed, Platform);

struct Expansion<'e> {
    surroundings: Surroundings<'e>,
    ids: HashMap<Key, NodeId>,
    keys: DenseMap<NodeId, Key>,
    nodes: Vec<Option<Node>>,
    diagnostics: Vec<Diagnostic>,
}

/// What a graph is made from.
#[derive(Clone, Copy)]
pub struct Materials<'m> {
    /// All targets.
    pub loaded: &'m Loaded,
    /// The names under which they are spoken of.
    pub published: &'m Published,
    /// The Dockerfiles.
    pub dockerfiles: &'m Dockerfiles,
}

/// The graph of `wanted`, and everything that is wrong with it. With an error among the diagnostics
/// the graph is empty.
pub fn expand(snapshot: &Snapshot, loaded: &Loaded, wanted: Wanted<'_>) -> (Graph, Vec<Diagnostic>) {
    without_errors(expand_to_look_at(snapshot, loaded, wanted))
}

/// As [`expand`], from what somebody has made ready.
pub fn expand_from(materials: Materials<'_>, wanted: Wanted<'_>) -> (Graph, Vec<Diagnostic>) {
    without_errors(expand_all(materials, wanted))
}

fn without_errors((graph, diagnostics): (Graph, Vec<Diagnostic>)) -> (Graph, Vec<Diagnostic>) {
    let is_wrong = diagnostics.iter().any(|problem| problem.severity == Severity::Error);
    (if is_wrong { Graph::default() } else { graph }, diagnostics)
}

/// As [`expand`], but what lints say empties no graph: it is there to be looked at, not to be built.
pub fn expand_to_look_at(
    snapshot: &Snapshot,
    loaded: &Loaded,
    wanted: Wanted<'_>,
) -> (Graph, Vec<Diagnostic>) {
    let (published, dockerfiles) = (Published::new(&loaded.targets), Dockerfiles::new(snapshot));
    expand_all(Materials { loaded, published: &published, dockerfiles: &dockerfiles }, wanted)
}

fn expand_all(materials: Materials<'_>, wanted: Wanted<'_>) -> (Graph, Vec<Diagnostic>) {
    let Materials { loaded, published, dockerfiles } = materials;
    let surroundings = Surroundings { loaded, published, dockerfiles, build_platform: wanted.build_platform };
    let mut expansion = Expansion {
        surroundings,
        ids: HashMap::with_capacity(wanted.targets.len()),
        keys: DenseMap::with_capacity(wanted.targets.len()),
        nodes: Vec::with_capacity(wanted.targets.len()),
        diagnostics: Vec::new(),
    };
    let roots = expansion.roots(wanted);
    expansion.explore();
    expansion.finish(roots)
}

impl Expansion<'_> {
    fn roots(&mut self, wanted: Wanted<'_>) -> Vec<NodeId> {
        let mut roots = Vec::new();
        let mut seen = HashSet::new();
        for id in wanted.targets {
            let declared = self.surroundings.loaded.targets[*id].build();
            let declared = declared.map(|build| build.platforms.iter().map(|platform| &platform.value));
            let mut platforms: Vec<&Platform> = match declared {
                _ if !wanted.platforms.is_empty() => wanted.platforms.iter().collect(),
                Some(declared) => declared.collect(),
                None => Vec::new(),
            };
            if platforms.is_empty() {
                platforms.push(wanted.build_platform);
            }
            for platform in platforms {
                let root = self.intern((Needed::Target(*id), platform.clone()));
                if seen.insert(root) {
                    roots.push(root);
                }
            }
        }
        roots
    }

    fn intern(&mut self, key: Key) -> NodeId {
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = self.keys.push(key.clone());
        self.ids.insert(key, id);
        id
    }

    fn explore(&mut self) {
        while self.nodes.len() < self.keys.len() {
            let frontier = &self.keys.values()[self.nodes.len()..];
            let surroundings = &self.surroundings;
            let frontier = frontier.par_iter().with_max_len(AT_ONCE);
            let drafts: Vec<_> = frontier.map(|key| draft(surroundings, key)).collect();
            for drafted in drafts {
                let node = self.settle(drafted);
                self.nodes.push(node);
            }
        }
    }

    /// Gives ids to what a draft needs. `None` stands for a node that has errors.
    fn settle(&mut self, drafted: Result<Drafted, Vec<Diagnostic>>) -> Option<Node> {
        match drafted {
            Err(problems) => {
                self.diagnostics.extend(problems);
                None
            }
            Ok(Drafted::External(external, platform)) => {
                Some(Node { platform, work: Work::External(external), dependencies: Vec::new() })
            }
            Ok(Drafted::Build(draft, platform)) => {
                let target = &draft.build.target;
                let told = draft.build.remarks.iter().filter(|remark| !target.allows(remark));
                self.diagnostics.extend(told.cloned());
                let mut dependencies = Vec::with_capacity(draft.needs.len());
                for need in draft.needs {
                    let node = self.intern((need.needed, need.platform));
                    dependencies.push(Dependency { node, role: need.role, location: need.location });
                }
                Some(Node { platform, work: Work::Build(draft.build), dependencies })
            }
        }
    }

    /// Lets a target read its whole context whose base leaves it `ONBUILD` instructions: what those
    /// read is not known from its own Dockerfile. What they read from a stage or an image would be an
    /// edge that no line of the Dockerfile says: that is refused.
    fn widen_triggered(&mut self) {
        let mut widened = Vec::new();
        let mut problems = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(build) = node.as_ref().and_then(Node::build) else { continue };
            for dependency in node.iter().flat_map(|node| &node.dependencies) {
                let triggers = self.triggers(dependency.node);
                if triggers.is_empty() || !is_base(build, &dependency.role) {
                    continue;
                }
                widened.push((index, dependency.location.span));
                let elsewhere = triggers.iter().filter(|trigger| trigger.value.contains("from="));
                problems.extend(elsewhere.map(|trigger| self.reads_elsewhere(dependency, trigger)));
            }
        }
        for (index, span) in widened {
            if let Some(Node { work: Work::Build(build), .. }) = &mut self.nodes[index] {
                problems.extend(edges::widen(&self.surroundings, build, span).err().into_iter().flatten());
            }
        }
        self.diagnostics.extend(problems);
    }

    fn reads_elsewhere(&self, base: &Dependency, trigger: &Spanned<String>) -> Diagnostic {
        let needed = self.nodes[base.node.index()].as_ref();
        let (name, build) = (needed.map_or_else(String::new, Node::name), needed.and_then(Node::build));
        let message = format!(
            "{name} leaves `ONBUILD {}` to this stage, which reads from where no line here says",
            trigger.value
        );
        let problem = Diagnostic::error(message).at_location(&base.location, "based on it here").help(
            "write that instruction here, without `ONBUILD` in the base, so that what it reads is an input",
        );
        match build.map(|build| build.location(trigger.span)) {
            Some(place) => problem.see(&place.source, place.span, "left here"),
            None => problem,
        }
    }

    fn triggers(&self, id: NodeId) -> &[Spanned<String>] {
        let build = self.nodes[id.index()].as_ref().and_then(Node::build);
        build.map_or(&[], |build| &build.slice.triggers)
    }

    fn finish(mut self, roots: Vec<NodeId>) -> (Graph, Vec<Diagnostic>) {
        self.widen_triggered();
        dedup(&mut self.diagnostics);
        let complete: Option<DenseMap<NodeId, Node>> =
            self.nodes.into_iter().collect::<Option<Vec<_>>>().map(DenseMap::from_iter);
        let is_wrong = |problem: &Diagnostic| problem.severity == Severity::Error && problem.code.is_none();
        let Some(nodes) = complete.filter(|_| !self.diagnostics.iter().any(is_wrong)) else {
            return (Graph::default(), self.diagnostics);
        };
        match order::order(&nodes) {
            Ok(order) => (Graph { nodes, roots, order }, self.diagnostics),
            Err(cycles) => {
                self.diagnostics.extend(cycles);
                (Graph::default(), self.diagnostics)
            }
        }
    }
}

/// Whether a stage of `build` begins with a use of this role. What is only copied from leaves nothing.
fn is_base(build: &Build, role: &Role) -> bool {
    let Role::Reference { name, platform } = role else { return false };
    let mut references = build.slice.references.iter();
    references
        .any(|used| used.kind == ReferenceKind::From && used.name == *name && used.platform == *platform)
}

/// A node before its dependencies have ids.
enum Drafted {
    External(External, Platform),
    Build(Draft, Platform),
}

fn draft(surroundings: &Surroundings<'_>, (needed, platform): &Key) -> Result<Drafted, Vec<Diagnostic>> {
    let id = match needed {
        Needed::Undeclared(reference) => {
            let external = External { reference: reference.clone(), target: None, label: None };
            return Ok(Drafted::External(external, platform.clone()));
        }
        Needed::Target(id) => *id,
    };
    let target = &surroundings.loaded.targets[id];
    match &target.definition {
        Definition::External(image) => {
            let label = Some(target.label.clone());
            let external = External { reference: image.value.clone(), target: Some(id), label };
            Ok(Drafted::External(external, platform.clone()))
        }
        Definition::Built(definition) => {
            let draft = edges::draft(surroundings, target, definition, platform)?;
            Ok(Drafted::Build(draft, platform.clone()))
        }
        Definition::Group(_) => {
            let problem =
                Diagnostic::error(format!("{} is a group and cannot be built by itself", target.label));
            Err(vec![problem.at(&target.location.source, target.location.span, "")])
        }
    }
}

/// Keeps the first of equal diagnostics: several targets of one Dockerfile find the same mistake.
fn dedup(diagnostics: &mut Vec<Diagnostic>) {
    let mut kept: Vec<Diagnostic> = Vec::with_capacity(diagnostics.len());
    let same = |a: &Diagnostic, b: &Diagnostic| {
        a.message == b.message && a.annotations.first() == b.annotations.first()
    };
    for diagnostic in diagnostics.drain(..) {
        if !kept.iter().any(|other| same(other, &diagnostic)) {
            kept.push(diagnostic);
        }
    }
    *diagnostics = kept;
}
