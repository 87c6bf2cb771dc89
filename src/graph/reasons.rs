//! Where a fact comes in: the line of the Dockerfile, or of the `BUILD.toml`, behind a reason.
//!
//! **Invariant:** a place never decides anything. Where none is known, the reason stands by itself.

use super::key::{self, FILES};
use super::manifest::{Change, INSTRUCTION, Reason};
use super::node::{Build, Context, Node};
use super::node_views;
use crate::source::snapshot::Snapshot;
use crate::types::file_entry::FileEntry;
use crate::types::span::Location;
use crate::types::workspace_path::WorkspacePath;

/// A file in which two views of one context differ.
#[derive(Clone, Debug, PartialEq)]
pub struct FileDifference<'e> {
    /// Where it lies in the workspace.
    pub path: WorkspacePath,
    /// What the older view has there.
    pub old: Option<&'e FileEntry>,
    /// What the newer view has there.
    pub new: Option<&'e FileEntry>,
    /// The line through which it is read.
    pub place: Option<Location>,
}

impl FileDifference<'_> {
    /// What became of it.
    pub fn change(&self) -> Change {
        match (self.old, self.new) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        }
    }

    /// The name of the fact: the file, and the line through which it is read.
    pub fn fact(&self) -> String {
        let line = self.place.as_ref().map(|place| format!(" ({})", place.path_line())).unwrap_or_default();
        format!("file {}{line}", self.path)
    }
}

/// The files in which two listings of a view of `context` differ, in the order of their paths.
pub fn file_differences<'e>(
    build: &Build,
    context: &Context,
    snapshot: &Snapshot,
    old: &'e [FileEntry],
    new: &'e [FileEntry],
) -> Vec<FileDifference<'e>> {
    let finder = context.spec.source_finder(snapshot).unwrap_or_default();
    let differing = node_views::differing(old, new).into_iter();
    let difference = |path: &WorkspacePath| FileDifference {
        path: context.spec.context.join(path),
        old: entry(old, path),
        new: entry(new, path),
        place: build.source_place(context, finder.source_of(path)),
    };
    differing.map(difference).collect()
}

fn entry<'e>(entries: &'e [FileEntry], path: &WorkspacePath) -> Option<&'e FileEntry> {
    entries.binary_search_by(|entry| entry.path.cmp(path)).ok().map(|at| &entries[at])
}

/// The name of the context of which `reason` says that its view differs; the main one's is empty.
pub fn context_of(reason: &Reason) -> Option<&str> {
    let rest = reason.fact.strip_prefix(FILES)?;
    match rest.strip_prefix(' ') {
        Some(name) => Some(name),
        None => rest.is_empty().then_some(""),
    }
}

/// An instruction is shown without the number of its stage, which is of use to the key alone.
pub fn shown(reason: &Reason) -> Reason {
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

/// The line through which the fact of `reason` comes into `build`, which is that of `node`.
pub fn place(node: &Node, build: &Build, reason: &Reason) -> Option<Location> {
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
