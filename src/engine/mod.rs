//! The engine: what runs, in which order, and what is told of it.
//!
//! **Invariant:** the scheduler decides without I/O; the runner around it does the work.

pub mod critical_path;
pub mod scheduler;
pub mod estimate;
pub mod event_log;
pub mod log_sink;
pub mod tee;
pub mod whole;
pub mod agents;
pub mod secrets;
pub mod lookup;
pub mod refs;
pub mod parts;
pub mod recall;
pub mod plan;
pub mod explain;
pub mod affected;
pub mod report;
pub mod request;
mod prediction;
mod worker;
pub mod runner;
