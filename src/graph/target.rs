//! A target as the rest of the program knows it: every word of its table resolved.
//!
//! Defaults are merged, variables are put in, labels and paths are absolute, and what was wrong has
//! been said. Each value keeps the place at which it is written, so that a later message (a
//! Dockerfile that does not parse, a stage that does not exist) can point at the line to blame.
//!
//! **Invariant:** nothing here refers to the file's letters but through a [`Location`].

use std::path::PathBuf;

use crate::graph::lint::Lint;
pub use crate::syntax::build_toml::targets::TargetKind;
use crate::types::diagnostic::Diagnostic;
use crate::types::label::Label;
use crate::types::platform::Platform;
use crate::types::sorted_map::SortedMap;
pub use crate::types::span::Located;
use crate::types::span::Location;
use crate::types::target_pattern::TargetPattern;
use crate::types::workspace_path::WorkspacePath;

/// One table of one `BUILD.toml`, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its full name.
    pub label: Label,
    /// What it is for.
    pub kind: TargetKind,
    /// The name in the table's header.
    pub location: Location,
    /// What it is.
    pub definition: Definition,
    /// Lints that are not to be told of it. They never enter a key.
    pub allow: Vec<Located<&'static Lint>>,
}

/// What stands behind a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// An image that somebody else builds: a reference, such as `debian:bookworm-slim`.
    External(Located<String>),
    /// Something that is built from a Dockerfile.
    Built(Box<BuildDefinition>),
    /// Other targets, in the order written; aliases are replaced by what they stand for.
    Group(Vec<Located<TargetPattern>>),
}

/// Everything that a `BUILD.toml` says of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildDefinition {
    /// The Dockerfile. It is there and is a file.
    pub dockerfile: Located<WorkspacePath>,
    /// The main context. It is there and is a folder.
    pub context: Located<WorkspacePath>,
    /// The wanted stage of the Dockerfile (`target`); `None` is the last.
    pub stage: Option<Located<String>>,
    /// Build arguments.
    pub args: SortedMap<String, Located<ArgumentValue>>,
    /// Named contexts, by the name that the Dockerfile uses.
    pub contexts: SortedMap<String, Located<NamedContext>>,
    /// Build arguments that never enter a key.
    pub stamp: SortedMap<String, Located<String>>,
    /// Secrets, by id. They never enter a key.
    pub secrets: SortedMap<String, Located<Secret>>,
    /// SSH agents, by id. Where their sockets are never enters a key.
    pub agents: SortedMap<String, Located<Agent>>,
    /// Labels of the image.
    pub labels: SortedMap<String, Located<String>>,
    /// What it is built for, each once, in the order written; empty: the builder's own platform.
    pub platforms: Vec<Located<Platform>>,
    /// The names to give the image whose `when` holds, in the order written. They never enter a key.
    pub tags: Vec<Located<Tag>>,
    /// Patterns, relative to the context, that narrow the view; `None`: no narrowing.
    pub inputs: Option<Vec<Located<String>>>,
    /// The repository under which Dockerfiles speak of this target, without a tag.
    pub publishes: Option<Located<String>>,
    /// The name under which deploys read the reference of the image: that of an environment variable. It
    /// never enters a key; only images have one.
    pub export: Option<Located<String>>,
    /// What `RUN` may reach; `None` is the builder's default.
    pub network: Option<Located<Network>>,
    /// Whether the builder is to leave its own cache aside.
    pub no_cache: Option<Located<bool>>,
}

impl BuildDefinition {
    /// The folders that are named contexts.
    pub fn named_folders(&self) -> impl Iterator<Item = &WorkspacePath> {
        self.contexts.values().filter_map(|context| match &context.value {
            NamedContext::Folder(folder) => Some(folder),
            NamedContext::Target(_) | NamedContext::Image(_) => None,
        })
    }
}

/// The value of a build argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentValue {
    /// The text.
    Text(String),
    /// The reference of the output of a target, which is an edge if a reached stage declares the
    /// argument. The target exists and is no group.
    Target(Label),
}

/// What a named context stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedContext {
    /// The output of a target. It exists and is no group.
    Target(Label),
    /// Files of the workspace. The folder is there.
    Folder(WorkspacePath),
    /// An image reference.
    Image(String),
}

/// A secret that a build may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Where its value comes from.
    pub source: SecretSource,
    /// Whether the build goes on without it.
    pub optional: bool,
}

/// Where a secret's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// The environment variable of this name.
    Environment(String),
    /// A file of the workspace; usually one that git ignores.
    WorkspaceFile(WorkspacePath),
    /// A file of this machine, by its absolute path. It is the one path that may leave the
    /// workspace: secrets belong outside repositories, and it enters no key.
    HostFile(PathBuf),
}

/// An SSH agent that a build may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Where its socket is.
    pub source: AgentSource,
    /// Whether the build goes on without it.
    pub optional: bool,
}

/// Where the socket of an SSH agent is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AgentSource {
    /// At the path that the environment variable of this name holds.
    Environment(String),
    /// At this path of this machine: absolute, or below the user's home where it begins with `~/`.
    Socket(String),
}

/// What `RUN` may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// The builder's default network.
    Default,
    /// Nothing.
    None,
    /// The network of the builder's machine.
    Host,
}

/// A name to give an image, of which at most the source key is still to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(Vec<TagPart>);

/// A piece of a [`Tag`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagPart {
    /// Letters as they are.
    Text(String),
    /// The place of `${source-key}`.
    SourceKey,
}

impl Tag {
    /// The tag made of `parts`.
    pub fn new(parts: Vec<TagPart>) -> Self {
        Self(parts)
    }

    /// The tag with `source_key`, in whatever length the caller wants it, in its place.
    pub fn fill(&self, source_key: &str) -> String {
        self.0
            .iter()
            .map(|part| match part {
                TagPart::Text(text) => text,
                TagPart::SourceKey => source_key,
            })
            .collect()
    }

    /// Whether the source key is part of the tag.
    pub fn has_source_key(&self) -> bool {
        self.0.contains(&TagPart::SourceKey)
    }
}

impl Target {
    /// Whether `diagnostic` is one that the target allows.
    pub fn allows(&self, diagnostic: &Diagnostic) -> bool {
        self.allow.iter().any(|allowed| diagnostic.code == Some(allowed.value.code))
    }

    /// Whether `location` is below the target's own header, not in a default for many.
    pub fn writes(&self, location: &Location) -> bool {
        location.source.path == self.location.source.path
            && location.span.start() > self.location.span.start()
    }

    /// What is built, when the target is built here.
    pub fn build(&self) -> Option<&BuildDefinition> {
        match &self.definition {
            Definition::Built(build) => Some(build),
            Definition::External(_) | Definition::Group(_) => None,
        }
    }
}

impl Network {
    /// The word that Dockerfiles and builders use: `default`, `none`, `host`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::None => "none",
            Self::Host => "host",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_filled_with_the_source_key() {
        let text = |text: &str| TagPart::Text(text.to_owned());
        let tag = Tag::new(vec![text("acme/api:"), TagPart::SourceKey, text("-x")]);
        assert_eq!(tag.fill("abc"), "acme/api:abc-x");
        assert!(tag.has_source_key());
        assert!(!Tag::new(vec![text("acme/api:1")]).has_source_key());
    }
}
