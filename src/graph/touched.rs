//! Which targets a change may touch, told without slicing a Dockerfile.
//!
//! A target whose own files are the same on both sides differs when something that differs is in one of its
//! views, or when a target that it needs differs. Both are asked of the [`Bounds`] of its Dockerfile, which
//! take a parse and no more; only what they let through is worth a graph.
//!
//! **Invariant:** a target that is left out differs in nothing: neither do its views, nor does anything that
//! it needs, however far away.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use rayon::prelude::*;

use super::expand::Materials;
use super::load::Loaded;
use super::own_files::OwnFiles;
use super::published::{Meaning, Published};
use super::reach::{Reach, letters_of};
use super::slice::Sources;
use super::slice::bounds::{self, Bounds};
use super::target::{ArgumentValue, BuildDefinition, Definition, NamedContext, Target};
use super::view::ViewSpec;
use crate::source::comparison::Differences;
use crate::source::parallel::AT_ONCE;
use crate::source::snapshot::Snapshot;
use crate::syntax::image_reference::ImageReference;
use crate::syntax::path_patterns::PathPatterns;
use crate::types::ids::{DenseMap, TargetId};
use crate::types::label::Label;
use crate::types::workspace_path::WorkspacePath;

/// The older side, where it has other texts: targets that only one side has, and names that mean another target.
#[derive(Clone, Copy)]
pub(super) struct Older<'o> {
    pub(super) loaded: &'o Loaded,
    pub(super) published: &'o Published,
}

/// Those of `wanted` that `differences` may touch, in their order. The targets are those of `materials`, of the newer
/// side, which has the files of `snapshot`; on the older side they are the same, or else those of `older`. Then
/// nothing that targets of several packages share may be another there.
pub(super) fn touched(
    materials: Materials<'_>,
    snapshot: &Snapshot,
    wanted: &[TargetId],
    differences: &Differences,
    older: Option<Older<'_>>,
) -> Vec<TargetId> {
    let has_no_links = snapshot.holds_no_links();
    let (meanings, shared) = (RwLock::default(), shared_dockerfiles(materials.loaded));
    let search = Search { materials, snapshot, differences, older, has_no_links, shared, meanings };
    let count = materials.loaded.targets.len();
    let mut is_known = DenseMap::filled(count, false);
    let mut needed_by: DenseMap<TargetId, Vec<TargetId>> = DenseMap::filled(count, Vec::new());
    let mut pending = Vec::new();
    let mut frontier: Vec<TargetId> = wanted.to_vec();
    frontier.iter().for_each(|id| is_known[*id] = true);
    while !frontier.is_empty() {
        let ids = frontier.par_iter().with_max_len(AT_ONCE);
        let looked: Vec<Option<Vec<TargetId>>> = ids.map(|id| search.needs(*id)).collect();
        let mut next = Vec::new();
        for (id, needs) in frontier.into_iter().zip(looked) {
            let Some(needs) = needs else {
                pending.push(id);
                continue;
            };
            for needed in needs {
                needed_by[needed].push(id);
                if !std::mem::replace(&mut is_known[needed], true) {
                    next.push(needed);
                }
            }
        }
        frontier = next;
    }
    let mut may_differ = DenseMap::filled(count, false);
    while let Some(id) = pending.pop() {
        if !std::mem::replace(&mut may_differ[id], true) {
            pending.extend(&needed_by[id]);
        }
    }
    wanted.iter().copied().filter(|id| may_differ[*id]).collect()
}

/// The Dockerfiles of more than one target.
fn shared_dockerfiles(loaded: &Loaded) -> HashSet<&WorkspacePath> {
    let builds = loaded.targets.values().iter().filter_map(|target| target.build());
    let mut all: Vec<&WorkspacePath> = builds.map(|build| &build.dockerfile.value).collect();
    all.sort_unstable();
    all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
}

struct Search<'s> {
    materials: Materials<'s>,
    snapshot: &'s Snapshot,
    differences: &'s Differences,
    older: Option<Older<'s>>,
    has_no_links: bool,
    /// The Dockerfiles that more than one target may ask of.
    shared: HashSet<&'s WorkspacePath>,
    /// The names that were met, which are mostly the same few.
    meanings: RwLock<HashMap<String, Option<Option<TargetId>>>>,
}

impl Search<'_> {
    /// What the target may need; `None` when it may differ by itself, or nobody can tell.
    fn needs(&self, id: TargetId) -> Option<Vec<TargetId>> {
        let target = &self.materials.loaded.targets[id];
        if self.older.is_some_and(|older| self.may_be_another(target, older)) {
            return None;
        }
        let definition = match &target.definition {
            Definition::External(_) => return Some(Vec::new()),
            // A group that something needs is a mistake, which somebody else tells.
            Definition::Group(_) => return None,
            Definition::Built(definition) => definition,
        };
        let given = definition.args.keys().chain(definition.stamp.keys());
        if given.map(String::as_str).any(bounds::decides_what_is_read) {
            return None;
        }
        let (dockerfiles, path) = (self.materials.dockerfiles, &definition.dockerfile.value);
        let bounds = match self.shared.contains(path) {
            true => dockerfiles.bounds(path)?,
            false => Arc::new(dockerfiles.bounds_once(path)?),
        };
        if self.reads_what_differs(definition, &bounds)? {
            return None;
        }
        let mut needs = Vec::new();
        for name in &bounds.names {
            needs.extend(self.meaning(name)?);
        }
        for argument in &bounds.arguments {
            needs.extend(self.named_by(definition, argument)?);
        }
        for context in definition.contexts.values() {
            match &context.value {
                NamedContext::Target(label) => needs.push(self.named(label)?),
                NamedContext::Image(image) => needs.extend(self.meaning(image)?),
                NamedContext::Folder(_) => {}
            }
        }
        for argument in definition.args.values() {
            if let ArgumentValue::Target(label) = &argument.value {
                needs.push(self.named(label)?);
            }
        }
        needs.sort_unstable();
        needs.dedup();
        Some(needs)
    }

    /// Whether the target may say other things on the older side, or is not there.
    fn may_be_another(&self, target: &Target, older: Older<'_>) -> bool {
        let own = OwnFiles { snapshot: self.snapshot, differences: self.differences };
        older.loaded.names.target(&target.label).is_none() || own.may_differ(target)
    }

    /// The target that the value of an argument names, if one does; `None` where that is not clear. What the
    /// file itself gives it is not looked at.
    fn named_by(&self, definition: &BuildDefinition, argument: &str) -> Option<Option<TargetId>> {
        let given = match definition.args.get(argument).map(|given| &given.value) {
            Some(ArgumentValue::Target(label)) => return self.named(label).map(Some),
            Some(ArgumentValue::Text(text)) => text,
            None => &definition.stamp.get(argument)?.value,
        };
        if bounds::leaves_instructions(given) { None } else { self.meaning(given) }
    }

    fn named(&self, label: &Label) -> Option<TargetId> {
        self.materials.loaded.names.target(label)
    }

    /// The target that a name of an image stands for, if one does; `None` where that is not clear.
    fn meaning(&self, name: &str) -> Option<Option<TargetId>> {
        if let Some(known) = self.meanings.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return *known;
        }
        let meaning = self.look_up(name);
        self.meanings.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), meaning);
        meaning
    }

    fn look_up(&self, name: &str) -> Option<Option<TargetId>> {
        let reference: ImageReference = name.parse().ok()?;
        let meaning = |published: &Published| match published.meaning(&reference) {
            Meaning::Target(id) | Meaning::Base(id) => Some(Some(id)),
            Meaning::Unknown => Some(None),
            Meaning::Ambiguous(_) => None,
        };
        let meant = meaning(self.materials.published)?;
        if let Some(older) = self.older {
            let before = meaning(older.published)?.map(|id| &older.loaded.targets[id].label);
            if before != meant.map(|id| &self.materials.loaded.targets[id].label) {
                return None;
            }
        }
        Some(meant)
    }

    /// Whether something that differs may be in a context of a target; `None` where nobody can tell.
    fn reads_what_differs(&self, definition: &BuildDefinition, bounds: &Bounds) -> Option<bool> {
        // A pattern that is malformed is a mistake, which somebody else tells.
        if let Some(inputs) = &definition.inputs {
            PathPatterns::new(inputs.iter().map(|input| &input.value))
                .ok()
                .filter(|inputs| !inputs.any_bad())?;
        }
        if self.may_hold(&definition.context.value, Some(&definition.dockerfile.value), &bounds.sources)? {
            return Some(true);
        }
        let whole = Sources::Whole { spans: Vec::new() };
        for folder in definition.named_folders() {
            if self.may_hold(folder, None, &whole)? {
                return Some(true);
            }
        }
        Some(false)
    }

    fn may_hold(
        &self,
        context: &WorkspacePath,
        dockerfile: Option<&WorkspacePath>,
        sources: &Sources,
    ) -> Option<bool> {
        let ignore = self.materials.dockerfiles.ignore_file(context, dockerfile).ok()?.rules;
        if self.has_no_links && !ignore.patterns().any_bad() && self.all_are_elsewhere(context, sources) {
            return Some(false);
        }
        let spec = ViewSpec { context: context.clone(), ignore, sources: sources.into(), inputs: None };
        Some(Reach::of(&spec, self.snapshot).ok()?.may_hold_any(self.differences))
    }

    /// Whether the letters alone of `sources` say that nothing which differs is among them, where there are no
    /// links. It spares most of them their patterns.
    fn all_are_elsewhere(&self, context: &WorkspacePath, sources: &Sources) -> bool {
        let may_begin = |letters: &[u8]| !self.differences.beginning(context, letters).is_empty();
        let any_inside = || match sources {
            Sources::Nothing => false,
            Sources::Whole { .. } => may_begin(b""),
            Sources::Paths(sources) => sources.iter().any(|source| {
                // What may be malformed is compared with everything.
                let text = std::str::from_utf8(&source.pattern).ok();
                let may_be_malformed = |text: &str| text.bytes().any(|byte| matches!(byte, b'[' | b'\\'));
                let text = text.filter(|text| !may_be_malformed(text));
                may_begin(text.map_or(b"", letters_of))
            }),
        };
        self.differences.folders.is_empty() && !self.differences.has(context) && !any_inside()
    }
}
