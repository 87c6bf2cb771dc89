//! How registries and servers are reached.
//!
//! Everything that an environment or a home folder says is given by the caller.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// How registries are reached. It has no debug text: it may hold secrets.
#[derive(Clone, Default)]
pub struct RemoteSettings {
    /// Mirrors by the registry that they stand for (`docker.io`), the first one first. A mirror is a host with
    /// a port where it has one, with `http://` before it where it has no TLS, and a path after it that comes
    /// before the names of repositories.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Registries without TLS, as `host:port` or host. Those of this machine are without, as for Docker.
    pub insecure: BTreeSet<String>,
    /// Who asks.
    pub credentials: CredentialSettings,
    /// Through whom.
    pub proxies: Proxies,
    /// How often and how long.
    pub patience: Patience,
}

/// Where credentials are found. It has no debug text: it may hold secrets.
#[derive(Clone, Default)]
pub struct CredentialSettings {
    /// Docker's `config.json`; what is not there is empty.
    pub config_file: Option<PathBuf>,
    /// The text of another such file that comes first: the value of `DOCKER_AUTH_CONFIG`.
    pub config_text: Option<String>,
}

/// Proxies, as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name them. They have no debug text: they may hold
/// passwords.
#[derive(Clone, Default)]
pub struct Proxies {
    /// For `http://`.
    pub http: Option<String>,
    /// For `https://`.
    pub https: Option<String>,
    /// Hosts that are asked directly, with commas between them.
    pub none: Option<String>,
}

/// How long a server is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often a request is made, the first time included.
    pub attempts: u32,
    /// Between the first and the second; each wait is twice the one before.
    pub first_wait: Duration,
    /// The longest wait that a server may ask for.
    pub longest_wait: Duration,
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the next bytes come.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            connect: Duration::from_secs(20),
            silence: Duration::from_secs(60),
        }
    }
}
