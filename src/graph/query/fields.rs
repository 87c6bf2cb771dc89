//! What a `BUILD.toml` says of a target, as texts for `attr` and as targets for `labels`.
//!
//! A list is `[a, b]` and a table `{k=v, l=w}`, so that an empty one is `[]` or `{}`; labels and paths are
//! absolute, defaults are merged. An entry of a table is a field too: `args.PROFILE`. Of a secret it is said
//! where its value comes from, never the value; of an agent, where its socket is.

use std::sync::Arc;

use crate::graph::target::{
    Agent, AgentSource, ArgumentValue, BuildDefinition, Definition, Located, NamedContext, Network, Secret,
    SecretSource, Target,
};
use crate::types::diagnostic::{Diagnostic, nearest};
use crate::types::label::Label;
use crate::types::sorted_map::SortedMap;
use crate::types::span::{SourceText, Spanned};
use crate::types::workspace_path::WorkspacePath;

/// A field that is a table: an entry of it may be asked for.
const TABLES: [&str; 6] = ["args", "contexts", "labels", "secrets", "ssh", "stamp"];

/// The other fields.
const PLAIN: [&str; 13] = [
    "context",
    "dockerfile",
    "export",
    "image",
    "inputs",
    "name",
    "network",
    "no-cache",
    "platforms",
    "publishes",
    "tags",
    "target",
    "targets",
];

/// The fields that name targets or files.
const NAMING: [&str; 4] = ["args", "contexts", "dockerfile", "targets"];

/// A field of a target, or an entry of one that is a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'f> {
    name: &'f str,
    key: Option<&'f str>,
}

/// What a field names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named<'t> {
    /// A target.
    Target(&'t Label),
    /// The members of a group.
    Members,
    /// A file.
    File(&'t WorkspacePath),
}

impl<'f> Field<'f> {
    /// The field that `word` names.
    ///
    /// # Errors
    /// When no target has such a field.
    pub(super) fn of_word(word: &'f Spanned<String>, source: &Arc<SourceText>) -> Result<Self, Diagnostic> {
        let text = word.value.as_str();
        let (name, key) = text.split_once('.').map_or((text, None), |(name, key)| (name, Some(key)));
        let is_table = TABLES.contains(&name);
        if is_table || (key.is_none() && PLAIN.contains(&name)) {
            return Ok(Self { name, key });
        }
        let problem = |message: String| Diagnostic::error(message).at(source, word.span, "expected a field");
        if PLAIN.contains(&name) {
            let message = format!("the field `{name}` has no entries");
            return Err(problem(message).help(format!("tables are {}", TABLES.join(", "))));
        }
        let problem = problem(format!("no target has a field `{name}`"));
        let mut all: Vec<&str> = TABLES.iter().chain(&PLAIN).copied().collect();
        all.sort_unstable();
        Err(match nearest(name, all.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("the fields are {}", all.join(", "))),
        })
    }

    /// As [`Self::of_word`], of the fields that name targets or files.
    ///
    /// # Errors
    /// When no target has such a field, or it holds something else.
    pub(super) fn that_names(
        word: &'f Spanned<String>,
        source: &Arc<SourceText>,
    ) -> Result<Self, Diagnostic> {
        let field = Self::of_word(word, source)?;
        if NAMING.contains(&field.name) {
            return Ok(field);
        }
        Err(Diagnostic::error(format!("the field `{}` names neither targets nor files", field.name))
            .at(source, word.span, "expected a field that does")
            .help(format!("those are {}; `attr` looks at the others", NAMING.join(", "))))
    }

    /// What the field says of `target`; `None` when the target has no such field, or no such entry.
    pub(super) fn text(self, target: &Target) -> Option<String> {
        if self.name == "name" {
            return Some(target.label.name.to_string());
        }
        match &target.definition {
            Definition::External(image) => (self.name == "image").then(|| image.value.clone()),
            Definition::Group(members) => {
                (self.name == "targets").then(|| list(members, ToString::to_string))
            }
            Definition::Built(build) => self.of_build(build),
        }
    }

    fn of_build(self, build: &BuildDefinition) -> Option<String> {
        let text = String::clone;
        match self.name {
            "args" => self.table(&build.args, |value| match value {
                ArgumentValue::Text(text) => text.clone(),
                ArgumentValue::Target(label) => label.to_string(),
            }),
            "contexts" => self.table(&build.contexts, |context| match context {
                NamedContext::Target(label) => label.to_string(),
                NamedContext::Folder(folder) => format!("//{folder}"),
                NamedContext::Image(reference) => reference.clone(),
            }),
            "labels" => self.table(&build.labels, text),
            "secrets" => self.table(&build.secrets, secret),
            "ssh" => self.table(&build.agents, agent),
            "stamp" => self.table(&build.stamp, text),
            "context" => Some(build.context.value.to_string()),
            "dockerfile" => Some(build.dockerfile.value.to_string()),
            "export" => build.export.as_ref().map(|export| export.value.clone()),
            "inputs" => build.inputs.as_ref().map(|inputs| list(inputs, text)),
            "network" => {
                let network = build.network.as_ref().map_or(Network::Default, |network| network.value);
                Some(network.as_str().to_owned())
            }
            "no-cache" => Some(build.no_cache.as_ref().is_some_and(|no_cache| no_cache.value).to_string()),
            "platforms" => Some(list(&build.platforms, ToString::to_string)),
            "publishes" => build.publishes.as_ref().map(|publishes| publishes.value.clone()),
            "tags" => Some(list(&build.tags, |tag| tag.fill("${source-key}"))),
            "target" => build.stage.as_ref().map(|stage| stage.value.clone()),
            _ => None,
        }
    }

    fn table<Value>(
        self,
        table: &SortedMap<String, Located<Value>>,
        show: impl Fn(&Value) -> String,
    ) -> Option<String> {
        if let Some(key) = self.key {
            return table.get(key).map(|located| show(&located.value));
        }
        let entries = table.iter().map(|(key, located)| format!("{key}={}", show(&located.value)));
        Some(format!("{{{}}}", entries.collect::<Vec<_>>().join(", ")))
    }

    /// What the field names of `target`.
    pub(super) fn named(self, target: &Target) -> Vec<Named<'_>> {
        let build = match &target.definition {
            Definition::External(_) => return Vec::new(),
            Definition::Group(_) if self.name == "targets" => return vec![Named::Members],
            Definition::Group(_) => return Vec::new(),
            Definition::Built(build) => build,
        };
        let is_wanted = |key: &str| self.key.is_none_or(|wanted| wanted == key);
        match self.name {
            "args" => {
                let arguments = build.args.iter().filter(|(key, _)| is_wanted(key));
                arguments.filter_map(|(_, argument)| target_of_argument(&argument.value)).collect()
            }
            "contexts" => {
                let contexts = build.contexts.iter().filter(|(key, _)| is_wanted(key));
                contexts.filter_map(|(_, context)| target_of_context(&context.value)).collect()
            }
            "dockerfile" => vec![Named::File(&build.dockerfile.value)],
            _ => Vec::new(),
        }
    }
}

fn target_of_argument(argument: &ArgumentValue) -> Option<Named<'_>> {
    match argument {
        ArgumentValue::Target(label) => Some(Named::Target(label)),
        ArgumentValue::Text(_) => None,
    }
}

fn target_of_context(context: &NamedContext) -> Option<Named<'_>> {
    match context {
        NamedContext::Target(label) => Some(Named::Target(label)),
        NamedContext::Folder(_) | NamedContext::Image(_) => None,
    }
}

fn list<Value>(values: &[Located<Value>], show: impl Fn(&Value) -> String) -> String {
    format!("[{}]", values.iter().map(|located| show(&located.value)).collect::<Vec<_>>().join(", "))
}

fn secret(secret: &Secret) -> String {
    match &secret.source {
        SecretSource::Environment(name) => format!("env {name}"),
        SecretSource::WorkspaceFile(path) => format!("file {path}"),
        SecretSource::HostFile(path) => format!("file {}", path.display()),
    }
}

fn agent(agent: &Agent) -> String {
    match &agent.source {
        AgentSource::Environment(name) => format!("env {name}"),
        AgentSource::Socket(path) => format!("socket {path}"),
    }
}
