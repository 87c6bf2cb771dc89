//! The stages of a file and the images that they name, resolved against each other.
//!
//! Names are looked up as BuildKit looks them up: a `FROM` finds the stages above it, as they are
//! written in lower case; `COPY --from` finds every stage, by name in any case or by number; a mount
//! finds stages by name. Images that only `COPY` and `RUN` name stand behind the stages in the list,
//! because numbers reach them too.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::contexts::{Contexts, SCRATCH};
use super::model::SliceRequest;
use super::platforms;
use super::scope::Globals;
use crate::syntax::dockerfile::expansion::{Expanded, Lexer, NoVariables};
use crate::syntax::dockerfile::model::{Command, Instruction, Stage};
use crate::syntax::dockerfile::{Dockerfile, go_numbers, parse_trigger};
use crate::syntax::image_reference::ImageReference;
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::platform::Platform;
use crate::types::span::{SourceText, Span, Spanned};

/// A stage, or an image that `COPY --from` or a mount names.
#[derive(Clone, Debug)]
pub(super) struct State<'d> {
    /// The stage; `None` for an image.
    pub(super) stage: Option<&'d Stage>,
    /// The base of the stage, or the image; expanded.
    pub(super) base: Spanned<String>,
    /// The platform that the `FROM` asks for.
    pub(super) platform: Option<Platform>,
    /// The same as it is written, expanded: it may hold a version.
    pub(super) platform_text: Option<String>,
    /// The global arguments that the `FROM` uses.
    pub(super) used: BTreeSet<String>,
    /// The state that the base is, when it is a stage.
    pub(super) parent: Option<usize>,
    /// The named context that stands for the stage.
    pub(super) replaced_by: Option<String>,
    /// The instructions, triggers of the parent first.
    pub(super) steps: Vec<Step<'d>>,
    has_triggers: bool,
}

/// An instruction of a stage.
#[derive(Clone, Debug)]
pub(super) struct Step<'d> {
    /// The instruction.
    pub(super) instruction: Cow<'d, Instruction>,
    /// The states that its `--from` and its mounts read from, in order.
    pub(super) reads: Vec<Option<usize>>,
    /// The `ONBUILD` that it comes from.
    pub(super) triggered_by: Option<Span>,
}

/// All states of a file.
#[derive(Debug)]
pub(super) struct States<'d> {
    dockerfile: &'d Dockerfile,
    contexts: Contexts,
    list: Vec<State<'d>>,
    by_name: BTreeMap<String, usize>,
}

impl<'d> States<'d> {
    /// Resolves all stages; adds what BuildKit refuses in any of them to `diagnostics`.
    pub(super) fn new(
        dockerfile: &'d Dockerfile,
        request: &SliceRequest<'_>,
        globals: &Globals<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let contexts = Contexts::new(request.contexts);
        let mut states = Self { dockerfile, contexts, list: Vec::new(), by_name: BTreeMap::new() };
        for stage in &dockerfile.stages {
            states.add_stage(stage, request, globals, diagnostics);
        }
        let stages: Vec<&'d Stage> = dockerfile.stages.iter().collect();
        for (index, stage) in stages.into_iter().enumerate() {
            for instruction in &stage.instructions {
                let step = states.step(Cow::Borrowed(instruction), None, diagnostics);
                states.list[index].steps.push(step);
            }
        }
        states
    }

    /// The state at `index`.
    pub(super) fn get(&self, index: usize) -> &State<'d> {
        &self.list[index]
    }

    /// The wanted stage; adds the reason to `diagnostics` when there is none of that name.
    pub(super) fn wanted(&self, name: Option<&str>, diagnostics: &mut Vec<Diagnostic>) -> Option<usize> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return self.dockerfile.stages.len().checked_sub(1);
        };
        let found = self.by_name.get(&name.to_lowercase()).copied();
        if found.is_none() {
            let names = self.by_name.keys().map(String::as_str);
            let diagnostic =
                Diagnostic::error(format!("`{}` has no stage `{name}`", self.dockerfile.source.path));
            diagnostics.push(match nearest(&name.to_lowercase(), names.clone()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None if self.by_name.is_empty() => {
                    diagnostic.help("no stage has a name: add `AS` to a `FROM`")
                }
                None => {
                    diagnostic.help(format!("its stages are `{}`", names.collect::<Vec<_>>().join("`, `")))
                }
            });
        }
        found
    }

    /// The named context that BuildKit takes for an image.
    pub(super) fn context_of(&self, image: &str) -> Option<&String> {
        self.contexts.of_image(image)
    }

    fn add_stage(
        &mut self,
        stage: &'d Stage,
        request: &SliceRequest<'_>,
        globals: &Globals<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let base = self.expand_global(&stage.base, globals, diagnostics);
        if base.text.is_empty() {
            diagnostics.push(self.blank(&stage.base, &base, globals, "the base of a stage is empty"));
        }
        let mut used = base.matched;
        let mut platform_text = None;
        let platform = stage.platform.as_ref().and_then(|written| {
            let platform = self.expand_global(written, globals, diagnostics);
            used.extend(platform.matched.iter().cloned());
            platform_text = Some(platform.text.clone());
            self.platform(written, &platform, request, globals, diagnostics)
        });
        let replaced_by = stage.name.as_ref().and_then(|name| self.contexts.of_stage(&name.value)).cloned();
        let parent = self.by_name.get(&base.text).copied().filter(|_| replaced_by.is_none());
        if let Some(name) = &stage.name {
            self.by_name.insert(name.value.clone(), self.list.len());
        }
        if parent.is_none() {
            self.check_image(&base.text, stage.base.span, replaced_by.is_some(), diagnostics);
        }
        self.list.push(State {
            stage: Some(stage),
            base: Spanned::new(base.text, stage.base.span),
            platform,
            platform_text,
            used,
            parent,
            replaced_by,
            steps: Vec::new(),
            has_triggers: false,
        });
    }

    fn expand_global(
        &self,
        written: &Spanned<String>,
        globals: &Globals<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Expanded {
        let lexer = Lexer::new(self.dockerfile.escape);
        let expanded = globals.allowance.expand(lexer, &written.value, globals);
        expanded.unwrap_or_else(|error| {
            let message = format!("`{}` cannot be expanded", written.value);
            let diagnostic = Diagnostic::error(message);
            let diagnostic = diagnostic.at(&self.dockerfile.source, written.span, error.to_string());
            diagnostics.push(diagnostic.help(error.help()));
            // One mistake is one message: what stands here is never used.
            Expanded { text: SCRATCH.to_owned(), ..Expanded::default() }
        })
    }

    fn blank(
        &self,
        written: &Spanned<String>,
        found: &Expanded,
        globals: &Globals<'_>,
        message: &str,
    ) -> Diagnostic {
        let diagnostic = Diagnostic::error(message).at(
            &self.dockerfile.source,
            written.span,
            format!("`{}` expands to nothing", written.value),
        );
        let Some(name) = found.unmatched.iter().next() else {
            return diagnostic.help("give the argument a value, or a default");
        };
        let declared = self.dockerfile.arguments.iter().map(|argument| argument.name.value.as_str());
        match nearest(name, globals.names().into_iter().chain(declared)) {
            Some(near) if near == name => {
                diagnostic.help(format!("`{name}` has no value: give it one, or a default"))
            }
            Some(near) => diagnostic.help(format!("`{name}` is not set: did you mean `{near}`?")),
            None => diagnostic
                .help(format!("`{name}` is not set: declare `ARG {name}=…` before the first `FROM`")),
        }
    }

    fn platform(
        &self,
        written: &Spanned<String>,
        expanded: &Expanded,
        request: &SliceRequest<'_>,
        globals: &Globals<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Platform> {
        if expanded.text.is_empty() {
            diagnostics.push(self.blank(written, expanded, globals, "the platform of a stage is empty"));
            return None;
        }
        let parsed = platforms::parse(&expanded.text, request.build_platform);
        if parsed.is_none() && expanded.text != SCRATCH {
            let message = format!("`{}` is not a platform", expanded.text);
            let diagnostic = Diagnostic::error(message)
                .at(&self.dockerfile.source, written.span, "expected os/architecture")
                .help("write a platform such as `linux/amd64`");
            diagnostics.push(diagnostic);
        }
        parsed
    }

    /// BuildKit reads the names of all images, reached or not.
    fn check_image(&self, image: &str, span: Span, is_replaced: bool, diagnostics: &mut Vec<Diagnostic>) {
        if image.is_empty() || (image == SCRATCH && !is_replaced) {
            return;
        }
        if let Err(error) = image.parse::<ImageReference>() {
            let diagnostic = Diagnostic::error(error.to_string());
            let diagnostic =
                diagnostic.at(&self.dockerfile.source, span, "neither a stage above nor an image");
            diagnostics.push(match nearest(image, self.by_name.keys().map(String::as_str)) {
                Some(name) => diagnostic.help(format!("did you mean the stage `{name}`?")),
                None => diagnostic.help("write a reference such as `registry/repository:tag`"),
            });
        }
    }

    fn add_image(&mut self, image: &str, span: Span, diagnostics: &mut Vec<Diagnostic>) -> usize {
        self.check_image(image, span, false, diagnostics);
        self.list.push(State {
            stage: None,
            base: Spanned::new(image.to_owned(), span),
            platform: None,
            platform_text: None,
            used: BTreeSet::new(),
            parent: None,
            replaced_by: None,
            steps: Vec::new(),
            has_triggers: false,
        });
        self.list.len() - 1
    }

    fn step(
        &mut self,
        instruction: Cow<'d, Instruction>,
        triggered_by: Option<Span>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Step<'d> {
        let reads = match &instruction.command {
            Command::Copy(copy) => match &copy.from {
                None => Vec::new(),
                Some(from) => {
                    let from = Spanned::new(from.value.clone(), triggered_by.unwrap_or(from.span));
                    vec![self.copied_from(&from, diagnostics)]
                }
            },
            Command::Run(run) => {
                let mounts: Vec<(String, Span)> = run
                    .mounts
                    .iter()
                    .map(|mount| (mount.from.clone(), triggered_by.unwrap_or(mount.text.span)))
                    .collect();
                mounts.iter().map(|(from, span)| self.mounted_from(from, *span, diagnostics)).collect()
            }
            _ => Vec::new(),
        };
        Step { instruction, reads, triggered_by }
    }

    fn copied_from(&mut self, from: &Spanned<String>, diagnostics: &mut Vec<Diagnostic>) -> Option<usize> {
        let expanded = Lexer::new(self.dockerfile.escape).expand(&from.value, &NoVariables);
        if !expanded.is_ok_and(|expanded| expanded.text == from.value) {
            let diagnostic = Diagnostic::error("`--from` takes no variables")
                .at(&self.dockerfile.source, from.span, format!("`{}` is taken as it is", from.value))
                .help("begin a stage with `FROM` and the variable, and name that stage");
            diagnostics.push(diagnostic);
            return None;
        }
        let Some(number) = go_numbers::integer(&from.value) else {
            return Some(match self.by_name.get(&from.value.to_lowercase()) {
                Some(index) => *index,
                None => self.add_image(&from.value, from.span, diagnostics),
            });
        };
        let index = usize::try_from(number).ok().filter(|index| *index < self.list.len());
        if index.is_none() {
            let last = self.dockerfile.stages.len().saturating_sub(1);
            let diagnostic = Diagnostic::error(format!("there is no stage number {number}"))
                .at(&self.dockerfile.source, from.span, format!("the last stage has the number {last}"))
                .help("name the stage with `AS`, and use the name here");
            diagnostics.push(diagnostic);
        }
        index
    }

    fn mounted_from(&mut self, from: &str, span: Span, diagnostics: &mut Vec<Diagnostic>) -> Option<usize> {
        if from.is_empty() {
            // Nothing is read from it, but it takes a number.
            self.add_image(SCRATCH, span, diagnostics);
            return None;
        }
        Some(match self.by_name.get(&from.to_lowercase()) {
            Some(index) => *index,
            None => self.add_image(from, span, diagnostics),
        })
    }

    fn needs(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let state = &self.list[index];
        let steps = state.steps.iter().filter(|_| state.replaced_by.is_none());
        steps.flat_map(|step| step.reads.iter().copied().flatten()).chain(state.parent)
    }

    /// Adds a diagnostic when stages copy from each other in a circle.
    pub(super) fn check_circles(&self, diagnostics: &mut Vec<Diagnostic>) {
        let mut is_done = vec![false; self.list.len()];
        for start in 0..self.list.len() {
            if let Some(circle) = self.circle_from(start, &mut is_done) {
                diagnostics.push(self.circle(&circle));
                return;
            }
        }
    }

    fn circle_from(&self, start: usize, is_done: &mut [bool]) -> Option<Vec<usize>> {
        let reads = |index: usize| -> Vec<usize> {
            self.list[index].steps.iter().flat_map(|step| step.reads.iter().copied().flatten()).collect()
        };
        let mut path = vec![(start, reads(start))];
        while let Some((_, rest)) = path.last_mut() {
            let Some(next) = rest.pop() else {
                let (index, _) = path.pop().expect("the loop runs while the path has a last entry");
                is_done[index] = true;
                continue;
            };
            if let Some(at) = path.iter().position(|(index, _)| *index == next) {
                return Some(path[at..].iter().map(|(index, _)| *index).collect());
            }
            if !is_done[next] {
                path.push((next, reads(next)));
            }
        }
        None
    }

    fn circle(&self, circle: &[usize]) -> Diagnostic {
        let stages = circle.iter().filter_map(|index| self.list[*index].stage);
        let mut diagnostic = Diagnostic::error("stages read from each other in a circle");
        for (count, stage) in stages.enumerate() {
            let span = stage.name.as_ref().map_or(stage.from.span, |name| name.span);
            diagnostic = match count {
                0 => diagnostic.at(&self.dockerfile.source, span, "this stage reads from itself in the end"),
                _ => diagnostic.see(&self.dockerfile.source, span, "through this stage"),
            };
        }
        diagnostic.help("copy from stages above only")
    }

    /// The states that `wanted` needs, itself included, in order; triggers of parents are resolved on
    /// the way.
    pub(super) fn reach(&mut self, wanted: usize, diagnostics: &mut Vec<Diagnostic>) -> BTreeSet<usize> {
        loop {
            let reached = self.closure(wanted);
            let mut is_changed = false;
            for index in reached.iter().copied() {
                is_changed |= self.pull_triggers(index, diagnostics);
            }
            if !is_changed {
                return reached;
            }
        }
    }

    fn closure(&self, wanted: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![wanted];
        while let Some(index) = waiting.pop() {
            if reached.insert(index) {
                waiting.extend(self.needs(index));
            }
        }
        reached
    }

    /// Puts what the parent's `ONBUILD`s hold before the stage's own instructions.
    fn pull_triggers(&mut self, index: usize, diagnostics: &mut Vec<Diagnostic>) -> bool {
        let Some(parent) = self.list[index].parent.filter(|_| !self.list[index].has_triggers) else {
            return false;
        };
        self.list[index].has_triggers = true;
        let triggers: Vec<(String, Span)> = self.list[parent]
            .steps
            .iter()
            .filter_map(|step| match &step.instruction.command {
                Command::Onbuild(text) => Some((text.clone(), step.instruction.span)),
                _ => None,
            })
            .collect();
        let based = self.list[index].base.span;
        let mut steps = Vec::new();
        for (text, span) in &triggers {
            let text = SourceText { path: self.dockerfile.source.path.clone(), text: text.clone() };
            match parse_trigger(&Arc::new(text)) {
                Ok(instruction) => steps.push(self.step(Cow::Owned(instruction), Some(*span), diagnostics)),
                Err(found) => {
                    diagnostics.extend(found.iter().map(|wrong| self.wrong_trigger(wrong, *span, based)));
                }
            }
        }
        let is_changed = !steps.is_empty();
        self.list[index].steps.splice(0..0, steps);
        is_changed
    }

    fn wrong_trigger(&self, wrong: &Diagnostic, span: Span, based: Span) -> Diagnostic {
        let message = format!("a trigger cannot be run: {}", wrong.message);
        let diagnostic = Diagnostic::error(message).at(&self.dockerfile.source, span, "this `ONBUILD`").see(
            &self.dockerfile.source,
            based,
            "runs in the stage that begins here",
        );
        wrong.help.iter().cloned().fold(diagnostic, Diagnostic::help)
    }
}
