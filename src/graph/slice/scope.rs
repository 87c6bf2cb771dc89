//! The variables of a build: the global ones, and those that a stage sees.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::model::SliceRequest;
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::expansion::{Lexer, Variables};
use crate::types::diagnostic::Diagnostic;
use crate::types::platform::Platform;
use crate::types::span::Span;

/// What `PATH` is where nothing sets it (BuildKit's `system.DefaultPathEnvUnix`).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

/// The arguments that tell what is built on.
const OF_BUILD: [&str; 5] = ["BUILDPLATFORM", "BUILDOS", "BUILDOSVERSION", "BUILDARCH", "BUILDVARIANT"];

/// The arguments that tell what is built for.
const OF_TARGET: [&str; 5] = ["TARGETPLATFORM", "TARGETOS", "TARGETOSVERSION", "TARGETARCH", "TARGETVARIANT"];

/// Whether the argument tells of the platform that is built on or for, or of the wanted stage.
pub(in crate::graph) fn is_platform_argument(name: &str) -> bool {
    OF_BUILD.contains(&name) || OF_TARGET.contains(&name) || name == "TARGETSTAGE"
}

/// Whether BuildKit gives this argument to every `RUN` without a declaration.
pub(super) fn is_proxy(name: &str) -> bool {
    PROXIES.contains(&name.to_lowercase().as_str())
}

/// Whether BuildKit itself reads this argument.
pub(super) fn is_of_buildkit(name: &str) -> bool {
    name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH"
}

/// Why a text that holds these variables is not certain.
pub(super) fn uncertain(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    format!("a path depends on `{}`, which the base image may set", names.join("`, `"))
}

/// What `FROM` lines see: the predefined arguments and the `ARG`s before the first `FROM`.
#[derive(Clone, Debug, Default)]
pub(super) struct Globals(BTreeMap<Cow<'static, str>, Global>);

/// A global argument that has a value.
#[derive(Clone, Debug)]
pub(super) struct Global {
    /// The value.
    pub(super) value: String,
    /// Where it is declared; `None` for a predefined one.
    pub(super) span: Option<Span>,
    /// The global arguments that its default is made of, and those that theirs are made of.
    pub(super) made_of: BTreeSet<String>,
}

impl Globals {
    /// Works out the global arguments; adds what is wrong with their defaults to `diagnostics`.
    pub(super) fn new(
        dockerfile: &Dockerfile,
        request: &SliceRequest<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut globals = Self::predefined(dockerfile, request);
        for argument in &dockerfile.arguments {
            let span = argument.name.span;
            let mut made_of = BTreeSet::new();
            let value = match (request.args.get(&argument.name.value), &argument.default) {
                (Some(given), _) => given.clone(),
                (None, None) => continue,
                (None, Some(default)) => match Lexer::new(dockerfile.escape).expand(default, &globals) {
                    Ok(expanded) => {
                        made_of = globals.closure(expanded.matched);
                        expanded.text
                    }
                    Err(error) => {
                        let message = format!("the default of `{}` cannot be expanded", argument.name.value);
                        let diagnostic = Diagnostic::error(message);
                        let diagnostic = diagnostic.at(&dockerfile.source, span, error.to_string());
                        diagnostics.push(diagnostic.help(error.help()));
                        continue;
                    }
                },
            };
            globals
                .0
                .insert(Cow::Owned(argument.name.value.clone()), Global { value, span: Some(span), made_of });
        }
        globals
    }

    fn predefined(dockerfile: &Dockerfile, request: &SliceRequest<'_>) -> Self {
        let last = dockerfile.stages.last().and_then(|stage| stage.name.as_ref());
        let stage = request.stage.or(last.map(|name| name.value.as_str())).unwrap_or("default");
        let mut globals = Self::default();
        globals.add_platform(OF_BUILD, request.build_platform);
        globals.add_platform(OF_TARGET, request.platform);
        globals.add("TARGETSTAGE", stage);
        for (name, global) in &mut globals.0 {
            if let Some(given) = request.args.get(&**name) {
                global.value.clone_from(given);
            }
        }
        globals
    }

    fn add_platform(&mut self, names: [&'static str; 5], platform: &Platform) {
        let variant = platform.variant().unwrap_or_default();
        let values = [&platform.to_string(), platform.os(), "", platform.architecture(), variant];
        names.into_iter().zip(values).for_each(|(name, value)| self.add(name, value));
    }

    fn add(&mut self, name: &'static str, value: &str) {
        let global = Global { value: value.to_owned(), span: None, made_of: BTreeSet::new() };
        self.0.insert(Cow::Borrowed(name), global);
    }

    /// `names`, and what the defaults of these are made of.
    fn closure(&self, names: BTreeSet<String>) -> BTreeSet<String> {
        let below = names.iter().filter_map(|name| self.find(name)).flat_map(|global| &global.made_of);
        let below: Vec<String> = below.cloned().collect();
        names.into_iter().chain(below).collect()
    }

    /// The global argument `name`, when it has a value.
    pub(super) fn find(&self, name: &str) -> Option<&Global> {
        self.0.get(name)
    }

    /// The names of all global arguments that have a value.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }
}

impl Variables for Globals {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|global| global.value.as_str())
    }
}

/// What the instructions of a stage see.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    values: BTreeMap<String, Value>,
    /// The variables of the image: an `ARG` covers them until its stage ends.
    of_image: BTreeMap<String, Value>,
    /// Whether an image that is not known may set more variables.
    is_open: bool,
    /// The working folder; `None` where an image that is not known decides.
    pub(super) folder: Option<String>,
}

#[derive(Clone, Debug)]
struct Value {
    text: String,
    is_certain: bool,
}

impl Scope {
    /// The scope of `FROM scratch`.
    pub(super) fn empty() -> Self {
        let path = Value { text: DEFAULT_PATH.to_owned(), is_certain: true };
        let of_image = BTreeMap::from([("PATH".to_owned(), path)]);
        Self { values: of_image.clone(), of_image, is_open: false, folder: Some("/".to_owned()) }
    }

    /// The scope on top of an image.
    pub(super) fn of_image() -> Self {
        let mut scope = Self { is_open: true, folder: None, ..Self::empty() };
        scope.set_in_image("PATH".to_owned(), DEFAULT_PATH.to_owned(), false);
        scope
    }

    /// The scope of a stage that is based on the one that this scope ends.
    pub(super) fn child(&self) -> Self {
        let mut child = self.clone();
        child.values.extend(self.of_image.clone());
        child
    }

    /// Sets a variable as `ENV` does.
    pub(super) fn set_in_image(&mut self, name: String, text: String, is_certain: bool) {
        self.of_image.insert(name.clone(), Value { text: text.clone(), is_certain });
        self.set(name, text, is_certain);
    }

    /// Sets a variable as `ARG` does. It is not certain when its value was made from one that is not.
    pub(super) fn set(&mut self, name: String, text: String, is_certain: bool) {
        self.values.insert(name, Value { text, is_certain });
    }
}

impl Variables for Scope {
    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.text.as_str())
    }

    fn is_certain(&self, name: &str) -> bool {
        self.values.get(name).map_or(!self.is_open, |value| value.is_certain)
    }
}
