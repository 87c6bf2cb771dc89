//! The values of a target's secrets, read when its build starts and dropped when it ends; and which of the optional
//! ones are there, and which of the optional agents, which is known before.
//!
//! Whether a secret is there enters keys: a `RUN` can see it. What it holds does not.
//!
//! **Invariant:** a value goes from here to the builder and nowhere else.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::agents::AgentPlace;
use crate::build::builder::SecretValue;
use crate::graph::key::Absent;
use crate::graph::node::Graph;
use crate::graph::target::{AgentSource, BuildDefinition, Secret, SecretSource};
use crate::source::snapshot::Snapshot;
use crate::types::environment::Environment;

/// A secret that is not there although its target needs it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{id}` cannot be had: {why}")]
pub struct SecretError {
    id: String,
    why: String,
}

/// Where a secret may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretPlace {
    /// In this variable.
    Variable(String),
    /// In the file at this absolute path.
    File(PathBuf),
    /// It is an SSH agent, which keeps them to itself.
    Agent(AgentPlace),
}

impl SecretPlace {
    fn of(source: &SecretSource, root: &Path) -> Self {
        match source {
            SecretSource::Environment(name) => Self::Variable(name.clone()),
            SecretSource::WorkspaceFile(path) => Self::File(path.on_disk(root)),
            SecretSource::HostFile(path) => Self::File(path.clone()),
        }
    }

    /// Whether there is a secret in it that can be read, or an agent that answers.
    pub fn is_filled(&self, environment: &Environment) -> bool {
        match self {
            Self::Variable(name) => environment.is_set(name),
            Self::File(path) => {
                path.metadata().is_ok_and(|found| found.is_file()) && std::fs::File::open(path).is_ok()
            }
            Self::Agent(place) => place.is_filled(environment),
        }
    }
}

/// Which of the optional secrets and agents of a graph are there.
#[derive(Clone, Debug, Default)]
pub struct OptionalSecrets {
    /// Those that are not.
    pub absent: Absent,
    /// All places that were looked into, and whether there is something in each.
    pub seen: Vec<(SecretPlace, bool)>,
}

impl OptionalSecrets {
    /// Looks for the optional secrets and agents of all builds of `graph`, of the workspace at `root`.
    pub fn look(graph: &Graph, environment: &Environment, root: &Path) -> Self {
        let definitions = || graph.nodes.values().iter().filter_map(|node| Some(node.build()?.definition()));
        let mut found = Self::default();
        let secrets = definitions().flat_map(|definition| definition.secrets.values());
        let secrets = secrets.map(|secret| &secret.value).filter(|secret| secret.optional);
        let secrets: HashSet<&SecretSource> = secrets.map(|secret| &secret.source).collect();
        for source in secrets {
            if !found.sees(SecretPlace::of(source, root), environment) {
                found.absent.secrets.insert(source.clone());
            }
        }
        let agents = definitions().flat_map(|definition| definition.agents.values());
        let agents = agents.map(|agent| &agent.value).filter(|agent| agent.optional);
        let agents: HashSet<&AgentSource> = agents.map(|agent| &agent.source).collect();
        for source in agents {
            if !found.sees(SecretPlace::Agent(AgentPlace::of(source)), environment) {
                found.absent.agents.insert(source.clone());
            }
        }
        found
    }

    fn sees(&mut self, place: SecretPlace, environment: &Environment) -> bool {
        let is_there = place.is_filled(environment);
        self.seen.push((place, is_there));
        is_there
    }
}

/// The secrets of `definition` but for those that are `absent`, as the key has it.
///
/// # Errors
/// For the first secret that is not there and not absent.
pub fn read(
    definition: &BuildDefinition,
    absent: &Absent,
    environment: &Environment,
    snapshot: &Snapshot,
) -> Result<Vec<SecretValue>, SecretError> {
    let mut values = Vec::new();
    for (id, secret) in &definition.secrets {
        let Secret { source, optional } = &secret.value;
        if *optional && absent.secrets.contains(source) {
            continue;
        }
        match value(source, environment, snapshot) {
            Ok(value) => values.push(SecretValue { id: id.clone(), value }),
            Err(why) => return Err(SecretError { id: id.clone(), why }),
        }
    }
    Ok(values)
}

fn value(source: &SecretSource, environment: &Environment, snapshot: &Snapshot) -> Result<Vec<u8>, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|cause| format!("{}: {cause}", path.display()));
    match source {
        SecretSource::Environment(name) => {
            let value = environment.get(name).map(|value| value.as_bytes().to_vec());
            value.ok_or_else(|| format!("the environment variable {name} is not set"))
        }
        SecretSource::WorkspaceFile(path) => read(&path.on_disk(snapshot.root_on_disk())),
        SecretSource::HostFile(path) => read(path),
    }
}
