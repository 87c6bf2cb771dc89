//! The embedded builder: images without a daemon, the same bytes every time.
//!
//! It runs the stages of a Dockerfile as `graph/slice` resolves them. Each instruction goes from a *root* (a
//! chain of layers and the view of them) and a configuration to the next ones. A layer is a tar in the store;
//! `COPY` and `ADD` read and write tars alone, and only `RUN` needs folders, an overlay and a sandbox.
//!
//! **Invariant:** what a layer holds is decided by the request: never by the time, the machine, the user who
//! builds, or the order in which a folder is listed.

pub mod rootfs;
pub mod sandbox;
pub mod variables;
pub mod build_time;
pub mod mode;
pub mod tree;
pub mod context_tree;
pub mod pending;
pub mod owner;
pub mod selection;
pub mod copying;
pub mod trouble;
pub mod file_error;
pub mod archive_tree;
pub mod steps;
pub mod file_step;
pub mod history;
pub mod configuration;
pub mod rights;
pub mod open_layers;
pub mod root;
pub mod naming;
pub mod images;
pub mod refusals;
pub mod site;
pub mod stage;
pub mod stage_files;
pub mod mounts;
pub mod step_log;
pub mod run_command;
pub mod late_layers;
pub mod workplace;
pub mod stage_run;
pub mod instruction;
pub mod stages;
pub mod builder;
pub mod store_check;
