//! SSH agents: who is answered, and steps and targets that were taken from the cache though one was not there.

use crate::place::{Outcome, Place};
use crate::ssh_agent::{LIST, SshAgent, lay_out_asking};

/// A workspace with one image, `//:case`, whose stage `asking` can ask an agent.
fn place(ssh: &str, dockerfile: &str) -> Place {
    let place = Place::new(&format!("[image.case]\ndockerfile = \"case.Dockerfile\"\nssh = {ssh}\n"));
    lay_out_asking(&place.workspace().join("perl"));
    place.dockerfile("case", &format!("FROM tools AS asking\nCOPY perl /\n{dockerfile}"));
    place
}

fn fails(outcome: &Outcome, parts: &[&str]) {
    assert_eq!(outcome.exit, 1, "{}", outcome.said());
    for part in parts {
        assert!(outcome.said().contains(part), "{part}: {}", outcome.said());
    }
}

#[test]
fn a_command_asks_the_agents_that_it_mounts() {
    let (user, other) = (SshAgent::new("the user's"), SshAgent::new("the other"));
    let variables = [("SSH_AUTH_SOCK", user.socket()), ("OTHER", other.socket())];
    let variables = variables.each_ref().map(|(name, path)| (*name, path.to_str().unwrap()));
    let place = place(
        "[\"default\", { id = \"other\", env = \"OTHER\" }]",
        "RUN --mount=type=ssh perl /ask.pl 11 19 11 13 >/root && stat -c '%n %a %u %g' $SSH_AUTH_SOCK >>/root\n\
         RUN --mount=type=ssh,id=other --mount=type=ssh perl /ask.pl 11 >/other && \
         SSH_AUTH_SOCK=/run/buildkit/ssh_agent.1 perl /ask.pl 11 >>/other\n\
         RUN --mount=type=ssh,target=/a/b,mode=0666 echo $SSH_AUTH_SOCK >/place && perl /ask.pl 11 >>/place\n\
         ENV SSH_AUTH_SOCK=/own\n\
         RUN --mount=type=ssh echo $SSH_AUTH_SOCK >/own\n\
         ENV SSH_AUTH_SOCK=\n\
         USER 1000:1000\n\
         RUN --mount=type=ssh,uid=1000,target=/s SSH_AUTH_SOCK=/s perl /ask.pl 11; stat -c '%n %a %u %g' /s\n\
         USER 0\n\
         RUN test ! -e /run/buildkit && test ! -e /a && test ! -e /s && grep . /root /other /place /own\n",
    );
    let built = place.build_with("//:case -v", &variables);
    assert_eq!(built.exit, 0, "{}", built.said());
    for line in [
        "/root:12 the user's\n",
        "/root:5 \n",
        "/root:/run/buildkit/ssh_agent.0 600 0 0\n",
        "/other:12 the other\n",
        "/other:12 the user's\n",
        "/place:/a/b\n",
        "/place:12 the user's\n",
        "/own:/own\n",
        "/s 600 1000 0\n",
    ] {
        assert!(built.said().contains(line), "{line}: {}", built.said());
    }
    // The one that would have removed all keys did not arrive.
    assert_eq!(user.asked(), [LIST, LIST, 13, LIST, LIST, LIST]);
    assert_eq!(other.asked(), [LIST]);
}

#[test]
fn another_user_is_kept_from_a_socket_that_is_not_his() {
    let agent = SshAgent::new("the user's");
    let place = place("[\"default\"]", "USER 1000\nRUN --mount=type=ssh perl /ask.pl 11\n");
    let socket = agent.socket();
    let outcome = place.build_with("//:case", &[("SSH_AUTH_SOCK", socket.to_str().unwrap())]);
    fails(&outcome, &["no agent: Permission denied"]);
    assert_eq!(agent.asked(), Vec::<u8>::new());
}

#[test]
fn a_target_without_its_agent_was_taken_for_one_with_it() {
    let (agent, second) = (SshAgent::new("one"), SshAgent::new("two"));
    let (agent, second) = (agent.socket(), second.socket());
    let place = place(
        "[{ id = \"default\", optional = true }]",
        "RUN --mount=type=ssh echo $SSH_AUTH_SOCK >/out; perl /ask.pl 11 >>/out || true\n",
    );
    let build = |variables: &[(&str, &str)]| {
        let built = place.build_with("//:case", variables);
        assert_eq!(built.exit, 0, "{}", built.said());
        built.first()
    };
    let (state, without) = build(&[]);
    assert_eq!(state, "built");
    assert_eq!(build(&[("SSH_AUTH_SOCK", "/not/there")]), ("cached".to_owned(), without.clone()));
    let plan = place.command().args(["explain", "//:case"]).env("SSH_AUTH_SOCK", &agent).output().unwrap();
    let said = String::from_utf8_lossy(&plan.stdout);
    assert!(said.contains("agent default") && said.contains("not there"), "{said}");
    assert!(!said.contains(agent.to_str().unwrap()), "{said}");
    let (state, with) = build(&[("SSH_AUTH_SOCK", agent.to_str().unwrap())]);
    assert_eq!(state, "built");
    assert_ne!(with, without);
    // Which agent it is is no reason.
    assert_eq!(build(&[("SSH_AUTH_SOCK", second.to_str().unwrap())]), ("cached".to_owned(), with));
    assert_eq!(build(&[]), ("cached".to_owned(), without));
}

#[test]
fn a_target_without_the_agent_that_it_needs_is_refused_before_something_runs() {
    let place = place("[\"default\"]", "RUN echo ran\nRUN --mount=type=ssh,required true\n");
    let build = |socket: &str| place.build_with("//:case -v", &[("SSH_AUTH_SOCK", socket)]);
    let left = place.workspace().join("left");
    drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
    let cases = [
        ("", "the environment variable SSH_AUTH_SOCK is not set; start one"),
        ("/not/there", "/not/there: No such file"),
        (left.to_str().unwrap(), "refused"),
        ("/etc/passwd", "/etc/passwd is a file, and no socket of an agent"),
    ];
    for (socket, part) in cases {
        let outcome = build(socket);
        fails(&outcome, &["the SSH agent `default` cannot be had", "ssh-add", part]);
        assert!(!outcome.said().contains("ran"), "{}", outcome.said());
    }
}
