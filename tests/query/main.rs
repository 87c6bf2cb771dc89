//! `imgraph query`: the language, its answers over a small shop, its mistakes, and the command.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../support/workspace.rs"]
mod workspace;

mod shop;

mod answers;
mod command;
mod forms;
mod language;
mod mistakes;
