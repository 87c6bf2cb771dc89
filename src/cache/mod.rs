//! What is remembered between runs: action records, views, last builds, logs, stat indexes.
//!
//! A cache may be lost, damaged, read-only or shared by many processes at any moment. Whatever it
//! cannot give is a miss, with a warning where that is worth knowing; it never fails a build and
//! never gives a record that was not written whole under the name that is asked for.
//!
//! **Invariant:** no locks. Each record is a file of its own that is replaced in one step, so a
//! process that is killed leaves whole records and at most a temporary file behind.

pub mod folder;
pub mod record_file;

pub mod action_record;
pub mod index_file;
pub mod last_build;
pub mod listing_file;
pub mod recall_file;
pub mod step_record;
pub mod log_file;
pub mod statistics;
pub mod sweep;
pub mod view_listing;

#[cfg(test)]
mod tests;
