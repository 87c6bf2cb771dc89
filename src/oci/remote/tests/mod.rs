//! Registries and servers that misbehave, which no real one does on demand.

mod server;
mod image;

mod faults;
mod tokens;
mod downloads;
