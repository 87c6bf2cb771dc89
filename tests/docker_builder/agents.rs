//! SSH agents of a session.

use imgraph::build::builder::AgentSocket;

use crate::ssh_agent::{LIST, SshAgent, lay_out_asking};
use crate::support::{BASE, Case, Engine, View, logs, unique};

fn asking() -> View {
    let folder = tempfile::tempdir().unwrap();
    lay_out_asking(folder.path());
    View::whole(folder)
}

fn given(id: &str, agent: &SshAgent) -> AgentSocket {
    AgentSocket { id: id.to_owned(), socket: agent.socket() }
}

pub(crate) fn ssh_agents_answer_the_commands_that_mount_them(engine: &Engine) {
    let (user, other) = (SshAgent::new("the user's"), SshAgent::new("the other"));
    let dockerfile = format!(
        "FROM {BASE}\nCOPY . /\n\
         RUN --mount=type=ssh perl /ask.pl 11 19 11 13 && stat -c '%n %a %u %g' $SSH_AUTH_SOCK\n\
         RUN --mount=type=ssh,id=other --mount=type=ssh perl /ask.pl 11 && \
         SSH_AUTH_SOCK=/run/buildkit/ssh_agent.1 perl /ask.pl 11\n\
         USER 1000\n\
         RUN --mount=type=ssh,uid=1000,target=/s perl /ask.pl 11 && echo at $SSH_AUTH_SOCK\n\
         RUN --mount=type=ssh perl /ask.pl 11 || echo refused\n"
    );
    let view = asking();
    let agents = [given("default", &user), given("other", &other)];
    let case = Case {
        dockerfile: &dockerfile,
        context: Some(&view),
        agents: &agents,
        no_cache: true,
        ..Case::default()
    };
    let (result, events) = case.run(engine);
    result.unwrap_or_else(|error| panic!("{error}: {events:?}"));
    let said = logs(&events);
    let lines = [
        "12 the user's\n5 \n12 the user's\n12 the user's\n/run/buildkit/ssh_agent.0 600 0 0\n",
        "12 the other\n12 the user's\n",
        "12 the user's\nat /s\n",
        "no agent: Permission denied\n",
        "refused\n",
    ];
    for line in lines {
        assert!(said.contains(line), "{line}: {said}");
    }
    // The one that would have removed all keys did not arrive.
    assert_eq!(user.asked(), [LIST, LIST, 13, LIST, LIST]);
    assert_eq!(other.asked(), [LIST]);
    let told = format!("{events:?}");
    assert!(!told.contains(user.socket().to_str().unwrap()), "{told}");
}

/// BuildKit's own cache does not tell a step that had an agent from one that had none.
pub(crate) fn a_step_without_its_ssh_agent_is_not_the_one_with_it(engine: &Engine) {
    let agent = SshAgent::new("the user's");
    let dockerfile = format!(
        "FROM {BASE}\nCOPY . /\nRUN --mount=type=ssh : {}; perl /ask.pl 11 || echo \"none at $SSH_AUTH_SOCK\"\n",
        unique("ssh")
    );
    let view = asking();
    let agents = [given("default", &agent)];
    let said = |agents| {
        let case = Case { dockerfile: &dockerfile, context: Some(&view), agents, ..Case::default() };
        let (result, events) = case.run(engine);
        result.unwrap_or_else(|error| panic!("{error}: {events:?}"));
        logs(&events)
    };
    let without = said(&[]);
    assert!(without.contains("none at /run/buildkit/ssh_agent.0\n"), "{without}");
    assert_eq!(said(&agents), "12 the user's\n");
    // Either is kept.
    assert_eq!(said(&[]), "");
    assert_eq!(said(&agents), "");
}

pub(crate) fn a_missing_ssh_agent_is_not_found(engine: &Engine) {
    let dockerfile = format!("FROM {BASE}\nRUN --mount=type=ssh,id=absent,required true\n");
    let case = Case { dockerfile: &dockerfile, no_cache: true, ..Case::default() };
    let error = case.run(engine).0.unwrap_err().to_string();
    assert!(error.contains("unset ssh forward key absent"), "{error}");
}
