//! What would be the worst: a step that is taken from the cache though something differs, and an image that is
//! not what its Dockerfile says. Each test is named after what was wrong once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod agents;
mod damage;
mod files;
mod interrupted;
mod keys;
mod names;
mod open_files;
mod place;
#[path = "../support/ssh_agent.rs"]
mod ssh_agent;
mod times;
