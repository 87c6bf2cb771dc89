//! `imgraph build`: builds targets and what they need.

use std::path::Path;
use std::time::Instant;

use crate::cache::sweep;
use crate::cli::arguments::{self, Format, Progress, Targets};
use crate::cli::exit::Exit;
use crate::cli::failures;
use crate::cli::prepared::Prepared;
use crate::cli::progress::{self, Form};
use crate::cli::readable::Readable;
use crate::cli::recall::{Before, BeforePart, Partly, Request};
use crate::cli::revisions::{self, Question};
use crate::cli::session::Session;
use crate::cli::{outputs, signals, summary, terminal};
use crate::engine::affected::{Revisions, present};
use crate::engine::event_log::EventLog;
use crate::engine::report::{Blame, Ending, Report};
use crate::engine::runner::{self, Run};
use crate::engine::tee::Tee;
use crate::engine::whole::Whole;
use crate::export::documents::BuildResult;
use crate::types::cancellation::Cancellation;
use crate::types::diagnostic::Diagnostic;
use crate::types::event::{Event, EventSink};
use crate::types::ids::{DenseMap, NodeId};

/// Runs the command.
pub(crate) fn run(session: &Session, arguments: &arguments::Build) -> Result<Exit, Exit> {
    outputs::check_standard_output(session, arguments)?;
    match &arguments.affected_by {
        Some(base) => run_affected(session, arguments, base),
        None => run_all(session, arguments),
    }
}

/// Builds those of the targets that differ from the commit `base`.
fn run_affected(session: &Session, arguments: &arguments::Build, base: &str) -> Result<Exit, Exit> {
    let question = Question {
        revisions: Revisions { base, head: None, merge_base: arguments.merge_base },
        patterns: &arguments.targets.patterns,
        platforms: &arguments.targets.platform,
        strict: false,
    };
    let answer = revisions::affected(session, question)?;
    let patterns: Vec<String> = present(&answer.targets).map(|target| target.label.to_string()).collect();
    if patterns.is_empty() {
        session
            .show(&[Diagnostic::warning(format!("no target differs from {base}: there is nothing to do"))]);
        let nothing = BuildResult::default();
        tell(session, arguments, &nothing, 0.0)?;
        return Ok(Exit::Done);
    }
    let targets = Targets { patterns, ..arguments.targets.clone() };
    run_all(session, &arguments::Build { targets, affected_by: None, ..arguments.clone() })
}

fn run_all(session: &Session, arguments: &arguments::Build) -> Result<Exit, Exit> {
    let started = Instant::now();
    if arguments.dry_run {
        let targets = arguments.targets.clone();
        let (jobs, format) = (arguments.jobs, arguments.format);
        let plan = arguments::Plan { targets, jobs, detailed_exitcode: false, format };
        return super::plan::run_with(session, &plan, arguments.no_cache);
    }
    let anew = arguments.no_cache || outputs::are_wanted(arguments);
    let request = Request::new(session, "build", &arguments.targets)?.filter(|_| !anew);
    let (early, partly) = match request.as_ref().map(|request| request.told_before(session)) {
        Some(Before::Same { told, builder }) => {
            return tell_again(session, arguments, &told, &builder, started);
        }
        Some(Before::Partly(partly)) => (None, Some(partly)),
        Some(Before::Differs(early)) => (early, None),
        None => (None, None),
    };
    let cancellation = Cancellation::default();
    let stopped = signals::listen(&cancellation).map_err(|cause| {
        session.fail(&[Diagnostic::error(format!("cannot listen for signals: {cause}"))], Exit::Bug)
    })?;
    let (prepared, before) = match partly.map(|partly| *partly) {
        Some(Partly { before, anew }) => (Prepared::anew(session, &arguments.targets, anew)?, Some(before)),
        None => (Prepared::new(session, &arguments.targets, early)?, None),
    };
    session.say_who_builds(&*prepared.builder);
    outputs::check(session, arguments, &prepared)?;
    let told = before.as_ref().map(BeforePart::told);
    let Round { prepared, report, result } = round(session, arguments, prepared, &cancellation, told)?;
    let result = match told {
        Some(told) => told.clone().renewed(result),
        None => result,
    };
    let is_whole = exit(&report) == Exit::Done && !cancellation.is_cancelled();
    if is_whole && outputs::are_wanted(arguments) {
        outputs::write(session, arguments, &prepared, &result, &cancellation)?;
    }
    tell(session, arguments, &result, report.seconds)?;
    tell_failures(session, arguments, &prepared, &report);
    match (request, before) {
        (Some(request), Some(before)) => {
            request.end_part(session, &prepared, before, !report.did_nothing(), &result);
        }
        (Some(request), None) if report.did_nothing() => {
            request.keep(session, &prepared, |id| report.nodes[id].digest.clone(), &result);
        }
        _ => session.keep_index(&prepared.workspace),
    }
    Ok(stopped.exit().unwrap_or_else(|| exit(&report)))
}

/// A build that ended.
struct Round {
    prepared: Prepared,
    report: Report,
    result: BuildResult,
}

/// Builds what is `prepared`. Of the rest of what was `told` before, it is told that it is cached.
fn round(
    session: &Session,
    arguments: &arguments::Build,
    prepared: Prepared,
    cancellation: &Cancellation,
    told: Option<&BuildResult>,
) -> Result<Round, Exit> {
    // A cache that cannot be swept is told by whoever writes to it next.
    let _swept = sweep::sweep(&prepared.cache, std::time::SystemTime::now());
    let report = with_events(session, arguments, |events| match told {
        Some(told) => {
            let whole = Whole::new(events, told.targets.len(), told.done_beside(&prepared.graph));
            build(session, arguments, &prepared, cancellation, &whole)
        }
        None => build(session, arguments, &prepared, cancellation, events),
    })?;
    session.show(&unique(&report.warnings));
    let result = BuildResult::new(&prepared.graph, &prepared.source_keys, &report);
    Ok(Round { prepared, report, result })
}

/// Builds once among many times, and tells what was done. What is wrong is told, and is no reason to end. Gives
/// what its targets can read, where that is known.
pub(crate) fn once(
    session: &Session,
    arguments: &arguments::Build,
    cancellation: &Cancellation,
) -> Result<Option<Readable>, Exit> {
    let prepared = Prepared::new(session, &arguments.targets, None)?;
    let Round { prepared, report, mut result } = round(session, arguments, prepared, cancellation, None)?;
    if arguments.format == Format::Text {
        result.forget_cached_roots();
    }
    tell(session, arguments, &result, report.seconds)?;
    tell_failures(session, arguments, &prepared, &report);
    session.keep_index(&prepared.workspace);
    Ok(Readable::of(&prepared))
}

/// Does `work`, which is seen on the screen and in the file of `--events`.
fn with_events<Value>(
    session: &Session,
    arguments: &arguments::Build,
    work: impl FnOnce(&dyn EventSink) -> Value,
) -> Result<Value, Exit> {
    let log = arguments.events.as_deref().map(|path| events_file(session, path)).transpose()?;
    let shown = progress::sink(form(session, arguments.progress), session.terminal.colour_err);
    let value = {
        let sinks = [Some(&*shown), log.as_ref().map(|log| log as &dyn EventSink)];
        work(&Tee::new(sinks.into_iter().flatten()))
    };
    drop(shown);
    if let Some(Err(cause)) = log.map(EventLog::finish) {
        session.show(&[Diagnostic::warning(format!("the events file is not whole: {cause}"))]);
    }
    Ok(value)
}

/// Tells what was told before, as a run would that finds everything cached.
fn tell_again(
    session: &Session,
    arguments: &arguments::Build,
    told: &BuildResult,
    builder: &str,
    started: Instant,
) -> Result<Exit, Exit> {
    let seconds = with_events(session, arguments, |events| {
        events.take(&Event::RunStarted { targets: told.targets.len(), builder: builder.to_owned() });
        for target in &told.targets {
            target.done().iter().for_each(|event| events.take(event));
        }
        let seconds = started.elapsed().as_secs_f64();
        events.take(&Event::RunDone { seconds });
        seconds
    })?;
    tell(session, arguments, told, seconds)?;
    if let Ok(cache) = session.cache() {
        // A cache that cannot be swept is told by whoever writes to it next.
        let _swept = sweep::sweep(&cache, std::time::SystemTime::now());
    }
    Ok(Exit::Done)
}

fn build(
    session: &Session,
    arguments: &arguments::Build,
    prepared: &Prepared,
    cancellation: &Cancellation,
    events: &dyn EventSink,
) -> Report {
    let last_builds = prepared.last_builds();
    let forced: &[NodeId] = if arguments.no_cache { &prepared.graph.roots } else { &[] };
    let durations = durations(prepared);
    runner::run(Run {
        known: prepared.known(&last_builds, forced),
        builder: &*prepared.builder,
        snapshot: &prepared.workspace.snapshot,
        environment: &session.environment,
        source_keys: &prepared.source_keys,
        durations: &durations,
        jobs: arguments.jobs.count(),
        keep_going: arguments.keep_going,
        no_cache: arguments.no_cache,
        cancellation,
        events,
    })
}

/// The durations of the last successes, in milliseconds.
fn durations(prepared: &Prepared) -> DenseMap<NodeId, Option<u64>> {
    let last_builds = prepared.last_builds();
    let duration = |node: &crate::graph::node::Node| {
        // A damaged file is told by the planner of the same node; here it is only a missing hint.
        let last = last_builds.load(&node.subject()?).value(&mut Vec::new())?;
        Some((last.seconds * 1000.0) as u64)
    };
    prepared.graph.nodes.values().iter().map(duration).collect()
}

fn events_file(session: &Session, path: &Path) -> Result<EventLog<std::fs::File>, Exit> {
    EventLog::create(path).map_err(|cause| {
        let problem = Diagnostic::error(format!("cannot write events to `{}`: {cause}", path.display()));
        session.fail(&[problem], Exit::Usage)
    })
}

fn form(session: &Session, progress: Progress) -> Form {
    match progress {
        Progress::Json => Form::Json,
        Progress::Quiet => Form::Quiet,
        Progress::Auto if session.everywhere.quiet => Form::Quiet,
        Progress::Tty => Form::Terminal,
        Progress::Auto if session.terminal.redraw && !session.everywhere.verbose => Form::Terminal,
        Progress::Auto | Progress::Plain => Form::Plain { verbose: session.everywhere.verbose },
    }
}

fn unique(warnings: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut kept: Vec<Diagnostic> = Vec::new();
    for warning in warnings {
        if !kept.contains(warning) {
            kept.push(warning.clone());
        }
    }
    kept
}

/// The result on standard output, and a line that counts.
fn tell(
    session: &Session,
    arguments: &arguments::Build,
    result: &BuildResult,
    seconds: f64,
) -> Result<(), Exit> {
    let text = match arguments.format {
        Format::Json => result.text(),
        Format::Text => summary::build(result, session.terminal.shows_results),
    };
    if !outputs::take_standard_output(arguments) {
        terminal::result(&text)?;
    }
    // Standard error is lines of JSON then, and the events say all of this.
    if arguments.progress != Progress::Json && !session.everywhere.quiet {
        terminal::message(&summary::line(result, seconds));
    }
    Ok(())
}

/// What failed: the last thing on the screen.
fn tell_failures(session: &Session, arguments: &arguments::Build, prepared: &Prepared, report: &Report) {
    if arguments.progress != Progress::Json {
        terminal::message(&failures::text(session, &prepared.graph, report));
    }
}

/// The worst of what happened.
fn exit(report: &Report) -> Exit {
    let failures = report.nodes.values().iter().filter_map(|ended| match &ended.ending {
        Ending::Failed(failure) => Some(match failure.blame {
            Blame::Target => Exit::TargetFailed,
            Blame::Surroundings => Exit::Surroundings,
            Blame::InputsChanged(_) => Exit::InputsChanged,
        }),
        _ => None,
    });
    let mut exits: Vec<Exit> = failures.collect();
    // A failed target is the user's first concern; then what stood in the way; then a race.
    exits.sort_by_key(|exit| exit.code());
    exits.first().copied().unwrap_or(Exit::Done)
}
