//! Builders: what turns one target's inputs into an image.
//!
//! **Invariant:** a builder is given everything that its output may depend on, and nothing else; it
//! knows no graph and no cache. tokio and bollard stay inside, behind blocking functions.

pub mod builder;
pub mod keyed_file;
mod redaction;
mod agent_connection;
#[cfg(target_os = "linux")]
pub mod embedded;
pub mod late_builder;
pub mod docker;
pub mod any_builder;
