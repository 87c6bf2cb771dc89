//! The sandbox, for real: each test starts the program's own stages.
//!
//! As root the tests are root's; as an ordinary user they are those of a user namespace with one id.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../support/process_tree.rs"]
mod process_tree;
mod support;

mod commands;
mod crashes;
mod folders;
mod isolation;
mod ordinary_user;
mod roots;
