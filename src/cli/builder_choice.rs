//! Which builder a run uses, and how it is connected to.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;

use crate::build::any_builder::AnyBuilder;
use crate::build::builder::BuildError;
use crate::build::docker::{AddressError, DockerBuilder, EngineAddress, NamesMark};
#[cfg(target_os = "linux")]
use crate::build::embedded::builder::{EmbeddedBuilder, EmbeddedSettings};
use crate::oci::remote::settings::{CredentialSettings, Proxies, RemoteSettings};
use crate::syntax::build_toml::workspace::WishedBuilder;
use crate::types::environment::Environment;

/// Which builder is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum BuilderChoice {
    /// A Docker Engine where one answers, else the embedded builder
    #[default]
    Auto,
    /// A Docker Engine
    Docker,
    /// The builder in this program: no daemon
    Embedded,
}

impl From<WishedBuilder> for BuilderChoice {
    fn from(wished: WishedBuilder) -> Self {
        match wished {
            WishedBuilder::Auto => Self::Auto,
            WishedBuilder::Docker => Self::Docker,
            WishedBuilder::Embedded => Self::Embedded,
        }
    }
}

/// What it takes to connect to a builder, on any thread.
#[derive(Clone)]
pub(crate) struct Connect {
    pub(super) choice: BuilderChoice,
    /// The address of the engine, where one is named.
    pub(super) docker_host: Option<String>,
    /// Where the caches are to be.
    pub(super) cache: Option<PathBuf>,
    pub(super) remote: RemoteSettings,
    /// Whether more is told than what matters.
    pub(super) verbose: bool,
}

/// Why there is no builder.
pub(crate) enum NoBuilder {
    /// Its address is malformed.
    Address(AddressError),
    /// It does not answer as it should.
    Builder(BuildError),
}

impl Connect {
    /// Connects.
    pub(crate) fn connect(&self) -> Result<AnyBuilder, NoBuilder> {
        match self.choice {
            BuilderChoice::Docker => self.docker(),
            BuilderChoice::Embedded => self.embedded(),
            BuilderChoice::Auto => match self.docker() {
                // An engine that is named is wanted.
                Err(NoBuilder::Builder(_)) if !self.names_engine() => self.embedded(),
                connected => connected,
            },
        }
    }

    /// Connects for whoever had no need of it before.
    pub(crate) fn late(&self) -> Result<Arc<AnyBuilder>, BuildError> {
        self.connect().map(Arc::new).map_err(|problem| match problem {
            NoBuilder::Address(error) => BuildError::Surroundings { message: error.to_string(), help: None },
            NoBuilder::Builder(error) => error,
        })
    }

    /// Whether the names of images are there still as they were at `mark`.
    pub(crate) fn holds(&self, mark: &NamesMark) -> bool {
        self.choice != BuilderChoice::Embedded && self.address().is_ok_and(|address| mark.holds_at(&address))
    }

    /// Connects to the engine, whichever builder is wanted.
    pub(crate) fn docker(&self) -> Result<AnyBuilder, NoBuilder> {
        let address = self.address().map_err(NoBuilder::Address)?;
        DockerBuilder::connect(&address)
            .map(|docker| AnyBuilder::Docker(Box::new(docker)))
            .map_err(NoBuilder::Builder)
    }

    #[cfg(target_os = "linux")]
    fn embedded(&self) -> Result<AnyBuilder, NoBuilder> {
        let no_place = || BuildError::Surroundings {
            message: "there is no place for images: HOME is not set".to_owned(),
            help: Some("name one with --cache-dir or IMGRAPH_CACHE_DIR".to_owned()),
        };
        let cache = self.cache.clone().ok_or_else(|| NoBuilder::Builder(no_place()))?;
        let settings = EmbeddedSettings { cache, remote: self.remote.clone() };
        let builder = EmbeddedBuilder::open(settings).map_err(NoBuilder::Builder)?;
        Ok(AnyBuilder::Embedded(Box::new(builder)))
    }

    #[cfg(not(target_os = "linux"))]
    fn embedded(&self) -> Result<AnyBuilder, NoBuilder> {
        Err(NoBuilder::Builder(BuildError::Surroundings {
            message: "the embedded builder runs on Linux only".to_owned(),
            help: Some("start a Docker Engine, or name one with --docker-host".to_owned()),
        }))
    }

    fn names_engine(&self) -> bool {
        self.docker_host.as_ref().is_some_and(|text| !text.is_empty())
    }

    fn address(&self) -> Result<EngineAddress, AddressError> {
        match &self.docker_host {
            Some(text) if !text.is_empty() => text.parse(),
            _ => Ok(EngineAddress::default()),
        }
    }
}

/// How registries are reached, as the environment says. `mirrors` are `REGISTRY=MIRROR` each.
pub(crate) fn remote_settings(environment: &Environment, mirrors: &[(String, String)]) -> RemoteSettings {
    let value = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let either = |name: &str| value(name).or_else(|| value(&name.to_lowercase()));
    let folder = value("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| value("HOME").map(|home| PathBuf::from(home).join(".docker")));
    let mut settings = RemoteSettings {
        credentials: CredentialSettings {
            config_file: folder.map(|folder| folder.join("config.json")),
            config_text: value("DOCKER_AUTH_CONFIG"),
        },
        proxies: Proxies {
            http: either("HTTP_PROXY"),
            https: either("HTTPS_PROXY"),
            none: either("NO_PROXY"),
        },
        ..RemoteSettings::default()
    };
    for (registry, mirror) in mirrors {
        settings.mirrors.entry(registry.clone()).or_default().push(mirror.clone());
    }
    settings
}
