//! The fields of something that is built, in a target's own table and in `[defaults.*]`.
//!
//! Every field may be absent: what is absent may come from defaults. Strings are templates still;
//! what they say (a path, a label, a platform) is known once variables are put in.

use toml::de::DeValue;

use crate::syntax::interpolation::Template;
use crate::types::span::{Located, Location};

use super::agents::{self, AgentField, AgentFieldSource};
use super::mounted_id::Given;
use super::table::{Entry, Reader, Table};

/// What is to be said of a secret's id.
const SECRET: Given = Given { what: "a secret", mount: "secret", example: "npm" };

/// A table by the user's own keys, in the order written.
pub type Keyed<Value> = Vec<(Located<String>, Value)>;

/// The fields that a table writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildFields {
    /// The path of the Dockerfile.
    pub dockerfile: Option<Template>,
    /// The path of the main context.
    pub context: Option<Template>,
    /// The stage of the Dockerfile.
    pub target: Option<Template>,
    /// Build arguments.
    pub args: Keyed<ArgumentField>,
    /// Named contexts.
    pub contexts: Keyed<ContextField>,
    /// Build arguments that never enter a key.
    pub stamp: Keyed<Template>,
    /// Secrets.
    pub secrets: Option<Vec<SecretField>>,
    /// SSH agents.
    pub ssh: Option<Vec<AgentField>>,
    /// Labels of the image.
    pub labels: Keyed<Template>,
    /// Platforms.
    pub platforms: Option<Vec<Template>>,
    /// Names to give the image.
    pub tags: Option<Vec<TagField>>,
    /// Patterns that narrow the view.
    pub inputs: Option<Vec<Template>>,
    /// The repository under which Dockerfiles speak of the target.
    pub publishes: Option<Template>,
    /// The name under which deploys read the image's reference.
    pub export: Option<Template>,
    /// What `RUN` may reach.
    pub network: Option<Template>,
    /// Whether the builder leaves its cache aside.
    pub no_cache: Option<Located<bool>>,
    /// Codes of lints that are not to be told.
    pub allow: Option<Vec<Template>>,
}

/// The value of a build argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentField {
    /// A text.
    Text(Template),
    /// `{ target = … }`: the reference of a target's output.
    Target(Template),
}

/// What a named context stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextField {
    /// A label.
    Target(Template),
    /// `{ dir = … }`.
    Folder(Template),
    /// `{ image = … }`.
    Image(Template),
}

/// One of `secrets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretField {
    /// The id by which a `RUN --mount=type=secret` asks for it.
    pub id: Located<String>,
    /// Where its value comes from.
    pub source: SecretFieldSource,
    /// Whether the build goes on without it.
    pub optional: bool,
}

/// Where a secret's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFieldSource {
    /// `env`: the name of an environment variable.
    Environment(Located<String>),
    /// `file`: a path.
    File(Template),
}

/// One of `tags`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagField {
    /// The name to give.
    pub tag: Template,
    /// When to give it; `None`: always.
    pub when: Option<Template>,
}

impl BuildFields {
    /// Every string in the fields that may hold variables.
    pub fn templates(&self) -> Vec<&Template> {
        let single =
            [&self.dockerfile, &self.context, &self.target, &self.publishes, &self.export, &self.network];
        let lists = [&self.platforms, &self.inputs];
        let args = self.args.iter().map(|(_, field)| match field {
            ArgumentField::Text(template) | ArgumentField::Target(template) => template,
        });
        let contexts = self.contexts.iter().map(|(_, field)| match field {
            ContextField::Target(template)
            | ContextField::Folder(template)
            | ContextField::Image(template) => template,
        });
        let keyed = self.stamp.iter().chain(&self.labels).map(|(_, template)| template);
        let secrets = self.secrets.iter().flatten().filter_map(|secret| match &secret.source {
            SecretFieldSource::Environment(_) => None,
            SecretFieldSource::File(template) => Some(template),
        });
        let agents = self.ssh.iter().flatten().filter_map(|agent| match &agent.source {
            AgentFieldSource::Environment(_) => None,
            AgentFieldSource::Socket(template) => Some(template),
        });
        let tags = self.tags.iter().flatten().flat_map(|tag| tag.when.iter().chain([&tag.tag]));
        let listed = lists.into_iter().flatten().flatten();
        let templates = single.into_iter().flatten().chain(args).chain(contexts).chain(keyed);
        templates.chain(secrets).chain(agents).chain(tags).chain(listed).collect()
    }

    /// The first place at which a value is written; `None` where none is.
    pub fn first_place(&self) -> Option<&Location> {
        let templates = self.templates().into_iter().map(|template| &template.location);
        let other = self.no_cache.iter().map(|no_cache| &no_cache.location);
        templates.chain(other).min_by_key(|location| location.span)
    }
}

/// The keys of [`BuildFields`], for messages about fields that go with nothing.
pub(super) const KEYS: [&str; 16] = [
    "dockerfile",
    "context",
    "target",
    "args",
    "contexts",
    "stamp",
    "secrets",
    "ssh",
    "labels",
    "platforms",
    "tags",
    "inputs",
    "publishes",
    "export",
    "network",
    "no-cache",
];

/// Takes every build field out of `table`.
pub(super) fn read(table: &mut Table<'_, '_>) -> BuildFields {
    let reader = table.reader;
    let strings = "a table of strings, such as `{ NAME = \"value\" }`";
    BuildFields {
        dockerfile: table.template("dockerfile"),
        context: table.template("context"),
        target: table.template("target"),
        args: table.map("args", strings, |entry| argument(reader, entry)),
        contexts: table.map(
            "contexts",
            "a table of contexts, such as `{ assets = { dir = \"assets\" } }`",
            |entry| context(reader, entry),
        ),
        stamp: table.map("stamp", strings, |entry| named_template(reader, entry, "build argument")),
        secrets: table.take("secrets").and_then(|entry| secrets(reader, &entry)),
        ssh: table.take("ssh").and_then(|entry| agents::read(reader, &entry)),
        labels: table.map("labels", strings, |entry| named_template(reader, entry, "label")),
        platforms: table.templates("platforms").map(|list| list.value),
        tags: table.take("tags").and_then(|entry| {
            let expected = "a list of tags, such as `[\"acme/api:latest\"]`";
            reader.list(&entry, expected, |entry| tag(reader, entry)).map(|list| list.value)
        }),
        inputs: table.templates("inputs").map(|list| list.value),
        publishes: table.template("publishes"),
        export: table.template("export"),
        network: table.template("network"),
        no_cache: table.boolean("no-cache"),
        allow: allow(table),
    }
}

/// The field that every target may have which is looked at by lints.
pub(super) fn allow(table: &mut Table<'_, '_>) -> Option<Vec<Template>> {
    table.templates("allow").map(|list| list.value)
}

/// Whether `name` can be the name of a build argument or a label: builders are given `NAME=VALUE`.
fn check_key(reader: &Reader, name: &Located<String>, what: &str) -> Option<()> {
    if !name.value.is_empty() && !name.value.contains('=') && !name.value.contains(char::is_whitespace) {
        return Some(());
    }
    let message = format!("`{}` cannot be the name of a {what}", name.value);
    reader.report(reader.error(message, &name.location, "expected a name without spaces and `=`"));
    None
}

fn named_template(reader: &Reader, entry: &Entry<'_>, what: &str) -> Option<Template> {
    check_key(reader, &entry.key, what)?;
    reader.template(entry)
}

fn argument(reader: &Reader, entry: &Entry<'_>) -> Option<ArgumentField> {
    check_key(reader, &entry.key, "build argument")?;
    if !matches!(entry.value, DeValue::Table(_)) {
        return reader.template(entry).map(ArgumentField::Text);
    }
    let what = format!("the build argument `{}`", entry.key.value);
    let mut table = reader.table(entry, &what, "a string or `{ target = \"…\" }`")?;
    let written = table.take("target").is_some();
    let target = table.template("target");
    if !written {
        table.missing("target", "{ target = \":name\" }");
    }
    table.finish();
    target.map(ArgumentField::Target)
}

fn context(reader: &Reader, entry: &Entry<'_>) -> Option<ContextField> {
    if matches!(entry.value, DeValue::String(_)) {
        return reader.template(entry).map(ContextField::Target);
    }
    let what = format!("the context `{}`", entry.key.value);
    let mut table =
        reader.table(entry, &what, "a label as a string, `{ dir = \"…\" }` or `{ image = \"…\" }`")?;
    let (folder, image) = (table.take("dir"), table.take("image"));
    match (&folder, &image) {
        (None, None) => table.missing("dir", "{ dir = \"assets\" }` or `{ image = \"debian:bookworm\" }"),
        (Some(_), Some(image)) => reader.report(reader.error(
            "a context is a folder or an image, not both",
            &image.key.location,
            "beside `dir`",
        )),
        _ => {}
    }
    table.finish();
    let image = image.and_then(|entry| reader.template(&entry)).map(ContextField::Image);
    folder.and_then(|entry| reader.template(&entry)).map(ContextField::Folder).or(image)
}

fn secrets(reader: &Reader, entry: &Entry<'_>) -> Option<Vec<SecretField>> {
    let expected = "a list of secrets, such as `[{ id = \"npm\", env = \"NPM_TOKEN\" }]`";
    let secrets = reader.list(entry, expected, |entry| secret(reader, entry))?.value;
    SECRET.check_all(reader, secrets.iter().map(|secret| &secret.id));
    Some(secrets)
}

fn secret(reader: &Reader, entry: &Entry<'_>) -> Option<SecretField> {
    let mut table =
        reader.table(entry, "a secret", "a table, such as `{ id = \"npm\", env = \"NPM_TOKEN\" }`")?;
    table.location = entry.location.clone();
    if table.take("id").is_none() {
        table.missing("id", "id = \"npm\"");
    }
    let id = table.text("id").filter(|id| SECRET.check(reader, id));
    let (env, file) = (table.take("env"), table.take("file"));
    match (&env, &file) {
        (None, None) => table.missing("env", "env = \"NPM_TOKEN\"` or `file = \"token.txt\""),
        (Some(_), Some(file)) => {
            let message = "a secret comes from an environment variable or from a file, not both";
            reader.report(reader.error(message, &file.key.location, "beside `env`"));
        }
        _ => {}
    }
    let optional = table.boolean("optional").is_some_and(|optional| optional.value);
    table.finish();
    let env = env.and_then(|entry| reader.text(&entry)).map(SecretFieldSource::Environment);
    let source = env.or(file.and_then(|entry| reader.template(&entry)).map(SecretFieldSource::File))?;
    Some(SecretField { id: id?, source, optional })
}

fn tag(reader: &Reader, entry: &Entry<'_>) -> Option<TagField> {
    if matches!(entry.value, DeValue::String(_)) {
        return Some(TagField { tag: reader.template(entry)?, when: None });
    }
    let mut table =
        reader.table(entry, "a tag", "a string, or a table such as `{ tag = \"…\", when = \"${CI}\" }`")?;
    table.location = entry.location.clone();
    if table.take("tag").is_none() {
        table.missing("tag", "tag = \"acme/api:latest\"");
    }
    let (tag, when) = (table.template("tag"), table.template("when"));
    table.finish();
    Some(TagField { tag: tag?, when })
}
