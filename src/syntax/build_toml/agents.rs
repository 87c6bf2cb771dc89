//! `ssh`: the SSH agents that a target may use.
//!
//! An agent is given by its socket. Keys that lie in files are none: an agent can ask before it signs, and what a
//! build is given it could keep.

use toml::de::DeValue;

use crate::syntax::interpolation::Template;
use crate::types::span::Located;

use super::mounted_id::Given;
use super::table::{Entry, Reader};

/// The variable that names the socket of the user's own agent.
pub const USUAL_VARIABLE: &str = "SSH_AUTH_SOCK";

/// What this file speaks of.
const AGENT: Given = Given { what: "an SSH agent", mount: "ssh", example: "default" };

/// One of `ssh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentField {
    /// The id by which a `RUN --mount=type=ssh` asks for it.
    pub id: Located<String>,
    /// Where its socket is.
    pub source: AgentFieldSource,
    /// Whether the build goes on without it.
    pub optional: bool,
}

/// Where the socket of an agent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentFieldSource {
    /// `env`: the name of an environment variable, which holds its path.
    Environment(String),
    /// `socket`: its path.
    Socket(Template),
}

/// Reads `ssh`.
pub(super) fn read(reader: &Reader, entry: &Entry<'_>) -> Option<Vec<AgentField>> {
    let expected = "a list of SSH agents, such as `[\"default\"]`";
    let agents = reader.list(entry, expected, |entry| agent(reader, entry))?.value;
    AGENT.check_all(reader, agents.iter().map(|agent| &agent.id));
    Some(agents)
}

fn agent(reader: &Reader, entry: &Entry<'_>) -> Option<AgentField> {
    let usual = || AgentFieldSource::Environment(USUAL_VARIABLE.to_owned());
    if matches!(entry.value, DeValue::String(_)) {
        let id = reader.text(entry).filter(|id| AGENT.check(reader, id))?;
        return Some(AgentField { id, source: usual(), optional: false });
    }
    let expected = "an id, or a table such as `{ id = \"github\", socket = \"~/.ssh/github.sock\" }`";
    let mut table = reader.table(entry, "an SSH agent", expected)?;
    table.location = entry.location.clone();
    if table.take("id").is_none() {
        table.missing("id", "id = \"default\"");
    }
    let id = table.text("id").filter(|id| AGENT.check(reader, id));
    let (env, socket) = (table.take("env"), table.take("socket"));
    if let (Some(_), Some(socket)) = (&env, &socket) {
        let message = "an SSH agent is found by an environment variable or by its socket, not both";
        reader.report(reader.error(message, &socket.key.location, "beside `env`"));
    }
    let optional = table.boolean("optional").is_some_and(|optional| optional.value);
    table.finish();
    let source = match (env, socket) {
        (Some(env), _) => AgentFieldSource::Environment(reader.text(&env)?.value),
        (None, Some(socket)) => AgentFieldSource::Socket(reader.template(&socket)?),
        (None, None) => usual(),
    };
    Some(AgentField { id: id?, source, optional })
}
