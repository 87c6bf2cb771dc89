//! `imgraph explain --file`: who reads a file, through which line, and what that may dirty; or why nobody
//! reads it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::arguments::{self, Format};
use crate::cli::exit::{self, Exit};
use crate::cli::session::{Session, Workspace};
use crate::cli::{table, terminal, typed_path};
use crate::export::explanations::{self, FileDocument};
use crate::export::printable::printable;
use crate::graph::dependents::{self, Dependent};
use crate::graph::node::Graph;
use crate::graph::readers::{self, Reader, Reading};
use crate::graph::target::TargetKind;
use crate::graph::unread::{self, Unread, WhyUnread};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::ids::{NodeId, TargetId};
use crate::types::label::Label;
use crate::types::workspace_path::WorkspacePath;

/// How many targets a line names.
const NAMED: usize = 3;

/// Runs the command. No builder is asked.
pub(super) fn run(session: &Session, arguments: &arguments::Explain, typed: &Path) -> Result<Exit, Exit> {
    let (directory, root) = session.place()?;
    let path = typed_path::resolve(&directory, &root, typed);
    let path = path.map_err(|problem| session.fail(&[problem], Exit::Usage))?;
    let workspace = session.workspace()?;
    let targets = workspace.loaded.targets.iter().filter(|(_, target)| target.kind != TargetKind::Group);
    let targets: Vec<TargetId> = targets.map(|(id, _)| id).collect();
    let graph = session.graph(&workspace, &targets, &[], &Session::local_platform())?;
    let failed = |problems: Vec<Diagnostic>| session.fail(&problems, Exit::Usage);
    let readers = readers::readers(&graph, &workspace.snapshot, &path).map_err(failed)?;
    let unread = unread::unread(&graph, &workspace.snapshot, &path).map_err(failed)?;
    let exists = exists(session, &workspace, &path);
    let keyed = readers.iter().filter(|reader| reader.reading.is_keyed());
    let keyed: Vec<NodeId> = keyed.map(|reader| reader.node).collect();
    let dependents = dependents::dependents(&graph, &keyed);
    let found = Found { graph: &graph, path: &path, exists, readers, dependents, unread };
    terminal::result(&match arguments.format {
        Format::Json => found.document().text(),
        Format::Text => found.text(session.terminal.columns, arguments.all),
    })?;
    drop(found);
    session.keep_index(&workspace);
    exit::leave((workspace, graph));
    Ok(Exit::Done)
}

/// Whether something is at `path`. Where nothing is, that is said, for the answer is about what would be.
fn exists(session: &Session, workspace: &Workspace, path: &WorkspacePath) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return true };
    // What cannot be looked into is told by who reads it.
    let entries = workspace.snapshot.folder(&folder).ok().flatten().and_then(|folder| folder.entries().ok());
    let entries = entries.unwrap_or_default();
    if entries.iter().any(|entry| entry.name() == name) {
        return true;
    }
    let names: Vec<_> = entries.iter().map(|entry| String::from_utf8_lossy(entry.name())).collect();
    let near = nearest(&String::from_utf8_lossy(name), names.iter().map(|name| &**name));
    let missing =
        Diagnostic::warning(format!("`{path}` does not exist: the answer is what would be if it did"));
    session.show(&[match near {
        Some(near) => missing.help(format!("did you mean `{}`?", folder.join_name(near.as_bytes()))),
        None => missing,
    }]);
    false
}

/// What was found out of a file.
struct Found<'g> {
    graph: &'g Graph,
    path: &'g WorkspacePath,
    exists: bool,
    readers: Vec<Reader>,
    dependents: Vec<Dependent<'g>>,
    unread: Vec<Unread>,
}

impl Found<'_> {
    fn document(&self) -> FileDocument {
        let Self { graph, path, exists, readers, dependents, unread } = self;
        FileDocument::new(graph, path, *exists, readers, dependents, unread)
    }

    fn text(&self, columns: usize, all: bool) -> String {
        let path = if self.path.is_root() { "//".to_owned() } else { printable(&self.path.to_string()) };
        if self.readers.is_empty() {
            return self.nobody(&path, columns, all);
        }
        let rows: BTreeSet<[String; 4]> = self.readers.iter().map(|reader| self.row(reader)).collect();
        let rows: Vec<[String; 4]> = rows.into_iter().collect();
        let readers: BTreeSet<&String> = rows.iter().map(|row| &row[0]).collect();
        let verb = if self.exists { "is read" } else { "would be read" };
        let mut text = format!("{path} {verb} by {}:\n", targets(readers.len()));
        text.push_str(&list(&rows, columns, all));
        text + &self.dirtied(columns, all)
    }

    /// A reader in words: who, as what, where, and what is written there.
    fn row(&self, reader: &Reader) -> [String; 4] {
        let context = if reader.context.is_empty() { "" } else { &format!(" of {}", reader.context) };
        let what = match &reader.reading {
            Reading::Content => format!("file{context}"),
            Reading::Dockerfile => "Dockerfile".to_owned(),
            Reading::IgnoreFile => format!("ignore file{context}"),
            Reading::Declaration => "declaration".to_owned(),
            Reading::Defaults => "defaults".to_owned(),
            Reading::Variable(name) => format!("variable {name}"),
            Reading::Secret(id) => format!("secret {id}, never keyed"),
        };
        let place = &reader.place;
        [self.graph.nodes[reader.node].name(), what, place.path_line(), place.line_text().to_owned()]
    }

    /// How many targets it may dirty; with `all`, which, and through whom.
    fn dirtied(&self, columns: usize, all: bool) -> String {
        let labels = explanations::labels(self.graph, &self.dependents);
        if labels.is_empty() {
            return "no target becomes dirty through it: a secret enters no key\n".to_owned();
        }
        let more = if all { ":" } else { "; --all lists them" };
        let mut text = format!("a change of it may dirty {}{more}\n", targets(labels.len()));
        if all {
            let rows: BTreeSet<[String; 3]> = self.dependents.iter().map(|one| self.dependent(one)).collect();
            text.push_str(&list(&rows.into_iter().collect::<Vec<_>>(), columns, true));
        }
        text
    }

    fn dependent(&self, dependent: &Dependent<'_>) -> [String; 3] {
        let name = self.graph.nodes[dependent.node].name();
        match dependent.through {
            None => [name, "reads it".to_owned(), String::new()],
            Some(through) => {
                let needed = self.graph.nodes[through.node].name();
                [name, format!("needs {needed}"), through.location.path_line()]
            }
        }
    }

    fn nobody(&self, path: &str, columns: usize, all: bool) -> String {
        let verb = if self.exists { "reads" } else { "would read" };
        if self.unread.is_empty() {
            return format!("nobody {verb} {path}: it is in no target's context\n");
        }
        let rows: Vec<[String; 2]> =
            self.unread.iter().map(|unread| [some(&unread.targets, all), why(unread)]).collect();
        format!("nobody {verb} {path}:\n{}", list(&rows, columns, all))
    }
}

fn why(unread: &Unread) -> String {
    let place = unread.place.as_ref();
    let line = place.map(|place| format!(" ({}: {})", place.path_line(), place.line_text()));
    let line = line.unwrap_or_default();
    match &unread.why {
        WhyUnread::Ignored { file } if line.is_empty() => format!("{file} leaves it out"),
        WhyUnread::Ignored { .. } => format!("an ignore file leaves it out{line}"),
        WhyUnread::NotInInputs => format!("its inputs do not name it{line}"),
        WhyUnread::Overruled { by } => format!("{by} comes before it"),
        WhyUnread::NotCopied { dockerfile } => format!("no line of {dockerfile} that it needs copies it"),
    }
}

/// A few labels, and how many more there are.
fn some(labels: &[Label], all: bool) -> String {
    let shown = if all || labels.len() <= NAMED { labels.len() } else { NAMED - 1 };
    let names: Vec<String> = labels[..shown].iter().map(Label::to_string).collect();
    let more =
        if shown < labels.len() { format!(" and {} more", labels.len() - shown) } else { String::new() };
    names.join(", ") + &more
}

fn targets(count: usize) -> String {
    format!("{count} target{}", if count == 1 { "" } else { "s" })
}

/// The rows, with `all` as they are.
fn list<const WIDTH: usize>(rows: &[[String; WIDTH]], columns: usize, all: bool) -> String {
    let columns = if all { usize::MAX } else { columns.saturating_sub(2) };
    table::listed(&table::lines(rows, columns), all)
}
