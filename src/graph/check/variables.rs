//! Variables that nothing sets.

use std::collections::BTreeSet;

use super::written;
use crate::graph::lint::UNDEFINED_VARIABLE;
use crate::graph::slice::is_platform_argument;
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::expansion::{Lexer, Variables};
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::{Command, Instruction};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::span::Span;

/// What is to be said of the variables that the instructions of `dockerfile` use. What a `RUN` uses is its
/// shell's.
pub(super) fn check(dockerfile: &Dockerfile) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut scopes: Vec<Scope> = Vec::new();
    for (stage, parent) in dockerfile.stages.iter().zip(written::parents(dockerfile)) {
        let mut scope = match parent {
            Some(parent) => scopes[parent].clone(),
            None => Scope::on(&stage.base.value),
        };
        for instruction in &stage.instructions {
            for (text, span) in texts(instruction) {
                found.extend(unset(dockerfile, &scope, text, span));
            }
            scope.learn(instruction);
        }
        scopes.push(scope);
    }
    found
}

/// The names that are set at a line.
#[derive(Clone)]
struct Scope {
    names: BTreeSet<String>,
    /// Whether an image that nobody looked at may have set others.
    is_open: bool,
}

impl Scope {
    fn on(base: &str) -> Self {
        Self { names: BTreeSet::from(["PATH".to_owned()]), is_open: base != "scratch" }
    }

    fn learn(&mut self, instruction: &Instruction) {
        match &instruction.command {
            Command::Arg(arguments) => {
                self.names.extend(arguments.iter().map(|argument| argument.name.value.clone()));
            }
            Command::Pairs(pairs) if instruction.keyword == Keyword::Env => {
                self.names.extend(pairs.iter().map(|pair| pair.name.clone()));
            }
            _ => {}
        }
    }

    /// The name that is likely meant by `name`, which is not set.
    fn near(&self, name: &str) -> Option<&str> {
        let near = nearest(name, self.names.iter().map(String::as_str))?;
        let farthest = if name.len() < 10 { 1 } else { 2 };
        (strsim::damerau_levenshtein(name, near) <= farthest).then_some(near)
    }
}

impl Variables for Scope {
    fn get(&self, name: &str) -> Option<&str> {
        self.names.contains(name).then_some("")
    }

    fn is_certain(&self, _name: &str) -> bool {
        false
    }
}

/// The texts of `instruction` in which the builder itself puts values.
fn texts(instruction: &Instruction) -> Vec<(&str, Span)> {
    match &instruction.command {
        Command::Arg(arguments) => {
            let defaults = arguments.iter().filter_map(|one| Some((one.default.as_deref()?, one.name.span)));
            defaults.collect()
        }
        Command::Pairs(pairs) => pairs
            .iter()
            .flat_map(|pair| [(pair.name.as_str(), pair.span), (&pair.value, pair.span)])
            .collect(),
        Command::Words(words) => words.iter().map(|word| (word.value.as_str(), word.span)).collect(),
        Command::Copy(copy) => {
            let flags = [&copy.owner, &copy.mode, &copy.checksum];
            let words = flags.into_iter().flatten().chain(&copy.sources).chain([&copy.destination]);
            words.map(|word| (word.value.as_str(), word.span)).collect()
        }
        Command::From | Command::Run(_) | Command::Onbuild(_) | Command::Other => Vec::new(),
    }
}

fn unset(dockerfile: &Dockerfile, scope: &Scope, text: &str, span: Span) -> Vec<Diagnostic> {
    if !text.contains('$') {
        return Vec::new();
    }
    let Ok(expanded) = Lexer::new(dockerfile.escape).expand(text, scope) else { return Vec::new() };
    let is_name = |name: &&String| name.starts_with(|first: char| first == '_' || first.is_alphabetic());
    // `${NAME:-…}` says itself what to take.
    let has_other =
        |name: &str| [":", "-", "+", "?"].iter().any(|sign| text.contains(&format!("{{{name}{sign}")));
    let names = expanded.unmatched.iter().filter(is_name).filter(|name| !has_other(name));
    names.filter_map(|name| say(dockerfile, scope, name, span)).collect()
}

fn say(dockerfile: &Dockerfile, scope: &Scope, name: &str, span: Span) -> Option<Diagnostic> {
    let global = dockerfile.arguments.iter().find(|argument| argument.name.value == name);
    let near = scope.near(name);
    let is_known_elsewhere = global.is_some() || is_platform_argument(name);
    if scope.is_open && near.is_none() && !is_known_elsewhere {
        return None;
    }
    let finding = UNDEFINED_VARIABLE.says(format!("nothing in this stage sets `{name}`"));
    let finding = finding.at(&dockerfile.source, span, "empty here");
    Some(match (global, near) {
        (Some(global), _) => finding
            .see(&dockerfile.source, global.name.span, "seen by `FROM` lines only")
            .help(format!("declare it in the stage, too: `ARG {name}`")),
        (None, _) if is_known_elsewhere => finding.help(format!("declare it in the stage: `ARG {name}`")),
        (None, Some(near)) => finding.help(format!("did you mean `{near}`?")),
        (None, None) => finding.help(format!("declare it: `ARG {name}` or `ENV {name}=…`")),
    })
}
