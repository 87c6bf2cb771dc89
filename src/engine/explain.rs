//! Reasons in detail: which file of a changed view, and where each fact is written.
//!
//! A plan says that a view differs; the listings of the two views say in which files. The place of a
//! reason is the line of the Dockerfile, or of the `BUILD.toml`, through which the fact comes in.
//!
//! **Invariant:** details never decide. A listing that is lost leaves the plain reason.

use super::lookup::Known;
use super::plan::{Planned, State};
use crate::cache::view_listing;
use crate::graph::key::{self, FILES};
use crate::graph::manifest::{Change, INSTRUCTION, Reason};
use crate::graph::node::{Build, Node};
use crate::graph::node_views;
use crate::source::snapshot::Snapshot;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::TreeDigest;
use crate::types::file_entry::{FileEntry, FileKind};
use crate::types::ids::NodeId;
use crate::types::span::Location;
use crate::types::workspace_path::WorkspacePath;

/// A reason, and where it comes in.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The reason.
    pub reason: Reason,
    /// The line through which the fact comes in.
    pub place: Option<Location>,
}

/// The reasons of the node `id` in detail. What is odd about the cache is added to `warnings`.
pub fn explain(
    known: Known<'_>,
    snapshot: &Snapshot,
    id: NodeId,
    planned: &Planned,
    warnings: &mut Vec<Diagnostic>,
) -> Vec<Explained> {
    let node = &known.graph.nodes[id];
    let Some(build) = node.build() else {
        return planned
            .reasons
            .iter()
            .map(|reason| Explained { reason: reason.clone(), place: None })
            .collect();
    };
    let mut explained = Vec::new();
    for reason in &planned.reasons {
        match files_reasons(known, snapshot, id, build, planned, reason, warnings) {
            Some(files) if !files.is_empty() => explained.extend(files),
            _ => explained.push(Explained { place: place(node, build, reason), reason: shown(reason) }),
        }
    }
    explained
}

/// Whether there is anything to explain.
pub fn is_dirty(planned: &Planned) -> bool {
    !matches!(planned.state, State::Cached { .. })
}

/// An instruction is shown without the number of its stage, which is of use to the key alone.
fn shown(reason: &Reason) -> Reason {
    if !reason.fact.starts_with(INSTRUCTION) {
        return reason.clone();
    }
    let text = |value: &Option<String>| {
        value.as_ref().map(|value| value.split_once(' ').map_or(value.as_str(), |(_, text)| text).to_owned())
    };
    Reason {
        fact: INSTRUCTION.to_owned(),
        change: reason.change,
        old: text(&reason.old),
        new: text(&reason.new),
    }
}

fn place(node: &Node, build: &Build, reason: &Reason) -> Option<Location> {
    let (word, name) = reason.fact.split_once(' ').unwrap_or((&reason.fact, ""));
    let definition = build.definition();
    match word {
        INSTRUCTION if reason.change != Change::Removed => {
            let instruction = build.slice.instructions.get(name.parse::<usize>().ok()?)?;
            Some(build.location(instruction.span))
        }
        "argument" => {
            let name = name.strip_suffix(" without a value").unwrap_or(name);
            let declared = build.slice.arguments.get(name).and_then(|argument| argument.span);
            let given = definition.args.get(name).map(|argument| argument.location.clone());
            declared.map(|span| build.location(span)).or(given)
        }
        "image" => {
            let same = |role| key::image_fact_name(role) == reason.fact;
            Some(node.dependencies.iter().find(|dependency| same(&dependency.role))?.location.clone())
        }
        "label" => definition.labels.get(name).map(|label| label.location.clone()),
        "stamp" => definition.stamp.get(name).map(|stamp| stamp.location.clone()),
        "network" => definition.network.as_ref().map(|network| network.location.clone()),
        "no-cache" => definition.no_cache.as_ref().map(|no_cache| no_cache.location.clone()),
        FILES => {
            let context = if name.is_empty() { build.context.as_ref() } else { build.folders.get(name) };
            Some(build.location(context?.sources.first()?.span))
        }
        _ => None,
    }
}

/// For a reason that is about a view: the files in which it differs. `None` for another reason, or
/// when the old listing is lost.
fn files_reasons(
    known: Known<'_>,
    snapshot: &Snapshot,
    id: NodeId,
    build: &Build,
    planned: &Planned,
    reason: &Reason,
    warnings: &mut Vec<Diagnostic>,
) -> Option<Vec<Explained>> {
    let rest = reason.fact.strip_prefix(FILES)?;
    let name = rest.strip_prefix(' ').unwrap_or(rest);
    if reason.change != Change::Changed {
        return None;
    }
    let context = build.contexts().find(|(own, _)| *own == name)?.1;
    let old: TreeDigest = planned.last_views.iter().find(|(own, _)| own == name)?.1;
    let old = view_listing::load(known.cache, &old).value(warnings)?;
    let new = &known.views.view(id, name).entries;
    let finder = context.spec.source_finder(snapshot).unwrap_or_default();
    let explain = |path: &WorkspacePath| {
        let (before, after) = (entry(&old, path), entry(new, path));
        let place = build.source_place(context, finder.source_of(path));
        let line = place.as_ref().map(|place| format!(" ({})", place.path_line())).unwrap_or_default();
        let change = match (before, after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        };
        let whole = context.spec.context.join(path);
        let (old, new) = (before.map(described), after.map(described));
        Explained { reason: Reason { fact: format!("file {whole}{line}"), change, old, new }, place }
    };
    Some(node_views::differing(&old, new).into_iter().map(explain).collect())
}

fn entry<'e>(entries: &'e [FileEntry], path: &WorkspacePath) -> Option<&'e FileEntry> {
    entries.binary_search_by(|entry| entry.path.cmp(path)).ok().map(|at| &entries[at])
}

/// A file in a few words: its permissions, and what it holds.
fn described(entry: &FileEntry) -> String {
    let permissions = entry.permissions;
    match &entry.kind {
        FileKind::Folder => format!("folder {permissions:04o}"),
        FileKind::File { size, content } => format!("{permissions:04o} {} ({size} bytes)", content.short()),
        FileKind::Link { target } => format!("link to {}", String::from_utf8_lossy(target)),
    }
}
