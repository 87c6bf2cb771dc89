//! Sources that a Dockerfile reads and that are not in the view of its context.
//!
//! The builder would fail (BuildKit's `cache/contenthash`: "not found"), after a while, and without a
//! word of why. Before the build it is known: nothing of that name is there, or an ignore file or the
//! target's `inputs` leave it out.
//!
//! **Invariant:** what the builder accepts is not refused. It follows links, in the context as if that
//! were the root of a file system; a pattern that matches nothing is no mistake for it.

use std::collections::VecDeque;

use super::lint::{self, Lint};
use super::node::{Build, Context, ContextSource, Graph};
use super::node_views::NodeViews;
use super::view::View;
use crate::source::snapshot::{EntryRef, FolderRef, Snapshot};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::file_entry::FileKind;
use crate::types::ids::NodeId;
use crate::types::workspace_path::WorkspacePath;

/// More links than this on the way to one source are for the builder to judge.
const MOST_LINKS: usize = 40;

/// A diagnostic for each source that one of the nodes needs and does not have.
pub fn check(graph: &Graph, views: &NodeViews, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let mut problems: Vec<Diagnostic> = Vec::new();
    for (id, node) in graph.nodes.iter() {
        let Some(build) = node.build() else { continue };
        for problem in of_build(id, build, views, snapshot) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}

/// A diagnostic for each source that `build`, which is the node `id`, needs and does not have.
pub fn of_build(id: NodeId, build: &Build, views: &NodeViews, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (name, context) in build.contexts() {
        let view = views.view(id, name);
        for source in &context.required {
            if let Err(missing) = find(&source.pattern, |path| in_view(view, path)) {
                problems.push(tell(build, context, source, &missing, snapshot));
            }
        }
    }
    problems
}

/// What stands at a path.
enum Found {
    Folder,
    File,
    /// A link, and where it points.
    Link(Vec<u8>),
}

/// A path at which nothing stands.
struct Missing {
    /// The folder that is there, links followed.
    folder: WorkspacePath,
    /// What is not in it.
    name: Vec<u8>,
    /// All of the path, links followed as far as they are there.
    path: WorkspacePath,
}

/// Goes along `source` from the root of a context, through links, as the builder does.
fn find(source: &[u8], look: impl Fn(&WorkspacePath) -> Option<Found>) -> Result<(), Missing> {
    let mut pending: VecDeque<Vec<u8>> = names(source).collect();
    let mut folder = WorkspacePath::root();
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == b".." {
            folder = folder.parent().unwrap_or(folder);
            continue;
        }
        let path = folder.join_name(&name);
        match look(&path) {
            Some(Found::Folder) => folder = path,
            Some(Found::File) if pending.is_empty() => return Ok(()),
            Some(Found::Link(target)) => {
                links += 1;
                if links > MOST_LINKS {
                    return Ok(());
                }
                if target.starts_with(b"/") {
                    folder = WorkspacePath::root();
                }
                names(&target).rev().for_each(|name| pending.push_front(name));
            }
            Some(Found::File) | None => {
                let path = pending.iter().fold(path, |path, name| path.join_name(name));
                return Err(Missing { folder, name, path });
            }
        }
    }
    Ok(())
}

/// The names of a path, without those that mean nothing.
fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = Vec<u8>> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.map(<[u8]>::to_vec)
}

fn in_view(view: &View, path: &WorkspacePath) -> Option<Found> {
    let index = view.entries.binary_search_by(|entry| entry.path.cmp(path)).ok()?;
    Some(match &view.entries[index].kind {
        FileKind::Folder => Found::Folder,
        FileKind::File { .. } => Found::File,
        FileKind::Link { target } => Found::Link(target.to_vec()),
    })
}

/// What the folder holds on the disk at `path`. What cannot be read counts as a file.
fn on_disk(context: FolderRef<'_>, path: &WorkspacePath) -> Option<Found> {
    let entry = entry_at(context, path)?;
    if entry.is_folder() {
        return Some(Found::Folder);
    }
    Some(entry.link_target().map_or(Found::File, |target| Found::Link(target.to_vec())))
}

fn entry_at<'s>(context: FolderRef<'s>, path: &WorkspacePath) -> Option<EntryRef<'s>> {
    let mut folder = context;
    let mut names = path.names().peekable();
    while let Some(name) = names.next() {
        let entry = folder.entry(name).ok().flatten()?;
        if names.peek().is_none() {
            return Some(entry);
        }
        folder = entry.as_folder()?;
    }
    None
}

/// Says what is missing and why.
fn tell(
    build: &Build,
    context: &Context,
    source: &ContextSource,
    missing: &Missing,
    snapshot: &Snapshot,
) -> Diagnostic {
    let folder = snapshot.folder(&context.spec.context).ok().flatten();
    let absent = folder.and_then(|folder| find(&source.pattern, |path| on_disk(folder, path)).err());
    let read = lossy(&source.pattern);
    let place = &context.spec.context;
    let place =
        if place.is_root() { ", which is the workspace's root".to_owned() } else { format!(" `{place}`") };
    let begin = |lint: &Lint, why: String| {
        let message = format!("the source `{read}` {why}");
        lint.says(message).at(&build.dockerfile.source, source.span, "read here")
    };
    match (absent, folder) {
        (Some(absent), Some(folder)) => {
            let leads = lossy(absent.path.as_bytes());
            let link = if leads == read { String::new() } else { format!("leads to `{leads}`, which ") };
            let problem = begin(&lint::MISSING_SOURCE, format!("{link}does not exist in the context{place}"));
            match near(folder, &absent) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help("paths are looked for in the context, wherever the Dockerfile lies"),
            }
        }
        _ => left_out(build, context, missing, begin),
    }
}

/// Says what leaves out a source that is there.
fn left_out(
    build: &Build,
    context: &Context,
    missing: &Missing,
    begin: impl Fn(&Lint, String) -> Diagnostic,
) -> Diagnostic {
    let ignore = &context.spec.ignore;
    let path = lossy(missing.path.as_bytes());
    if let (Some(file), Ok(true)) = (&context.ignore_file, ignore.patterns().matches_or_parent(&missing.path))
    {
        let problem = begin(&lint::IGNORED_SOURCE, format!("exists, but `{file}` leaves it out"));
        let problem = match (ignore.source(), ignore.span_that_ignores(&missing.path)) {
            (Some(source), Some(span)) => problem.see(source, span, "left out here"),
            _ => problem,
        };
        return problem.help(format!("take the line out, or bring it back with a line `!{path}` below it"));
    }
    let inputs = build.definition().inputs.as_deref().filter(|_| context.spec.inputs.is_some());
    match inputs.and_then(<[_]>::first) {
        Some(first) => begin(
            &lint::IGNORED_SOURCE,
            format!("exists, but `inputs` of {} leave it out", build.target.label),
        )
        .see_location(&first.location, "only what matches is read")
        .help(format!("add `{path}` to `inputs`")),
        None => {
            let problem = begin(&lint::IGNORED_SOURCE, "is not among the files that are read".to_owned());
            match path.contains(['*', '?', '[', '\\']) {
                // BuildKit's `FollowPaths` chooses what of the context is sent, its `SourcePath` what is mounted.
                true => problem.help(format!(
                    "files are chosen as if `{path}` were a pattern, which does not match its own name, and \
                     mounted as if it were none: rename it, or mount the folder that it is in"
                )),
                false => problem,
            }
        }
    }
}

/// The path that may have been meant.
fn near(context: FolderRef<'_>, absent: &Missing) -> Option<String> {
    let folder =
        if absent.folder.is_root() { context } else { entry_at(context, &absent.folder)?.as_folder()? };
    let names: Vec<String> = folder.entries().ok()?.iter().map(|entry| lossy(entry.name())).collect();
    let name = nearest(&lossy(&absent.name), names.iter().map(String::as_str))?;
    Some(absent.folder.join_name(name.as_bytes()).to_string())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
