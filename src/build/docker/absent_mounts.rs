//! A Dockerfile without the mounts of secrets and SSH agents that nobody gives.
//!
//! An optional secret that is not given is not mounted, but BuildKit's key of the step is the same with it and
//! without it: a step that ran without a secret would be taken for one with it, and the other way round. A mount that
//! is not there changes nothing but that key. So it is taken out of what is sent; all else stays at its place.
//!
//! The mount of an agent does more: where it is not given, `SSH_AUTH_SOCK` names its socket nevertheless. So it stays,
//! and asks for an agent of another id, which nobody gives: ids are in BuildKit's key.
//!
//! What a variable decides is left: only BuildKit knows its value.

use std::borrow::Cow;
use std::sync::Arc;

use crate::build::builder::{AgentSocket, SecretValue};
use crate::syntax::dockerfile;
use crate::syntax::dockerfile::model::{Command, RawMount};
use crate::syntax::dockerfile::mount::{self, MountKind};
use crate::types::span::SourceText;
use crate::types::workspace_path::WorkspacePath;

/// What comes before the value of a mount.
const FLAG: &str = "--mount=";
/// What makes of the id of an agent one that nobody gives.
const ABSENT: &str = ".absent";

/// `dockerfile` with blanks in place of the mounts of optional secrets that are not among `secrets`, and with other ids
/// in those of optional agents that are not among `agents`. One that cannot be read is left as it is: BuildKit says why.
pub(super) fn without_absent<'d>(
    dockerfile: &'d [u8],
    secrets: &[SecretValue],
    agents: &[AgentSocket],
) -> Cow<'d, [u8]> {
    let whole = Cow::Borrowed(dockerfile);
    if std::str::from_utf8(dockerfile).is_err() {
        return whole;
    }
    let source = Arc::new(SourceText::of_bytes(WorkspacePath::root(), dockerfile));
    let Ok(parsed) = dockerfile::parse(&source) else { return whole };
    let mut changed = whole;
    // From the end, so that what comes before stays at its place.
    for instruction in parsed.stages.iter().rev().flat_map(|stage| stage.instructions.iter().rev()) {
        let Command::Run(run) = &instruction.command else { continue };
        for mount in run.mounts.iter().rev() {
            let Some(other) = in_place_of(mount, secrets, agents) else { continue };
            let place = mount.text.span.range();
            // A flag that goes over lines is written in another way than it is read.
            if source.text.get(place.clone()) == Some(&format!("{FLAG}{}", mount.text.value)) {
                changed.to_mut().splice(place, other.into_bytes());
            }
        }
    }
    changed
}

/// What is sent in place of a mount for which nothing is given; `None` for all others.
fn in_place_of(mount: &RawMount, secrets: &[SecretValue], agents: &[AgentSocket]) -> Option<String> {
    let text = &mount.text.value;
    if text.contains('$') {
        return None;
    }
    let mount = mount::read(text, |value| Ok(value.to_owned())).ok()?;
    if mount.is_required {
        return None;
    }
    let is_agent = |id: &str| agents.iter().any(|agent| agent.id == id);
    match mount.kind {
        MountKind::Secret if secrets.iter().all(|secret| secret.id != mount.secret_id()) => {
            Some(" ".repeat(FLAG.len() + text.len()))
        }
        MountKind::Ssh if !is_agent(mount.agent_id()) => {
            let mut id = format!("{}{ABSENT}", mount.agent_id());
            while is_agent(&id) {
                id.push_str(ABSENT);
            }
            // Of two ids the last one counts.
            Some(format!("{FLAG}{text},id={id}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let secrets = [SecretValue { id: "given".to_owned(), value: b"x".to_vec() }];
        let agent = |id: &str| AgentSocket { id: id.to_owned(), socket: "/agent".into() };
        let text = |line: &str| format!("FROM base\nRUN {line}\nRUN true\n");
        let (written, agents) = (text(line), [agent("given"), agent("near.absent")]);
        let sent = without_absent(written.as_bytes(), &secrets, &agents).into_owned();
        let blanks = (line.len() + 1).saturating_sub(expected.len());
        let expected = text(&expected.replace('#', &" ".repeat(blanks)));
        assert_eq!(String::from_utf8(sent).unwrap(), expected, "{line}");
    }

    #[test]
    fn mounts_of_absent_secrets_are_taken_out() {
        check("--mount=type=secret,id=a make", "# make");
        check("--mount=type=secret,target=/x/a,uid=7 --network=none make", "# --network=none make");
        check("--mount=type=secret,id=a,env=A [\"make\"]", "# [\"make\"]");
        check("--mount=type=secret,id=a,required=false make", "# make");
        check(
            "--mount=type=secret,id=given --mount=type=secret,id=a make",
            "--mount=type=secret,id=given # make",
        );
    }

    #[test]
    fn mounts_of_absent_agents_ask_for_one_that_nobody_gives() {
        check("--mount=type=ssh make", "--mount=type=ssh,id=default.absent make");
        check("--mount=type=ssh,id=near make", "--mount=type=ssh,id=near,id=near.absent.absent make");
        check(
            "--mount=type=ssh,id=given --mount=type=ssh,required=false,uid=7 [\"make\"]",
            "--mount=type=ssh,id=given --mount=type=ssh,required=false,uid=7,id=default.absent [\"make\"]",
        );
        check(
            "--mount=type=ssh --mount=type=ssh,id=a make",
            "--mount=type=ssh,id=default.absent --mount=type=ssh,id=a,id=a.absent make",
        );
    }

    #[test]
    fn all_else_stays() {
        for line in [
            "--mount=type=secret,id=given make",
            "--mount=type=secret,id=a,required=true make",
            "--mount=type=secret,id=a,required make",
            "--mount=type=secret,id=$ID make",
            "--mount=type=ssh,id=given make",
            "--mount=type=ssh,required make",
            "--mount=type=ssh,id=$ID make",
            "--mount=type=cache,id=a,target=/a make",
            "--mount=type=secret,\\\nid=a make",
            "echo --mount=type=secret,id=a",
            "--mount=type=secret,nonsense make",
        ] {
            check(line, line);
        }
        let bytes = b"FROM base\nRUN --mount=type=secret,id=a echo \xff\n";
        assert_eq!(*without_absent(bytes, &[], &[]), *bytes);
    }
}
