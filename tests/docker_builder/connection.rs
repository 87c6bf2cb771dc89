//! How an engine is spoken to, and what happens when it goes away.

use std::thread;
use std::time::{Duration, Instant};

use imgraph::build::builder::{BuildError, Builder};
use imgraph::types::cancellation::Cancellation;
use imgraph::types::event::Silence;

use crate::support::{BASE, Case, Engine, Proxy, Recorder, View, logs, unique};

pub(crate) fn an_engine_is_spoken_to_over_tcp(engine: &Engine) {
    let proxy = Proxy::before(engine);
    assert_eq!(proxy.builder.description(), engine.builder.description());
    assert!(proxy.builder.description().starts_with("Docker Engine "), "{}", proxy.builder.description());
    let tag = unique("tcp");
    let view = View::of(&[("file", "over tcp")]);
    let case = Case {
        dockerfile: "FROM scratch\nCOPY . /\n",
        context: Some(&view),
        tags: &[&tag],
        ..Case::default()
    };
    case.run_with(&proxy.builder, &Silence, &Cancellation::default()).unwrap();
    assert_eq!(engine.look(&tag, "cat /image/file"), "over tcp");
}

pub(crate) fn a_lost_connection_is_not_the_targets_fault(engine: &Engine) {
    let proxy = Proxy::before(engine);
    let recorder = Recorder::default();
    let dockerfile = format!("FROM {BASE}\nRUN echo begun; sleep 60\n");
    let case = Case { dockerfile: &dockerfile, no_cache: true, ..Case::default() };
    thread::scope(|scope| {
        let build = scope.spawn(|| case.run_with(&proxy.builder, &recorder, &Cancellation::default()));
        let start = Instant::now();
        while recorder.logged_at("begun").is_none() {
            assert!(start.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(20));
        }
        proxy.leave();
        match build.join().unwrap() {
            Err(BuildError::Surroundings { message, help }) => {
                assert!(message.starts_with("the connection to Docker Engine was lost"), "{message}");
                assert!(help.is_some());
            }
            other => panic!("{other:?}"),
        }
    });
    match proxy.builder.inventory() {
        Err(BuildError::Surroundings { message, .. }) => assert!(message.contains("lost"), "{message}"),
        other => panic!("{other:?}"),
    }
}

/// BuildKit looks every five seconds whether a session is alive, and gives up after two failures.
pub(crate) fn a_long_step_keeps_its_session(engine: &Engine) {
    let dockerfile = format!(
        "FROM {BASE}\nRUN sleep 14\nRUN --mount=type=secret,id=late test -s /run/secrets/late && echo there\n"
    );
    let case =
        Case { dockerfile: &dockerfile, secrets: &[("late", "value")], no_cache: true, ..Case::default() };
    let (result, events) = case.run(engine);
    result.unwrap();
    assert_eq!(logs(&events), "there\n");
}
