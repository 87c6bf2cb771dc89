//! `imgraph cache gc`: images that the embedded builder made, and what was made for them, are removed again.
//!
//! What a build that runs at the same time needs stays in any case.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::cli::arguments::{CollectGarbage, Format};
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::oci::collect::{Bounds, Collected, collect};
use crate::oci::store::{Store, StoreError, digest_of};
use crate::types::diagnostic::Diagnostic;

/// How long what no name leads to may be of use to a next build, where nothing is said.
const UNNAMED_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Runs the command.
pub(super) fn run(session: &Session, arguments: &CollectGarbage) -> Result<Exit, Exit> {
    let place = session.cache_folder()?;
    let folder = place.join("oci");
    // A store that was never made is not made to be emptied.
    let collected = if folder.join("oci-layout").exists() {
        let store = Store::open(&folder).map_err(|error| failed(session, &error))?;
        let bounds = bounds(&store, arguments).map_err(|error| failed(session, &error))?;
        collect(&store, &place.join("embedded"), &bounds, SystemTime::now(), arguments.dry_run)
            .map_err(|error| failed(session, &error))?
    } else {
        Collected::default()
    };
    terminal::result(&match arguments.format {
        Format::Json => json_text(&collected, arguments.dry_run),
        Format::Text => text(&collected, arguments.dry_run),
    })?;
    let problems: Vec<Diagnostic> = collected.problems.iter().map(Diagnostic::warning).collect();
    Ok(if problems.is_empty() { Exit::Done } else { session.fail(&problems, Exit::Surroundings) })
}

/// Without a bound every image that has a name stays.
fn bounds(store: &Store, arguments: &CollectGarbage) -> Result<Bounds, StoreError> {
    let CollectGarbage { keep, older, .. } = *arguments;
    if keep.is_some() || older.is_some() {
        return Ok(Bounds { keep, used_within: older, ..Bounds::default() });
    }
    let names = store.names()?;
    let roots = names.values().filter_map(|entry| digest_of(entry).ok()).collect();
    Ok(Bounds { roots, keep: None, used_within: Some(UNNAMED_FOR) })
}

fn failed(session: &Session, error: &StoreError) -> Exit {
    let problem = Diagnostic::error(error.to_string());
    let problem = match error.help() {
        Some(help) => problem.help(help),
        None => problem,
    };
    session.fail(&[problem], Exit::Surroundings)
}

fn json_text(collected: &Collected, dry_run: bool) -> String {
    let Collected { names, removed_blobs, removed_bytes, kept_blobs, kept_bytes, in_use, problems } =
        collected;
    let document = json!({
        "schema": 1,
        "dry_run": dry_run,
        "names": names,
        "removed": { "blobs": removed_blobs, "bytes": removed_bytes },
        "kept": { "blobs": kept_blobs, "bytes": kept_bytes, "in_use": in_use },
        "problems": problems,
    });
    format!("{document:#}\n")
}

fn text(collected: &Collected, dry_run: bool) -> String {
    let size = |bytes: u64| indicatif::HumanBytes(bytes).to_string();
    let did = if dry_run { "would remove" } else { "removed" };
    let mut text = String::new();
    // Writing to a String cannot fail.
    for name in &collected.names {
        let _ = writeln!(text, "{did} {name}");
    }
    let Collected { removed_blobs, removed_bytes, kept_blobs, kept_bytes, in_use, .. } = collected;
    let _ = writeln!(text, "{did} {removed_blobs} blobs, {}", size(*removed_bytes));
    let held = if *in_use > 0 { format!(", {in_use} of them for builds that run") } else { String::new() };
    let _ = writeln!(text, "kept {kept_blobs} blobs, {}{held}", size(*kept_bytes));
    text
}
