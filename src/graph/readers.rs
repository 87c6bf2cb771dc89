//! Who reads a file: which nodes of a graph, as what, and through which line.
//!
//! Nothing is hashed and no view is listed for a file: a view is asked for the one path, by the questions
//! that a walk would ask on the way to it. So it can be asked of a file that is not there, too: who would
//! read it. For a folder the answer is who reads anything in it.
//!
//! **Invariant:** a file is content of a node exactly when the node's view holds it.

use std::collections::HashMap;

use rayon::prelude::*;

use super::asked_path::{Asked, Held};
use super::dockerfiles::ignore_file_places;
use super::node::{Build, Context, Graph, Node};
use super::node_views;
use super::package_uses::{PackageUse, PackageUses};
use super::target::SecretSource;
use super::view::ViewSpec;
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

/// Views by what decides them.
type Content<'g> = HashMap<&'g ViewSpec, Held>;

impl Asked<'_> {
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
