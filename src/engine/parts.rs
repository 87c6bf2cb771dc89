//! Which of a run's targets a change touches: kept beside what the run told, so that a run after an edit
//! looks again at those targets and tells the rest as it was told.
//!
//! A target is touched when a file of one of its views changed, or when a file came or went for which its
//! Dockerfile asks; so is every target that needs it. What decides more than files of views (a
//! `BUILD.toml`, a Dockerfile, an ignore file) touches everything.
//!
//! **Invariant:** a change of which it is not clear whom it touches touches everything.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cache::folder::CacheFolder;
use crate::cache::view_listing;
use crate::graph::load::{Loaded, Part};
use crate::graph::node::{Graph, Node};
use crate::graph::node_views::NodeViews;
use crate::graph::reach::letters_of;
use crate::graph::target::{ArgumentValue, Located, NamedContext, Target};
use crate::source::changes::Changes;
use crate::source::parallel::each;
use crate::source::snapshot::Snapshot;
use crate::syntax::path_patterns::PathPatterns;
use crate::types::digest::TreeDigest;
use crate::types::file_entry::FileEntry;
use crate::types::ids::NodeId;
use crate::types::label::Label;
use crate::types::workspace_path::WorkspacePath;

/// Files by which it is decided what packages there are, or what is in a view: one that comes or goes
/// changes more than the views of its folder.
const DECIDING: [&[u8]; 3] = [b"BUILD.toml", b".gitignore", b".git"];
const IGNORE_FILE: &[u8] = b".dockerignore";

/// The targets of a run, and what each of them read and needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// By label.
    targets: BTreeMap<String, Member>,
    views: Vec<Read>,
    /// The files that were parsed, or whose being there was asked for; sorted.
    texts: Vec<String>,
    /// The packages that say something of targets of other packages.
    shared: Vec<String>,
}

/// What some targets read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Read {
    /// The context, without links on the way.
    context: String,
    /// What is read of it, without the ignore rules; `None` for anything.
    patterns: Option<Vec<String>>,
    view: TreeDigest,
}

impl Read {
    /// `path` from the context, when it lies there or is the context.
    fn inside(&self, path: &WorkspacePath) -> Option<WorkspacePath> {
        let may_be = path.as_bytes().starts_with(self.context.as_bytes());
        let context = || WorkspacePath::root().resolve(self.context.as_bytes()).ok();
        may_be.then(context)?.and_then(|context| path.strip_prefix(&context))
    }

    /// Whether the file `inner` may be in the view, if it is there and not ignored.
    fn may_hold(&self, inner: &WorkspacePath) -> bool {
        let Some(patterns) = &self.patterns else { return true };
        let begins = |pattern: &String| inner.as_bytes().starts_with(letters_of(pattern));
        // A pattern that is malformed may be so for whoever looks at this path.
        let matches = |patterns: PathPatterns| patterns.matches_or_parent(inner);
        patterns.iter().any(begins) && PathPatterns::new(patterns).and_then(matches).unwrap_or(true)
    }

    /// Whether the folder or file `inner` may be in the view, if only for what it holds.
    fn may_hold_at_or_below(&self, inner: &WorkspacePath) -> bool {
        let Some(patterns) = &self.patterns else { return true };
        let path = inner.as_bytes();
        patterns
            .iter()
            .map(|pattern| letters_of(pattern))
            .any(|letters| path.starts_with(letters) || letters.starts_with(path))
    }
}

/// A target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Member {
    /// Whether it was asked for.
    is_root: bool,
    /// The labels of the targets that it speaks of.
    needs: Vec<String>,
    /// What it reads: places in the list of views.
    views: Vec<usize>,
    /// The names of its image that hold its source key, with a word in its place.
    keyed_names: Vec<String>,
}

/// The targets that a change touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Those that were asked for, and that need one whose files changed. None: nobody reads what changed.
    pub roots: Vec<String>,
    /// What is to be loaded for them.
    pub part: Part,
}

impl Parts {
    /// The parts of a run of `graph`; `None` where a name is no text.
    pub fn of(graph: &Graph, views: &NodeViews, loaded: &Loaded, snapshot: &Snapshot) -> Option<Self> {
        let mut maker = Maker { views, snapshot, targets: BTreeMap::new(), numbers: BTreeMap::new() };
        let roots: BTreeSet<NodeId> = graph.roots.iter().copied().collect();
        for (id, node) in graph.nodes.iter() {
            maker.add(graph, id, node, roots.contains(&id))?;
        }
        maker.add_what_is_spoken_of(loaded)?;
        let mut views: Vec<(Read, usize)> = maker.numbers.into_iter().collect();
        views.sort_by_key(|(_, number)| *number);
        Some(Self {
            targets: maker.targets,
            views: views.into_iter().map(|(read, _)| read).collect(),
            texts: parsed(loaded, snapshot)?.into_iter().collect(),
            shared: loaded.shared.iter().map(|folder| text_of(folder)).collect::<Option<_>>()?,
        })
    }

    /// Whom `changes` touch; `None` where everything has to be looked at. `cache` has the listings of views.
    pub fn touched(&self, changes: &Changes, cache: &CacheFolder) -> Option<Touched> {
        let views = self.touched_views(changes, cache)?;
        let reads = |member: &Member| member.views.iter().any(|view| views.contains(view));
        let own = self.targets.iter().filter(|(_, member)| reads(member));
        let touched = self.with_dependents(own.map(|(label, _)| label.as_str()).collect());
        // Looking at most of it by parts is more work than looking at all of it.
        if touched.len() * 2 > self.targets.len().max(8) || self.may_clash(&touched) {
            return None;
        }
        let roots = touched.into_iter().filter(|label| self.targets[*label].is_root);
        let roots: Vec<String> = roots.map(str::to_owned).collect();
        let part = self.part(&roots)?;
        Some(Touched { roots, part })
    }

    /// Whether a touched target may come to have a name that one has which is not touched: what differs in
    /// them may be nothing but their keys.
    fn may_clash(&self, touched: &BTreeSet<&str>) -> bool {
        let own: BTreeSet<&String> =
            touched.iter().flat_map(|label| &self.targets[*label].keyed_names).collect();
        let others = self.targets.iter().filter(|(label, _)| !touched.contains(label.as_str()));
        others.flat_map(|(_, member)| &member.keyed_names).any(|name| own.contains(name))
    }

    fn touched_views(&self, changes: &Changes, cache: &CacheFolder) -> Option<BTreeSet<usize>> {
        let mut touched = BTreeSet::new();
        let mut renewed: BTreeSet<WorkspacePath> = BTreeSet::new();
        for (folder, names) in &changes.folders {
            for name in names {
                let path = folder.join_name(name);
                if DECIDING.contains(&&**name) || name.ends_with(IGNORE_FILE) || self.is_text(&path)? {
                    return None;
                }
                touched.extend(self.may_read(&path));
                renewed.insert(path);
            }
        }
        for path in changes.entries.iter().filter(|path| !renewed.contains(path)) {
            if self.is_text(path)? {
                return None;
            }
            let readers = self.readers(path, cache);
            if readers.is_empty() {
                return None;
            }
            touched.extend(readers);
        }
        Some(touched)
    }

    /// Whether `path` is one of the files that were parsed; `None` where it is no text.
    fn is_text(&self, path: &WorkspacePath) -> Option<bool> {
        Some(self.texts.binary_search(&text_of(path)?).is_ok())
    }

    /// The views of folders in which `path` lies, or which it is, and its path from there.
    fn covering(&self, path: &WorkspacePath) -> Vec<(usize, WorkspacePath)> {
        let inside = |(number, read): (usize, &Read)| Some((number, read.inside(path)?));
        self.views.iter().enumerate().filter_map(inside).collect()
    }

    /// The views that may hold the file `path`, if it is there and not ignored.
    fn may_read(&self, path: &WorkspacePath) -> Vec<usize> {
        let may_hold = |(number, inner): &(usize, WorkspacePath)| self.views[*number].may_hold(inner);
        self.covering(path).into_iter().filter(may_hold).map(|(number, _)| number).collect()
    }

    /// The views that hold `path`. One whose listing is lost counts as if it did, and so does one of the
    /// very folder that `path` is.
    fn readers(&self, path: &WorkspacePath, cache: &CacheFolder) -> Vec<usize> {
        let may_hold = |(number, inner): &(usize, WorkspacePath)| {
            inner.is_root() || self.views[*number].may_hold_at_or_below(inner)
        };
        let holds = |(number, inner): (usize, WorkspacePath)| {
            let listing = view_listing::load(cache, &self.views[number].view).value(&mut Vec::new());
            let is_in =
                |entries: Vec<FileEntry>| entries.binary_search_by(|entry| entry.path.cmp(&inner)).is_ok();
            Ok::<_, Infallible>((inner.is_root() || listing.is_none_or(is_in)).then_some(number))
        };
        let Ok(found) = each(self.covering(path).into_iter().filter(may_hold).collect(), 0, |_| false, holds);
        found.into_iter().flatten().collect()
    }

    /// `own`, and all that needs one of them.
    fn with_dependents<'p>(&'p self, own: Vec<&'p str>) -> BTreeSet<&'p str> {
        let mut dependents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (label, member) in &self.targets {
            member.needs.iter().for_each(|need| dependents.entry(need).or_default().push(label));
        }
        let mut pending = own;
        let mut touched = BTreeSet::new();
        while let Some(label) = pending.pop() {
            if touched.insert(label) {
                pending.extend(dependents.get(label).into_iter().flatten());
            }
        }
        touched
    }

    /// What is to be loaded for `roots`: all that they speak of, and whoever speaks of all.
    fn part(&self, roots: &[String]) -> Option<Part> {
        let folder = |text: &String| WorkspacePath::root().resolve(text.as_bytes()).ok();
        let packages = self.shared.iter().map(folder).collect::<Option<_>>()?;
        let mut part = Part { packages, targets: BTreeSet::new() };
        let root = Arc::new(WorkspacePath::root());
        let mut pending: Vec<&str> = roots.iter().map(String::as_str).collect();
        while let Some(text) = pending.pop() {
            let label = Label::parse(text, &root).ok()?;
            part.packages.insert((*label.package).clone());
            if part.targets.insert(label) {
                pending.extend(self.targets.get(text)?.needs.iter().map(String::as_str));
            }
        }
        Some(part)
    }
}

/// The files that were parsed, and the Dockerfiles of all targets: each must be there, whoever is wanted.
fn parsed(loaded: &Loaded, snapshot: &Snapshot) -> Option<BTreeSet<String>> {
    let mut texts: BTreeSet<String> = snapshot.texts().iter().map(text_of).collect::<Option<_>>()?;
    for build in loaded.targets.values().iter().filter_map(|target| target.build()) {
        texts.insert(text_of(&snapshot.follow(&build.dockerfile.value).ok()??)?);
    }
    Some(texts)
}

/// Adds `value` to a sorted list, unless it is there. A target has few of anything: a set would take the room of many,
/// and time to read.
fn insert<Value: Ord>(list: &mut Vec<Value>, value: Value) {
    if let Err(place) = list.binary_search(&value) {
        list.insert(place, value);
    }
}

/// Gathers members.
struct Maker<'m> {
    views: &'m NodeViews,
    snapshot: &'m Snapshot,
    targets: BTreeMap<String, Member>,
    numbers: BTreeMap<Read, usize>,
}

impl Maker<'_> {
    fn add(&mut self, graph: &Graph, id: NodeId, node: &Node, is_root: bool) -> Option<()> {
        let Some(label) = node.label() else { return Some(()) };
        let mut views = BTreeSet::new();
        for (name, context) in node.build().iter().flat_map(|build| build.contexts()) {
            let folder = text_of(&self.snapshot.follow(&context.spec.context).ok()??)?;
            // A malformed pattern may be an error for whatever path comes to be compared with it.
            let patterns = match context.spec.has_bad_patterns() {
                true => None,
                false => context.spec.patterns(self.snapshot).ok()?,
            };
            let read = Read { context: folder, patterns, view: self.views.view(id, name).digest };
            let next = self.numbers.len();
            views.insert(*self.numbers.entry(read).or_insert(next));
        }
        let needs = node.dependencies.iter().filter_map(|dependency| graph.nodes[dependency.node].label());
        let needs: Vec<String> = needs.map(label_text).collect::<Option<_>>()?;
        let member = self.targets.entry(label_text(label)?).or_default();
        member.is_root |= is_root;
        let tags = node.build().into_iter().flat_map(|build| &build.definition().tags);
        let keyed = tags.filter(|tag| tag.value.has_source_key());
        keyed.for_each(|tag| insert(&mut member.keyed_names, tag.value.fill("source-key")));
        views.into_iter().for_each(|view| insert(&mut member.views, view));
        needs.into_iter().for_each(|need| insert(&mut member.needs, need));
        Some(())
    }

    /// Adds the targets that arguments and contexts name, whether or not a stage reaches them: their names
    /// must mean something when a part is loaded.
    fn add_what_is_spoken_of(&mut self, loaded: &Loaded) -> Option<()> {
        let root = Arc::new(WorkspacePath::root());
        let mut pending: Vec<String> = self.targets.keys().cloned().collect();
        while let Some(text) = pending.pop() {
            let target = loaded.names.target(&Label::parse(&text, &root).ok()?)?;
            for label in spoken_of(&loaded.targets[target]) {
                let spoken = label_text(label)?;
                if !self.targets.contains_key(&spoken) {
                    self.targets.insert(spoken.clone(), Member::default());
                    pending.push(spoken.clone());
                }
                insert(&mut self.targets.entry(text.clone()).or_default().needs, spoken);
            }
        }
        Some(())
    }
}

/// The labels that a target's own fields name.
fn spoken_of(target: &Target) -> impl Iterator<Item = &Label> {
    let arguments = target.build().into_iter().flat_map(|build| build.args.values());
    let contexts = target.build().into_iter().flat_map(|build| build.contexts.values());
    arguments.filter_map(of_argument).chain(contexts.filter_map(of_context))
}

fn of_argument(argument: &Located<ArgumentValue>) -> Option<&Label> {
    match &argument.value {
        ArgumentValue::Target(label) => Some(label),
        ArgumentValue::Text(_) => None,
    }
}

fn of_context(context: &Located<NamedContext>) -> Option<&Label> {
    match &context.value {
        NamedContext::Target(label) => Some(label),
        NamedContext::Folder(_) | NamedContext::Image(_) => None,
    }
}

fn text_of(path: &WorkspacePath) -> Option<String> {
    String::from_utf8(path.as_bytes().to_vec()).ok()
}

/// The label as text that means the same when it is read.
fn label_text(label: &Label) -> Option<String> {
    std::str::from_utf8(label.package.as_bytes()).ok()?;
    Some(label.to_string())
}
