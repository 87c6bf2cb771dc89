//! Why a file is not read: what each target whose context holds it does not do.
//!
//! **Invariant:** no reason is given for a view that holds the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::asked_path::Asked;
use super::dockerfiles::ignore_file_places;
use super::node::{Build, Context, Graph, Node};
use super::view::{ViewError, ViewSpec};
use crate::source::read_error::ReadError;
use crate::source::snapshot::Snapshot;
use crate::syntax::dockerignore::IgnoreRules;
use crate::types::diagnostic::Diagnostic;
use crate::types::label::Label;
use crate::types::span::Location;
use crate::types::workspace_path::WorkspacePath;

/// Why some targets do not read a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Why.
    pub why: WhyUnread,
    /// The targets, sorted, each once.
    pub targets: Vec<Label>,
    /// The line that decides it, where there is one.
    pub place: Option<Location>,
}

/// Why a target does not read a file of its context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyUnread {
    /// The ignore file leaves it out.
    Ignored {
        /// That file.
        file: WorkspacePath,
    },
    /// The `inputs` of the target do not name it.
    NotInInputs,
    /// It is an ignore file, and another one comes before it.
    Overruled {
        /// That other one.
        by: WorkspacePath,
    },
    /// No line that is reached copies or mounts it.
    NotCopied {
        /// The Dockerfile.
        dockerfile: WorkspacePath,
    },
}

impl WhyUnread {
    /// A word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ignored { .. } => "ignored",
            Self::NotInInputs => "inputs",
            Self::Overruled { .. } => "overruled",
            Self::NotCopied { .. } => "not-copied",
        }
    }
}

/// A reason and where it is written, by which targets are put together.
type Key = (WhyUnread, Option<(WorkspacePath, usize)>);

/// Why the targets of `graph` in whose contexts the file at `path` lies do not read it; the most telling first.
///
/// # Errors
/// When a pattern is malformed, or a folder on the way cannot be listed.
pub fn unread(
    graph: &Graph,
    snapshot: &Snapshot,
    path: &WorkspacePath,
) -> Result<Vec<Unread>, Vec<Diagnostic>> {
    let asked = Asked::new(snapshot, path).map_err(|error| vec![Diagnostic::error(error.to_string())])?;
    let mut found: BTreeMap<Key, Unread> = BTreeMap::new();
    for build in graph.nodes.values().iter().filter_map(Node::build) {
        let reasons = reasons(&asked, build);
        let reasons = reasons.map_err(|error| vec![Diagnostic::error(error.to_string())])?;
        for (why, place) in reasons {
            let line = place.as_ref().map(|place| (place.source.path.clone(), place.span.start()));
            let unread = found.entry((why.clone(), line));
            let unread = unread.or_insert_with(|| Unread { why, targets: Vec::new(), place });
            unread.targets.push(build.target.label.clone());
        }
    }
    let mut found: Vec<Unread> = found.into_values().collect();
    for unread in &mut found {
        unread.targets.sort();
        unread.targets.dedup();
    }
    Ok(found)
}

fn reasons(asked: &Asked<'_>, build: &Build) -> Result<Vec<(WhyUnread, Option<Location>)>, ViewError> {
    let definition = build.definition();
    let mut reasons = Vec::new();
    for (name, context) in build.contexts() {
        reasons.extend(of_context(asked, build, context)?);
        let dockerfile = name.is_empty().then_some(&definition.dockerfile.value);
        let by = overruled(asked, context, dockerfile)?;
        reasons.extend(by.map(|by| (WhyUnread::Overruled { by: by.clone() }, None)));
    }
    if build.context.is_none() && lies_in(asked, &definition.context.value)? {
        reasons.push((not_copied(build), None));
    }
    Ok(reasons)
}

fn of_context(
    asked: &Asked<'_>,
    build: &Build,
    context: &Context,
) -> Result<Option<(WhyUnread, Option<Location>)>, ViewError> {
    let spec = &*context.spec;
    if !lies_in(asked, &spec.context)? || asked.held(spec)?.is_some() {
        return Ok(None);
    }
    let any = ViewSpec { ignore: Arc::new(IgnoreRules::none()), inputs: None, ..spec.clone() };
    if asked.held(&any)?.is_none() {
        return Ok(Some((not_copied(build), None)));
    }
    let unnarrowed = ViewSpec { inputs: None, ..spec.clone() };
    let (None, Some(file)) = (asked.held(&unnarrowed)?, &context.ignore_file) else {
        let first = build.definition().inputs.iter().flatten().next();
        return Ok(Some((WhyUnread::NotInInputs, first.map(|input| input.location.clone()))));
    };
    let folder = asked.snapshot.follow(&spec.context)?.unwrap_or_default();
    let inside = asked.path.strip_prefix(&folder).unwrap_or_default();
    let line = spec.ignore.span_that_ignores(&inside).zip(spec.ignore.source());
    let line = line.map(|(span, source)| Location { source: Arc::clone(source), span });
    Ok(Some((WhyUnread::Ignored { file: file.clone() }, line)))
}

fn not_copied(build: &Build) -> WhyUnread {
    WhyUnread::NotCopied { dockerfile: build.definition().dockerfile.value.clone() }
}

/// Whether the path is in that folder.
fn lies_in(asked: &Asked<'_>, folder: &WorkspacePath) -> Result<bool, ReadError> {
    let real = asked.snapshot.follow(folder)?;
    Ok(real.is_some_and(|real| asked.path.strip_prefix(&real).is_some()))
}

/// The ignore file that applies, when the path is one that would come after it.
fn overruled<'c>(
    asked: &Asked<'_>,
    context: &'c Context,
    dockerfile: Option<&WorkspacePath>,
) -> Result<Option<&'c WorkspacePath>, ReadError> {
    let Some(applies) = &context.ignore_file else { return Ok(None) };
    let places = ignore_file_places(&context.spec.context, dockerfile);
    for place in places.skip_while(|place| place != applies).skip(1) {
        if !asked.is_folder && asked.is_read_at(&place)? {
            return Ok(Some(applies));
        }
    }
    Ok(None)
}
