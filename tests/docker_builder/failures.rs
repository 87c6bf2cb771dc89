//! What a build says when it cannot be done.

use std::fs;
use std::time::Duration;

use imgraph::build::builder::{BuildError, Builder, ContextSource};
use imgraph::build::docker::{DockerBuilder, EngineAddress};
use imgraph::types::digest::ContentHash;
use imgraph::types::file_entry::FileKind;

use crate::support::{BASE, Case, Engine, View, unique, write};

fn failed(case: &Case<'_>, engine: &Engine) -> (String, Option<usize>, Vec<String>) {
    match case.run(engine).0 {
        Err(BuildError::Failed { message, line, log_tail }) => (message, line, log_tail),
        other => panic!("it did not fail as a target does: {other:?}"),
    }
}

pub(crate) fn a_failing_step_names_its_line_and_its_last_lines(engine: &Engine) {
    let dockerfile =
        format!("# a comment\nFROM {BASE}\nRUN echo fine\n\nRUN {{ seq 1 30; echo wrong; }} >&2; exit 7\n");
    let (message, line, tail) =
        failed(&Case { dockerfile: &dockerfile, no_cache: true, ..Case::default() }, engine);
    assert!(message.contains("exit code: 7") && message.starts_with("process "), "{message}");
    assert_eq!(line, Some(5));
    assert_eq!(tail.len(), 20, "{tail:?}");
    assert_eq!(tail.last().map(String::as_str), Some("wrong"));
    assert_eq!(tail.first().map(String::as_str), Some("12"));
}

pub(crate) fn a_wrong_dockerfile_names_its_line(engine: &Engine) {
    let check = |dockerfile: &str, expected: &str, expected_line: Option<usize>| {
        let (message, line, tail) = failed(&Case { dockerfile, ..Case::default() }, engine);
        assert!(message.contains(expected), "{message}");
        assert_eq!((line, tail), (expected_line, Vec::new()), "{message}");
    };
    check("FROM scratch\nFORM x\n", "unknown instruction", Some(2));
    check("FROM scratch\n\nCOPY absent /\n", "absent", Some(3));
    check("", "cannot be empty", None);
}

pub(crate) fn a_large_dockerfile_can_fail(engine: &Engine) {
    let comments = "# what a large Dockerfile has many of\n".repeat(5000);
    let dockerfile = format!("FROM {BASE}\n{comments}RUN false\n");
    let (message, line, _) =
        failed(&Case { dockerfile: &dockerfile, no_cache: true, ..Case::default() }, engine);
    assert!(message.contains("exit code: 1"), "{message}");
    assert_eq!(line, Some(5002));
}

pub(crate) fn a_file_that_changes_while_it_is_sent_is_no_output(engine: &Engine) {
    let dockerfile = "FROM scratch\nCOPY . /\n";
    let tag = unique("changed");
    let build = |view: &View| {
        Case { dockerfile, context: Some(view), tags: &[&tag], ..Case::default() }.run(engine).0
    };
    let view = View::of(&[("kept", "kept"), ("sub/file", "before")]);
    for change in ["after!", "longer than before", "", "short"] {
        write(view.folder.path(), "sub/file", change);
        let path = match build(&view) {
            Err(BuildError::InputChanged { path }) => path.to_string(),
            other => panic!("{change:?}: {other:?}"),
        };
        assert_eq!(path, "sub/file");
    }
    fs::remove_file(view.folder.path().join("sub/file")).unwrap();
    assert!(matches!(build(&view), Err(BuildError::InputChanged { .. })));
    assert!(!engine.builder.inventory().unwrap().references.contains_key(&tag));
    write(view.folder.path(), "sub/file", "before");
    build(&view).unwrap();
    assert_eq!(engine.look(&tag, "cat /image/sub/file"), "before");
}

pub(crate) fn an_image_that_cannot_be_fetched_is_named(engine: &Engine) {
    let dockerfile = "FROM localhost:1/no/such:image\n";
    match (Case { dockerfile, ..Case::default() }).run(engine).0 {
        Err(BuildError::Surroundings { message, help }) => {
            assert!(message.contains("cannot fetch localhost:1/no/such:image"), "{message}");
            assert!(help.is_some());
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn a_context_must_have_a_name_that_buildkit_finds(engine: &Engine) {
    let case = |name| Case {
        dockerfile: "FROM scratch\nCOPY <<EOF /a\nEOF\n",
        contexts: vec![("debian", ContextSource::Image(BASE)), (name, ContextSource::Image(BASE))],
        ..Case::default()
    };
    assert!(failed(&case("Assets"), engine).0.contains("`Assets` cannot be the name of a context"));
    assert!(failed(&case("debian:latest"), engine).0.contains("two contexts are named `debian`"));
}

#[test]
fn an_engine_that_cannot_be_reached_is_told_with_a_way_out() {
    let check = |address: &str, expected: &str| match DockerBuilder::connect(
        &address.parse::<EngineAddress>().unwrap(),
    ) {
        Err(BuildError::Surroundings { message, help }) => {
            assert!(message.contains(expected), "{message}");
            assert!(help.is_some_and(|help| !help.is_empty()));
        }
        other => panic!("{other:?}"),
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    check(&format!("unix://{}", at("absent")), "there is no such socket");
    drop(std::os::unix::net::UnixListener::bind(at("left")).unwrap());
    check(&format!("unix://{}", at("left")), "nothing listens there");
    check("tcp://127.0.0.1:1", "nothing listens there");
}

#[test]
fn an_old_engine_is_refused_by_name_and_version() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("old.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer_as_20_10(stream.unwrap());
        }
    });
    let address: EngineAddress = format!("unix://{}", socket.display()).parse().unwrap();
    match DockerBuilder::connect(&address) {
        Err(BuildError::Surroundings { message, .. }) => {
            assert_eq!(message, "Docker Engine 20.10.24 is too old: imgraph needs 23.0 or newer");
        }
        other => panic!("{other:?}"),
    }
}

/// No engine that old can be had, so its answer to `/version` is written here.
fn answer_as_20_10(mut stream: std::os::unix::net::UnixStream) {
    use std::io::{Read, Write};
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|length| length == 1) {
        request.push(byte[0]);
    }
    let body =
        r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // A client that only tries whether somebody listens is gone before the answer.
    drop(stream.write_all(answer.as_bytes()));
}

#[test]
fn a_view_that_never_was_is_noticed_by_its_hash() {
    let mut view = View::of(&[("file", "content")]);
    let FileKind::File { content, .. } = &mut view.entries[0].kind else { panic!("it is a file") };
    *content = ContentHash::from_bytes([0; 32]);
    let case = Case { dockerfile: "FROM scratch\nCOPY . /\n", context: Some(&view), ..Case::default() };
    assert!(matches!(case.run(&crate::support::classic()).0, Err(BuildError::InputChanged { .. })));
}
