//! The walk through the reached stages, each instruction with the variables that it sees.

use std::collections::{BTreeMap, BTreeSet};

use super::arguments::{Rank, SeenArguments};
use super::checks;
use super::contexts::SCRATCH;
use super::git::{self, Place};
use super::model::{
    Demand, Mounted, Reference, ReferenceKind, SliceRequest, SlicedInstruction, Sources, Widening,
};
use super::scope::{Globals, Scope, uncertain};
use super::sources::{Gathered, cleaned};
use super::states::{State, States, Step};
use super::text;
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::expansion::{Expanded, Lexer};
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::{Argument, Command, Copy, Pair, Run};
use crate::syntax::dockerfile::mount::{self, Mount, MountError, MountKind};
use crate::types::diagnostic::Diagnostic;
use crate::types::span::{Span, Spanned};

/// The walk, and what it gathers.
pub(super) struct Walk<'w, 'd> {
    pub(super) dockerfile: &'d Dockerfile,
    pub(super) request: &'w SliceRequest<'w>,
    pub(super) globals: &'w Globals<'w>,
    pub(super) states: &'w States<'d>,
    /// The reached stages that are run through: their numbers, by the index of their states.
    pub(super) numbers: BTreeMap<usize, usize>,
    pub(super) scopes: BTreeMap<usize, Scope>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) instructions: Vec<SlicedInstruction>,
    pub(super) sources: Gathered,
    pub(super) widened: Option<Widening>,
    pub(super) references: Vec<Reference>,
    pub(super) arguments: SeenArguments,
    pub(super) secrets: BTreeMap<String, Mounted>,
    pub(super) ssh: BTreeMap<String, Mounted>,
    pub(super) remotes: Vec<Spanned<String>>,
    pub(super) has_run: bool,
}

/// The instruction at hand.
#[derive(Clone, Copy)]
struct Here<'s, 'd> {
    /// The state of its stage.
    state: usize,
    step: &'s Step<'d>,
}

impl Here<'_, '_> {
    /// The place to blame: of the word itself, or of the `ONBUILD` that the instruction comes from.
    fn span(self, written: Span) -> Span {
        self.step.triggered_by.unwrap_or(written)
    }

    fn whole(self) -> Span {
        self.span(self.step.instruction.span)
    }
}

impl<'d> Walk<'_, 'd> {
    /// Runs through the stage of the state `index`.
    pub(super) fn stage(&mut self, index: usize) {
        let states = self.states;
        let state = states.get(index);
        let Some(stage) = state.stage.filter(|_| !self.globals.allowance.is_spent()) else { return };
        if let Some(context) = &state.replaced_by {
            let span = stage.name.as_ref().map_or(stage.base.span, |name| name.span);
            self.whole_reference(state, Some(context.clone()), span);
            return;
        }
        for name in &state.used {
            self.arguments.note_global(self.globals, name, None);
        }
        let inherited = state.parent.and_then(|parent| self.scopes.get(&parent)).map_or(0, Scope::size);
        if !self.is_allowed(stage.from.span, inherited) {
            return;
        }
        let base = self.base(state);
        let scope = match state.parent.and_then(|parent| self.scopes.get(&parent)) {
            Some(scope) => scope.child(),
            None if state.parent.is_none() && state.base.value == SCRATCH => Scope::empty(),
            None => Scope::of_image(),
        };
        self.scopes.insert(index, scope);
        let text = text::from(&base, state.platform_text.as_deref());
        let number = self.numbers.get(&index).copied().unwrap_or_default();
        self.instructions.push(SlicedInstruction { stage: number, text, span: stage.from.span });
        for step in &state.steps {
            self.step(Here { state: index, step }, number);
        }
    }

    /// How the base of a stage is written, and its reference where it is no stage.
    fn base(&mut self, state: &State<'d>) -> String {
        if let Some(parent) = state.parent {
            return self.name(parent);
        }
        if state.base.value == SCRATCH {
            return SCRATCH.to_owned();
        }
        let context = self.states.context_of(&state.base.value).cloned();
        if context.is_none() && state.base.value.contains("onbuild") {
            let reason = "the name of the base image says that it has triggers (`ONBUILD`)";
            self.widen(reason, state.base.span);
        }
        self.whole_reference(state, context, state.base.span);
        state.base.value.clone()
    }

    fn whole_reference(&mut self, state: &State<'d>, context: Option<String>, span: Span) {
        let replaced =
            state.stage.and_then(|stage| stage.name.as_ref()).filter(|_| state.replaced_by.is_some());
        self.references.push(Reference {
            name: replaced.map_or(&state.base.value, |name| &name.value).clone(),
            context,
            platform: state.platform.clone(),
            kind: ReferenceKind::From,
            span,
            sources: Sources::Whole { spans: vec![span] },
            required: Vec::new(),
        });
    }

    /// How a state is written where it is read.
    fn name(&self, index: usize) -> String {
        let state = self.states.get(index);
        match (self.numbers.get(&index), &state.replaced_by) {
            (Some(number), _) => format!("#{number}"),
            (None, Some(context)) => format!("#context {context}"),
            (None, None) => state.base.value.clone(),
        }
    }

    fn step(&mut self, here: Here<'_, 'd>, number: usize) {
        // That was told, and whatever else is said of the file is guesswork.
        if self.globals.allowance.is_spent() {
            return;
        }
        let instruction = &here.step.instruction;
        let names: Vec<Option<String>> =
            here.step.reads.iter().map(|read| read.map(|index| self.name(index))).collect();
        let text = text::instruction(instruction, &names);
        self.instructions.push(SlicedInstruction { stage: number, text, span: here.whole() });
        match &instruction.command {
            Command::From | Command::Onbuild(_) | Command::Other => {}
            Command::Arg(arguments) => arguments.iter().for_each(|argument| self.argument(here, argument)),
            Command::Pairs(pairs) => self.pairs(here, pairs),
            Command::Copy(copy) => self.copy(here, copy),
            Command::Run(run) => self.run(here, run),
            Command::Words(words) => words.iter().for_each(|word| self.word(here, word)),
        }
    }

    fn scope(&mut self, here: Here<'_, 'd>) -> &mut Scope {
        self.scopes.get_mut(&here.state).expect("a stage's scope is made before its instructions are run")
    }

    pub(super) fn refuse(
        &mut self,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: &str,
    ) {
        let diagnostic = Diagnostic::error(message).at(&self.dockerfile.source, span, label);
        self.diagnostics.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    fn widen(&mut self, reason: impl Into<String>, span: Span) {
        let reason = reason.into();
        self.widened.get_or_insert(Widening { reason, span });
    }

    fn expand(&mut self, here: Here<'_, 'd>, lexer: Lexer, text: &str, span: Span) -> Option<Expanded> {
        let globals = self.globals;
        match globals.allowance.expand(lexer, text, self.scope(here)) {
            Ok(expanded) => Some(expanded),
            Err(error) => {
                let keyword = here.step.instruction.keyword;
                let message = format!("a value of `{keyword}` cannot be expanded");
                self.refuse(here.span(span), message, error.to_string(), error.help());
                None
            }
        }
    }

    /// Whether variables may take so many bytes more; it is told when they may not.
    fn is_allowed(&mut self, span: Span, bytes: usize) -> bool {
        let taken = self.globals.allowance.take(bytes);
        if let Err(error) = &taken {
            self.refuse(span, "there are too many variables", error.to_string(), error.help());
        }
        taken.is_ok()
    }

    fn set(&mut self, here: Here<'_, 'd>, span: Span, name: &str, text: String, is_certain: bool) {
        if self.is_allowed(span, name.len() + text.len()) {
            self.scope(here).set(name.to_owned(), text, is_certain);
        }
    }

    fn lexer(&self) -> Lexer {
        Lexer::new(self.dockerfile.escape)
    }

    fn argument(&mut self, here: Here<'_, 'd>, argument: &Argument) {
        let name = &argument.name.value;
        let span = here.span(argument.name.span);
        if let Some(given) = self.request.args.get(name) {
            self.arguments.note(name, Rank::Given, Some(given.clone()), Some(span));
            self.set(here, span, name, given.clone(), true);
            return;
        }
        if let Some(default) = &argument.default {
            let Some(expanded) = self.expand(here, self.lexer(), default, span) else {
                // What is made of it is no second mistake.
                self.set(here, span, name, default.clone(), false);
                return;
            };
            self.arguments.note(name, Rank::Default, Some(expanded.text.clone()), Some(span));
            self.set(here, span, name, expanded.text, expanded.uncertain.is_empty());
            return;
        }
        match self.arguments.note_global(self.globals, name, Some(span)) {
            Some(value) => self.set(here, span, name, value, true),
            None => self.arguments.note(name, Rank::None, None, Some(span)),
        }
    }

    /// All names and values of an `ENV` are expanded before the first is set.
    fn pairs(&mut self, here: Here<'_, 'd>, pairs: &[Pair]) {
        let mut values = Vec::new();
        for pair in pairs {
            let Some(name) = self.expand(here, self.lexer(), &pair.name, pair.span) else { continue };
            let Some(value) = self.expand(here, self.lexer(), &pair.value, pair.span) else {
                values.push((name.text, pair.value.clone(), false));
                continue;
            };
            let is_certain = value.uncertain.is_empty() && name.uncertain.is_empty();
            values.push((name.text, value.text, is_certain));
        }
        if here.step.instruction.keyword == Keyword::Env {
            for (name, value, is_certain) in values {
                if self.is_allowed(here.whole(), 2 * (name.len() + value.len())) {
                    self.scope(here).set_in_image(name, value, is_certain);
                }
            }
        }
    }

    fn word(&mut self, here: Here<'_, 'd>, word: &Spanned<String>) {
        let Some(expanded) = self.expand(here, self.lexer(), &word.value, word.span) else { return };
        let is_certain = expanded.uncertain.is_empty();
        let span = here.span(word.span);
        match here.step.instruction.keyword {
            Keyword::Workdir => self.enter_folder(here, is_certain.then_some(expanded.text.as_str())),
            Keyword::Stopsignal if is_certain && !checks::is_signal(&expanded.text) => {
                let message = format!("`{}` is not a signal", expanded.text);
                self.refuse(span, message, "unknown signal", "write a name or a number, such as `SIGTERM`");
            }
            Keyword::Volume if is_certain && expanded.text.is_empty() => {
                let label = format!("`{}` expands to nothing", word.value);
                self.refuse(span, "a volume cannot be an empty path", label, "write a path");
            }
            Keyword::Expose if is_certain => {
                for port in &expanded.words {
                    if let Some(reason) = checks::wrong_port(port) {
                        let message = format!("`{port}` cannot be exposed");
                        self.refuse(span, message, reason, "write a port, such as `8080` or `8080/tcp`");
                    }
                }
            }
            _ => {}
        }
    }

    fn enter_folder(&mut self, here: Here<'_, 'd>, path: Option<&str>) {
        let scope = self.scope(here);
        scope.folder = match (path, &scope.folder) {
            (Some(path), _) if path.starts_with('/') => Some(format!("/{}", cleaned(path))),
            (Some(path), Some(folder)) => Some(format!("/{}", cleaned(&format!("{folder}/{path}")))),
            _ => None,
        };
    }

    fn copy(&mut self, here: Here<'_, 'd>, copy: &Copy) {
        let is_add = here.step.instruction.keyword == Keyword::Add;
        let mut expand = |word: &Spanned<String>| {
            let expanded = self.expand(here, self.lexer(), &word.value, word.span);
            expanded.map(|expanded| (expanded, here.span(word.span)))
        };
        if let Some(owner) = &copy.owner {
            expand(owner);
        }
        let mode = copy.mode.as_ref().and_then(&mut expand);
        let checksum = copy.checksum.as_ref().and_then(&mut expand);
        let sources: Vec<(Expanded, Span)> = copy.sources.iter().filter_map(&mut expand).collect();
        expand(&copy.destination);
        for file in copy.inline.iter().filter(|file| file.expand) {
            self.expand(here, Lexer::of_file(), &file.content, file.span);
        }
        self.check_mode(mode);
        self.check_checksum(checksum, &sources);
        let mut read = Gathered::default();
        let is_from = copy.from.is_some();
        for (source, span) in sources {
            if !source.uncertain.is_empty() && !is_from {
                self.widen(uncertain(&source.uncertain), span);
            }
            let whole = is_from && !source.uncertain.is_empty();
            if whole {
                read.add_whole(span);
            } else if self.is_local(&source.text, span, is_add, copy.checksum.is_some()) {
                read.add(&source.text, span);
                if source.uncertain.is_empty() && !copy.chooses && is_plain(&source.text) {
                    read.require(&source.text, span);
                }
            }
        }
        match (&copy.from, here.step.reads.first()) {
            (None, _) => self.add_sources(read),
            (Some(from), Some(Some(index))) => {
                self.read_from(here, *index, ReferenceKind::CopyFrom, here.span(from.span), read);
            }
            _ => {}
        }
    }

    fn add_sources(&mut self, read: Gathered) {
        self.sources.merge(read);
    }

    /// Whether a source is a path. What is fetched is remembered, unless a checksum says what it is. (BuildKit asks the context for git
    /// repositories that are no URLs all the same, but reads nothing of it.)
    fn is_local(&mut self, source: &str, span: Span, is_add: bool, is_pinned: bool) -> bool {
        let place = git::place(source);
        if place == Place::Local {
            return true;
        }
        if !is_add {
            let message = format!("`COPY` cannot fetch `{source}`");
            self.refuse(span, message, "this is not a path", "use `ADD`");
            return false;
        }
        if let Some(reason) = git::wrong_query(source).filter(|_| place == Place::Git) {
            let message = format!("the query of `{source}` is wrong");
            self.refuse(span, message, reason, "expected keys such as `ref`, `tag`, `branch`, `subdir`");
        }
        if !is_pinned {
            self.remotes.push(Spanned::new(source.to_owned(), span));
        }
        false
    }

    /// Reads `read` from the state `index`.
    fn read_from(
        &mut self,
        here: Here<'_, 'd>,
        index: usize,
        kind: ReferenceKind,
        span: Span,
        read: Gathered,
    ) {
        let states = self.states;
        let state = states.get(index);
        let (name, context) = match (&state.replaced_by, state.stage) {
            (Some(context), Some(stage)) => {
                let name = stage.name.as_ref().map_or(&state.base.value, |name| &name.value);
                (name.clone(), Some(context.clone()))
            }
            (_, Some(stage)) => {
                if !self.scopes.contains_key(&index) {
                    let name = stage.name.as_ref().map_or("below", |name| name.value.as_str());
                    let message = format!("the stage `{name}` is read before it is built");
                    let label = "a stage can read from stages above it only";
                    let keyword = here.step.instruction.keyword;
                    self.refuse(
                        span,
                        message,
                        label,
                        &format!("move the stage above this `{keyword}`'s stage"),
                    );
                }
                return;
            }
            (_, None) if state.base.value == SCRATCH => return,
            (_, None) => (state.base.value.clone(), self.states.context_of(&state.base.value).cloned()),
        };
        let (required, sources) = (read.required(), read.finish());
        self.references.push(Reference { name, context, platform: None, kind, span, sources, required });
    }

    fn run(&mut self, here: Here<'_, 'd>, run: &Run) {
        self.has_run = true;
        if run.is_empty_list {
            self.refuse(here.whole(), "`RUN []` has nothing to run", "the list is empty", "write a command");
        }
        for (raw, read) in run.mounts.iter().zip(&here.step.reads) {
            let mut uncertain_names = BTreeSet::new();
            let (globals, lexer) = (self.globals, self.lexer());
            let scope = self.scope(here);
            let mount = mount::read(&raw.text.value, |value| {
                let expanded = globals.allowance.expand(lexer, value, scope);
                let expanded = expanded.map_err(|error| MountError {
                    message: error.to_string(),
                    help: Some(error.help().to_owned()),
                })?;
                uncertain_names.extend(expanded.uncertain);
                Ok(expanded.text)
            });
            let span = here.span(raw.text.span);
            match mount {
                Ok(mount) => self.mount(here, &mount, *read, span, &uncertain_names),
                // What an unknown variable stands for may be right.
                Err(_) if !uncertain_names.is_empty() => self.widen(uncertain(&uncertain_names), span),
                Err(error) => {
                    let help = error.help.unwrap_or_default();
                    self.refuse(span, error.message, "in this flag", &help);
                }
            }
        }
    }

    fn mount(
        &mut self,
        here: Here<'_, 'd>,
        mount: &Mount,
        read: Option<usize>,
        span: Span,
        uncertain_names: &BTreeSet<String>,
    ) {
        let is_certain = uncertain_names.is_empty();
        if !is_certain && read.is_none() {
            self.widen(uncertain(uncertain_names), span);
        }
        let mut sources = Gathered::default();
        let demand = match (is_certain, mount.is_required) {
            (false, _) => Demand::Unknown,
            (true, false) => Demand::Optional,
            (true, true) => Demand::Required,
        };
        match mount.kind {
            MountKind::Secret => {
                note_mounted(&mut self.secrets, &mount.secret_id(), Mounted { demand, span });
                return;
            }
            MountKind::Ssh => {
                // What is not known stands by itself: it may be any agent, beside those that are known.
                let id = if is_certain { mount.agent_id() } else { "$" };
                note_mounted(&mut self.ssh, id, Mounted { demand, span });
                return;
            }
            MountKind::Tmpfs => {}
            MountKind::Bind | MountKind::Cache if !is_certain => sources.add_whole(span),
            MountKind::Bind | MountKind::Cache => {
                sources.add(&mount.source, span);
                // A mount knows no wildcards.
                if mount.kind == MountKind::Bind {
                    sources.require(&mount.source, span);
                }
            }
        }
        match read {
            Some(index) => self.read_from(here, index, ReferenceKind::MountFrom, span, sources),
            None if mount.kind == MountKind::Bind && is_certain => self.add_sources(sources),
            None => {}
        }
        if is_certain && self.is_root(here, &mount.target) {
            let label = if mount.target.is_empty() { "no `target` is given" } else { "in this flag" };
            self.refuse(span, "a mount cannot be at `/`", label, "write `target=…` with another path");
        }
    }

    fn is_root(&mut self, here: Here<'_, 'd>, target: &str) -> bool {
        if target.starts_with('/') {
            return target == "/";
        }
        let folder = self.scope(here).folder.clone();
        folder.is_some_and(|folder| cleaned(&format!("{folder}/{target}")).is_empty())
    }
}

/// Whether a source of a `COPY` names one path. A pattern may match nothing: BuildKit goes on then.
fn is_plain(source: &str) -> bool {
    !source.contains(['*', '?', '[', '\\'])
}

fn note_mounted(all: &mut BTreeMap<String, Mounted>, id: &str, mounted: Mounted) {
    let most = all.entry(id.to_owned()).or_insert(mounted);
    if mounted.demand > most.demand {
        *most = mounted;
    }
}
