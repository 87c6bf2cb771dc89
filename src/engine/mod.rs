//! The engine: what runs, in which order, and what is told of it.
//!
//! **Invariant:** the scheduler decides without I/O; the runner around it does the work.

pub mod critical_path;

pub mod scheduler;
