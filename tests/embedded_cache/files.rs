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
