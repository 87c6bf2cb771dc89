//! Where an engine listens, as `DOCKER_HOST` writes it.
//!
//! Only plain HTTP over a Unix socket or TCP is spoken: TLS and SSH need credentials of the user,
//! which this layer is never given. They are refused by name, with the way around.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port on which engines listen without TLS.
const DEFAULT_PORT: u16 = 2375;

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineAddress {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host and a port, spoken to without TLS.
    Tcp(String),
}

/// Why a text is not the address of an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the address of a Docker Engine that imgraph can speak to: {reason}")]
pub struct AddressError {
    text: String,
    reason: &'static str,
}

impl Default for EngineAddress {
    fn default() -> Self {
        Self::Unix(PathBuf::from("/var/run/docker.sock"))
    }
}

impl FromStr for EngineAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refuse = |reason| AddressError { text: text.to_owned(), reason };
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| refuse("it begins with neither unix:// nor tcp://"))?;
        let rest = if scheme == "unix" { rest } else { rest.trim_end_matches('/') };
        if rest.is_empty() {
            return Err(refuse("nothing follows the scheme"));
        }
        match scheme {
            "unix" => Ok(Self::Unix(PathBuf::from(rest))),
            "tcp" | "http" if rest.contains('/') => Err(refuse("a path follows the host")),
            "tcp" | "http" => Ok(Self::Tcp(with_port(rest))),
            "https" => Err(refuse("TLS is not spoken; forward the engine's socket instead")),
            "ssh" => Err(refuse("forward the engine's socket with `ssh -L` and give the local one")),
            "npipe" | "fd" => Err(refuse("give a unix:// socket")),
            _ => Err(refuse("it begins with neither unix:// nor tcp://")),
        }
    }
}

/// Adds the usual port where none is written. `[::1]` is a host without a port.
fn with_port(host: &str) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host.to_owned() } else { format!("{host}:{DEFAULT_PORT}") }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::Tcp(host) => write!(formatter, "tcp://{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = text
            .parse::<EngineAddress>()
            .map_or_else(|error| error.reason.to_owned(), |address| address.to_string());
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn addresses_are_read_as_docker_host_writes_them() {
        check("unix:///var/run/docker.sock", "unix:///var/run/docker.sock");
        check("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375");
        check("tcp://build-machine", "tcp://build-machine:2375");
        check("tcp://[::1]", "tcp://[::1]:2375");
        check("http://localhost:1234/", "tcp://localhost:1234");
        check("unix://", "nothing follows the scheme");
        check("tcp://host/path", "a path follows the host");
        check("/var/run/docker.sock", "it begins with neither unix:// nor tcp://");
        check("ftp://host", "it begins with neither unix:// nor tcp://");
        check("https://host", "TLS is not spoken; forward the engine's socket instead");
        check("ssh://host", "forward the engine's socket with `ssh -L` and give the local one");
        assert_eq!(EngineAddress::default().to_string(), "unix:///var/run/docker.sock");
    }
}
