//! What a plan says and what a run does, on a scripted builder: orders, failures and races that no
//! real engine can be made to have.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../support/workspace.rs"]
mod workspace;

mod scripted;
mod shop;

mod cache_trouble;
mod failures;
mod late;
mod plans;
mod races;
mod runs;
