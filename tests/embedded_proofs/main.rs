//! What the embedded builder has to prove: the same bytes every time, little memory, nothing left after a
//! violent end, nothing outside of its folders touched by hostile images, secrets kept.
//!
//! Each of these runs the program itself. How often is in the environment: `IMGRAPH_REBUILDS`,
//! `IMGRAPH_KILLS` and `IMGRAPH_LAYER_MIB`; without them they take a minute or two.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod attacker;
#[path = "../support/base_layout.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod base_layout;
mod chance;
mod harms;
mod hostile;
mod hostile_registry;
mod kills;
mod layout;
mod memory;
mod peak;
mod place;
#[path = "../support/process_tree.rs"]
mod process_tree;
mod reproducible;
mod secrets;
mod served;

/// A number of the environment, or the usual one.
fn count(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}
