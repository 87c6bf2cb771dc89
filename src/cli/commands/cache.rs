//! `imgraph cache`: what the caches hold, and whether it is true.

use std::fmt::Write;

use serde_json::json;

use super::{cache_gc, cache_load};
#[cfg(target_os = "linux")]
use crate::build::embedded::store_check;
use crate::cache::statistics::{Statistics, Usage};
use crate::cli::arguments::{self, Format};
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::cli::terminal;
use crate::oci::store::Store;
use crate::oci::store_check::StoreCheck;
use crate::source::index_check::{self, IndexCheck};
use crate::types::diagnostic::Diagnostic;

/// Runs the command.
pub(crate) fn run(session: &Session, arguments: &arguments::Cache) -> Result<Exit, Exit> {
    match arguments {
        arguments::Cache::Gc(collect) => cache_gc::run(session, collect),
        arguments::Cache::Load(load) => cache_load::run(session, load),
        arguments::Cache::Stats { format } => stats(session, *format),
        arguments::Cache::Verify { format } => verify(session, *format),
    }
}

fn verify(session: &Session, format: Format) -> Result<Exit, Exit> {
    let snapshot = session.indexed_files()?;
    let check = index_check::check(&snapshot)
        .map_err(|error| session.fail(&[Diagnostic::error(error.to_string())], Exit::Surroundings))?;
    let store = check_store(session)?;
    terminal::result(&match format {
        Format::Json => check_json(&check, &store),
        Format::Text => check_text(&check, &store),
    })?;
    let is_right = check.wrong.is_empty() && store.wrong.is_empty();
    Ok(if is_right { Exit::Done } else { Exit::TargetFailed })
}

#[cfg(target_os = "linux")]
fn check_store(session: &Session) -> Result<StoreCheck, Exit> {
    store_check::check(&session.cache_folder()?).map_err(|error| session.surroundings(&error))
}

/// The embedded builder, and what it keeps, is there on Linux only.
#[cfg(not(target_os = "linux"))]
fn check_store(_session: &Session) -> Result<StoreCheck, Exit> {
    Ok(StoreCheck::default())
}

fn check_json(check: &IndexCheck, store: &StoreCheck) -> String {
    let wrong: Vec<_> = check
        .wrong
        .iter()
        .map(|entry| json!({ "path": entry.path.to_string(), "problem": entry.what.words() }))
        .collect();
    let compared = json!({ "folders": check.folders, "files": check.files, "links": check.links });
    let StoreCheck { blobs, bytes, unpacked, wrong: moved } = store;
    let store = json!({ "blobs": blobs, "bytes": bytes, "unpacked": unpacked, "wrong": moved });
    let document = json!({
        "schema": 1,
        "compared": compared,
        "not_known": check.unknown,
        "wrong": wrong,
        "store": store,
    });
    format!("{document:#}\n")
}

fn check_text(check: &IndexCheck, store: &StoreCheck) -> String {
    let IndexCheck { folders, files, links, unknown, wrong } = check;
    let mut text = String::new();
    for entry in wrong {
        let path = if entry.path.is_root() { ".".to_owned() } else { entry.path.to_string() };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{path} {}", entry.what.words());
    }
    let _ = writeln!(
        text,
        "compared {folders} folders, {files} files, {links} links: {} wrong; {unknown} more are not known",
        wrong.len()
    );
    for name in &store.wrong {
        let _ =
            writeln!(text, "{name} is not what it was: it is moved away, and made again when it is needed");
    }
    let StoreCheck { blobs, bytes, unpacked, wrong } = store;
    let _ = writeln!(
        text,
        "compared {blobs} blobs ({}), {unpacked} unpacked layers: {} wrong",
        size(*bytes),
        wrong.len()
    );
    text
}

fn stats(session: &Session, format: Format) -> Result<Exit, Exit> {
    let cache = session.cache()?;
    let statistics = Statistics::collect(&cache)
        .map_err(|error| session.fail(&[error.diagnostic()], Exit::Surroundings))?;
    let place = cache.path().display().to_string();
    let images = images(session)?;
    terminal::result(&match format {
        Format::Json => json_text(&place, &statistics, images),
        Format::Text => text(&place, &statistics, images),
    })?;
    Ok(Exit::Done)
}

/// The blobs in the store of the embedded builder. A store that was never made is not made to be counted.
fn images(session: &Session) -> Result<Usage, Exit> {
    let folder = session.cache_folder()?.join("oci");
    if !folder.join("oci-layout").exists() {
        return Ok(Usage::default());
    }
    let blobs = Store::open(&folder).and_then(|store| store.blobs());
    let blobs =
        blobs.map_err(|error| session.fail(&[Diagnostic::error(error.to_string())], Exit::Surroundings))?;
    Ok(Usage { files: blobs.len() as u64, bytes: blobs.values().sum() })
}

fn rows(statistics: &Statistics) -> Vec<(&'static str, Usage)> {
    let kinds = statistics.kinds.iter().map(|(kind, usage)| (kind.name(), *usage));
    kinds.chain([("temporary", statistics.temporary), ("other", statistics.other)]).collect()
}

fn json_text(place: &str, statistics: &Statistics, images: Usage) -> String {
    let usage = |usage: Usage| json!({ "files": usage.files, "bytes": usage.bytes });
    let kinds: serde_json::Map<_, _> =
        rows(statistics).into_iter().map(|(name, found)| (name.to_owned(), usage(found))).collect();
    let document = json!({
        "schema": 1,
        "folder": place,
        "kinds": kinds,
        "total": usage(statistics.total()),
        "images": usage(images),
    });
    format!("{document:#}\n")
}

fn text(place: &str, statistics: &Statistics, images: Usage) -> String {
    let mut text = format!("{place}\n");
    let total = [("total", statistics.total()), ("images", images)];
    for (name, usage) in rows(statistics).into_iter().chain(total) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<10} {:>8} files  {:>10}", usage.files, size(usage.bytes));
    }
    text
}

fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
