//! `FROM` lines: names of stages, bases made of arguments, platforms.

use std::collections::BTreeMap;

use super::written;
use crate::graph::lint::{
    CONSTANT_PLATFORM, DUPLICATE_STAGE, INVALID_DEFAULT_BASE, REDUNDANT_PLATFORM, RESERVED_STAGE,
    STAGE_NAME_CASING, UNDEFINED_BASE_ARGUMENT,
};
use crate::graph::slice::is_platform_argument;
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::allowance::Allowance;
use crate::syntax::dockerfile::expansion::{Expanded, Lexer, Variables};
use crate::syntax::dockerfile::model::Stage;
use crate::syntax::image_reference::ImageReference;
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::platform::Platform;
use crate::types::span::Spanned;

/// What is to be said of the `FROM` lines of `dockerfile`.
pub(super) fn check(dockerfile: &Dockerfile) -> Vec<Diagnostic> {
    let defaults = Defaults::of(dockerfile);
    let mut found = Vec::new();
    let mut names: BTreeMap<&str, &Spanned<String>> = BTreeMap::new();
    for stage in &dockerfile.stages {
        if let Some(name) = &stage.name {
            found.extend(of_name(dockerfile, name, names.insert(&name.value, name)));
        }
        found.extend(base(dockerfile, stage, &defaults, &names));
        found.extend(stage.platform.as_ref().and_then(|platform| of_platform(dockerfile, stage, platform)));
    }
    found
}

fn of_name(
    dockerfile: &Dockerfile,
    name: &Spanned<String>,
    before: Option<&Spanned<String>>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let (source, lower) = (&dockerfile.source, &name.value);
    let written = written::text(dockerfile, name.span);
    if written != lower && written.eq_ignore_ascii_case(lower) {
        let said = STAGE_NAME_CASING.says(format!("the stage `{written}` is not in lower case"));
        found.push(said.at(source, name.span, "").help(format!("write `{lower}`")));
    }
    if let Some(before) = before {
        let said = DUPLICATE_STAGE.says(format!("two stages are called `{lower}`"));
        let said = said.at(source, name.span, "the second one").see(source, before.span, "the first one");
        found.push(said.help("choose another name for one of them"));
    }
    if ["scratch", "context"].contains(&lower.as_str()) {
        let said = RESERVED_STAGE.says(format!("a stage is called `{lower}`, which means something else"));
        found.push(said.at(source, name.span, "").help("choose another name"));
    }
    found
}

/// The arguments that a `FROM` sees, with their defaults.
struct Defaults<'d>(BTreeMap<&'d str, Option<String>>);

impl<'d> Defaults<'d> {
    fn of(dockerfile: &'d Dockerfile) -> Self {
        let (mut defaults, allowance) = (Self(BTreeMap::new()), Allowance::default());
        for argument in &dockerfile.arguments {
            let lexer = Lexer::new(dockerfile.escape);
            let expand = |default: &String| Some(allowance.expand(lexer, default, &defaults).ok()?.text);
            let value = argument.default.as_ref().and_then(expand);
            defaults.0.insert(&argument.name.value, value);
        }
        defaults
    }

    fn declares(&self, name: &str) -> bool {
        self.0.contains_key(name) || is_platform_argument(name)
    }
}

impl Variables for Defaults<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(value) => value.as_deref(),
            // Any text that may be part of an image's name will do.
            None => is_platform_argument(name).then_some("x"),
        }
    }
}

fn base(
    dockerfile: &Dockerfile,
    stage: &Stage,
    defaults: &Defaults<'_>,
    stages: &BTreeMap<&str, &Spanned<String>>,
) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let lexer = Lexer::new(dockerfile.escape);
    for word in [Some(&stage.base), stage.platform.as_ref()].into_iter().flatten() {
        let Ok(expanded) = lexer.expand(&word.value, defaults) else { continue };
        let undeclared = expanded.unmatched.iter().filter(|name| !defaults.declares(name));
        found.extend(undeclared.map(|name| undefined(dockerfile, word, name, defaults)));
    }
    let expanded = lexer.expand(&stage.base.value, defaults).ok().filter(|_| found.is_empty());
    let is_nothing = |expanded: &Expanded| {
        expanded.text.is_empty()
            || (expanded.text.parse::<ImageReference>().is_err()
                && !stages.contains_key(expanded.text.as_str()))
    };
    if let Some(expanded) = expanded.filter(|_| stage.base.value.contains('$')).filter(is_nothing) {
        let said = match expanded.text.as_str() {
            "" => "it is empty then".to_owned(),
            text => format!("it is `{text}` then"),
        };
        let finding = INVALID_DEFAULT_BASE
            .says(format!("`FROM {}` names no image when no argument is given", stage.base.value))
            .at(&dockerfile.source, stage.base.span, said);
        found.push(finding.help("give the `ARG` above a default"));
    }
    found
}

fn undefined(dockerfile: &Dockerfile, word: &Spanned<String>, name: &str, seen: &Defaults<'_>) -> Diagnostic {
    let finding = UNDEFINED_BASE_ARGUMENT
        .says(format!("`{name}` is not declared before the first `FROM`"))
        .at(&dockerfile.source, word.span, "empty here");
    match nearest(name, seen.0.keys().copied()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(format!("write `ARG {name}=…` above the first `FROM`")),
    }
}

fn of_platform(dockerfile: &Dockerfile, stage: &Stage, platform: &Spanned<String>) -> Option<Diagnostic> {
    let text = platform.value.as_str();
    if ["$TARGETPLATFORM", "${TARGETPLATFORM}"].contains(&text) {
        let finding = REDUNDANT_PLATFORM.says(format!("`--platform={text}` says nothing new"));
        return Some(finding.at(&dockerfile.source, platform.span, "").help("take the flag out"));
    }
    let parsed: Platform = text.parse().ok()?;
    let name = stage.name.as_ref().map(|name| name.value.as_str()).unwrap_or_default();
    if name.contains(parsed.os()) || name.contains(parsed.architecture()) {
        return None;
    }
    let finding = CONSTANT_PLATFORM.says(format!("the stage is for `{text}`, whatever is built"));
    let finding = finding.at(&dockerfile.source, platform.span, "a constant");
    Some(finding.help("take the flag out, write `$BUILDPLATFORM`, or say the platform in the stage's name"))
}
