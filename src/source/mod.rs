//! The only reader of workspace bytes.

pub mod git_facts;

pub mod workspace_root;
