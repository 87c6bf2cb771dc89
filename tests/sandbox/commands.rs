//! What a command sees of itself: environment, folder, user, streams, how it ends.

use imgraph::build::embedded::sandbox::{Outcome, SandboxSpec};

use crate::support::{Place, output, run};

fn check(change: impl FnOnce(&mut SandboxSpec), script: &str, expected: &str) {
    let place = Place::new();
    let mut spec = place.spec(script);
    change(&mut spec);
    assert_eq!(output(spec), expected, "{script}");
}

#[test]
fn a_command_sees_what_it_is_given() {
    check(|_| {}, "echo hello", "hello\n");
    check(|_| {}, "echo $$", "1\n");
    check(|_| {}, "hostname", "buildkitsandbox\n");
    check(|_| {}, "umask", "0022\n");
    check(|_| {}, "id -un; id -g", "root\n0\n");
    check(|_| {}, "cat; echo end", "end\n");
    check(|_| {}, "pwd; echo $HOME", "/\n/root\n");
    check(
        |spec| spec.cwd = "/made/here".to_owned(),
        "pwd; stat -c '%u %a' . ..",
        "/made/here\n0 755\n0 755\n",
    );
    check(|spec| spec.env.push("HOME=/elsewhere".to_owned()), "echo $HOME", "/elsewhere\n");
    check(
        |spec| {
            spec.env = ["Z=1", "A=2", "PATH=/bin", "M=a b=c"].map(str::to_owned).to_vec();
            spec.args = ["env"].map(str::to_owned).to_vec();
        },
        "",
        "Z=1\nA=2\nPATH=/bin\nM=a b=c\nHOME=/root\n",
    );
    check(|_| {}, "ls /proc/self/fd | wc -l; ls -l /proc/self/fd/0 | sed 's/.*-> //'", "4\n/dev/null\n");
    // A writer into a pipe that nobody reads is ended by the signal, not told of an error.
    check(|_| {}, "(yes; echo $? >/code) | head -n 1; cat /code", "y\n141\n");
    check(|_| {}, "grep SigBlk /proc/1/status", "SigBlk:\t0000000000000000\n");
}

#[test]
fn streams_are_kept_apart_and_whole() {
    let place = Place::new();
    let ran = run(place.spec("echo out; echo err >&2; seq 1 200000"));
    assert_eq!(ran.outcome, Outcome::Exited(0));
    assert_eq!(ran.errors, "err\n");
    assert_eq!(ran.output.lines().count(), 200_001);
    assert!(ran.output.ends_with("\n200000\n"));
}

#[test]
fn how_a_command_ends_is_told() {
    let place = Place::new();
    let outcome = |script: &str| run(place.spec(script)).outcome;
    assert_eq!(outcome("exit 7"), Outcome::Exited(7));
    assert_eq!(outcome("no-such-program"), Outcome::Exited(127));
    // Process 1 of a namespace is not killed by its own signals; one below it is.
    assert_eq!(outcome("sh -c 'kill -9 $$'; exit $?"), Outcome::Exited(137));
}

#[test]
fn what_cannot_be_started_says_why() {
    let place = Place::new();
    std::fs::write(place.path("base/plain"), "no program\n").unwrap();
    std::fs::write(place.path("base/script"), "#!/no/interpreter -x\n").unwrap();
    std::fs::write(place.path("base/text"), "echo\n").unwrap();
    for name in ["script", "text"] {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(place.path("base").join(name), permissions).unwrap();
    }
    let check = |program: &str, cwd: &str, code: i32, words: &str| {
        let mut spec = place.spec("");
        spec.args = vec![program.to_owned()];
        spec.cwd = cwd.to_owned();
        match run(spec).outcome {
            Outcome::NotStarted { message, exit_code, .. } => {
                assert_eq!(exit_code, code, "{program}: {message}");
                assert!(message.contains(words), "{program}: {message}");
            }
            other => panic!("{program}: {other:?}"),
        }
    };
    check("nothing", "/", 127, "not found in PATH");
    check("/bin/bash", "/", 127, "`/bin/bash` is not in the image");
    check("/plain", "/", 126, "permission denied");
    check("/script", "/", 127, "interpreter `/no/interpreter`");
    check("/text", "/", 126, "no program of this platform");
    check("/etc", "/", 126, "is a folder");
    check("true", "/etc/passwd", 126, "working folder");
    check("true", "/etc/passwd/below", 126, "working folder");
    check("", "/", 127, "no command");
}
