//! From a node and the outputs of its dependencies to what the builder is asked for.
//!
//! Outputs of other targets are linked in by names that hold their digests
//! (`imgraph.local/<target>:<digest>`): such a name means one image for ever, on every builder, and no
//! Dockerfile has to be changed for it.
//!
//! **Invariant:** every value that goes into a request and can show in the output is a fact of the key.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::lookup::{Known, link_name};
use crate::build::builder::{AgentSocket, BuildRequest, ContextSource, SecretValue, SentFolder};
use crate::graph::edges::stood_for;
use crate::graph::key::Outputs;
use crate::graph::node::{Build, Context, Dependency, Graph, Node, Role, Work};
use crate::graph::node_views::NodeViews;
use crate::graph::target::{ArgumentValue, TargetKind};
use crate::source::snapshot::Snapshot;
use crate::syntax::image_reference::ImageReference;
use crate::types::event::Subject;
use crate::types::ids::NodeId;
use crate::types::label::Label;

/// Everything that a [`BuildRequest`] borrows.
pub struct Prepared {
    id: NodeId,
    subject: Subject,
    dockerfile: Arc<[u8]>,
    dockerfile_name: String,
    triggers: Vec<String>,
    stage: Option<String>,
    context: Option<PathBuf>,
    folders: BTreeMap<String, PathBuf>,
    images: BTreeMap<String, String>,
    args: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    secrets: Vec<SecretValue>,
    agents: Vec<AgentSocket>,
    network: Option<String>,
    no_cache: bool,
    is_product: bool,
    tags: Vec<String>,
}

impl Prepared {
    /// What the build `id` asks for when its dependencies have the outputs `outputs`.
    pub fn new(
        known: Known<'_>,
        id: NodeId,
        build: &Build,
        subject: &Subject,
        outputs: Outputs<'_>,
        snapshot: &Snapshot,
        dockerfile: Arc<[u8]>,
    ) -> Self {
        let node = &known.graph.nodes[id];
        let definition = build.definition();
        let place = |context: &Context| context.spec.context.on_disk(snapshot.root_on_disk());
        Self {
            id,
            subject: subject.clone(),
            dockerfile,
            dockerfile_name: definition.dockerfile.value.to_string(),
            triggers: Vec::new(),
            stage: definition.stage.as_ref().map(|stage| stage.value.clone()),
            context: build.context.as_ref().map(place),
            folders: build.folders.iter().map(|(name, folder)| (name.clone(), place(folder))).collect(),
            images: images(known, node, build, outputs),
            args: arguments(known.graph, node, build, outputs),
            labels: definition.labels.iter().map(|(n, label)| (n.clone(), label.value.clone())).collect(),
            secrets: Vec::new(),
            agents: Vec::new(),
            network: definition.network.as_ref().map(|network| network.value.as_str().to_owned()),
            no_cache: build.no_cache(),
            is_product: build.target.kind != TargetKind::Stage,
            tags: Vec::new(),
        }
    }

    /// With these secrets.
    #[must_use]
    pub fn with_secrets(self, secrets: Vec<SecretValue>) -> Self {
        Self { secrets, ..self }
    }

    /// With these SSH agents.
    #[must_use]
    pub fn with_agents(self, agents: Vec<AgentSocket>) -> Self {
        Self { agents, ..self }
    }

    /// With these `ONBUILD` instructions of bases.
    #[must_use]
    pub fn with_triggers(self, triggers: Vec<String>) -> Self {
        Self { triggers, ..self }
    }

    /// Under these names.
    #[must_use]
    pub fn with_tags(self, tags: Vec<String>) -> Self {
        Self { tags, ..self }
    }

    /// With the builder's own cache left aside.
    #[must_use]
    pub fn without_cache(self) -> Self {
        Self { no_cache: true, ..self }
    }

    /// The request.
    pub fn request<'r>(&'r self, views: &'r NodeViews) -> BuildRequest<'r> {
        let sent = |name: &str, on_disk: &'r PathBuf| SentFolder {
            on_disk,
            entries: &views.view(self.id, name).entries,
        };
        let folders = self.folders.iter();
        let folders =
            folders.map(|(name, folder)| (name.as_str(), ContextSource::Folder(sent(name, folder))));
        let images = self.images.iter().map(|(name, image)| (name.as_str(), ContextSource::Image(image)));
        BuildRequest {
            subject: &self.subject,
            dockerfile: &self.dockerfile,
            dockerfile_name: &self.dockerfile_name,
            triggers: &self.triggers,
            stage: self.stage.as_deref(),
            context: self.context.as_ref().map(|on_disk| sent("", on_disk)),
            contexts: folders.chain(images).collect(),
            args: &self.args,
            labels: &self.labels,
            secrets: &self.secrets,
            agents: &self.agents,
            network: self.network.as_deref(),
            no_cache: self.no_cache,
            is_product: self.is_product,
            tags: &self.tags,
        }
    }
}

/// The arguments, with the references of outputs in place of their stand-ins.
fn arguments(graph: &Graph, node: &Node, build: &Build, outputs: Outputs<'_>) -> BTreeMap<String, String> {
    let mut arguments: BTreeMap<String, String> = build.given.clone().into_iter().collect();
    for (name, argument) in &build.definition().args {
        let ArgumentValue::Target(label) = &argument.value else { continue };
        let dependency = node
            .dependencies
            .iter()
            .find(|dependency| matches!(&dependency.role, Role::Argument { name: role } if role == name));
        if let Some(dependency) = dependency {
            arguments.insert(name.clone(), linked(graph, dependency, outputs, label));
        }
    }
    arguments
}

/// The images that names of the Dockerfile stand for, where they are not those names themselves. A name
/// that a `FROM --platform` uses stands for one image for each platform.
fn images(known: Known<'_>, node: &Node, build: &Build, outputs: Outputs<'_>) -> BTreeMap<String, String> {
    let graph = known.graph;
    let given = arguments(graph, node, build, outputs);
    let mut images = BTreeMap::new();
    for dependency in &node.dependencies {
        let Role::Reference { name, platform } = &dependency.role else { continue };
        // A stand-in is not in the file that is sent: the argument's value is the real reference.
        let argument = stood_for(build.definition(), &build.given, name, |_| true);
        let name = argument.and_then(|(argument, _)| given.get(argument)).unwrap_or(name);
        let needed = &graph.nodes[dependency.node];
        let image = match &needed.work {
            Work::Build(needed) => linked(graph, dependency, outputs, &needed.target.label),
            Work::External(external) => {
                known.exact_reference(external, &needed.platform, &outputs(dependency.node))
            }
        };
        match platform {
            Some(platform) if is_other(name, &image) => images.insert(format!("{name}::{platform}"), image),
            None if is_other(name, &image) => images.insert(name.clone(), image),
            _ => None,
        };
    }
    images
}

fn linked(graph: &Graph, dependency: &Dependency, outputs: Outputs<'_>, label: &Label) -> String {
    match &graph.nodes[dependency.node].work {
        Work::External(external) => external.reference.clone(),
        Work::Build(_) => link_name(label, &outputs(dependency.node)),
    }
}

/// Whether `image` is not simply the image of the name `name`.
fn is_other(name: &str, image: &str) -> bool {
    match (name.parse::<ImageReference>(), image.parse::<ImageReference>()) {
        (Ok(name), Ok(image)) => name != image,
        _ => name != image,
    }
}
