//! The documents of `explain` that are about no build: who reads a file, how a target needs another.

use serde::Serialize;

use super::documents::{SCHEMA, text};
use crate::graph::dependents::Dependent;
use crate::graph::node::Graph;
use crate::graph::readers::{Reader, Reading};
use crate::graph::unread::Unread;
use crate::types::label::Label;
use crate::types::platform::Platform;
use crate::types::span::Location;
use crate::types::workspace_path::WorkspacePath;

/// Who reads a file.
#[derive(Debug, Serialize)]
pub struct FileDocument {
    schema: u32,
    path: String,
    exists: bool,
    readers: Vec<ReaderDocument>,
    dirties: Vec<String>,
    unread: Vec<UnreadDocument>,
}

/// A target that reads it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct ReaderDocument {
    label: String,
    platform: Platform,
    /// As what.
    #[serde(rename = "as")]
    reading: &'static str,
    /// The variable or the secret's id.
    name: Option<String>,
    /// The context, when it is content or an ignore file; the main one's name is empty.
    context: String,
    /// `path:line` of the line through which it is read.
    place: String,
    /// Whether it enters the key.
    keyed: bool,
}

/// Targets that do not read it though it lies in their context.
#[derive(Debug, Serialize)]
struct UnreadDocument {
    reason: &'static str,
    place: Option<String>,
    targets: Vec<String>,
}

impl FileDocument {
    /// The document of the file at `path`; `dependents` hang on its readers.
    pub fn new(
        graph: &Graph,
        path: &WorkspacePath,
        exists: bool,
        readers: &[Reader],
        dependents: &[Dependent<'_>],
        unread: &[Unread],
    ) -> Self {
        let mut of_readers: Vec<ReaderDocument> =
            readers.iter().map(|reader| ReaderDocument::new(graph, reader)).collect();
        of_readers.sort();
        let unread = unread.iter().map(|unread| UnreadDocument {
            reason: unread.why.word(),
            place: unread.place.as_ref().map(|place| place.path_line()),
            targets: unread.targets.iter().map(Label::to_string).collect(),
        });
        let dirties = labels(graph, dependents).iter().map(Label::to_string).collect();
        let path = path.to_string();
        Self { schema: SCHEMA, path, exists, readers: of_readers, dirties, unread: unread.collect() }
    }

    /// The text, with a line end.
    pub fn text(&self) -> String {
        text(self)
    }
}

impl ReaderDocument {
    fn new(graph: &Graph, reader: &Reader) -> Self {
        let node = &graph.nodes[reader.node];
        let name = match &reader.reading {
            Reading::Variable(name) | Reading::Secret(name) => Some(name.clone()),
            _ => None,
        };
        Self {
            label: node.name(),
            platform: node.platform.clone(),
            reading: reader.reading.word(),
            name,
            context: reader.context.clone(),
            place: reader.place.path_line(),
            keyed: reader.reading.is_keyed(),
        }
    }
}

/// The targets among `dependents`, sorted, each once.
pub fn labels(graph: &Graph, dependents: &[Dependent<'_>]) -> Vec<Label> {
    let labels = dependents.iter().filter_map(|dependent| graph.nodes[dependent.node].label());
    let mut labels: Vec<Label> = labels.cloned().collect();
    labels.sort();
    labels.dedup();
    labels
}

/// One use on the way from a target to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who needs.
    pub from: String,
    /// What is needed.
    pub to: String,
    /// How, in a few words.
    pub why: String,
    /// Where that is written.
    pub place: Location,
}

/// How one target comes to need another.
#[derive(Debug, Serialize)]
pub struct WaysDocument {
    schema: u32,
    /// Who needs, and what is needed.
    from: String,
    to: String,
    /// How many paths there are in all.
    count: u64,
    /// The shortest first; each a list of uses.
    paths: Vec<Vec<StepDocument>>,
}

/// A use.
#[derive(Debug, Serialize)]
struct StepDocument {
    from: String,
    to: String,
    why: String,
    place: String,
}

impl WaysDocument {
    /// The document of `ways` between two targets, of `count` in all.
    pub fn new([from, to]: [&Label; 2], count: u64, ways: &[Vec<Step>]) -> Self {
        let step = |step: &Step| StepDocument {
            from: step.from.clone(),
            to: step.to.clone(),
            why: step.why.clone(),
            place: step.place.path_line(),
        };
        let paths = ways.iter().map(|way| way.iter().map(step).collect()).collect();
        Self { schema: SCHEMA, from: from.to_string(), to: to.to_string(), count, paths }
    }

    /// The text, with a line end.
    pub fn text(&self) -> String {
        text(self)
    }
}
