//! The SSH agents of a target: where they listen, and whether somebody does.
//!
//! An agent is asked for nothing here: it is there when it takes a connection. Whether it is there enters keys, as
//! whether a secret is; where it listens does not.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::build::builder::AgentSocket;
use crate::graph::key::Absent;
use crate::graph::target::{Agent, AgentSource, BuildDefinition};
use crate::types::environment::Environment;

/// An agent that cannot be had although its target needs it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SSH agent `{id}` cannot be had: {why}")]
pub struct AgentError {
    id: String,
    why: String,
}

/// Where the socket of an agent may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentPlace {
    /// At the path that this variable holds.
    Variable(String),
    /// At this path, which may begin with `~/`.
    Path(String),
}

impl AgentPlace {
    /// The place of `source`.
    pub fn of(source: &AgentSource) -> Self {
        match source {
            AgentSource::Environment(name) => Self::Variable(name.clone()),
            AgentSource::Socket(path) => Self::Path(path.clone()),
        }
    }

    /// Whether there is an agent, or something that is taken for one by mistake: that is said when it is needed.
    pub fn is_filled(&self, environment: &Environment) -> bool {
        match self.path(environment).map(|path| Found::at(&path)) {
            Ok(Found::Agent | Found::Other(_)) => true,
            Ok(Found::Nothing(_)) | Err(_) => false,
        }
    }

    /// The socket of the agent that is there; else why there is none.
    fn socket(&self, environment: &Environment) -> Result<PathBuf, String> {
        let path = self.path(environment)?;
        match Found::at(&path) {
            Found::Agent => Ok(path),
            Found::Nothing(why) => Err(format!("{}: {why}; {START}", path.display())),
            Found::Other(what) => Err(format!(
                "{} is {what}, and no socket of an agent; an agent is given a key by `ssh-add`",
                path.display()
            )),
        }
    }

    fn path(&self, environment: &Environment) -> Result<PathBuf, String> {
        match self {
            Self::Variable(name) => match environment.peek(name) {
                Some(path) if !path.is_empty() => Ok(path.into()),
                _ => Err(format!("the environment variable {name} is not set; {START}")),
            },
            Self::Path(path) => match (path.strip_prefix("~/"), environment.peek("HOME")) {
                (None, _) => Ok(path.into()),
                (Some(rest), Some(home)) if !home.is_empty() => Ok(PathBuf::from(home).join(rest)),
                (Some(_), _) => Err(format!("`{path}` is below a home, and HOME is not set")),
            },
        }
    }
}

/// How somebody gets an agent.
const START: &str = "start one with `eval $(ssh-agent)`, and give it a key with `ssh-add`";

/// What lies where an agent is looked for.
enum Found {
    /// A socket at which somebody listens.
    Agent,
    /// Nothing, or a socket that was left behind; why.
    Nothing(String),
    /// Something else.
    Other(&'static str),
}

impl Found {
    fn at(path: &PathBuf) -> Self {
        match fs::metadata(path).map(|found| found.file_type()) {
            Err(cause) => Self::Nothing(cause.to_string()),
            Ok(kind) if kind.is_dir() => Self::Other("a folder"),
            Ok(kind) if !kind.is_socket() => Self::Other("a file"),
            Ok(_) => match UnixStream::connect(path) {
                Ok(_connection) => Self::Agent,
                Err(cause) => Self::Nothing(cause.to_string()),
            },
        }
    }
}

/// The agents of `definition` but for those that are `absent`, as the key has it.
///
/// # Errors
/// For the first agent that is not there and not absent.
pub fn look(
    definition: &BuildDefinition,
    absent: &Absent,
    environment: &Environment,
) -> Result<Vec<AgentSocket>, AgentError> {
    let mut agents = Vec::new();
    for (id, agent) in &definition.agents {
        let Agent { source, optional } = &agent.value;
        if *optional && absent.agents.contains(source) {
            continue;
        }
        match AgentPlace::of(source).socket(environment) {
            Ok(socket) => agents.push(AgentSocket { id: id.clone(), socket }),
            Err(why) => return Err(AgentError { id: id.clone(), why }),
        }
    }
    Ok(agents)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn check(place: &AgentPlace, variables: &[(&str, &str)], expected: Result<&str, &str>) {
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Environment = pairs.collect();
        let found = place.socket(&environment);
        match (&found, expected) {
            (Ok(path), Ok(end)) => assert!(path.ends_with(end), "{path:?}"),
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            other => panic!("{other:?}"),
        }
        let is_no_agent = expected.is_err_and(|why| why.contains("no socket"));
        assert_eq!(place.is_filled(&environment), found.is_ok() || is_no_agent, "{place:?}");
        assert_eq!(environment.asked().0, Vec::<String>::new());
    }

    #[test]
    fn an_agent_is_a_socket_at_which_somebody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let at = |name: &str| format!("{home}/{name}");
        let path = |path: &str| AgentPlace::Path(path.to_owned());
        let variable = AgentPlace::Variable("SSH_AUTH_SOCK".to_owned());
        let _agent = UnixListener::bind(at("agent")).unwrap();
        drop(UnixListener::bind(at("left")).unwrap());
        fs::write(at("key"), "a key").unwrap();

        check(&path(&at("agent")), &[], Ok("agent"));
        check(&path("~/agent"), &[("HOME", home)], Ok("agent"));
        check(&path("~/agent"), &[], Err("HOME is not set"));
        check(&path(&at("missing")), &[], Err("ssh-add"));
        check(&path(&at("left")), &[], Err("refused"));
        check(&path("~/key"), &[("HOME", home)], Err("is a file, and no socket"));
        check(&path(home), &[], Err("is a folder, and no socket"));
        check(&variable, &[("SSH_AUTH_SOCK", &at("agent"))], Ok("agent"));
        check(&variable, &[("SSH_AUTH_SOCK", "")], Err("SSH_AUTH_SOCK is not set"));
        check(&variable, &[], Err("eval $(ssh-agent)"));
    }
}
