//! Which targets differ between two snapshots, and why.
//!
//! Both are keyed, and the keys are compared: what decides whether a target is built again decides whether it
//! is affected. A target that differs through what it needs alone names the way to the cause.
//!
//! **Invariant:** a target is affected exactly when its source key differs, for one of its platforms, or when
//! only one side has it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use rayon::prelude::*;

use super::key::{self, Keyed, is_image_fact};
use super::manifest::{self, Change, Reason};
use super::node::{Dependency, Graph, Node, Role};
use super::node_views::NodeViews;
use super::paired_views::Made;
use super::reasons::{self, FileDifference};
use super::target::TargetKind;
use crate::types::digest::SourceKey;
use crate::types::ids::{DenseMap, NodeId};
use crate::types::label::Label;
use crate::types::span::Location;
use crate::types::workspace_path::WorkspacePath;

/// What became of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetChange {
    /// The newer side alone has it.
    Added,
    /// Both have it, and it is not the same.
    Changed,
    /// The older side alone has it.
    Removed,
}

impl TargetChange {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// A target that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Affected {
    /// Its label.
    pub label: Label,
    /// What it is for, on the newer side that has it.
    pub kind: TargetKind,
    /// What became of it.
    pub change: TargetChange,
    /// Why, for a target that changed: its own causes first.
    pub causes: Vec<Cause>,
    /// Whether all for which it differs are files that git ignores: another checkout has none of them.
    pub apart: bool,
}

/// A reason for which a target differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// The fact, and how it differs. The output of another target has no values.
    pub reason: Reason,
    /// The line through which the fact comes in.
    pub place: Option<Location>,
    /// The file that differs, when it is one.
    pub file: Option<WorkspacePath>,
    /// For what a target needs: from there to the target that differs by itself.
    pub through: Vec<Label>,
}

/// What decides besides the keys.
pub struct Aside<'a> {
    /// What is to be said of nodes of the head whose files cannot all be read: they differ.
    pub unreadable: DenseMap<NodeId, Vec<Cause>>,
    /// Those of some files that git ignores.
    pub ignored: &'a dyn Fn(&[WorkspacePath]) -> HashSet<WorkspacePath>,
}

/// A side, keyed.
struct Keys<'k> {
    made: Made<'k>,
    views: &'k NodeViews,
    keys: DenseMap<NodeId, SourceKey>,
}

impl<'k> Keys<'k> {
    fn of((made, views): (Made<'k>, &'k NodeViews)) -> Self {
        Self { made, views, keys: Keyed { graph: made.graph, views }.source_keys() }
    }

    /// The keys of both sides, when one graph is that of both: all but what is read is the same then. A node
    /// that reads the same, and needs none that does not, has a key of no meaning, which is the same on
    /// both sides.
    fn of_one_graph(base: (Made<'k>, &'k NodeViews), head: (Made<'k>, &'k NodeViews)) -> (Self, Self) {
        let graph = head.0.graph;
        let none = || DenseMap::filled(graph.nodes.len(), SourceKey::from_bytes([0; 32]));
        let [mut before, mut after] = [base, head].map(|(made, views)| Self { made, views, keys: none() });
        let mut differs = DenseMap::filled(graph.nodes.len(), false);
        for id in &graph.order {
            let node = &graph.nodes[*id];
            let needs = node.dependencies.iter().any(|needed| differs[needed.node]);
            let mut contexts = node.build().into_iter().flat_map(|build| build.contexts());
            let reads = |(name, _)| before.views.view(*id, name).digest != after.views.view(*id, name).digest;
            differs[*id] = needs || contexts.any(reads);
            if differs[*id] {
                for side in [&mut before, &mut after] {
                    side.keys[*id] = side.keyed().source_key(*id, |needed| side.keys[needed]);
                }
            }
        }
        (before, after)
    }
}

impl Keys<'_> {
    fn keyed(&self) -> Keyed<'_> {
        Keyed { graph: self.made.graph, views: self.views }
    }
}

/// Two sides.
struct Sides<'s> {
    base: Keys<'s>,
    head: Keys<'s>,
    partners: &'s DenseMap<NodeId, Option<NodeId>>,
}

/// What is known of the nodes of the head.
struct Found {
    differs: DenseMap<NodeId, bool>,
    /// Those of which not everything can be read, and what needs them.
    doubtful: DenseMap<NodeId, bool>,
    /// Why each differs by itself; nothing for one that differs through what it needs.
    own: DenseMap<NodeId, Vec<Cause>>,
    /// Whether all for which it differs are files that git ignores.
    apart: DenseMap<NodeId, bool>,
}

/// The targets that were asked for and differ, sorted by label. The views are those of
/// [`paired_views::views`](super::paired_views::views).
pub fn compare(
    base: (Made<'_>, &NodeViews),
    head: (Made<'_>, &NodeViews),
    partners: &DenseMap<NodeId, Option<NodeId>>,
    aside: Aside<'_>,
) -> Vec<Affected> {
    let (base, head) = match std::ptr::eq(base.0.graph, head.0.graph) {
        true => Keys::of_one_graph(base, head),
        false => (Keys::of(base), Keys::of(head)),
    };
    let sides = Sides { base, head, partners };
    let found = sides.found(aside);
    let (before, after) = (wanted(sides.base.made.graph), wanted(sides.head.made.graph));
    let labels: BTreeSet<&Label> = before.keys().chain(after.keys()).copied().collect();
    let target = |label: &Label| sides.target(&found, label, before.get(label), after.get(label));
    labels.into_iter().filter_map(target).collect()
}

/// Every target that was asked for, as if nothing were known of what was before.
pub fn everything(head: &Graph, cause: &Reason) -> Vec<Affected> {
    let affected = |(label, nodes): (&Label, Vec<NodeId>)| Affected {
        label: label.clone(),
        kind: head.nodes[nodes[0]].kind(),
        change: TargetChange::Changed,
        causes: vec![Cause { reason: cause.clone(), place: None, file: None, through: Vec::new() }],
        apart: false,
    };
    wanted(head).into_iter().map(affected).collect()
}

/// The nodes of each target that was asked for.
fn wanted(graph: &Graph) -> BTreeMap<&Label, Vec<NodeId>> {
    let mut wanted: BTreeMap<&Label, Vec<NodeId>> = BTreeMap::new();
    for id in &graph.roots {
        if let Some(label) = graph.nodes[*id].label() {
            wanted.entry(label).or_default().push(*id);
        }
    }
    wanted
}

impl Sides<'_> {
    fn found(&self, aside: Aside<'_>) -> Found {
        let graph = self.head.made.graph;
        let Aside { unreadable, ignored } = aside;
        let mut doubtful = DenseMap::filled(graph.nodes.len(), false);
        for id in &graph.order {
            let mut needed = graph.nodes[*id].dependencies.iter();
            doubtful[*id] = !unreadable[*id].is_empty() || needed.any(|needed| doubtful[needed.node]);
        }
        let differs = |(id, key): (NodeId, &SourceKey)| {
            doubtful[id] || self.partners[id].is_none_or(|partner| self.base.keys[partner] != *key)
        };
        let differs: DenseMap<NodeId, bool> = self.head.keys.iter().map(differs).collect();
        let ids: Vec<NodeId> = graph.nodes.iter().map(|(id, _)| id).collect();
        let causes = |id: &NodeId| match self.partners[*id] {
            Some(partner) if differs[*id] => [&unreadable[*id][..], &self.own_causes(*id, partner)].concat(),
            _ => Vec::new(),
        };
        let own: DenseMap<NodeId, Vec<Cause>> =
            ids.par_iter().map(causes).collect::<Vec<_>>().into_iter().collect();
        // One that was there before is missed by every other checkout, whatever git ignores.
        let added = |cause: &Cause| cause.file.clone().filter(|_| cause.reason.change == Change::Added);
        let files: BTreeSet<WorkspacePath> = own.values().iter().flatten().filter_map(added).collect();
        let ignored = ignored(&files.into_iter().collect::<Vec<_>>());
        let is_ignored = |cause: &Cause| added(cause).is_some_and(|file| ignored.contains(&file));
        let mut apart = DenseMap::filled(graph.nodes.len(), false);
        for id in &graph.order {
            apart[*id] = differs[*id]
                && self.partners[*id].is_some()
                && own[*id].iter().all(is_ignored)
                && self.changed_needs(&doubtful, *id).iter().all(|needed| apart[needed.node]);
        }
        Found { differs, doubtful, own, apart }
    }

    /// What the node `id` of the head needs in the same way as before, and is not the same.
    fn changed_needs(&self, doubtful: &DenseMap<NodeId, bool>, id: NodeId) -> Vec<&Dependency> {
        let Some(partner) = self.partners[id] else { return Vec::new() };
        let before = &self.base.made.graph.nodes[partner].dependencies;
        let before: BTreeMap<&Role, NodeId> =
            before.iter().map(|needed| (&needed.role, needed.node)).collect();
        let is_changed = |needed: &&Dependency| {
            let before = before.get(&needed.role).copied();
            let same = before.is_some_and(|before| self.base.keys[before] == self.head.keys[needed.node]);
            before.is_some() && (!same || doubtful[needed.node])
        };
        self.head.made.graph.nodes[id].dependencies.iter().filter(is_changed).collect()
    }

    fn target(
        &self,
        found: &Found,
        label: &Label,
        before: Option<&Vec<NodeId>>,
        after: Option<&Vec<NodeId>>,
    ) -> Option<Affected> {
        let affected =
            |change, kind, causes, apart| Affected { label: label.clone(), kind, change, causes, apart };
        let kind = |graph: &Graph, nodes: &[NodeId]| graph.nodes[nodes[0]].kind();
        let (before, after) = match (before, after) {
            (None, None) => return None,
            (None, Some(nodes)) => {
                let kind = kind(self.head.made.graph, nodes);
                return Some(affected(TargetChange::Added, kind, Vec::new(), false));
            }
            (Some(nodes), None) => {
                let kind = kind(self.base.made.graph, nodes);
                return Some(affected(TargetChange::Removed, kind, Vec::new(), false));
            }
            (Some(before), Some(after)) => (before, after),
        };
        let lost = before.iter().filter(|id| after.iter().all(|other| self.partners[*other] != Some(**id)));
        let mut causes: Vec<Cause> =
            lost.map(|id| platform(&self.base.made.graph.nodes[*id], Change::Removed)).collect();
        let differing: Vec<NodeId> = after.iter().copied().filter(|id| found.differs[*id]).collect();
        let apart = causes.is_empty() && differing.iter().all(|id| found.apart[*id]);
        for cause in differing.iter().flat_map(|id| self.causes(found, *id)) {
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        let kind = kind(self.head.made.graph, after);
        (!causes.is_empty()).then(|| affected(TargetChange::Changed, kind, causes, apart))
    }

    /// Why the node `id` of the head differs.
    fn causes(&self, found: &Found, id: NodeId) -> Vec<Cause> {
        let node = &self.head.made.graph.nodes[id];
        if self.partners[id].is_none() {
            return vec![platform(node, Change::Added)];
        }
        let mut causes = found.own[id].clone();
        let mut said: BTreeSet<NodeId> = BTreeSet::new();
        let mut needs = self.changed_needs(&found.doubtful, id);
        // Where an argument carries the reference of a target, a line that uses the argument says no more.
        needs.sort_by_key(|needed| matches!(needed.role, Role::Reference { .. }));
        for needed in needs {
            let fact = key::image_fact_name(&needed.role);
            if !said.insert(needed.node) || causes.iter().any(|cause| cause.reason.fact == fact) {
                continue;
            }
            let reason = Reason { fact, change: Change::Changed, old: None, new: None };
            let through = self.way(found, needed.node);
            causes.push(Cause { reason, place: Some(needed.location.clone()), file: None, through });
        }
        causes
    }

    /// What differs of a node itself: every fact but that a target which it needs on both sides differs.
    fn own_causes(&self, id: NodeId, partner: NodeId) -> Vec<Cause> {
        let (node, before) = (&self.head.made.graph.nodes[id], &self.base.made.graph.nodes[partner]);
        let old = self.base.keyed().source_facts(partner, &self.base.keys);
        let new = self.head.keyed().source_facts(id, &self.head.keys);
        let mut causes = Vec::new();
        for reason in manifest::compare(&old, &new) {
            if is_image_fact(&reason.fact) {
                causes.extend(self.swap(node, before, &reason));
                continue;
            }
            match self.files(id, partner, &reason) {
                Some(files) if !files.is_empty() => causes.extend(files),
                _ => causes.push(Cause {
                    place: node.build().and_then(|build| reasons::place(node, build, &reason)),
                    reason: reasons::shown(&reason),
                    file: None,
                    through: Vec::new(),
                }),
            }
        }
        causes
    }

    /// A use of another target that came, went, or is one of another target.
    fn swap(&self, node: &Node, before: &Node, reason: &Reason) -> Option<Cause> {
        let used = |node: &Node, graph: &Graph| {
            let is_it = |role| key::image_fact_name(role) == reason.fact;
            let needed = node.dependencies.iter().find(|needed| is_it(&needed.role))?;
            Some((graph.nodes[needed.node].name(), needed.location.clone(), needed.node))
        };
        let (old, new) = (used(before, self.base.made.graph), used(node, self.head.made.graph));
        if let (Some(old), Some(new)) = (&old, &new)
            && self.partners[new.2] == Some(old.2)
        {
            return None;
        }
        let place = new.as_ref().map(|(_, place, _)| place.clone());
        let (old, new) = (old.map(|(name, ..)| name), new.map(|(name, ..)| name));
        let reason = Reason { fact: reason.fact.clone(), change: reason.change, old, new };
        Some(Cause { reason, place, file: None, through: Vec::new() })
    }

    /// For a reason that is about a view: the files in which it differs.
    fn files(&self, id: NodeId, partner: NodeId, reason: &Reason) -> Option<Vec<Cause>> {
        let name = reasons::context_of(reason).filter(|_| reason.change == Change::Changed)?;
        let build = self.head.made.graph.nodes[id].build()?;
        let context = build.contexts().find(|(own, _)| *own == name)?.1;
        let (old, new) = (self.base.views.view(partner, name), self.head.views.view(id, name));
        let differences =
            reasons::file_differences(build, context, self.head.made.snapshot, &old.entries, &new.entries);
        Some(differences.into_iter().map(of_file).collect())
    }

    /// From a node that differs to the nearest one that differs by itself.
    fn way(&self, found: &Found, start: NodeId) -> Vec<Label> {
        let graph = self.head.made.graph;
        let mut came_from: HashMap<NodeId, NodeId> = HashMap::new();
        let mut pending = VecDeque::from([start]);
        let mut last = start;
        while let Some(id) = pending.pop_front() {
            last = id;
            if self.partners[id].is_none() || !found.own[id].is_empty() {
                break;
            }
            for needed in self.changed_needs(&found.doubtful, id) {
                if needed.node != start && !came_from.contains_key(&needed.node) {
                    came_from.insert(needed.node, id);
                    pending.push_back(needed.node);
                }
            }
        }
        let before = |id: &NodeId| came_from.get(id).copied();
        let mut way: Vec<NodeId> = std::iter::successors(Some(last), before).collect();
        way.reverse();
        way.into_iter().filter_map(|id| graph.nodes[id].label().cloned()).collect()
    }
}

fn platform(node: &Node, change: Change) -> Cause {
    let value = Some(node.platform.to_string());
    let (old, new) = if change == Change::Removed { (value, None) } else { (None, value) };
    let reason = Reason { fact: "platform".to_owned(), change, old, new };
    let place = node.build().map(|build| build.target.location.clone());
    Cause { reason, place, file: None, through: Vec::new() }
}

fn of_file(difference: FileDifference<'_>) -> Cause {
    let reason = Reason { fact: difference.fact(), change: difference.change(), old: None, new: None };
    Cause { reason, place: difference.place, file: Some(difference.path), through: Vec::new() }
}
