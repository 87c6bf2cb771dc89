//! Images whose files were wrong.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::place::Place;

/// Builds, and says what went wrong.
fn check(place: &Place) {
    let outcome = place.build("//:case");
    assert_eq!(outcome.exit, 0, "{}", outcome.said());
}

#[test]
fn a_copy_over_one_name_of_a_file_changed_its_other_names() {
    check(&Place::with_case(
        "FROM tools AS two\n\
         RUN mkdir /d1 /d2 && echo one >/d1/a && ln /d1/a /d1/b && echo two >/d2/a\n\
         FROM tools\n\
         COPY --from=two /d1 /d2 /dst/\n\
         RUN [ \"$(cat /dst/a)\" = two ] && [ \"$(cat /dst/b)\" = one ]\n",
    ));
}

#[test]
fn an_archive_that_writes_a_name_again_changed_its_other_names() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    let mut append = |name: &str, kind, link: &str, content: &[u8]| {
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_link_name(link).unwrap();
        archive.append_data(&mut header, name, content).unwrap();
    };
    append("a", tar::EntryType::Regular, "none", b"one\n");
    append("b", tar::EntryType::Link, "a", b"");
    append("a", tar::EntryType::Regular, "none", b"two\n");
    let place = Place::with_case(
        "FROM tools\n\
         ADD x.tar /dst/\n\
         RUN [ \"$(cat /dst/a)\" = two ] && [ \"$(cat /dst/b)\" = one ]\n",
    );
    place.write("x.tar", archive.into_inner().unwrap());
    check(&place);
}

#[test]
fn an_archive_that_was_not_to_be_unpacked_was() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(3);
    header.set_mode(0o644);
    archive.append_data(&mut header, "inside", &b"in\n"[..]).unwrap();
    let place = Place::with_case(
        "FROM tools\n\
         ADD --unpack=false x.tar /whole/\n\
         ADD --unpack x.tar /unpacked/\n\
         RUN [ -f /whole/x.tar ] && [ ! -e /whole/inside ] && [ \"$(cat /unpacked/inside)\" = in ]\n",
    );
    place.write("x.tar", archive.into_inner().unwrap());
    check(&place);
}

#[test]
fn steps_that_wrote_the_same_could_not_be_put_over_each_other() {
    check(&Place::with_case(
        "FROM tools\n\
         RUN true one\n\
         RUN true two\n\
         RUN echo a >/x\n\
         RUN echo b >/x\n\
         RUN echo a >/x\n\
         RUN rm /x && mkdir /x && touch /x/y\n\
         RUN rm -r /x\n\
         RUN mkdir /x && touch /x/y\n\
         RUN rm -r /x\n\
         RUN [ ! -e /x ]\n",
    ));
}

#[test]
fn a_step_that_names_a_locked_cache_twice_waited_for_itself() {
    let place = Place::with_case(
        "FROM tools\n\
         RUN --mount=type=cache,id=a,target=/x,sharing=locked \
             --mount=type=cache,id=a,target=/y,sharing=locked \
             echo one >/x/file && [ \"$(cat /y/file)\" = one ]\n",
    );
    ends_in_time(&place);
}

#[test]
fn two_steps_that_take_two_locked_caches_in_turns_waited_for_each_other() {
    let stage = |name: &str, first: &str, second: &str| {
        let mounts: String = [first, second]
            .map(|id| format!("--mount=type=cache,id={id},target=/{id},sharing=locked "))
            .concat();
        let runs: String = (0..6).map(|number| format!("RUN {mounts}true {name} {number}\n")).collect();
        format!("FROM tools AS {name}\n{runs}RUN echo {name} >/{name}\n")
    };
    let stages = stage("ab", "a", "b") + &stage("ba", "b", "a");
    let place =
        Place::with_case(&format!("{stages}FROM tools\nCOPY --from=ab /ab /\nCOPY --from=ba /ba /\n"));
    ends_in_time(&place);
}

/// Builds, and gives up where it takes too long.
fn ends_in_time(place: &Place) {
    let mut command = place.command();
    let mut child: std::process::Child = with_build(&mut command).spawn().unwrap();
    let started = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if started.elapsed() > Duration::from_secs(60) => {
                child.kill().unwrap();
                panic!("it waits");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success());
}

fn with_build(command: &mut Command) -> &mut Command {
    command.args(["build", "--progress", "plain", "//:case"])
}

/// A build that fails in the step with this line, and says all of this.
fn check_refused(place: &Place, words: &[&str]) {
    let outcome = place.build("//:case");
    assert_eq!(outcome.exit, 1, "{}", outcome.said());
    for words in words {
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.said());
    }
}

#[test]
fn a_device_was_refused_where_the_next_step_read_it() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Block);
    header.set_size(0);
    header.set_mode(0o644);
    header.set_device_major(7).unwrap();
    header.set_device_minor(0).unwrap();
    archive.append_data(&mut header, "dev/loop0", &b""[..]).unwrap();
    let place = Place::with_case("FROM tools\nADD x.tar /dst/\n");
    place.write("x.tar", archive.into_inner().unwrap());
    check_refused(&place, &["`dst/dev/loop0`", "a device node that no image needs", "without it"]);
    if rustix::process::geteuid().is_root() {
        let place = Place::with_case("FROM tools\nRUN mkdir /d && mknod /d/tun c 10 200\nRUN true\n");
        check_refused(&place, &["`/d/tun` is a device node", "remove it in the step", "case.Dockerfile:5"]);
        check(&Place::with_case("FROM tools\nRUN mkdir /d && mknod /d/null c 1 3\nRUN [ -c /d/null ]\n"));
    }
}

#[test]
fn the_limits_of_whoever_builds_came_into_an_image() {
    let place =
        Place::with_case("FROM tools\nRUN for of in c d f l m n s t v; do ulimit -$of; done >/limits\n");
    let build = |limits: &str| {
        let command = place.command();
        let words = command.get_args().map(|word| word.to_str().unwrap().to_owned());
        let script =
            format!("{limits}; exec \"$0\" \"$@\" build --no-cache --progress plain --format json //:case");
        let mut shell = place.command_of("sh");
        shell.args(["-c", &script]).arg(command.get_program()).args(words);
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{limits}: {}", String::from_utf8_lossy(&output.stderr));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        told["targets"].as_array().unwrap().last().unwrap()["digest"].clone()
    };
    let expected = build("true");
    assert_eq!(build("ulimit -S -n 256 && ulimit -S -s 1024 && ulimit -S -c 0"), expected);
    assert_eq!(build("ulimit -S -n $(ulimit -H -n) && ulimit -S -s 16384; ulimit -S -c unlimited"), expected);
}
