//! Who reads a file: which nodes of a graph, as what, and through which line.
//!
//! Nothing is hashed and no view is listed for a file: a view is asked for the one path, by the questions
//! that a walk would ask on the way to it. So it can be asked of a file that is not there, too: who would
//! read it. For a folder the answer is who reads anything in it.
//!
//! **Invariant:** a file is content of a node exactly when the node's view holds it.

use std::collections::HashMap;

use rayon::prelude::*;

use super::dockerfiles::ignore_file_places;
use super::node::{Build, Context, Graph, Node};
use super::node_views;
use super::package_uses::{PackageUse, PackageUses};
use super::target::SecretSource;
use super::view::{ViewError, ViewSpec};
use crate::source::read_error::ReadError;
use crate::source::snapshot::Snapshot;
use crate::syntax::build_toml::file::FILE_NAME;
use crate::types::diagnostic::Diagnostic;
use crate::types::ids::NodeId;
use crate::types::span::Location;
use crate::types::workspace_path::WorkspacePath;

/// A node that reads a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The node.
    pub node: NodeId,
    /// Through which of its contexts; empty for the main one, and where it is none.
    pub context: String,
    /// As what.
    pub reading: Reading,
    /// The line through which it is read.
    pub place: Location,
}

/// As what a file is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// It is in a view: a line of the Dockerfile copies or mounts it.
    Content,
    /// It is the Dockerfile.
    Dockerfile,
    /// It says what is not in a view.
    IgnoreFile,
    /// It is the `BUILD.toml` that declares the target.
    Declaration,
    /// It is a `BUILD.toml` whose defaults the target takes.
    Defaults,
    /// It is a `BUILD.toml` that declares a variable which the target may use: its name.
    Variable(String),
    /// It is the value of the secret with this id.
    Secret(String),
}

impl Reading {
    /// Whether what the file holds can enter the node's key.
    pub fn is_keyed(&self) -> bool {
        !matches!(self, Self::Secret(_))
    }

    /// A word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Dockerfile => "dockerfile",
            Self::IgnoreFile => "ignore-file",
            Self::Declaration => "declaration",
            Self::Defaults => "defaults",
            Self::Variable(_) => "variable",
            Self::Secret(_) => "secret",
        }
    }
}

/// Who of `graph` reads what is at `path`, or would read it if it were there; in order of nodes.
///
/// # Errors
/// A diagnostic for each view that cannot be made, and when a link leaves the workspace.
pub fn readers(
    graph: &Graph,
    snapshot: &Snapshot,
    path: &WorkspacePath,
) -> Result<Vec<Reader>, Vec<Diagnostic>> {
    let unreadable = |error: ReadError| vec![Diagnostic::error(error.to_string())];
    let asked = Asked::new(snapshot, path).map_err(unreadable)?;
    let content = asked.content(graph)?;
    let mut packages = Packages::new(snapshot);
    let mut readers = Vec::new();
    for (id, node) in graph.nodes.iter() {
        let mut of_node = Vec::new();
        if let Some(build) = node.build() {
            asked.contents(build, &content, &mut of_node);
            asked.texts(build, &mut of_node).map_err(unreadable)?;
        }
        packages.declarations(&asked, node, &mut of_node).map_err(unreadable)?;
        of_node.sort_by(|one, other| (&one.reading, &one.context).cmp(&(&other.reading, &other.context)));
        let reader = |Read { context, reading, place }: Read| Reader { node: id, context, reading, place };
        readers.extend(of_node.into_iter().map(reader));
    }
    Ok(readers)
}

/// A [`Reader`] before it is said whose it is.
struct Read {
    context: String,
    reading: Reading,
    place: Location,
}

/// How what was asked for is in a view.
enum Held {
    /// The source that leads to it; `None` where everything is read.
    Source(Option<String>),
    /// It is a link on the way to the context.
    Way,
}

/// Views by what decides them.
type Content<'g> = HashMap<&'g ViewSpec, Held>;

/// The path that was asked for.
struct Asked<'s> {
    snapshot: &'s Snapshot,
    /// No link is on the way to it; it may be one.
    path: WorkspacePath,
    is_folder: bool,
}

impl<'s> Asked<'s> {
    fn new(snapshot: &'s Snapshot, path: &WorkspacePath) -> Result<Self, ReadError> {
        let path = without_links_above(snapshot, path)?;
        let is_folder =
            path.is_root() || snapshot.entry(&path)?.is_some_and(|entry| entry.as_folder().is_some());
        Ok(Self { snapshot, path, is_folder })
    }

    /// Whether `path`, on the way to which is no link, is what was asked for, or in it.
    fn holds(&self, path: &WorkspacePath) -> bool {
        *path == self.path || (self.is_folder && path.strip_prefix(&self.path).is_some())
    }

    /// Whether who reads the file at `path` reads what was asked for: the file itself, or a link on the way.
    fn is_read_at(&self, path: &WorkspacePath) -> Result<bool, ReadError> {
        let spelled = without_links_above(self.snapshot, path)?;
        Ok(self.holds(&spelled) || self.snapshot.way(path)?.iter().any(|on_the_way| self.holds(on_the_way)))
    }

    /// The views that hold it. Equal specifications are asked once.
    fn content<'g>(&self, graph: &'g Graph) -> Result<Content<'g>, Vec<Diagnostic>> {
        let mut users: HashMap<&ViewSpec, (&Build, &Context)> = HashMap::new();
        for build in graph.nodes.values().iter().filter_map(Node::build) {
            for (_, context) in build.contexts() {
                users.entry(&context.spec).or_insert((build, context));
            }
        }
        let users: Vec<_> = users.into_iter().collect();
        let asked = users.par_iter().map(|(spec, user)| (*spec, *user, self.held(spec)));
        let asked: Vec<_> = asked.collect();
        let (mut content, mut problems) = (Content::new(), Vec::new());
        for (spec, (build, context), held) in asked {
            match held {
                Ok(held) => content.extend(held.map(|held| (spec, held))),
                Err(error) => problems.push(node_views::diagnostic(&error, build, context)),
            }
        }
        if problems.is_empty() { Ok(content) } else { Err(problems) }
    }

    fn held(&self, spec: &ViewSpec) -> Result<Option<Held>, ViewError> {
        let way = self.snapshot.way(&spec.context)?;
        let Some((context, links)) = way.split_last() else { return Ok(None) };
        // Whoever turns a link elsewhere gives the build other files.
        if links.iter().any(|link| self.holds(link)) {
            return Ok(Some(Held::Way));
        }
        let inside = self.path.strip_prefix(context);
        let found = match &inside {
            Some(inside) if !self.is_folder => spec.holds(self.snapshot, inside)?.then(|| inside.clone()),
            Some(inside) => {
                let paths = spec.paths(self.snapshot)?;
                paths.into_iter().find(|path| path.strip_prefix(inside).is_some())
            }
            None if self.holds(context) => spec.paths(self.snapshot)?.into_iter().next(),
            None => None,
        };
        let Some(found) = found else { return Ok(None) };
        let finder = spec.source_finder(self.snapshot)?;
        Ok(Some(Held::Source(finder.source_of(&found).map(str::to_owned))))
    }

    fn contents(&self, build: &Build, content: &Content<'_>, reads: &mut Vec<Read>) {
        for (name, context) in build.contexts() {
            let Some(held) = content.get(&*context.spec) else { continue };
            let place = match held {
                Held::Source(source) => build.source_place(context, source.as_deref()),
                Held::Way => None,
            };
            let place = place.unwrap_or_else(|| context_place(build, name));
            reads.push(Read { context: name.to_owned(), reading: Reading::Content, place });
        }
    }

    /// What is parsed or handed on, and is no content.
    fn texts(&self, build: &Build, reads: &mut Vec<Read>) -> Result<(), ReadError> {
        let definition = build.definition();
        let mut add = |context: &str, reading, place: &Location| {
            reads.push(Read { context: context.to_owned(), reading, place: place.clone() });
        };
        if self.is_read_at(&definition.dockerfile.value)? {
            add("", Reading::Dockerfile, &definition.dockerfile.location);
        }
        for (name, context) in build.contexts() {
            if self.is_ignore_file(build, name, context)? {
                add(name, Reading::IgnoreFile, &context_place(build, name));
            }
        }
        for (id, secret) in &definition.secrets {
            if let SecretSource::WorkspaceFile(path) = &secret.value.source
                && self.is_read_at(path)?
            {
                add("", Reading::Secret(id.clone()), &secret.location);
            }
        }
        Ok(())
    }

    /// A file that is not there would apply where it comes before the one that does.
    fn is_ignore_file(&self, build: &Build, name: &str, context: &Context) -> Result<bool, ReadError> {
        let dockerfile = name.is_empty().then_some(&build.definition().dockerfile.value);
        for place in ignore_file_places(&context.spec.context, dockerfile) {
            let applies = context.ignore_file.as_ref() == Some(&place);
            if self.is_read_at(&place)? && (applies || !self.is_folder) {
                return Ok(true);
            }
            if applies {
                break;
            }
        }
        Ok(false)
    }
}

/// The `BUILD.toml` files.
struct Packages<'s> {
    uses: PackageUses<'s>,
    /// Whether the file of a folder was asked for.
    asked_for: HashMap<WorkspacePath, bool>,
}

impl<'s> Packages<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        Self { uses: PackageUses::new(snapshot), asked_for: HashMap::new() }
    }

    fn declarations(
        &mut self,
        asked: &Asked<'_>,
        node: &Node,
        reads: &mut Vec<Read>,
    ) -> Result<(), ReadError> {
        let Some(label) = node.label() else { return Ok(()) };
        for folder in std::iter::successors(Some((*label.package).clone()), WorkspacePath::parent) {
            if !self.is_asked_for(asked, &folder)? {
                continue;
            }
            for (used, place) in self.uses.of(&folder, label, node.kind())? {
                let reading = match used {
                    PackageUse::Declaration => Reading::Declaration,
                    PackageUse::Defaults => Reading::Defaults,
                    PackageUse::Variable(name) => Reading::Variable(name),
                };
                reads.push(Read { context: String::new(), reading, place });
            }
        }
        Ok(())
    }

    fn is_asked_for(&mut self, asked: &Asked<'_>, folder: &WorkspacePath) -> Result<bool, ReadError> {
        if let Some(known) = self.asked_for.get(folder) {
            return Ok(*known);
        }
        let is_asked_for = asked.is_read_at(&folder.join_name(FILE_NAME.as_bytes()))?;
        self.asked_for.insert(folder.clone(), is_asked_for);
        Ok(is_asked_for)
    }
}

/// The line of the `BUILD.toml` that says which folder the context `name` is.
fn context_place(build: &Build, name: &str) -> Location {
    let definition = build.definition();
    let named = definition.contexts.get(name).map(|context| &context.location);
    named.unwrap_or(&definition.context.location).clone()
}

/// The path of the same entry with no link on the way to it, as far as anything is there.
fn without_links_above(snapshot: &Snapshot, path: &WorkspacePath) -> Result<WorkspacePath, ReadError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path.clone()) };
    match snapshot.follow(&folder)? {
        Some(folder) => Ok(folder.join_name(name)),
        None => Ok(without_links_above(snapshot, &folder)?.join_name(name)),
    }
}
