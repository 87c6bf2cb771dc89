//! The variables of a build: the global ones, and those that a stage sees.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::model::SliceRequest;
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::allowance::Allowance;
use crate::syntax::dockerfile::expansion::{Lexer, Variables};
use crate::syntax::dockerfile::expansion_error::ExpansionError;
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
#[derive(Debug)]
pub(super) struct Globals<'g> {
    predefined: [(&'static str, &'g str); 11],
    declared: BTreeMap<&'g str, Declared<'g>>,
    /// What all variables of the Dockerfile may hold, those of its stages too.
    pub(super) allowance: Allowance,
}

/// A global argument that has a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Global<'g> {
    /// The value.
    pub(super) value: &'g str,
    /// Where it is declared; `None` for a predefined one.
    pub(super) span: Option<Span>,
    /// The global arguments that its default is made of, and those that theirs are made of.
    pub(super) made_of: &'g BTreeSet<String>,
}

#[derive(Debug)]
struct Declared<'g> {
    value: Cow<'g, str>,
    span: Span,
    made_of: BTreeSet<String>,
}

/// So many bytes a text takes besides its letters, about.
const OVERHEAD: usize = 64;

/// What no default is made of.
static NOTHING: BTreeSet<String> = BTreeSet::new();

impl<'g> Globals<'g> {
    /// Works out the global arguments; adds what is wrong with their defaults to `diagnostics`.
    pub(super) fn new(
        dockerfile: &'g Dockerfile,
        request: &SliceRequest<'g>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let predefined = predefined(dockerfile, request);
        let allowance = Allowance::default();
        let mut globals = Self { predefined, declared: BTreeMap::new(), allowance };
        for argument in &dockerfile.arguments {
            let span = argument.name.span;
            let mut made_of = BTreeSet::new();
            let value = match (request.args.get(&argument.name.value), &argument.default) {
                (Some(given), _) => Cow::Borrowed(given.as_str()),
                (None, None) => continue,
                (None, Some(default)) => match globals.expand(Lexer::new(dockerfile.escape), default) {
                    Ok((text, names)) => {
                        made_of = names;
                        Cow::Owned(text)
                    }
                    Err(error) => {
                        let message = format!("the default of `{}` cannot be expanded", argument.name.value);
                        let diagnostic = Diagnostic::error(message);
                        let diagnostic = diagnostic.at(&dockerfile.source, span, error.to_string());
                        diagnostics.push(diagnostic.help(error.help()));
                        if error == ExpansionError::TooMuch {
                            break;
                        }
                        // What is made of it is no second mistake.
                        Cow::Borrowed(default.as_str())
                    }
                },
            };
            globals.declared.insert(&argument.name.value, Declared { value, span, made_of });
        }
        globals
    }

    /// The text of a default, and the global arguments that it is made of.
    fn expand(&self, lexer: Lexer, default: &str) -> Result<(String, BTreeSet<String>), ExpansionError> {
        let expanded = self.allowance.expand(lexer, default, self)?;
        let made_of = self.closure(expanded.matched);
        self.allowance.take(made_of.iter().map(|name| name.len() + OVERHEAD).sum())?;
        Ok((expanded.text, made_of))
    }

    /// `names`, and what the defaults of these are made of.
    fn closure(&self, names: BTreeSet<String>) -> BTreeSet<String> {
        let below = names.iter().filter_map(|name| self.find(name)).flat_map(|global| global.made_of);
        let below: Vec<String> = below.cloned().collect();
        names.into_iter().chain(below).collect()
    }

    /// The global argument `name`, when it has a value.
    pub(super) fn find(&self, name: &str) -> Option<Global<'_>> {
        if let Some(Declared { value, span, made_of }) = self.declared.get(name) {
            return Some(Global { value, span: Some(*span), made_of });
        }
        let (_name, value) = self.predefined.iter().find(|(own, _value)| *own == name)?;
        Some(Global { value, span: None, made_of: &NOTHING })
    }

    /// The names of all global arguments that have a value, sorted.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        let predefined = self.predefined.iter().map(|(name, _value)| *name);
        predefined.chain(self.declared.keys().copied()).collect()
    }
}

/// What BuildKit itself declares, with the values that are given or that it knows.
fn predefined<'g>(dockerfile: &'g Dockerfile, request: &SliceRequest<'g>) -> [(&'static str, &'g str); 11] {
    let last = dockerfile.stages.last().and_then(|stage| stage.name.as_ref());
    let stage = request.stage.or(last.map(|name| name.value.as_str())).unwrap_or("default");
    let [b0, b1, b2, b3, b4] = of_platform(OF_BUILD, request.build_platform);
    let [t0, t1, t2, t3, t4] = of_platform(OF_TARGET, request.platform);
    let known = [b0, b1, b2, b3, b4, t0, t1, t2, t3, t4, ("TARGETSTAGE", stage)];
    known.map(|(name, value)| (name, request.args.get(name).map_or(value, String::as_str)))
}

fn of_platform<'g>(names: [&'static str; 5], platform: &'g Platform) -> [(&'static str, &'g str); 5] {
    let variant = platform.variant().unwrap_or_default();
    let [whole, os, version, architecture, of_variant] = names;
    [
        (whole, platform.as_str()),
        (os, platform.os()),
        (version, ""),
        (architecture, platform.architecture()),
        (of_variant, variant),
    ]
}

impl Variables for Globals<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|global| global.value)
    }
}

/// What the instructions of a stage see.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    values: BTreeMap<Cow<'static, str>, Value>,
    /// The variables of the image: an `ARG` covers them until its stage ends.
    of_image: BTreeMap<Cow<'static, str>, Value>,
    /// Whether an image that is not known may set more variables.
    is_open: bool,
    /// The working folder; `None` where an image that is not known decides.
    pub(super) folder: Option<String>,
}

#[derive(Clone, Debug)]
struct Value {
    text: Cow<'static, str>,
    is_certain: bool,
}

impl Scope {
    /// The scope of `FROM scratch`.
    pub(super) fn empty() -> Self {
        Self { is_open: false, folder: Some("/".to_owned()), ..Self::with_path(true) }
    }

    /// The scope on top of an image.
    pub(super) fn of_image() -> Self {
        Self::with_path(false)
    }

    fn with_path(is_certain: bool) -> Self {
        let path = Value { text: Cow::Borrowed(DEFAULT_PATH), is_certain };
        let of_image = BTreeMap::from([(Cow::Borrowed("PATH"), path)]);
        Self { values: of_image.clone(), of_image, is_open: true, folder: None }
    }

    /// The scope of a stage that is based on the one that this scope ends.
    pub(super) fn child(&self) -> Self {
        let mut child = self.clone();
        child.values.extend(self.of_image.clone());
        child
    }

    /// How many bytes it holds.
    pub(super) fn size(&self) -> usize {
        let values = self.values.iter().chain(&self.of_image);
        values.map(|(name, value)| name.len() + value.text.len() + OVERHEAD).sum()
    }

    /// Sets a variable as `ENV` does.
    pub(super) fn set_in_image(&mut self, name: String, text: String, is_certain: bool) {
        let value = Value { text: Cow::Owned(text.clone()), is_certain };
        self.of_image.insert(Cow::Owned(name.clone()), value);
        self.set(name, text, is_certain);
    }

    /// Sets a variable as `ARG` does. It is not certain when its value was made from one that is not.
    pub(super) fn set(&mut self, name: String, text: String, is_certain: bool) {
        self.values.insert(Cow::Owned(name), Value { text: Cow::Owned(text), is_certain });
    }
}

impl Variables for Scope {
    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| &*value.text)
    }

    fn is_certain(&self, name: &str) -> bool {
        self.values.get(name).map_or(!self.is_open, |value| value.is_certain)
    }
}
