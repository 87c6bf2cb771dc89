//! Stopping builds, and several at once.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use imgraph::build::builder::BuildError;
use imgraph::types::cancellation::Cancellation;

use crate::support::{BASE, Case, Engine, Recorder, View, unique};

/// Whether a process of this machine has `word` in its command line. The engine runs on this machine.
fn runs(word: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap();
    // A process that ends in between has no command line.
    let command = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).unwrap_or_default();
    processes
        .filter_map(Result::ok)
        .map(command)
        .any(|command| String::from_utf8_lossy(&command).replace('\0', " ").contains(word))
}

fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < limit, "{what} took more than {limit:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Cancels when it is dropped, by a panic too.
struct CancelledAtEnd<'c>(&'c Cancellation);

impl Drop for CancelledAtEnd<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

pub(crate) fn a_running_step_is_killed(engine: &Engine) {
    let seconds = format!(
        "9{}{}",
        std::process::id(),
        if engine.address.to_string().contains("containerd") { 1 } else { 2 }
    );
    let sleep = format!("sleep {seconds}");
    let dockerfile = format!("FROM {BASE}\nRUN echo begun; {sleep}\n");
    let cancellation = Cancellation::default();
    let recorder = Recorder::default();
    thread::scope(|scope| {
        let case = Case { dockerfile: &dockerfile, no_cache: true, ..Case::default() };
        let (cancel, events) = (&cancellation, &recorder);
        let build = scope.spawn(move || case.run_with(&engine.builder, events, cancel));
        // Whatever goes wrong below, the build must not sleep on.
        let _in_the_end = CancelledAtEnd(cancel);
        wait_until("the step", Duration::from_secs(30), || recorder.logged_at("begun").is_some());
        wait_until("the sleep", Duration::from_secs(10), || runs(&sleep));
        let start = Instant::now();
        cancellation.cancel();
        assert!(matches!(build.join().unwrap(), Err(BuildError::Cancelled)));
        assert!(start.elapsed() < Duration::from_secs(1), "the answer took {:?}", start.elapsed());
        wait_until("the end of the step", Duration::from_secs(2), || !runs(&sleep));
    });
}

pub(crate) fn builds_run_side_by_side(engine: &Engine) {
    let recorder = Recorder::default();
    let build = |number: usize| {
        let view = View::of(&[("number", &number.to_string())]);
        let dockerfile =
            format!("FROM {BASE}\nCOPY number /\nRUN echo begun {number}; sleep 5; echo ended {number}\n");
        let tag = unique("beside");
        let case = Case {
            dockerfile: &dockerfile,
            context: Some(&view),
            no_cache: true,
            tags: &[&tag],
            ..Case::default()
        };
        case.run_with(&engine.builder, &recorder, &Cancellation::default()).unwrap();
        engine.look(&tag, "cat /image/number")
    };
    let build = &build;
    thread::scope(|scope| {
        let builds: Vec<_> = (0..4).map(|number| scope.spawn(move || build(number))).collect();
        for (number, build) in builds.into_iter().enumerate() {
            assert_eq!(build.join().unwrap(), number.to_string());
        }
    });
    let times = |word: &str| {
        let mut times: Vec<Instant> =
            (0..4).map(|number| recorder.logged_at(&format!("{word} {number}")).unwrap()).collect();
        times.sort();
        times
    };
    assert!(times("begun")[1] < times("ended")[0], "no two builds ran at once");
}

pub(crate) fn builds_of_one_target_run_side_by_side(engine: &Engine) {
    let tag = unique("equal");
    for tags in [&[][..], &[tag.as_str()][..]] {
        let view = View::of(&[("file", &unique("equal")), ("folder/other", "too")]);
        thread::scope(|scope| {
            let dockerfile = "FROM scratch\nCOPY . /\n";
            let build = || Case { dockerfile, context: Some(&view), tags, ..Case::default() }.output(engine);
            let builds: Vec<_> = (0..6).map(|_| scope.spawn(build)).collect();
            let digests: Vec<_> = builds.into_iter().map(|build| build.join().unwrap().digest).collect();
            assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
        });
    }
}
