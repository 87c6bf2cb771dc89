//! Names that look like those of secrets, where their values would stay.

use crate::graph::lint::SECRET_IN_ARGUMENT;
use crate::graph::target::{ArgumentValue, BuildDefinition};
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::{Command, Instruction};
use crate::syntax::dockerfile::{Dockerfile, declared_arguments};
use crate::types::diagnostic::Diagnostic;
use crate::types::span::Location;

/// Words that make a name one of a secret.
const WORDS: [&str; 16] = [
    "apikey",
    "auth",
    "credential",
    "credentials",
    "key",
    "keys",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pword",
    "secret",
    "secrets",
    "token",
    "tokens",
    "privatekey",
];

/// Words that take that back.
const HARMLESS: [&str; 2] = ["public", "pub"];

/// Whether `name` looks like the name of a secret.
fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    let has = |words: &[&str]| lower.split(['_', '-', '.']).any(|word| words.contains(&word));
    has(&WORDS) && !has(&HARMLESS)
}

/// What is to be said of the `ARG`s and `ENV`s of `dockerfile`.
pub(super) fn of_dockerfile(dockerfile: &Dockerfile) -> Vec<Diagnostic> {
    let arguments = declared_arguments(dockerfile)
        .map(|argument| (Keyword::Arg, &argument.name.value, argument.name.span));
    let instructions = dockerfile.stages.iter().flat_map(|stage| &stage.instructions);
    let pairs = |instruction: &Instruction| match &instruction.command {
        Command::Pairs(pairs) if instruction.keyword == Keyword::Env => pairs.clone(),
        _ => Vec::new(),
    };
    let mut found: Vec<Diagnostic> = arguments
        .filter(|(_, name, _)| is_secret(name))
        .map(|(keyword, name, span)| {
            said(keyword, name).at(&dockerfile.source, span, "stays in the image's history")
        })
        .collect();
    for pair in instructions.flat_map(pairs).filter(|pair| is_secret(&pair.name)) {
        found.push(said(Keyword::Env, &pair.name).at(&dockerfile.source, pair.span, "stays in the image"));
    }
    found
}

fn said(keyword: Keyword, name: &str) -> Diagnostic {
    let found = SECRET_IN_ARGUMENT.says(format!("`{keyword} {name}` looks like a secret"));
    let id = name.to_lowercase().replace('_', "-");
    found.help(format!("read it with `RUN --mount=type=secret,id={id}`, and declare `{id}` in `secrets`"))
}

/// What is to be said of the arguments and stamps that a target gives. What is told may come from defaults:
/// it is no less of a leak there.
pub(super) fn of_target(definition: &BuildDefinition) -> Vec<Diagnostic> {
    let is_text = |value: &ArgumentValue| matches!(value, ArgumentValue::Text(_));
    let args = definition.args.iter().filter(|(_, value)| is_text(&value.value));
    let args = args.map(|(name, value)| (name, "args", &value.location));
    let stamps = definition.stamp.iter().map(|(name, value)| (name, "stamp", &value.location));
    let given = args.chain(stamps).filter(|(name, ..)| is_secret(name));
    given.map(|(name, field, location)| of_field(name, field, location)).collect()
}

fn of_field(name: &str, field: &str, location: &Location) -> Diagnostic {
    let id = name.to_lowercase().replace('_', "-");
    SECRET_IN_ARGUMENT
        .says(format!("`{name}` in `{field}` looks like a secret"))
        .at_location(location, "stays in the image's history")
        .help(format!("write `secrets = [{{ id = \"{id}\", env = \"{name}\" }}]`, and mount it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for (name, expected) in [
            ("NPM_TOKEN", true),
            ("password", true),
            ("AWS_SECRET_ACCESS_KEY", true),
            ("db.credentials", true),
            ("PUBLIC_KEY", false),
            ("TOKENIZER", false),
            ("KEYBOARD", false),
            ("MONKEY", false),
            ("AUTHOR", false),
            ("VERSION", false),
        ] {
            assert_eq!(is_secret(name), expected, "{name}");
        }
    }
}
