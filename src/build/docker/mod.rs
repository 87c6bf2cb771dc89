//! The builder that hands work to a Docker Engine, 23.0 or newer, over its own socket.
//!
//! An engine has two interfaces: the Engine API (images, tags, pulls), for which `bollard` is used,
//! and BuildKit's, which is gRPC inside an upgraded connection. bollard's BuildKit layer gives no
//! digest, no progress and only an in-memory tar as context, so a client of our own stands here on
//! the same generated messages. A build is three conversations at once: `Solve` asks for the image,
//! `Status` says what happens, and the session is a gRPC *server* on our side, of which BuildKit asks
//! for files and secrets.
//!
//! **Invariant:** what is sent is the view and nothing else, checked against the key's hashes while it
//! is read. Digests of a classic store and of a containerd store are never compared: they are two
//! families.

mod address;
mod connection;
mod failure;
mod identifier;
mod images;
mod load;

mod bases;
mod status;
mod version;
mod wire;

mod file_sync;

mod absent_mounts;
mod agents;
mod contexts;
mod session;

mod solve;

mod answerer;
mod store_files;

mod names_mark;

mod builder;

pub use address::{AddressError, EngineAddress};
pub use builder::DockerBuilder;
pub use names_mark::NamesMark;
