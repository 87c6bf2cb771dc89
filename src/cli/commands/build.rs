//! `imgraph build`: builds targets and what they need.

use std::path::Path;

use crate::cache::sweep;
use crate::cli::arguments::{self, Format, Progress};
use crate::cli::exit::Exit;
use crate::cli::failures;
use crate::cli::prepared::Prepared;
use crate::cli::progress::{self, Form};
use crate::cli::session::Session;
use crate::cli::{signals, summary, terminal};
use crate::engine::event_log::EventLog;
use crate::engine::report::{Blame, Ending, Report};
use crate::engine::runner::{self, Run};
use crate::engine::tee::Tee;
use crate::export::documents;
use crate::types::cancellation::Cancellation;
use crate::types::diagnostic::Diagnostic;
use crate::types::event::EventSink;
use crate::types::ids::{DenseMap, NodeId};

/// Runs the command.
pub(crate) fn run(session: &Session, arguments: &arguments::Build) -> Result<Exit, Exit> {
    if arguments.dry_run {
        let targets = arguments.targets.clone();
        let (jobs, format) = (arguments.jobs, arguments.format);
        let plan = arguments::Plan { targets, jobs, detailed_exitcode: false, format };
        return super::plan::run_with(session, &plan, arguments.no_cache);
    }
    let cancellation = Cancellation::default();
    let stopped = signals::listen(&cancellation).map_err(|cause| {
        session.fail(&[Diagnostic::error(format!("cannot listen for signals: {cause}"))], Exit::Bug)
    })?;
    let prepared = Prepared::new(session, &arguments.targets.patterns, &arguments.targets.platform)?;
    // A cache that cannot be swept is told by whoever writes to it next.
    let _swept = sweep::sweep(&prepared.cache, std::time::SystemTime::now());
    let log = arguments.events.as_deref().map(|path| events_file(session, path)).transpose()?;
    let shown = progress::sink(form(session, arguments.progress), session.terminal.colour_err);
    let sinks = [Some(&*shown), log.as_ref().map(|log| log as &dyn EventSink)];
    let events = Tee::new(sinks.into_iter().flatten());
    let report = build(session, arguments, &prepared, &cancellation, &events);
    drop(events);
    drop(shown);
    let warnings: Vec<Diagnostic> = unique(&report.warnings);
    session.show(&warnings);
    if let Some(Err(cause)) = log.map(EventLog::finish) {
        session.show(&[Diagnostic::warning(format!("the events file is not whole: {cause}"))]);
    }
    tell(session, arguments, &prepared, &report)?;
    session.keep_index(&prepared.workspace);
    Ok(stopped.exit().unwrap_or_else(|| exit(&report)))
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
        builder: &prepared.builder,
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

/// The result on standard output, then what failed: the last thing on the screen.
fn tell(
    session: &Session,
    arguments: &arguments::Build,
    prepared: &Prepared,
    report: &Report,
) -> Result<(), Exit> {
    match arguments.format {
        Format::Json => {
            let document = documents::build_document(&prepared.graph, &prepared.source_keys, report);
            terminal::result(&document.text())?;
        }
        Format::Text => {
            terminal::result(&summary::build(&prepared.graph, report, session.terminal.shows_results))?;
        }
    }
    // Standard error is lines of JSON then, and the events say all of this.
    if arguments.progress == Progress::Json {
        return Ok(());
    }
    if !session.everywhere.quiet {
        terminal::message(&summary::line(&prepared.graph, report));
    }
    terminal::message(&failures::text(session, &prepared.graph, report));
    Ok(())
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
