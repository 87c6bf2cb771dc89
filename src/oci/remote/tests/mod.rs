//! Registries and servers that misbehave, which no real one does on demand.

pub(super) mod folder_sink;
mod server;
mod image;

mod faults;
mod tokens;
mod downloads;
