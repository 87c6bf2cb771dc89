//! `imgraph watch`: builds again whenever something changes that a target can read.
//!
//! Each round is a build like any other: what is dirty is found out by looking, never from what the
//! system said had changed. What it said is a reason to look whether a round is due at all: folders that are
//! read hold files that are not, and what the rounds themselves print may go into one of those.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::build;
use crate::cli::arguments;
use crate::cli::exit::Exit;
use crate::cli::readable::Readable;
use crate::cli::session::Session;
use crate::cli::{signals, terminal};
use crate::source::file_events::{FileEvents, WatchError};
use crate::source::snapshot::Snapshot;
use crate::types::cancellation::Cancellation;
use crate::types::diagnostic::Diagnostic;

/// Of how many changed files the names are told.
const NAMED: usize = 2;

/// So many rounds follow one another at once. Some things cannot be told unchanged (a pipe in a context): for
/// more rounds the system has to say that something happened.
const MOST_AT_ONCE: usize = 4;

/// Runs the command, until it is interrupted.
pub(crate) fn run(session: &Session, arguments: &arguments::Watch) -> Result<Exit, Exit> {
    let each = each_build(arguments);
    let cancellation = Cancellation::default();
    let stopped = signals::listen(&cancellation).map_err(|cause| {
        session.fail(&[Diagnostic::error(format!("cannot listen for signals: {cause}"))], Exit::Bug)
    })?;
    let mut events = FileEvents::new().map_err(|error| cannot_watch(session, &error))?;
    let mut at_once = 0;
    loop {
        let ended = build::once(session, &each, &cancellation);
        if let Some(exit) = stopped.exit() {
            return Ok(exit);
        }
        // Without a snapshot nothing was looked at, so that nothing could ever change.
        let Some(snapshot) = session.last_snapshot() else { return ended.map(|_| Exit::Done) };
        let seen = Seen { snapshot, readable: ended.ok().flatten() };
        events.watch(&seen.snapshot).map_err(|error| cannot_watch(session, &error))?;
        // What changed before its folder was watched was told to nobody.
        at_once += 1;
        if at_once < MOST_AT_ONCE && seen.has_changed() {
            continue;
        }
        at_once = 0;
        say(session, "watching for changes; interrupt to end\n");
        match wait(&events, &seen, &cancellation) {
            Some(changed) => say(session, &changes(&changed, seen.snapshot.root_on_disk())),
            None => return Ok(stopped.exit().unwrap_or(Exit::Done)),
        }
    }
}

/// What a round looked at.
struct Seen {
    snapshot: Snapshot,
    /// `None` where the round came to no targets, or is not sure of the files.
    readable: Option<Readable>,
}

impl Seen {
    /// Whether another round may find something else.
    fn has_changed(&self) -> bool {
        match &self.readable {
            Some(readable) => readable.has_changed(),
            None => !self.snapshot.is_unchanged(),
        }
    }
}

/// Waits for a change that may concern a target; gives the paths that changed since the last round, which may
/// be none. `None` when it is to stop.
fn wait(events: &FileEvents, seen: &Seen, cancellation: &Cancellation) -> Option<BTreeSet<PathBuf>> {
    loop {
        let changed = events.wait(|| cancellation.is_cancelled())?;
        if seen.has_changed() {
            return Some(changed);
        }
    }
}

/// What is asked for in each round.
fn each_build(arguments: &arguments::Watch) -> arguments::Build {
    let arguments::Watch { targets, jobs, keep_going, progress, format } = arguments.clone();
    arguments::Build {
        affected_by: None,
        merge_base: false,
        targets,
        jobs,
        keep_going,
        dry_run: false,
        no_cache: false,
        output: Vec::new(),
        load: false,
        progress,
        events: None,
        format,
    }
}

fn say(session: &Session, text: &str) {
    if !session.everywhere.quiet {
        terminal::message(text);
    }
}

/// `changed: src/main.rs, src/lib.rs and 3 more`.
fn changes(changed: &BTreeSet<PathBuf>, root: &Path) -> String {
    let shown = |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let mut names: Vec<String> = changed.iter().map(shown).filter(|name| !name.is_empty()).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    match (names.is_empty(), more) {
        (true, _) => "\nfiles changed\n".to_owned(),
        (false, 0) => format!("\nchanged: {}\n", names.join(", ")),
        (false, more) => format!("\nchanged: {} and {more} more\n", names.join(", ")),
    }
}

fn cannot_watch(session: &Session, error: &WatchError) -> Exit {
    let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
    let problem = Diagnostic::error(format!("{error}{cause}"));
    let help = match error {
        WatchError::TooMany(_) => "raise the limit: `sysctl fs.inotify.max_user_watches=524288`",
        WatchError::System(_) => "run `imgraph build` when something changed",
    };
    session.fail(&[problem.help(help)], Exit::Surroundings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paths: &[&str], expected: &str) {
        let paths = paths.iter().map(PathBuf::from).collect();
        assert_eq!(changes(&paths, Path::new("/w")), expected);
    }

    #[test]
    fn few_names_are_told() {
        check(&[], "\nfiles changed\n");
        check(&["/w"], "\nfiles changed\n");
        check(&["/w/a"], "\nchanged: a\n");
        check(&["/w/a/b", "/w/c"], "\nchanged: a/b, c\n");
        check(&["/w/a", "/w/b", "/w/c", "/w/d"], "\nchanged: a, b and 2 more\n");
    }
}
