//! Reasons in detail: which file of a changed view, and where each fact is written.
//!
//! A plan says that a view differs; the listings of the two views say in which files. The place of a
//! reason is the line of the Dockerfile, or of the `BUILD.toml`, through which the fact comes in.
//!
//! **Invariant:** details never decide. A listing that is lost leaves the plain reason.

use super::lookup::Known;
use super::plan::{Planned, State};
use crate::cache::view_listing;
use crate::graph::manifest::{Change, Reason};
use crate::graph::node::Build;
use crate::graph::reasons::{self, FileDifference};
use crate::source::snapshot::Snapshot;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::TreeDigest;
use crate::types::file_entry::{FileEntry, FileKind};
use crate::types::ids::NodeId;
use crate::types::span::Location;

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
            _ => explained.push(Explained {
                place: reasons::place(node, build, reason),
                reason: reasons::shown(reason),
            }),
        }
    }
    explained
}

/// Whether there is anything to explain.
pub fn is_dirty(planned: &Planned) -> bool {
    !matches!(planned.state, State::Cached { .. })
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
    let name = reasons::context_of(reason).filter(|_| reason.change == Change::Changed)?;
    let context = build.contexts().find(|(own, _)| *own == name)?.1;
    let old: TreeDigest = planned.last_views.iter().find(|(own, _)| own == name)?.1;
    let old = view_listing::load(known.cache, &old).value(warnings)?;
    let new = &known.views.view(id, name).entries;
    let explain = |difference: FileDifference<'_>| {
        let (fact, change) = (difference.fact(), difference.change());
        let (old, new) = (difference.old.map(described), difference.new.map(described));
        Explained { reason: Reason { fact, change, old, new }, place: difference.place }
    };
    let differences = reasons::file_differences(build, context, snapshot, &old, new);
    Some(differences.into_iter().map(explain).collect())
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
