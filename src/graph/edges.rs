//! From one target and one platform to what it needs: the draft of a node.
//!
//! A draft names its dependencies by target and platform; `graph/expand.rs` turns names into ids.
//!
//! Arguments whose value is a target are given to the slice as stand-ins: references of a registry
//! that does not exist. A `FROM ${BUILDER_BASE}` then reaches the stand-in, which is the edge, and the
//! stand-in is the same on every machine, so that it may enter a key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::dockerfiles::{Dockerfiles, ParsedDockerfile};
use super::keyed_arguments::keyed_arguments;
use super::lint;
use super::load::Loaded;
use super::mounted;
use super::node::{Build, Context, ContextSource, Role};
use super::published::{Meaning, Published};
use super::slice::{self, Reference, Slice, SliceRequest, SourcePath, Sources};
use super::target::{ArgumentValue, BuildDefinition, NamedContext, Target};
use super::view::{ReadSources, ViewSpec};
use crate::syntax::image_reference::ImageReference;
use crate::syntax::path_patterns::PathPatterns;
use crate::syntax::path_text::lossy_text;
use crate::types::diagnostic::Diagnostic;
use crate::types::digest::ContentHash;
use crate::types::ids::TargetId;
use crate::types::label::Label;
use crate::types::platform::Platform;
use crate::types::sorted_map::SortedMap;
use crate::types::span::{Location, SourceText, Span};
use crate::types::workspace_path::WorkspacePath;

/// What every draft is made from.
pub(super) struct Surroundings<'s> {
    pub(super) loaded: &'s Loaded,
    pub(super) published: &'s Published,
    pub(super) dockerfiles: &'s Dockerfiles,
    /// What the builder itself runs on.
    pub(super) build_platform: &'s Platform,
}

/// What a node depends on, before ids are given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Needed {
    /// A target's output.
    Target(TargetId),
    /// An image that no target declares.
    Undeclared(String),
}

/// A use of something that is needed.
pub(super) struct Need {
    pub(super) needed: Needed,
    pub(super) platform: Platform,
    pub(super) role: Role,
    pub(super) location: Location,
}

/// A node, but for the ids of its dependencies.
pub(super) struct Draft {
    pub(super) build: Box<Build>,
    pub(super) needs: Vec<Need>,
}

/// The reference that stands for the output of `label` wherever an argument's value is that output.
pub fn stand_in(label: &Label) -> String {
    let hash = blake3::hash(label.to_string().as_bytes()).to_hex();
    format!("imgraph.local/{}:target-{}", label.slug(), &hash.as_str()[..16])
}

/// The argument of `definition` whose value `reference` stands for, and the target that it carries. `given`
/// is what the build is given ([`Build::given`]). Of several arguments with one target, the first that
/// `counts`.
pub fn stood_for<'d>(
    definition: &'d BuildDefinition,
    given: &SortedMap<String, String>,
    reference: &str,
    counts: impl Fn(&str) -> bool,
) -> Option<(&'d str, &'d Label)> {
    let is_given = |name: &str| given.get(name).is_some_and(|value| value == reference);
    definition.args.iter().find_map(|(name, argument)| match &argument.value {
        ArgumentValue::Target(label) if is_given(name) && counts(name) => Some((name.as_str(), label)),
        _ => None,
    })
}

/// The draft of `target` for `platform`.
///
/// # Errors
/// Everything that is wrong with its Dockerfile, its ignore files, or what it refers to.
pub(super) fn draft(
    surroundings: &Surroundings<'_>,
    target: &Arc<Target>,
    definition: &BuildDefinition,
    platform: &Platform,
) -> Result<Draft, Vec<Diagnostic>> {
    let path = &definition.dockerfile.value;
    let parsed = surroundings.dockerfiles.dockerfile(path)?;
    let given = given_arguments(definition);
    let contexts: BTreeSet<String> = definition.contexts.keys().cloned().collect();
    let request = SliceRequest {
        stage: definition.stage.as_ref().map(|stage| stage.value.as_str()),
        args: &given,
        platform,
        build_platform: surroundings.build_platform,
        contexts: &contexts,
    };
    let slice = slice::slice(&parsed.dockerfile, &request)
        .map_err(|diagnostics| wanted_by(diagnostics, definition, target))?;
    let arguments = keyed_arguments(&parsed.dockerfile, &request, definition, &slice);
    let mut remarks = mounted::check(&parsed.dockerfile, &slice, target, definition);
    let maker = Maker::new(surroundings, target, definition, &given, platform, &parsed.dockerfile.source);
    let Gathered { needs, context, folders } = maker.gather(&slice)?;
    remarks.extend(unused_arguments(&slice, definition, target));
    let dockerfile_bytes = needs_bytes(&parsed, &slice).then(|| content_hash(&parsed.bytes));
    let (target, dockerfile) = (Arc::clone(target), parsed.dockerfile);
    let build = Box::new(Build {
        target,
        dockerfile,
        dockerfile_bytes,
        slice,
        is_triggered: false,
        arguments,
        given,
        context,
        folders,
        remarks,
    });
    Ok(Draft { build, needs })
}

/// Lets `build` read all of its main context and see all of its arguments and stamps, for the reason at
/// `span`.
///
/// # Errors
/// Everything that is wrong with the ignore file.
pub(super) fn widen(
    surroundings: &Surroundings<'_>,
    build: &mut Build,
    span: Span,
) -> Result<(), Vec<Diagnostic>> {
    let definition = build.definition();
    let folder = definition.context.value.clone();
    let ignore = surroundings.dockerfiles.ignore_file(&folder, Some(&definition.dockerfile.value))?;
    let inputs = build.context.as_ref().and_then(|context| context.spec.inputs.clone());
    let spec = ViewSpec { context: folder, ignore: ignore.rules, sources: ReadSources::Whole, inputs };
    let sources = vec![ContextSource { pattern: Vec::new(), span }];
    let stamps = &definition.stamp;
    let unseen = build.given.iter().filter(|(name, _)| !stamps.contains_key(*name));
    let unseen = unseen.map(|(name, value)| (name.clone(), Some(value.clone())));
    // What a line of the file declares keeps the value that it has there.
    build.arguments = unseen.chain(build.arguments.clone()).collect();
    let required = build.context.take().map_or_else(Vec::new, |context| context.required);
    build.is_triggered = true;
    build.context = Some(Context { spec: Arc::new(spec), ignore_file: ignore.path, sources, required });
    Ok(())
}

/// Whether the parsed text may not say all that the bytes say to whoever builds them.
fn needs_bytes(parsed: &ParsedDockerfile, slice: &Slice) -> bool {
    std::str::from_utf8(&parsed.bytes).is_err() || slice.is_foreign
}

fn content_hash(bytes: &[u8]) -> ContentHash {
    ContentHash::from_bytes(*blake3::hash(bytes).as_bytes())
}

/// All arguments that a build is given; targets are stand-ins.
fn given_arguments(definition: &BuildDefinition) -> SortedMap<String, String> {
    let value = |value: &ArgumentValue| match value {
        ArgumentValue::Text(text) => text.clone(),
        ArgumentValue::Target(label) => stand_in(label),
    };
    let arguments = definition.args.iter().map(|(name, argument)| (name.clone(), value(&argument.value)));
    let stamps = definition.stamp.iter().map(|(name, stamp)| (name.clone(), stamp.value.clone()));
    arguments.chain(stamps).collect()
}

/// Says which target wants what a Dockerfile does not give, where the target names a stage.
fn wanted_by(diagnostics: Vec<Diagnostic>, definition: &BuildDefinition, target: &Target) -> Vec<Diagnostic> {
    let add = |diagnostic: Diagnostic| match &definition.stage {
        Some(stage) if diagnostic.annotations.is_empty() => {
            diagnostic.at(&stage.location.source, stage.location.span, "")
        }
        Some(stage) => diagnostic.see(&stage.location.source, stage.location.span, "wanted here"),
        None => diagnostic.see(&target.location.source, target.location.span, "wanted here"),
    };
    diagnostics.into_iter().map(add).collect()
}

/// Warns of arguments that no line of the Dockerfile declares: they are usually misspelt. Those that
/// come from defaults are meant for other targets too.
fn unused_arguments(slice: &Slice, definition: &BuildDefinition, target: &Target) -> Vec<Diagnostic> {
    let place = |name: &str| {
        let argument = definition.args.get(name).map(|argument| &argument.location);
        argument.or_else(|| definition.stamp.get(name).map(|stamp| &stamp.location))
    };
    let own = |name: &str| place(name).is_some_and(|place| target.writes(place));
    let warn = |name: &String| {
        let message =
            format!("{} gives the argument `{name}`, which its Dockerfile does not declare", target.label);
        let warning = lint::UNUSED_ARGUMENT
            .says(message)
            .help(format!("add `ARG {name}` to the Dockerfile, or remove it here"));
        match place(name) {
            Some(location) => warning.at(&location.source, location.span, ""),
            None => warning,
        }
    };
    slice.unused_args.iter().filter(|name| own(name)).map(warn).collect()
}

/// Collects what one node needs and reads.
struct Maker<'m> {
    surroundings: &'m Surroundings<'m>,
    target: &'m Arc<Target>,
    definition: &'m BuildDefinition,
    given: &'m SortedMap<String, String>,
    platform: &'m Platform,
    source: Arc<SourceText>,
    needs: Vec<Need>,
    folders: BTreeMap<String, (WorkspacePath, Asked)>,
    problems: Vec<Diagnostic>,
}

/// What is asked of one folder.
#[derive(Default)]
struct Asked {
    sources: Vec<Sources>,
    required: Vec<SourcePath>,
}

/// What one node needs and reads.
struct Gathered {
    needs: Vec<Need>,
    context: Option<Context>,
    folders: SortedMap<String, Context>,
}

impl<'m> Maker<'m> {
    fn new(
        surroundings: &'m Surroundings<'m>,
        target: &'m Arc<Target>,
        definition: &'m BuildDefinition,
        given: &'m SortedMap<String, String>,
        platform: &'m Platform,
        source: &Arc<SourceText>,
    ) -> Self {
        let (needs, folders, problems) = Default::default();
        let source = Arc::clone(source);
        Self { surroundings, target, definition, given, platform, source, needs, folders, problems }
    }

    fn gather(mut self, slice: &Slice) -> Result<Gathered, Vec<Diagnostic>> {
        slice.references.iter().for_each(|reference| self.reference(reference));
        self.argument_targets(slice);
        let context = self.main_context(slice);
        let folders = self.folder_contexts();
        if self.problems.is_empty() {
            self.needs.shrink_to_fit();
            Ok(Gathered { needs: self.needs, context, folders })
        } else {
            Err(self.problems)
        }
    }

    fn reference(&mut self, reference: &Reference) {
        if let Some(context) = reference.context.as_ref().and_then(|name| self.definition.contexts.get(name))
        {
            match &context.value {
                NamedContext::Target(label) => self.need_label(label, reference),
                NamedContext::Image(image) => self.need_image(image, reference),
                NamedContext::Folder(folder) => {
                    let name = reference.context.clone().unwrap_or_default();
                    let entry =
                        self.folders.entry(name).or_insert_with(|| (folder.clone(), Asked::default()));
                    entry.1.sources.push(reference.sources.clone());
                    entry.1.required.extend(reference.required.iter().cloned());
                }
            }
            return;
        }
        match stood_for(self.definition, self.given, &reference.name, |_| true) {
            Some((_, label)) => self.need_label(label, reference),
            None => self.need_image(&reference.name, reference),
        }
    }

    fn need_label(&mut self, label: &Label, reference: &Reference) {
        // Labels of arguments and contexts were checked when the target was loaded.
        if let Some(id) = self.surroundings.loaded.names.target(label) {
            self.need(Needed::Target(id), reference);
        }
    }

    fn need_image(&mut self, image: &str, reference: &Reference) {
        let parsed = match image.parse::<ImageReference>() {
            Ok(parsed) => parsed,
            Err(error) => {
                let problem = Diagnostic::error(error.to_string()).at(&self.source, reference.span, "");
                self.problems
                    .push(problem.help("name an image, a stage of this file, or a key of `contexts`"));
                return;
            }
        };
        match self.surroundings.published.meaning(&parsed) {
            Meaning::Target(id) | Meaning::Base(id) => self.need(Needed::Target(id), reference),
            Meaning::Unknown => self.need(Needed::Undeclared(image.to_owned()), reference),
            Meaning::Ambiguous(claimants) => self.ambiguous(image, &claimants, reference.span),
        }
    }

    fn ambiguous(&mut self, image: &str, claimants: &[TargetId], span: Span) {
        let message = format!("`{image}` may be the output of any of {} targets", claimants.len());
        let mut problem = Diagnostic::error(message).at(&self.source, span, "");
        for id in claimants {
            let claimant = &self.surroundings.loaded.targets[*id];
            problem = problem.see(
                &claimant.location.source,
                claimant.location.span,
                format!("{} names this repository", claimant.label),
            );
        }
        self.problems.push(problem.help("set `publishes` on exactly one of them"));
    }

    fn need(&mut self, needed: Needed, reference: &Reference) {
        let role = Role::Reference { name: reference.name.clone(), platform: reference.platform.clone() };
        let platform = reference.platform.clone().unwrap_or_else(|| self.platform.clone());
        self.add(needed, platform, role, reference.span);
    }

    /// A target whose reference an argument carries is needed as soon as a reached stage can see the
    /// argument, even if no `FROM` names it.
    fn argument_targets(&mut self, slice: &Slice) {
        for (name, argument) in &self.definition.args {
            let (ArgumentValue::Target(label), Some(used)) = (&argument.value, slice.arguments.get(name))
            else {
                continue;
            };
            if let Some(id) = self.surroundings.loaded.names.target(label) {
                let span = used.span.unwrap_or_default();
                self.add(
                    Needed::Target(id),
                    self.platform.clone(),
                    Role::Argument { name: name.clone() },
                    span,
                );
            }
        }
    }

    fn add(&mut self, needed: Needed, platform: Platform, role: Role, span: Span) {
        if self.needs.iter().any(|need| need.role == role) {
            return;
        }
        let location = Location { source: Arc::clone(&self.source), span };
        self.needs.push(Need { needed, platform, role, location });
    }

    fn main_context(&mut self, slice: &Slice) -> Option<Context> {
        let whole;
        let sources = match &slice.widened {
            Some(widening) => {
                whole = Sources::Whole { spans: vec![widening.span] };
                &whole
            }
            None => &slice.sources,
        };
        if *sources == Sources::Nothing {
            return None;
        }
        let folder = self.definition.context.value.clone();
        let inputs = self.inputs();
        let asked = Asked { sources: vec![sources.clone()], required: slice.required.clone() };
        self.context(folder, Some(&self.definition.dockerfile.value), asked, inputs)
    }

    fn folder_contexts(&mut self) -> SortedMap<String, Context> {
        let folders = std::mem::take(&mut self.folders);
        let context = |(name, (folder, asked))| Some((name, self.context(folder, None, asked, None)?));
        folders.into_iter().filter_map(context).collect()
    }

    fn context(
        &mut self,
        folder: WorkspacePath,
        dockerfile: Option<&WorkspacePath>,
        asked: Asked,
        inputs: Option<Arc<PathPatterns>>,
    ) -> Option<Context> {
        let ignore = match self.surroundings.dockerfiles.ignore_file(&folder, dockerfile) {
            Ok(ignore) => ignore,
            Err(problems) => {
                self.problems.extend(problems);
                return None;
            }
        };
        let (read, sources) = union(&asked.sources);
        let spec = ViewSpec { context: folder, ignore: ignore.rules, sources: read, inputs };
        let place = |path: SourcePath| ContextSource { pattern: path.pattern, span: path.span };
        let required = asked.required.into_iter().map(place).collect();
        Some(Context { spec: Arc::new(spec), ignore_file: ignore.path, sources, required })
    }

    /// The patterns that narrow the view of the main context.
    fn inputs(&mut self) -> Option<Arc<PathPatterns>> {
        let inputs = self.definition.inputs.as_ref()?;
        match PathPatterns::new(inputs.iter().map(|input| &input.value)) {
            Ok(patterns) => Some(Arc::new(patterns)),
            Err(error) => {
                let place = inputs.first().map_or(&self.target.location, |input| &input.location);
                self.problems.push(Diagnostic::error(error.to_string()).at_location(place, ""));
                None
            }
        }
    }
}

/// What all of `sources` read together, with the places that ask for it.
fn union(sources: &[Sources]) -> (ReadSources, Vec<ContextSource>) {
    let mut whole = Vec::new();
    let mut paths: BTreeMap<&[u8], Span> = BTreeMap::new();
    for sources in sources {
        match sources {
            Sources::Nothing => {}
            Sources::Whole { spans } => whole.extend(spans.iter().copied()),
            Sources::Paths(found) => {
                for path in found {
                    paths.entry(&path.pattern).or_insert(path.span);
                }
            }
        }
    }
    let everything = whole.iter().map(|span| ContextSource { pattern: Vec::new(), span: *span });
    let some = paths.iter().map(|(pattern, span)| ContextSource { pattern: pattern.to_vec(), span: *span });
    let places: Vec<ContextSource> = everything.chain(some).collect();
    let read = if !whole.is_empty() {
        ReadSources::Whole
    } else if paths.is_empty() {
        ReadSources::Nothing
    } else {
        ReadSources::Paths(paths.into_keys().map(lossy_text).collect())
    };
    (read, places)
}
