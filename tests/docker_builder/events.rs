//! What is told while a build runs.

use std::time::{Duration, Instant};

use imgraph::types::cancellation::Cancellation;
use imgraph::types::event::{Event, Stream};

use crate::support::{BASE, Case, Engine, Recorder, View};

pub(crate) fn output_is_seen_while_it_is_written(engine: &Engine) {
    let dockerfile =
        format!("FROM {BASE}\nRUN echo early; sleep 2; echo late; echo wrong >&2; echo -n unfinished\n");
    let recorder = Recorder::default();
    let case = Case { dockerfile: &dockerfile, no_cache: true, ..Case::default() };
    case.run_with(&engine.builder, &recorder, &Cancellation::default()).unwrap();
    let end = Instant::now();
    let early = recorder.logged_at("early").expect("output is told");
    assert!(end - early > Duration::from_millis(1500), "output came {:?} before the end", end - early);
    let events = recorder.events();
    let streams: Vec<(Stream, &str)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Log { stream, text, .. } => Some((*stream, text.as_str())),
            _ => None,
        })
        .collect();
    assert!(streams.contains(&(Stream::Stderr, "wrong\n")), "{streams:?}");
    assert!(streams.contains(&(Stream::Stdout, "unfinished")), "{streams:?}");
}

pub(crate) fn steps_begin_and_end(engine: &Engine) {
    let view = View::of(&[("file", "of the steps")]);
    let dockerfile = format!("FROM {BASE}\nCOPY file /\nRUN sleep 1\n");
    let steps = |no_cache| {
        let case = Case { dockerfile: &dockerfile, context: Some(&view), no_cache, ..Case::default() };
        let (result, events) = case.run(engine);
        result.unwrap();
        let mut begun = Vec::new();
        let mut ended = Vec::new();
        for event in events {
            match event {
                Event::Step { name, cached, .. } => begun.push((name, cached)),
                Event::StepDone { name, seconds, error, .. } => ended.push((name, seconds, error)),
                _ => {}
            }
        }
        (begun, ended)
    };
    let (begun, ended) = steps(true);
    assert_eq!(begun.len(), ended.len(), "{begun:?} {ended:?}");
    let run = "[3/3] RUN sleep 1";
    assert!(begun.contains(&(run.to_owned(), false)), "{begun:?}");
    assert_eq!(begun.iter().filter(|(name, _)| name == run).count(), 1, "{begun:?}");
    let (_, seconds, error) = ended.iter().find(|(name, ..)| name == run).unwrap();
    assert!((0.9..10.0).contains(seconds) && error.is_none(), "{ended:?}");
    let (begun, ended) = steps(false);
    assert!(begun.contains(&(run.to_owned(), true)), "{begun:?}");
    assert_eq!(begun.len(), ended.len(), "{begun:?} {ended:?}");
}

pub(crate) fn warnings_are_told(engine: &Engine) {
    let dockerfile = format!("FROM {BASE}\nRUN echo one \\\n\n two\n");
    let (result, events) = Case { dockerfile: &dockerfile, ..Case::default() }.run(engine);
    result.unwrap();
    let is_warning = |event: &Event| matches!(event, Event::Warning { message, .. } if message.to_lowercase().contains("empty continuation line"));
    assert!(events.iter().any(is_warning), "{events:?}");
}
