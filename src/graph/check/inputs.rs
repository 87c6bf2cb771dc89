//! What is read of contexts: more than is meant, and exceptions that bring nothing back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::graph::lint::{BROAD_CONTEXT, MISSING_IGNORE_FILE, UNMATCHED_EXCEPTION};
use crate::graph::names::Names;
use crate::graph::node::{Build, Context};
use crate::graph::view::{ReadSources, View};
use crate::source::snapshot::Snapshot;
use crate::syntax::build_toml::file::FILE_NAME;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::TreeDigest;
use crate::types::file_entry::FileKind;
use crate::types::span::Span;
use crate::types::workspace_path::WorkspacePath;

/// What stands at the top of a context and is wanted in no image.
const UNWANTED: [&str; 16] = [
    ".git",
    ".gitignore",
    ".github",
    ".hg",
    ".svn",
    ".idea",
    ".vscode",
    ".env",
    ".venv",
    ".DS_Store",
    "__pycache__",
    "node_modules",
    "target",
    FILE_NAME,
    "Dockerfile",
    "docker-compose.yml",
];

/// How many files of a view each package has.
type Census = BTreeMap<WorkspacePath, usize>;

/// What is known of views, each looked at once.
pub(super) struct Inputs<'i> {
    snapshot: &'i Snapshot,
    names: &'i Names,
    censuses: Mutex<HashMap<(WorkspacePath, TreeDigest), Census>>,
}

impl<'i> Inputs<'i> {
    pub(super) fn new(snapshot: &'i Snapshot, names: &'i Names) -> Self {
        Self { snapshot, names, censuses: Mutex::default() }
    }

    /// What is to be said of what `build` reads of its main context, which is `view`.
    pub(super) fn of_context(&self, build: &Build, context: &Context, view: &View) -> Vec<Diagnostic> {
        let is_meant = !build.is_triggered && build.slice.widened.is_none() && context.spec.inputs.is_none();
        let Some(source) = context.sources.first().filter(|_| is_meant) else { return Vec::new() };
        if context.spec.sources != ReadSources::Whole {
            return Vec::new();
        }
        let broad = self.broad(build, context, view, source.span);
        broad.or_else(|| no_ignore_file(build, context, view, source.span)).into_iter().collect()
    }

    /// Lines `!path` of the context's ignore file for which nothing is there.
    pub(super) fn of_ignore_file(&self, context: &Context) -> Vec<Diagnostic> {
        let Some(source) = context.spec.ignore.source() else { return Vec::new() };
        let is_plain = |text: &str| !text.contains(['*', '?', '[', ']', '^', '\\']);
        let exceptions = context.spec.ignore.exceptions().filter(|(text, _)| is_plain(text));
        let is_absent = |text: &str| {
            let path = context.spec.context.resolve(text.as_bytes());
            path.is_ok_and(|path| self.snapshot.entry(&path).is_ok_and(|entry| entry.is_none()))
        };
        let say = |(text, span): (&str, Span)| {
            UNMATCHED_EXCEPTION
                .says(format!("`!{text}` brings nothing back: there is no `{text}` in the context"))
                .at(source, span, "")
                .help("patterns are relative to the context's root, wherever this file lies")
        };
        exceptions.filter(|(text, _)| is_absent(text)).map(say).collect()
    }

    fn broad(&self, build: &Build, context: &Context, view: &View, span: Span) -> Option<Diagnostic> {
        let own = &*build.target.label.package;
        let recipes = build.definition().dockerfile.value.parent()?;
        let above = |upper: &WorkspacePath, lower: &WorkspacePath| lower.strip_prefix(upper).is_some();
        let census = self.census(&context.spec.context, view);
        let total: usize = census.values().sum();
        let is_foreign = |package: &WorkspacePath| {
            !above(package, own) && !above(own, package) && !above(package, &recipes)
        };
        let foreign: Vec<(WorkspacePath, usize)> =
            census.into_iter().filter(|(package, _)| is_foreign(package)).collect();
        let count: usize = foreign.iter().map(|(_, count)| count).sum();
        let (most, _) = foreign.iter().max_by_key(|(_, count)| *count)?;
        let context = &context.spec.context;
        let message = format!(
            "all of the context `//{context}` is read, and {count} of its {total} files belong to other packages"
        );
        (count * 2 > total).then(|| {
            BROAD_CONTEXT
                .says(message)
                .at(&build.dockerfile.source, span, "read here")
                .note(format!("most of them belong to //{most}"))
                .help("copy what is needed by name, or narrow the view with `inputs`")
        })
    }

    fn census(&self, context: &WorkspacePath, view: &View) -> Census {
        let identity = (context.clone(), view.digest);
        let known = self.censuses.lock().unwrap_or_else(PoisonError::into_inner).get(&identity).cloned();
        known.unwrap_or_else(|| {
            let census = self.count(context, view);
            let mut censuses = self.censuses.lock().unwrap_or_else(PoisonError::into_inner);
            censuses.entry(identity).or_insert(census).clone()
        })
    }

    fn count(&self, context: &WorkspacePath, view: &View) -> Census {
        let mut census = Census::new();
        let mut last: Option<(WorkspacePath, WorkspacePath)> = None;
        for entry in view.entries.iter().filter(|entry| entry.kind != FileKind::Folder) {
            let folder = context.join(&entry.path).parent().unwrap_or_default();
            let package = match last.take() {
                Some((before, package)) if before == folder => package,
                _ => self.package_of(&folder),
            };
            *census.entry(package.clone()).or_default() += 1;
            last = Some((folder, package));
        }
        census
    }

    /// The nearest package at or above `folder`; the workspace's root where there is none.
    fn package_of(&self, folder: &WorkspacePath) -> WorkspacePath {
        let mut folders = std::iter::successors(Some(folder.clone()), WorkspacePath::parent);
        folders.find(|folder| self.names.is_package(folder)).unwrap_or_default()
    }
}

fn no_ignore_file(build: &Build, context: &Context, view: &View, span: Span) -> Option<Diagnostic> {
    if context.ignore_file.is_some() {
        return None;
    }
    let is_top = |path: &WorkspacePath| path.names().nth(1).is_none();
    let tops = view.entries.iter().map(|entry| &entry.path).filter(|path| is_top(path));
    let unwanted: Vec<String> =
        tops.map(ToString::to_string).filter(|name| UNWANTED.contains(&name.as_str())).collect();
    let folder = &context.spec.context;
    (!unwanted.is_empty()).then(|| {
        MISSING_IGNORE_FILE
            .says(format!("all of the context `//{folder}` is read, and no ignore file leaves anything out"))
            .at(&build.dockerfile.source, span, "read here")
            .note(format!("`{}` lands in the image, too", unwanted.join("`, `")))
            .help(format!("write `{}`, or copy by name", folder.join_name(b".dockerignore")))
    })
}
