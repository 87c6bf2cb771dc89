//! A Dockerfile without the mounts of secrets that nobody gives.
//!
//! An optional secret that is not given is not mounted, but BuildKit's key of the step is the same with it and
//! without it: a step that ran without a secret would be taken for one with it, and the other way round. A mount that
//! is not there changes nothing but that key. So it is taken out of what is sent; all else stays at its place.
//!
//! What a variable decides is left: only BuildKit knows its value.

use std::borrow::Cow;
use std::sync::Arc;

use crate::build::builder::SecretValue;
use crate::syntax::dockerfile;
use crate::syntax::dockerfile::model::{Command, RawMount};
use crate::syntax::dockerfile::mount::{self, MountKind};
use crate::types::span::SourceText;
use crate::types::workspace_path::WorkspacePath;

/// What comes before the value of a mount.
const FLAG: &str = "--mount=";

/// `dockerfile` with blanks in place of the mounts of optional secrets that are not among `given`. One that cannot
/// be read is left as it is: BuildKit says why.
pub(super) fn without_absent<'d>(dockerfile: &'d [u8], given: &[SecretValue]) -> Cow<'d, [u8]> {
    let whole = Cow::Borrowed(dockerfile);
    if std::str::from_utf8(dockerfile).is_err() {
        return whole;
    }
    let source = Arc::new(SourceText::of_bytes(WorkspacePath::root(), dockerfile));
    let Ok(parsed) = dockerfile::parse(&source) else { return whole };
    let mut blanked = whole;
    for instruction in parsed.stages.iter().flat_map(|stage| &stage.instructions) {
        let Command::Run(run) = &instruction.command else { continue };
        for mount in run.mounts.iter().filter(|mount| is_absent(mount, given)) {
            let place = mount.text.span.start..mount.text.span.end;
            // A flag that goes over lines is written in another way than it is read.
            if source.text.get(place.clone()) == Some(&format!("{FLAG}{}", mount.text.value)) {
                blanked.to_mut()[place].fill(b' ');
            }
        }
    }
    blanked
}

fn is_absent(mount: &RawMount, given: &[SecretValue]) -> bool {
    let text = &mount.text.value;
    if text.contains('$') {
        return false;
    }
    mount::read(text, |value| Ok(value.to_owned())).is_ok_and(|mount| {
        let id = mount.secret_id();
        mount.kind == MountKind::Secret && !mount.is_required && given.iter().all(|secret| secret.id != id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let given = [SecretValue { id: "given".to_owned(), value: b"x".to_vec() }];
        let text = |line: &str| format!("FROM base\nRUN {line}\nRUN true\n");
        let sent = without_absent(text(line).as_bytes(), &given).into_owned();
        let expected = text(&expected.replace('#', &" ".repeat(line.len() - expected.len() + 1)));
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
    fn all_else_stays() {
        for line in [
            "--mount=type=secret,id=given make",
            "--mount=type=secret,id=a,required=true make",
            "--mount=type=secret,id=a,required make",
            "--mount=type=secret,id=$ID make",
            "--mount=type=cache,id=a,target=/a make",
            "--mount=type=secret,\\\nid=a make",
            "echo --mount=type=secret,id=a",
            "--mount=type=secret,nonsense make",
        ] {
            check(line, line);
        }
        let bytes = b"FROM base\nRUN --mount=type=secret,id=a echo \xff\n";
        assert_eq!(*without_absent(bytes, &[]), *bytes);
    }
}
