//! The values of a target's secrets, read when its build starts and dropped when it ends.
//!
//! **Invariant:** a value goes from here to the builder and nowhere else.

use std::path::PathBuf;

use crate::build::builder::SecretValue;
use crate::graph::target::{BuildDefinition, Secret, SecretSource};
use crate::source::snapshot::Snapshot;
use crate::types::environment::Environment;

/// A secret that is not there although its target needs it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{id}` cannot be had: {why}")]
pub struct SecretError {
    id: String,
    why: String,
}

/// The secrets of `definition` that are there.
///
/// # Errors
/// For the first secret that is not there and not optional.
pub fn read(
    definition: &BuildDefinition,
    environment: &Environment,
    snapshot: &Snapshot,
) -> Result<Vec<SecretValue>, SecretError> {
    let mut values = Vec::new();
    for (id, secret) in &definition.secrets {
        match value(&secret.value, environment, snapshot) {
            Ok(value) => values.push(SecretValue { id: id.clone(), value }),
            Err(_why) if secret.value.optional => {}
            Err(why) => return Err(SecretError { id: id.clone(), why }),
        }
    }
    Ok(values)
}

fn value(secret: &Secret, environment: &Environment, snapshot: &Snapshot) -> Result<Vec<u8>, String> {
    let path: PathBuf = match &secret.source {
        SecretSource::Environment(name) => {
            let value = environment.get(name).map(|value| value.as_bytes().to_vec());
            return value.ok_or_else(|| format!("the environment variable {name} is not set"));
        }
        SecretSource::WorkspaceFile(path) => path.on_disk(snapshot.root_on_disk()),
        SecretSource::HostFile(path) => path.clone(),
    };
    std::fs::read(&path).map_err(|cause| format!("{}: {cause}", path.display()))
}
