//! `imgraph cache`: what the caches hold.

use std::fmt::Write;

use serde_json::json;

use crate::cache::statistics::{Statistics, Usage};
use crate::cli::arguments::{self, Format};
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::terminal;

/// Runs the command.
pub(crate) fn run(session: &Session, arguments: &arguments::Cache) -> Result<Exit, Exit> {
    let arguments::Cache::Stats { format } = arguments;
    let cache = session.cache()?;
    let statistics = Statistics::collect(&cache)
        .map_err(|error| session.fail(&[error.diagnostic()], Exit::Surroundings))?;
    let place = cache.path().display().to_string();
    terminal::result(&match format {
        Format::Json => json_text(&place, &statistics),
        Format::Text => text(&place, &statistics),
    })?;
    Ok(Exit::Done)
}

fn rows(statistics: &Statistics) -> Vec<(&'static str, Usage)> {
    let kinds = statistics.kinds.iter().map(|(kind, usage)| (kind.name(), *usage));
    kinds.chain([("temporary", statistics.temporary), ("other", statistics.other)]).collect()
}

fn json_text(place: &str, statistics: &Statistics) -> String {
    let usage = |usage: Usage| json!({ "files": usage.files, "bytes": usage.bytes });
    let kinds: serde_json::Map<_, _> =
        rows(statistics).into_iter().map(|(name, found)| (name.to_owned(), usage(found))).collect();
    let document =
        json!({ "schema": 1, "folder": place, "kinds": kinds, "total": usage(statistics.total()) });
    format!("{document:#}\n")
}

fn text(place: &str, statistics: &Statistics) -> String {
    let mut text = format!("{place}\n");
    let total = [("total", statistics.total())];
    for (name, usage) in rows(statistics).into_iter().chain(total) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<10} {:>8} files  {:>10}", usage.files, size(usage.bytes));
    }
    text
}

fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
