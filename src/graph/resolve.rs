//! From a target's table to a [`Target`]: values put in, paths and labels made absolute and checked.
//!
//! Every field is resolved by itself, so that all mistakes of a target are found; a target with one
//! mistake is no target. Warnings are given beside it.

use std::cell::RefCell;
use std::sync::Arc;

use crate::graph::defaults::{Layers, Merged};
use crate::graph::field_values;
use crate::graph::lint::{self, Lint};
use crate::graph::names::{self, Meaning, Names};
use crate::graph::paths::{self, Wanted};
use crate::graph::target::{
    Agent, AgentSource, ArgumentValue, BuildDefinition, Definition, NamedContext, Network, Secret,
    SecretSource, Tag, Target, TargetKind,
};
use crate::graph::variables::{Purpose, Scope};
use crate::source::snapshot::Snapshot;
use crate::syntax::build_toml::agents::{AgentField, AgentFieldSource};
use crate::syntax::build_toml::build_fields::{
    ArgumentField, BuildFields, ContextField, SecretField, SecretFieldSource, TagField,
};
use crate::syntax::build_toml::targets::{TargetContent, TargetTable};
use crate::syntax::interpolation::Template;
use crate::types::diagnostic::{Diagnostic, Severity};
use crate::types::label::Label;
use crate::types::platform::Platform;
use crate::types::sorted_map::SortedMap;
use crate::types::span::Located;
use crate::types::target_pattern::{Selection, TargetPattern};
use crate::types::workspace_path::WorkspacePath;

/// What targets are resolved against.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'l> {
    pub(super) snapshot: &'l Snapshot,
    pub(super) names: &'l Names,
}

/// One target that is being resolved.
pub(super) struct Resolver<'l> {
    surroundings: Surroundings<'l>,
    scope: Scope<'l>,
    header: &'l Located<String>,
    kind: TargetKind,
    /// Whether a field that is not there was not written.
    table_is_whole: bool,
    diagnostics: RefCell<Vec<Diagnostic>>,
}

/// What a target's fields came to, and what is wrong with them.
pub(super) type Resolution = (Option<Arc<Target>>, Vec<Diagnostic>);

/// Resolves the target that `table` declares in `scope`'s package. `defaults` has the nearest first.
pub(super) fn resolve<'l>(
    surroundings: Surroundings<'l>,
    scope: Scope<'l>,
    table: &'l TargetTable,
    defaults: &[&'l BuildFields],
) -> Resolution {
    let Some(content) = &table.content else { return (None, Vec::new()) };
    let resolver = Resolver {
        surroundings,
        scope,
        header: &table.name,
        kind: table.kind,
        table_is_whole: table.whole,
        diagnostics: RefCell::default(),
    };
    let layers = match content {
        TargetContent::Built(fields) => Some(Layers::new(fields, defaults.iter().copied())),
        TargetContent::External { .. } | TargetContent::Group(_) => None,
    };
    let allow = match content {
        TargetContent::External { allow, .. } => resolver.allow(allow.as_ref()),
        _ => {
            resolver.allow(layers.as_ref().and_then(|layers| layers.nearest(|fields| fields.allow.as_ref())))
        }
    };
    let definition = match content {
        TargetContent::External { image, .. } => resolver.image(image, "image").map(Definition::External),
        TargetContent::Group(members) => Some(Definition::Group(resolver.members(members))),
        TargetContent::Built(_) => {
            let build = layers.as_ref().and_then(|layers| resolver.build(layers));
            build.map(Box::new).map(Definition::Built)
        }
    };
    let diagnostics = resolver.diagnostics.into_inner();
    let wrong = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let label = Label::new(Arc::clone(scope.package), table.name.value.as_str());
    let target = |definition| {
        let location = table.name.location.clone();
        Arc::new(Target { label, kind: table.kind, location, definition, allow })
    };
    (definition.filter(|_definition| table.whole && !wrong).map(target), diagnostics)
}

impl Resolver<'_> {
    fn build(&self, layers: &Layers<'_>) -> Option<BuildDefinition> {
        let dockerfile = self.path(layers.nearest(|fields| fields.dockerfile.as_ref()), "dockerfile");
        let context = self.path(layers.nearest(|fields| fields.context.as_ref()), "context");
        let (args, stamp) = (layers.merged(|fields| &fields.args), layers.merged(|fields| &fields.stamp));
        self.report_clashes(&args, &stamp);
        let args = self.table(args, |field| self.argument(field));
        let stamp = self.table(stamp, |text| self.plain(text, Purpose::NoKey));
        Some(BuildDefinition {
            args,
            stamp,
            contexts: self.table(layers.merged(|fields| &fields.contexts), |field| self.context(field)),
            labels: self.table(layers.merged(|fields| &fields.labels), |text| self.text(text, "labels")),
            stage: layers.nearest(|fields| fields.target.as_ref()).and_then(|stage| self.stage(stage)),
            secrets: self.secrets(layers.nearest(|fields| fields.secrets.as_ref())),
            agents: self.agents(layers.nearest(|fields| fields.ssh.as_ref())),
            platforms: self.platforms(layers.nearest(|fields| fields.platforms.as_ref())),
            tags: self.tags(layers.nearest(|fields| fields.tags.as_ref())),
            inputs: layers
                .nearest(|fields| fields.inputs.as_ref())
                .map(|patterns| patterns.iter().filter_map(|pattern| self.input(pattern)).collect()),
            publishes: layers
                .nearest(|fields| fields.publishes.as_ref())
                .and_then(|name| self.publishes(name)),
            export: layers.nearest(|fields| fields.export.as_ref()).and_then(|name| self.export(name)),
            network: layers.nearest(|fields| fields.network.as_ref()).and_then(|name| self.network(name)),
            no_cache: layers.nearest(|fields| fields.no_cache.as_ref()).cloned(),
            dockerfile: dockerfile?,
            context: context?,
        })
    }

    fn report(&self, diagnostic: Diagnostic) {
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    fn accept<Value>(&self, result: Result<Value, Diagnostic>) -> Option<Value> {
        result.map_err(|diagnostic| self.report(diagnostic)).ok()
    }

    /// The text of a field that enters no key.
    fn plain(&self, template: &Template, purpose: Purpose) -> Option<Located<String>> {
        let value = self.accept(self.scope.text(template, purpose))?;
        Some(Located { value, location: template.location.clone() })
    }

    /// The text of a field that enters the key.
    fn text(&self, template: &Template, field: &str) -> Option<Located<String>> {
        let evaluated = self.accept(self.scope.evaluate(template, Purpose::Key))?;
        if let Some((location, name)) = &evaluated.git {
            let message = format!("`{name}` in `{field}` makes the target dirty at every commit");
            self.report(
                lint::GIT_IN_KEY
                    .says(message)
                    .at_location(location, "this field enters the key")
                    .help("`stamp` gives it to the build without entering the key"),
            );
        }
        Some(Located { value: evaluated.into_text(), location: template.location.clone() })
    }

    fn table<Field, Value>(
        &self,
        fields: Merged<'_, Field>,
        resolve: impl Fn(&Field) -> Option<Located<Value>>,
    ) -> SortedMap<String, Located<Value>> {
        let mut entries = Vec::with_capacity(fields.len());
        let resolved = |(key, (_place, field)): (&str, _)| Some((key.to_owned(), resolve(field)?));
        entries.extend(fields.into_iter().filter_map(resolved));
        entries.into_iter().collect()
    }

    /// A build argument has one value: from `args` or from `stamp`.
    fn report_clashes(&self, args: &Merged<'_, ArgumentField>, stamps: &Merged<'_, Template>) {
        for (name, (stamp, _value)) in stamps {
            if let Some((argument, _value)) = args.get(name) {
                self.report(
                    Diagnostic::error(format!("`{name}` is in `args` and in `stamp`"))
                        .at_location(&stamp.location, "never enters the key")
                        .see_location(&argument.location, "enters the key")
                        .help("leave out one of the two"),
                );
            }
        }
    }

    fn argument(&self, field: &ArgumentField) -> Option<Located<ArgumentValue>> {
        match field {
            ArgumentField::Text(text) => Some(self.text(text, "args")?.map(ArgumentValue::Text)),
            ArgumentField::Target(label) => Some(self.label(label, "args")?.map(ArgumentValue::Target)),
        }
    }

    fn context(&self, field: &ContextField) -> Option<Located<NamedContext>> {
        match field {
            ContextField::Target(label) => Some(self.label(label, "contexts")?.map(NamedContext::Target)),
            ContextField::Folder(path) => {
                let text = self.text(path, "contexts")?;
                Some(self.existing(&text, Wanted::Folder)?.map(NamedContext::Folder))
            }
            ContextField::Image(image) => Some(self.image(image, "contexts")?.map(NamedContext::Image)),
        }
    }

    /// The label of a target that gives an image.
    fn label(&self, template: &Template, field: &str) -> Option<Located<Label>> {
        let text = self.text(template, field)?;
        let parsed = Label::parse(&text.value, self.scope.package);
        let label =
            self.accept(parsed.map_err(|error| names::no_label(&error, &text, "expected a label")))?;
        let names = self.surroundings.names;
        let (meaning, kind) = names.meaning_and_kind(&label);
        if meaning == Meaning::Missing {
            self.report(names.not_found(&label).at_location(&text.location, "no such target"));
            return None;
        }
        if kind == Some(TargetKind::Group) {
            let message = format!("`{label}` is a group, which has no image of its own");
            let diagnostic = Diagnostic::error(message).at_location(&text.location, "expected one target");
            self.report(diagnostic.help("name one of the group's targets"));
            return None;
        }
        Some(text.with(names.follow(&label).clone()))
    }

    /// The path of `dockerfile` or `context`, or what it is when nobody says.
    fn path(&self, template: Option<&Template>, field: &str) -> Option<Located<WorkspacePath>> {
        let (wanted, usual) =
            if field == "context" { (Wanted::Folder, ".") } else { (Wanted::File, "Dockerfile") };
        if let Some(template) = template {
            return self.existing(&self.text(template, field)?, wanted);
        }
        if !self.table_is_whole {
            return None;
        }
        let place = &self.header.location;
        let path = self.accept(paths::resolve(usual, self.scope.package, place))?;
        let found = paths::check(self.surroundings.snapshot, &path, wanted, place);
        let help = || {
            format!(
                "say which one: `{field} = \"…\"`; without a word it is `{usual}` in the package's folder"
            )
        };
        self.accept(found.map_err(|diagnostic| diagnostic.help(help())))?;
        Some(self.header.with(path))
    }

    fn existing(&self, text: &Located<String>, wanted: Wanted) -> Option<Located<WorkspacePath>> {
        let path = self.accept(paths::resolve(&text.value, self.scope.package, &text.location))?;
        self.accept(paths::check(self.surroundings.snapshot, &path, wanted, &text.location))?;
        Some(text.with(path))
    }

    fn stage(&self, template: &Template) -> Option<Located<String>> {
        let text = self.text(template, "target")?;
        self.accept(field_values::not_empty(text, "a stage of the Dockerfile"))
    }

    fn image(&self, template: &Template, field: &str) -> Option<Located<String>> {
        let text = self.text(template, field)?;
        self.accept(field_values::image_reference(text))
    }

    fn publishes(&self, template: &Template) -> Option<Located<String>> {
        let text = self.text(template, "publishes")?;
        self.accept(field_values::repository(text))
    }

    fn export(&self, template: &Template) -> Option<Located<String>> {
        if self.kind != TargetKind::Image {
            let message = format!("`export` is of images, and this is a {}", self.kind);
            let diagnostic = Diagnostic::error(message).at_location(&template.location, "no deploy reads it");
            self.report(diagnostic.help("leave it out, or declare the target as an image"));
            return None;
        }
        let text = self.plain(template, Purpose::NoKey)?;
        let text = self.accept(field_values::not_empty(text, "a name such as `IMAGE_URI`"))?;
        self.accept(field_values::variable_name(text))
    }

    fn network(&self, template: &Template) -> Option<Located<Network>> {
        let text = self.text(template, "network")?;
        self.accept(field_values::network(&text))
    }

    fn input(&self, template: &Template) -> Option<Located<String>> {
        let text = self.text(template, "inputs")?;
        self.accept(field_values::not_empty(text, "a pattern relative to the context"))
    }

    fn platforms(&self, templates: Option<&Vec<Template>>) -> Vec<Located<Platform>> {
        let mut platforms: Vec<Located<Platform>> = Vec::new();
        for template in templates.into_iter().flatten() {
            let platform =
                self.text(template, "platforms").and_then(|text| self.accept(field_values::platform(&text)));
            if let Some(platform) = platform
                && platforms.iter().all(|other| other.value != platform.value)
            {
                platforms.push(platform);
            }
        }
        platforms.shrink_to_fit();
        platforms
    }

    fn tags(&self, fields: Option<&Vec<TagField>>) -> Vec<Located<Tag>> {
        let fields = fields.into_iter().flatten();
        let mut tags: Vec<_> = fields.filter_map(|field| self.tag(field)).collect();
        tags.shrink_to_fit();
        tags
    }

    /// The tag, when its `when` holds.
    fn tag(&self, field: &TagField) -> Option<Located<Tag>> {
        if let Some(when) = &field.when {
            let text = self.plain(when, Purpose::When)?;
            if matches!(text.value.as_str(), "" | "0" | "false") {
                return None;
            }
        }
        let evaluated = self.accept(self.scope.evaluate(&field.tag, Purpose::Tag))?;
        self.accept(field_values::tag(evaluated.pieces, &field.tag.location))
    }

    fn secrets(&self, fields: Option<&Vec<SecretField>>) -> SortedMap<String, Located<Secret>> {
        let secret = |field: &SecretField| {
            let source = match &field.source {
                SecretFieldSource::Environment(name) => SecretSource::Environment(name.value.clone()),
                SecretFieldSource::File(path) => self.secret_file(path)?,
            };
            let secret = Secret { source, optional: field.optional };
            Some((field.id.value.clone(), field.id.with(secret)))
        };
        fields.into_iter().flatten().filter_map(secret).collect()
    }

    /// A secret's file may be missing: that is known, and said, when it is needed.
    fn secret_file(&self, template: &Template) -> Option<SecretSource> {
        let text = self.plain(template, Purpose::NoKey)?;
        if text.value.starts_with('/') && !text.value.starts_with("//") {
            return Some(SecretSource::HostFile(text.value.into()));
        }
        let path = paths::resolve(&text.value, self.scope.package, &text.location);
        self.accept(path.map_err(|diagnostic| {
            diagnostic.help("a secret outside the workspace is named by its absolute path")
        }))
        .map(SecretSource::WorkspaceFile)
    }

    fn agents(&self, fields: Option<&Vec<AgentField>>) -> SortedMap<String, Located<Agent>> {
        let agent = |field: &AgentField| {
            let source = match &field.source {
                AgentFieldSource::Environment(name) => AgentSource::Environment(name.clone()),
                AgentFieldSource::Socket(path) => {
                    let text = self.plain(path, Purpose::NoKey)?;
                    AgentSource::Socket(self.accept(field_values::socket(text))?.value)
                }
            };
            Some((field.id.value.clone(), field.id.with(Agent { source, optional: field.optional })))
        };
        fields.into_iter().flatten().filter_map(agent).collect()
    }

    fn allow(&self, codes: Option<&Vec<Template>>) -> Vec<Located<&'static Lint>> {
        let lint = |code: &Template| {
            let code = self.plain(code, Purpose::NoKey)?;
            self.accept(field_values::allowed_lint(&code))
        };
        codes.into_iter().flatten().filter_map(lint).collect()
    }

    fn members(&self, members: &[Located<String>]) -> Vec<Located<TargetPattern>> {
        members.iter().filter_map(|member| self.member(member)).collect()
    }

    fn member(&self, text: &Located<String>) -> Option<Located<TargetPattern>> {
        let names = self.surroundings.names;
        let parsed = TargetPattern::parse(&text.value, self.scope.package);
        let mut pattern =
            self.accept(parsed.map_err(|error| names::no_label(&error, text, "expected a target pattern")))?;
        let checked = names.check(&pattern.selection);
        self.accept(
            checked.map_err(|diagnostic| diagnostic.at_location(&text.location, "nothing is there")),
        )?;
        if let Selection::One(label) = &pattern.selection {
            pattern.selection = Selection::One(names.follow(label).clone());
        }
        Some(text.with(pattern))
    }
}
